//! Keys that have been read, so that a key which stands in each of a thousand documents is held once.

use std::sync::Arc;

/// A few of the keys that were read last. Forgets rather than grows.
pub(super) struct Words {
    slots: [Option<Arc<str>>; Self::SLOTS],
}

impl Default for Words {
    fn default() -> Self {
        Words {
            slots: [const { None }; Self::SLOTS],
        }
    }
}

impl Words {
    const SLOTS: usize = 256;

    /// The key as it was remembered.
    pub(super) fn known(&self, text: &str) -> Option<Arc<str>> {
        let known = self.slots[slot(text)].as_ref()?;
        (**known == *text).then(|| Arc::clone(known))
    }

    pub(super) fn remember(&mut self, text: &Arc<str>) {
        self.slots[slot(text)] = Some(Arc::clone(text));
    }
}

/// FNV-1a, 32 bits; of the length of a key that is short, and a bad choice costs time only.
fn slot(text: &str) -> usize {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (hash ^ (hash >> 16)) as usize % Words::SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_word_is_the_same_one() {
        let mut words = Words::default();
        assert!(words.known("network").is_none());
        let word: Arc<str> = "network".into();
        words.remember(&word);
        assert!(
            words
                .known("network")
                .is_some_and(|known| Arc::ptr_eq(&known, &word))
        );
    }

    #[test]
    fn another_word_in_its_place_is_not_taken_for_it() {
        let mut words = Words::default();
        let all: Vec<Arc<str>> = (0..1000)
            .map(|number| format!("key{number}").into())
            .collect();
        for word in &all {
            words.remember(word);
        }
        for word in &all {
            assert!(words.known(word).is_none_or(|known| known == *word));
        }
    }
}
