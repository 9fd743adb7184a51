//! The window of session sequence numbers: each packet counts once (IPMI v2.0 section 6.12.13).

/// How far a number may be ahead of the highest one seen.
const AHEAD: i32 = 16;
/// How far behind.
const BEHIND: i32 = -16;

/// Which sequence numbers were seen. The first packet of a session sets the start, because BMCs disagree on it;
/// replays from other sessions are kept out by their keys.
#[derive(Debug, Default)]
pub(crate) struct Window {
    highest: Option<u32>,
    /// Bit n is set when `highest - n` was seen.
    seen: u32,
}

impl Window {
    /// Takes note of an authenticated packet; `false` where it must be dropped: a duplicate, or too far off.
    pub(crate) fn accept(&mut self, sequence: u32) -> bool {
        if sequence == 0 {
            return false;
        }
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            self.seen = 1;
            return true;
        };
        let distance = sequence.wrapping_sub(highest).cast_signed();
        match distance {
            1..=AHEAD => {
                self.highest = Some(sequence);
                self.seen = self.seen << distance | 1;
                true
            }
            BEHIND..=0 => {
                let bit = 1u32 << distance.unsigned_abs();
                let fresh = self.seen & bit == 0;
                self.seen |= bit;
                fresh
            }
            _ => false,
        }
    }
}

/// The number after `sequence`; 0 is left out, it means "outside a session" (section 6.12.8).
pub(crate) fn next_sequence(sequence: u32) -> u32 {
    sequence.wrapping_add(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_counts_once() {
        let mut window = Window::default();
        let sequence = [
            (5, true),
            (5, false),
            (6, true),
            (9, true),
            (7, true),
            (7, false),
            (25, true),
            (9, false),
            (10, true),
            (8, false),
            (42, false),
            (41, true),
            (0, false),
        ];
        for (number, accepted) in sequence {
            assert_eq!(window.accept(number), accepted, "{number}");
        }
    }

    #[test]
    fn numbers_wrap_around_zero() {
        let mut window = Window::default();
        assert!(window.accept(u32::MAX));
        assert_eq!(next_sequence(u32::MAX), 1);
        assert!(window.accept(1));
        assert!(!window.accept(u32::MAX));
        assert!(window.accept(u32::MAX - 1));
    }
}
