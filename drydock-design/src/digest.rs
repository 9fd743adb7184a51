//! The fingerprint of a design's sources.

use drydock_model::id::Digest;
use drydock_model::ingest::{Format, Source};
use sha2::{Digest as _, Sha256};

/// SHA-256 over the forms and texts of the sources in order. Their names do not count: the same content from another place is the
/// same design. Documents that no longer count do, since without them it is another. Each text goes in with its length, so that moving a piece from one source to the next changes the digest.
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
        // Nothing where all documents count, so that such a source has the digest it always had.
        for struck in &source.without {
            hash.update(b"without");
            for text in [struck.kind.as_str(), &struck.name] {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text.as_bytes());
            }
        }
    }
    Digest(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use drydock_model::design::Kind;
    use drydock_model::finding::DocumentRef;

    use super::*;

    fn source(name: &str, text: &str) -> Source {
        Source {
            name: name.into(),
            format: Format::Yaml,
            text: text.into(),
            without: Vec::new(),
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

    #[test]
    fn what_does_not_count_counts() {
        let struck = |names: &[&str]| Source {
            without: names
                .iter()
                .map(|name| DocumentRef {
                    kind: Kind::Rack,
                    name: (*name).to_owned(),
                })
                .collect(),
            ..source("a", "x: 1\n")
        };
        let all = [
            digest(&[struck(&[])]),
            digest(&[struck(&["r1"])]),
            digest(&[struck(&["r2"])]),
            digest(&[struck(&["r1", "r2"])]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
    }
}
