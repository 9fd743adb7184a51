//! What is said of a document that cannot be rendered, and where.

use drydock_model::finding::Location;
use drydock_model::ingest::Source;

use super::site::{document, refused, shown, tree};

const RACK: &str = "drydock/Rack/v1";

/// What stands at a place.
fn rest_of_line(sources: &[Source], place: &Location) -> String {
    let source = sources
        .iter()
        .find(|source| source.name == place.source)
        .unwrap();
    let line = source.text.lines().nth(place.line as usize - 1).unwrap();
    line.chars().skip(place.column as usize - 1).collect()
}

#[test]
fn every_fault_has_its_rule_its_place_and_a_word_of_advice() {
    let rack = |metadata: &str, data: &str| document(RACK, "r", metadata, data);
    let layered = |more: &str| {
        rack(
            &format!("layeringDefinition: {{layer: site{more}}}"),
            "{a: {b: 1}, t: text}",
        )
    };
    let taking = |more: &str| {
        rack(
            &format!("layeringDefinition: {{layer: site}}, substitutions: [{more}]"),
            "{t: text, m: {k: v}}",
        )
    };
    let base = |name: &str, layer: &str| {
        document(
            RACK,
            name,
            &format!("labels: {{k: v}}, layeringDefinition: {{layer: {layer}}}"),
            "{p: 1}",
        )
    };
    let values = document("pegleg/Values/v1", "values", "", "{key: v, map: {k: v}}");
    let src = "src: {schema: pegleg/Values/v1, name: values, path: .key}";
    let (layering, substitution) = ("document/layering", "document/substitution");
    let mut failures = Vec::new();
    for (what, documents, at, rule, says) in [
        (
            "an unknown layer",
            vec![rack("layeringDefinition: {layer: siet}", "{}")],
            "siet}",
            layering,
            "did you mean \"site\"?",
        ),
        (
            "a parent of an unknown layer",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: merge, path: .}]"),
                base("b", "nowhere, abstract: true"),
            ],
            "{k: v}",
            layering,
            "selects b, whose layer \"nowhere\"",
        ),
        (
            "two parents",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: merge, path: .}]"),
                base("one", "type"),
                base("two", "type"),
                base("far", "global"),
            ],
            "{k: v}",
            layering,
            "among them one and two",
        ),
        (
            "a parent below",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: merge, path: .}]"),
                base("low", "cicd"),
            ],
            "{k: v}",
            layering,
            "selects low of the layer \"cicd\" only",
        ),
        (
            "a parent beside",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: merge, path: .}]"),
                base("low", "site"),
            ],
            "{k: v}",
            layering,
            "not above \"site\"",
        ),
        (
            "no actions",
            vec![layered(", parentSelector: {k: v}")],
            "r,",
            layering,
            "no actions",
        ),
        (
            "no parent selector",
            vec![layered(", actions: [{method: merge, path: .}]")],
            "[{method",
            layering,
            "no parentSelector",
        ),
        (
            "a selector that is a text",
            vec![layered(", parentSelector: base, actions: []")],
            "base,",
            layering,
            "a text, not a map",
        ),
        (
            "a misspelt key",
            vec![layered(", parentSelecter: {k: v}")],
            "parentSelecter",
            layering,
            "did you mean parentSelector?",
        ),
        (
            "a misspelt key of the metadata",
            vec![rack("substitution: []", "{}")],
            "substitution:",
            layering,
            "did you mean substitutions?",
        ),
        (
            "a misspelt action",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: marge, path: .}]"),
                base("b", "type"),
            ],
            "marge",
            layering,
            "did you mean merge?",
        ),
        (
            "an action without a path",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: merge}]"),
                base("b", "type"),
            ],
            "{method: merge}",
            layering,
            "without a path",
        ),
        (
            "a bad path",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: merge, path: '.a[*]'}]"),
                base("b", "type"),
            ],
            "'.a[*]'",
            layering,
            "[*]",
        ),
        (
            "a path that the child lacks",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: merge, path: .a.c}]"),
                base("b", "type"),
            ],
            ".a.c",
            layering,
            ".a has no key \"c\"; did you mean \"b\"?",
        ),
        (
            "a path that the child lacks",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: replace, path: .p}]"),
                base("b", "type"),
            ],
            ".p",
            layering,
            "nothing to replace with at .p",
        ),
        (
            "nothing to delete",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: delete, path: .a}]"),
                base("b", "type"),
            ],
            ".a}",
            layering,
            "nothing to delete at .a",
        ),
        (
            "something in the way",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: merge, path: .a.b}]"),
                document(
                    RACK,
                    "b",
                    "labels: {k: v}, layeringDefinition: {layer: type}",
                    "{a: text}",
                ),
            ],
            ".a.b",
            layering,
            ".a is a text, not a map",
        ),
        (
            "a replacement of nothing",
            vec![rack(
                "replacement: true, layeringDefinition: {layer: site, parentSelector: {k: v}, actions: [{method: merge, path: .}]}",
                "{}",
            )],
            "{k: v}",
            layering,
            "that it could replace",
        ),
        (
            "a replacement of another name",
            vec![
                rack(
                    "replacement: true, layeringDefinition: {layer: site, parentSelector: {k: v}, actions: [{method: merge, path: .}]}",
                    "{}",
                ),
                base("b", "type"),
            ],
            "{k: v}",
            layering,
            "another name: b",
        ),
        (
            "its parent's name",
            vec![
                layered(", parentSelector: {k: v}, actions: [{method: merge, path: .}]"),
                base("r", "type"),
            ],
            "{k: v}",
            layering,
            "`replacement: true`",
        ),
        (
            "an unknown source",
            vec![
                taking(
                    "{src: {schema: pegleg/Values/v1, name: valeus, path: .key}, dest: {path: .x}}",
                ),
                values.clone(),
            ],
            "valeus",
            substitution,
            "pegleg/Values/v1 valeus is not there (path .key) did you mean values?",
        ),
        (
            "a source of another schema",
            vec![
                taking(
                    "{src: {schema: pegleg/Value/v1, name: values, path: .key}, dest: {path: .x}}",
                ),
                values.clone(),
            ],
            "values",
            substitution,
            "there is a pegleg/Values/v1 values",
        ),
        (
            "an abstract source",
            vec![
                taking(&format!("{{{src}, dest: {{path: .x}}}}")),
                document(
                    "pegleg/Values/v1",
                    "values",
                    "layeringDefinition: {abstract: true, layer: site}",
                    "{}",
                ),
            ],
            "values",
            substitution,
            "is abstract (site.yaml:7:18)",
        ),
        (
            "two sources",
            vec![
                taking(&format!("{{{src}, dest: {{path: .x}}}}")),
                values.clone(),
                values.clone(),
            ],
            "values",
            substitution,
            "site.yaml:7:18 and site.yaml:11:18",
        ),
        (
            "a source without the value",
            vec![
                taking(
                    "{src: {schema: pegleg/Values/v1, name: values, path: .kye}, dest: {path: .x}}",
                ),
                values.clone(),
            ],
            ".kye",
            substitution,
            "did you mean \"key\"?",
        ),
        (
            "a source without data",
            vec![
                taking(&format!("{{{src}, dest: {{path: .x}}}}")),
                "---\nschema: pegleg/Values/v1\nmetadata: {name: values}\n".into(),
            ],
            ".key",
            substitution,
            "it has no data",
        ),
        (
            "a substitution without a source",
            vec![taking("{dest: {path: .x}}")],
            "{dest",
            substitution,
            "without src",
        ),
        (
            "an unknown key",
            vec![
                taking(&format!("{{{src}, dest: {{pat: .x}}}}")),
                values.clone(),
            ],
            "pat:",
            substitution,
            "did you mean path?",
        ),
        (
            "something in the way",
            vec![
                taking(&format!("{{{src}, dest: {{path: .t.x}}}}")),
                values.clone(),
            ],
            ".t.x",
            substitution,
            ".t is a text, not a map",
        ),
        (
            "a pattern without a text",
            vec![
                taking(&format!("{{{src}, dest: {{path: .m, pattern: x}}}}")),
                values.clone(),
            ],
            ".m,",
            substitution,
            "at .m stands a map",
        ),
        (
            "a pattern where nothing is",
            vec![
                taking(&format!("{{{src}, dest: {{path: .mm, pattern: x}}}}")),
                values.clone(),
            ],
            ".mm,",
            substitution,
            "no key \"mm\"",
        ),
        (
            "a pattern that is none",
            vec![
                taking(&format!("{{{src}, dest: {{path: .t, pattern: '('}}}}")),
                values.clone(),
            ],
            "'('",
            substitution,
            "not understood",
        ),
        (
            "a map for a pattern",
            vec![
                taking(
                    "{src: {schema: pegleg/Values/v1, name: values, path: .map}, dest: {path: .t, pattern: x}}",
                ),
                values.clone(),
            ],
            ".t,",
            substitution,
            "has a map",
        ),
        (
            "recursion without a depth",
            vec![
                taking(&format!(
                    "{{{src}, dest: {{path: ., pattern: x, recurse: {{}}}}}}"
                )),
                values.clone(),
            ],
            "{}",
            substitution,
            "without a depth",
        ),
        (
            "a group that is none",
            vec![
                taking(
                    "{src: {schema: pegleg/Values/v1, name: values, path: .key, pattern: v, match_group: 3}, dest: {path: .x}}",
                ),
                values.clone(),
            ],
            ".key",
            substitution,
            "0 group(s)",
        ),
        (
            "a part of a map",
            vec![
                taking(
                    "{src: {schema: pegleg/Values/v1, name: values, path: .map, pattern: v}, dest: {path: .x}}",
                ),
                values.clone(),
            ],
            ".map",
            substitution,
            "stands a map",
        ),
        (
            "itself",
            vec![taking(
                "{src: {schema: drydock/Rack/v1, name: r, path: .t}, dest: {path: .x}}",
            )],
            "r,",
            substitution,
            "drydock/Rack/v1 r <- drydock/Rack/v1 r",
        ),
    ] {
        let sources = tree(&documents);
        let findings = refused(&sources);
        let told: String = findings
            .iter()
            .map(|finding| format!("{} {} ", finding.message, finding.diagnostic))
            .collect();
        let named = findings.iter().all(|finding| {
            finding.message.starts_with("drydock/Rack/v1 r: ") && finding.documents.len() == 1
        });
        let place = findings[0].location.as_ref().unwrap();
        let there = (
            &*place.source,
            place.line,
            rest_of_line(&sources, place).starts_with(at),
        );
        let right =
            findings.len() == 1 && there == ("site.yaml", 3, true) && findings[0].rule == rule;
        if !right || !told.contains(says) || !named {
            failures.push(format!("{what}: {:?} {told}", shown(&findings)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
