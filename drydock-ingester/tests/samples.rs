//! Every published sample is read whole.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use drydock_ingester::DesignIngester;
use drydock_model::design::{Document, Kind};
use drydock_model::ingest::{Format, Ingester, Source};

fn sample(name: &str, format: Format) -> Source {
    let path = format!("{}/../examples/designs/{name}", env!("CARGO_MANIFEST_DIR"));
    Source {
        name: name.into(),
        format,
        text: std::fs::read_to_string(path).unwrap(),
        without: Vec::new(),
    }
}

fn ingest(name: &str, format: Format) -> Vec<Document> {
    DesignIngester::default()
        .ingest(&[sample(name, format)])
        .unwrap()
}

fn count(documents: &[Document]) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for document in documents {
        *counts.entry(document.kind).or_default() += 1;
    }
    counts
}

#[test]
fn samples_yield_their_documents() {
    for (name, form, documents, nodes) in [
        ("seaworthy.yaml", Format::Deckhand, 26, 5),
        ("airsloop.yaml", Format::Deckhand, 20, 1),
        ("fullsite-deckhand.yaml", Format::Deckhand, 20, 3),
        ("fullsite-yaml.yaml", Format::Yaml, 17, 2),
        ("fullsite-yaml-faulty.yaml", Format::Yaml, 17, 2),
        ("routedomain.yaml", Format::Deckhand, 3, 0),
    ] {
        for format in [form, Format::Auto] {
            let found = ingest(name, format);
            assert_eq!(found.len(), documents, "{name}");
            assert_eq!(
                count(&found)
                    .get(&Kind::BaremetalNode)
                    .copied()
                    .unwrap_or(0),
                nodes,
                "{name}"
            );
            assert_eq!(
                found.iter().flat_map(|document| &document.ignored).count(),
                0,
                "{name}"
            );
        }
    }
}
