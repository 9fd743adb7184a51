//! No text makes the ingester panic.
#![allow(clippy::unwrap_used)]

use drydock_ingester::{DesignIngester, parse_tree};
use drydock_model::ingest::{Format, Ingester, Source};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn arbitrary_text(text in "\\PC{0,200}") {
        for format in [Format::Yaml, Format::Deckhand, Format::Auto] {
            let source = Source { name: "any".into(), format, text: text.clone(), without: Vec::new() };
            let _ = DesignIngester::default().ingest(&[source]);
        }
    }

    #[test]
    fn text_that_looks_like_yaml(text in "([a-c&*!<'\"\\[\\]{}:,?|>#%@\\-~ \n\t\r\0]|: |- |---\n|\\.\\.\\.\n|<<: ){0,60}") {
        let _ = parse_tree(&text, "any");
    }

    /// What is taken has places within the text.
    #[test]
    fn places_lie_within_the_text(text in "([ab]: |[ab]|- |\n|  |\\[|\\]|, |ü){0,40}") {
        for tree in parse_tree(&text, "any").unwrap_or_default() {
            let lines = u32::try_from(text.split('\n').count()).unwrap();
            prop_assert!(tree.position.line() >= 1 && tree.position.line() <= lines);
            prop_assert!(tree.position.column() >= 1);
        }
    }
}
