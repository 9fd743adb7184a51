//! The fingerprint of a design's sources.

use drydock_model::id::Digest;
use drydock_model::ingest::{Format, Source};
use sha2::{Digest as _, Sha256};

/// SHA-256 over the forms and texts of the sources in order. Their names do not count: the same content from another place is the
/// same design. Each text goes in with its length, so that moving a piece from one source to the next changes the digest.
#[must_use]
pub fn digest(sources: &[Source]) -> Digest {
    let mut hash = Sha256::new();
    for source in sources {
        let form: &[u8] = match source.format {
            Format::Yaml => b"yaml",
            Format::Deckhand => b"deckhand",
            Format::Auto => b"auto",
        };
        hash.update((form.len() as u64).to_be_bytes());
        hash.update(form);
        hash.update((source.text.len() as u64).to_be_bytes());
        hash.update(source.text.as_bytes());
    }
    Digest(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> Source {
        Source {
            name: name.into(),
            format: Format::Yaml,
            text: text.into(),
        }
    }

    #[test]
    fn content_counts_and_names_do_not() {
        let one = digest(&[source("a", "x: 1\n")]);
        assert_eq!(one.0.len(), 64);
        assert_eq!(one, digest(&[source("b", "x: 1\n")]));
        assert_ne!(one, digest(&[source("a", "x: 2\n")]));
        assert_ne!(
            digest(&[source("a", "xy"), source("b", "z")]),
            digest(&[source("a", "x"), source("b", "yz")])
        );
    }
}
