//! Parents, actions, replacement.

use drydock_ingester::DesignIngester;
use drydock_model::ingest::Ingester;

use super::site::{document, render, rendered, source, tree};

const RACK: &str = "drydock/Rack/v1";

fn parent(data: &str) -> String {
    let metadata = "labels: {of: base}, layeringDefinition: {abstract: true, layer: global}";
    document(RACK, "base", metadata, data)
}

fn child(actions: &str, data: &str) -> String {
    let metadata = format!(
        "layeringDefinition: {{layer: site, parentSelector: {{of: base}}, actions: [{actions}]}}"
    );
    document(RACK, "own", &metadata, data)
}

#[test]
fn actions_do_as_deckhand_documents_them() {
    let (inherited, own) = ("{a: {x: 1, y: 2}, c: 9}", "{a: {x: 7, z: 3}, b: 4}");
    for (actions, expected) in [
        (
            "{method: merge, path: .}",
            r#"{"a":{"x":7,"y":2,"z":3},"c":9,"b":4}"#,
        ),
        (
            "{method: merge, path: .a}",
            r#"{"a":{"x":7,"y":2,"z":3},"c":9}"#,
        ),
        (
            "{method: merge, path: .b}",
            r#"{"a":{"x":1,"y":2},"c":9,"b":4}"#,
        ),
        (
            "{method: merge, path: $.a}",
            r#"{"a":{"x":7,"y":2,"z":3},"c":9}"#,
        ),
        ("{method: merge, path: a.x}", r#"{"a":{"x":7,"y":2},"c":9}"#),
        (
            "{method: merge, path: .data.a}",
            r#"{"a":{"x":7,"y":2,"z":3},"c":9}"#,
        ),
        ("{method: replace, path: .}", r#"{"a":{"x":7,"z":3},"b":4}"#),
        (
            "{method: replace, path: .a}",
            r#"{"a":{"x":7,"z":3},"c":9}"#,
        ),
        (
            "{method: replace, path: .b}",
            r#"{"a":{"x":1,"y":2},"c":9,"b":4}"#,
        ),
        ("{method: delete, path: .}", "{}"),
        ("{method: delete, path: .a}", r#"{"c":9}"#),
        ("{method: delete, path: .a.x}", r#"{"a":{"y":2},"c":9}"#),
        // In order.
        (
            "{method: delete, path: .}, {method: merge, path: .b}",
            r#"{"b":4}"#,
        ),
        (
            "{method: merge, path: .}, {method: replace, path: .a}",
            r#"{"a":{"x":7,"z":3},"c":9,"b":4}"#,
        ),
        (
            "{method: replace, path: .a}, {method: merge, path: .}",
            r#"{"a":{"x":7,"z":3},"c":9,"b":4}"#,
        ),
        (
            "{method: merge, path: .}, {method: delete, path: .a.x}",
            r#"{"a":{"y":2,"z":3},"c":9,"b":4}"#,
        ),
    ] {
        let found = rendered(&[parent(inherited), child(actions, own)]);
        assert_eq!(found, [format!("own {expected}")], "{actions}");
    }
}

#[test]
fn lists_are_never_merged_but_their_items_can_be() {
    let inherited = "{l: [{n: 1, k: 1}, {n: 2}], m: {deep: {p: 1, q: [1, 2]}}}";
    for (actions, own, expected) in [
        (
            "{method: merge, path: .}",
            "{l: [{n: 3}], m: {deep: {q: [9]}}}",
            r#"{"l":[{"n":3}],"m":{"deep":{"p":1,"q":[9]}}}"#,
        ),
        (
            "{method: merge, path: '.l[0]'}",
            "{l: [{n: 3}]}",
            r#"{"l":[{"n":3,"k":1},{"n":2}],"m":{"deep":{"p":1,"q":[1,2]}}}"#,
        ),
        (
            "{method: delete, path: '.l[1]'}",
            "{}",
            r#"{"l":[{"n":1,"k":1}],"m":{"deep":{"p":1,"q":[1,2]}}}"#,
        ),
        (
            "{method: merge, path: .m}",
            "{m: text}",
            r#"{"l":[{"n":1,"k":1},{"n":2}],"m":"text"}"#,
        ),
        (
            "{method: merge, path: \".new.'a.b'\"}",
            "{new: {a.b: 1, other: 2}}",
            r#"{"l":[{"n":1,"k":1},{"n":2}],"m":{"deep":{"p":1,"q":[1,2]}},"new":{"a.b":1}}"#,
        ),
    ] {
        let found = rendered(&[parent(inherited), child(actions, own)]);
        assert_eq!(found, [format!("own {expected}")], "{actions}");
    }
}

#[test]
fn maps_with_many_keys_are_merged_alike() {
    let keys = |value: u32, from: u32| -> String {
        let entries: Vec<String> = (from..from + 40)
            .map(|key| format!("k{key}: {value}"))
            .collect();
        format!("{{{}}}", entries.join(", "))
    };
    let merge = "{method: merge, path: .}";
    let found = rendered(&[parent(&keys(1, 0)), child(merge, &keys(2, 20))]);
    let data: serde_json::Value =
        serde_json::from_str(found[0].strip_prefix("own ").unwrap()).unwrap();
    assert_eq!(data.as_object().unwrap().len(), 60);
    assert_eq!(
        (&data["k19"], &data["k20"], &data["k59"]),
        (&1.into(), &2.into(), &2.into())
    );
}

fn layered(name: &str, layer: &str, labels: &str, selector: &str, data: &str) -> String {
    let parent = if selector.is_empty() {
        String::new()
    } else {
        format!(", parentSelector: {{{selector}}}, actions: [{{method: merge, path: .}}]")
    };
    let metadata = format!("labels: {{{labels}}}, layeringDefinition: {{layer: {layer}{parent}}}");
    document(RACK, name, &metadata, data)
}

#[test]
fn the_closest_higher_layer_with_a_match_has_the_parent() {
    let found = rendered(&[
        layered("s", "site", "", "k: v", "{s: 1}"),
        layered("g", "global", "k: v", "", "{g: 1}"),
        layered("t", "type", "k: v, more: x", "", "{t: 1}"),
        layered("c", "cicd", "k: v", "", "{c: 1}"),
    ]);
    assert_eq!(found[0], r#"s {"t":1,"s":1}"#);
    // Without it, the grandparent is the parent.
    let found = rendered(&[
        layered("s", "site", "", "k: v", "{s: 1}"),
        layered("g", "global", "k: v", "", "{g: 1}"),
    ]);
    assert_eq!(found[0], r#"s {"g":1,"s":1}"#);
}

#[test]
fn a_parent_has_all_labels_and_the_same_schema() {
    let found = rendered(&[
        layered("s", "site", "", "k: v, l: w", "{s: 1}"),
        layered("one", "type", "k: v", "", "{one: 1}"),
        layered("both", "global", "k: v, l: w", "", "{both: 1}"),
        document(
            "drydock/Region/v1",
            "other",
            "labels: {k: v, l: w}, layeringDefinition: {layer: type}",
            "{other: 1}",
        ),
    ]);
    assert_eq!(found[0], r#"s {"both":1,"s":1}"#);
}

#[test]
fn a_parent_is_itself_layered_first() {
    let found = rendered(&[
        layered("s", "site", "", "to: t", "{s: 1, x: s}"),
        layered("t", "type", "to: t", "to: g", "{t: 1, x: t}"),
        layered("g", "global", "to: g", "", "{g: 1, x: g}"),
    ]);
    assert_eq!(found[0], r#"s {"g":1,"x":"s","t":1,"s":1}"#);
    assert_eq!(found.len(), 3, "none of them is abstract");
}

#[test]
fn without_a_parent_a_document_stays_as_it_is() {
    let documents = [
        layered("s", "site", "", "k: v", "{}"),
        layered("low", "cicd", "", "of: mid", "{}"),
        layered("mid", "type", "of: mid", "k: gone", "{}"),
        layered("top", "global", "", "", "{}"),
    ];
    assert_eq!(rendered(&documents), ["s {}", "low {}", "mid {}", "top {}"]);
    // That is told, as a key that nothing reads: also where a parent of it is the orphan.
    let read = DesignIngester::default().ingest(&tree(&documents)).unwrap();
    let orphans: Vec<_> = read
        .iter()
        .flat_map(|document| {
            let name = &document.name;
            let ignored = document.ignored.iter();
            ignored.map(move |key| format!("{name} {}", document.at(key.position)))
        })
        .collect();
    assert_eq!(
        orphans,
        [
            "s site.yaml:3:83",
            "low site.yaml:11:92",
            "mid site.yaml:11:92"
        ]
    );
    assert_eq!(
        read[0].ignored[0].path_text(),
        "metadata.layeringDefinition.parentSelector"
    );
    // And to whoever only has the tree rendered.
    let told: Vec<Option<String>> = DesignIngester::default()
        .render(&tree(&documents))
        .unwrap()
        .iter()
        .map(|document| document.warning.as_ref().map(ToString::to_string))
        .collect();
    let warning = |place: &str, name: &str| {
        Some(format!(
            "site.yaml:{place}: warning [document/layering DD000]: {name}: the parentSelector selects no document, so the document stays as it is written (give the folder that holds the parent, too, or correct the labels)"
        ))
    };
    assert_eq!(
        told,
        [
            warning("3:83", "s"),
            warning("11:92", "low"),
            warning("11:92", "mid"),
            None
        ]
    );
}

#[test]
fn abstract_and_replaced_documents_are_not_shown() {
    let replacement = |layer: &str, extra: &str| {
        let metadata = format!(
            "replacement: true, labels: {{r: x}}, layeringDefinition: {{layer: {layer}, parentSelector: {{k: v}}, \
             actions: [{{method: merge, path: .}}]}}{extra}"
        );
        document(RACK, "r", &metadata, "{debug: true}")
    };
    let documents = [
        layered("r", "global", "k: v", "", "{debug: false, long: text}"),
        replacement("site", ""),
        // A sibling of the replacement is layered over it.
        layered("sibling", "cicd", "", "k: v", "{own: 1}"),
        parent("{}"),
    ];
    assert_eq!(
        rendered(&documents),
        [
            r#"r {"debug":true,"long":"text"}"#,
            r#"sibling {"debug":true,"long":"text","own":1}"#
        ]
    );
    // As a source, too, the replacement counts.
    let taker = document(
        RACK,
        "taker",
        "layeringDefinition: {layer: site}, substitutions: [{src: {schema: drydock/Rack/v1, name: r, path: .debug}, dest: {path: .debug}}]",
        "{}",
    );
    let found = rendered(&[documents[0].clone(), documents[1].clone(), taker]);
    assert_eq!(found[1], r#"taker {"debug":true}"#);
}

#[test]
fn only_what_drydock_needs_must_be_sound() {
    let found = rendered(&[
        layered("r", "site", "", "", "{}"),
        document(
            "armada/Chart/v1",
            "broken",
            "layeringDefinition: {layer: nowhere, parentSelector: {a: b}}",
            "{}",
        ),
        document(
            "armada/Chart/v1",
            "broken",
            "substitutions: [{src: {schema: a/B/v1, name: none, path: .}, dest: {path: .x}}]",
            "{}",
        ),
        document(
            RACK,
            "unused",
            "layeringDefinition: {abstract: true, layer: nowhere}",
            "{}",
        ),
        "---\nschema: pegleg/SiteDefinition/v1\n".into(),
    ]);
    assert_eq!(found, ["r {}"]);
}

#[test]
fn designs_without_a_policy_are_written_out_as_they_are() {
    let text = "apiVersion: drydock/v1\nkind: Rack\nmetadata: {name: old}\nspec: {location: {x: 3.10}}\n\
                ---\nschema: drydock/Rack/v1\nmetadata: {name: new}\ndata: {}\n---\nschema: other/Thing/v1\n";
    let documents = render(&[source("x.yaml", text)]).ok().unwrap();
    let names: Vec<_> = documents
        .iter()
        .map(|document| (document.schema(), document.name()))
        .collect();
    assert_eq!(names, [(RACK, "old"), (RACK, "new")]);
    let stream = drydock_ingester::to_stream(&documents).unwrap();
    assert!(
        stream.contains("3.10"),
        "numbers keep their spelling: {stream}"
    );
    let again = render(&[source("y.yaml", &stream)]).ok().unwrap();
    assert_eq!(
        drydock_ingester::to_stream(&again)
            .unwrap()
            .replace("y.yaml:5", "x.yaml:3")
            .lines()
            .count(),
        stream.lines().count()
    );
}

#[test]
fn a_policy_that_is_only_mentioned_is_none() {
    let text = "# deckhand/LayeringPolicy/v1\nschema: drydock/Rack/v1\nmetadata: {name: r, layeringDefinition: {layer: x, parentSelector: {a: b}}}\ndata: {}\n";
    assert_eq!(render(&[source("x.yaml", text)]).ok().unwrap().len(), 1);
    let with = tree(&[text.to_owned()]);
    assert!(render(&with).is_err(), "with one, the layer must be known");
}
