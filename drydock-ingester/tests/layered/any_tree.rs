//! No set of layered documents makes the renderer panic or hang.

use drydock_ingester::parse::Limits;
use drydock_ingester::{DesignIngester, to_stream};
use drydock_model::ingest::Ingester;
use proptest::prelude::*;

use super::site::{document, source, tree};

fn path() -> impl Strategy<Value = String> {
    "(\\.|\\$|(\\.[abd]|\\.data|\\[[0-2]\\]|\\.'a\\.b'|\\[\"a\"\\]|\\.\\*|x){1,3})"
}

fn data() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{a: {b: [1, x, {a: y}], d: z}, b: aXb}".to_owned()),
        Just("[a, {b: X}]".to_owned()),
        Just("text X".to_owned()),
        Just("{}".to_owned()),
        Just("".to_owned()),
        "[ab{}\\[\\]:, 0X]{0,8}",
    ]
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

prop_compose! {
    fn substitution()(schema in 0_usize..3, name in 0_usize..3, from in path(), to in path(), more in prop_oneof![
        Just(""), Just(", pattern: X"), Just(", pattern: '(', recurse: {depth: 1}"), Just(", pattern: '[A-Z]', recurse: {depth: -1}"),
    ]) -> String {
        let schema = ["drydock/Rack/v1", "drydock/Region/v1", "a/B/v1"][schema];
        format!(
            "{{src: {{schema: {schema}, name: n{name}, path: {}}}, dest: {{path: {}{more}}}}}",
            quoted(&from), quoted(&to)
        )
    }
}

prop_compose! {
    fn one()(
        schema in 0_usize..3, name in 0_usize..3, layer in 0_usize..4, kind in 0_usize..4, label in 0_usize..3, selects in 0_usize..4,
        method in 0_usize..3, at in path(), substitutions in proptest::collection::vec(substitution(), 0..3), data in data(),
    ) -> String {
        let schema = ["drydock/Rack/v1", "drydock/Region/v1", "a/B/v1"][schema];
        let layer = ["global", "type", "site", "none"][layer];
        let extra = ["", ", abstract: true", "", ""][kind];
        let replacement = if kind == 3 { ", replacement: true" } else { "" };
        let method = ["merge", "replace", "delete"][method];
        let parent = if selects == 3 {
            String::new()
        } else {
            format!(", parentSelector: {{l: v{selects}}}, actions: [{{method: {method}, path: {}}}]", quoted(&at))
        };
        let metadata = format!(
            "labels: {{l: v{label}}}, layeringDefinition: {{layer: {layer}{extra}{parent}}}{replacement}, substitutions: [{}]",
            substitutions.join(", ")
        );
        document(schema, &format!("n{name}"), &metadata, &data)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn arbitrary_sets(documents in proptest::collection::vec(one(), 0..8)) {
        let limits = Limits { nodes: 5_000, bytes: 1 << 20, ..Limits::default() };
        let ingester = DesignIngester::with_limits(limits);
        let sources = tree(&documents);
        let _ = ingester.ingest(&sources);
        match ingester.render(&sources) {
            Ok(rendered) => {
                // What is written can be read, and says the same.
                let stream = to_stream(&rendered).unwrap();
                let again = ingester.render(&[source("again.yaml", &stream)]).ok().unwrap();
                let json = |documents: &[drydock_ingester::Rendered]| -> Vec<_> {
                    documents.iter().map(|document| document.data().map(drydock_model::tree::Tree::to_json)).collect()
                };
                prop_assert_eq!(json(&again), json(&rendered));
            }
            Err(findings) => {
                prop_assert!(!findings.is_empty());
                for finding in findings {
                    prop_assert!(!finding.message.is_empty() && !finding.diagnostic.is_empty(), "{finding}");
                }
            }
        }
    }
}
