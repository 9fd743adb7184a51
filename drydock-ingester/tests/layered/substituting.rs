//! Substitution.

use super::site::{document, rendered};

const RACK: &str = "drydock/Rack/v1";

fn values(data: &str) -> String {
    document(
        "pegleg/Values/v1",
        "values",
        "layeringDefinition: {layer: global}",
        data,
    )
}

fn taker(substitutions: &str, data: &str) -> String {
    let metadata = format!("layeringDefinition: {{layer: site}}, substitutions: [{substitutions}]");
    document(RACK, "t", &metadata, data)
}

fn src(path: &str) -> String {
    format!("src: {{schema: pegleg/Values/v1, name: values, path: {path}}}")
}

#[test]
fn values_go_where_they_are_told() {
    let source =
        "{a: {b: [x, {c: y}]}, n: 7, t: true, 'd.e': z, list: [1, 2], map: {k: v, data: w}}";
    for (substitution, data, expected) in [
        (
            format!("{{{}, dest: {{path: .x}}}}", src(".n")),
            "{}",
            r#"{"x":7}"#,
        ),
        (
            format!("{{{}, dest: {{path: .x.y.z}}}}", src("'.a.b[0]'")),
            "{x: {w: 1}}",
            r#"{"x":{"w":1,"y":{"z":"x"}}}"#,
        ),
        (
            format!("{{{}, dest: {{path: .x}}}}", src("'.a.b[1].c'")),
            "{x: old}",
            r#"{"x":"y"}"#,
        ),
        (
            format!("{{{}, dest: {{path: .x}}}}", src("$.list")),
            "",
            r#"{"x":[1,2]}"#,
        ),
        (
            format!("{{{}, dest: {{path: '.l[0]'}}}}", src(".n")),
            "{l: []}",
            r#"{"l":[7]}"#,
        ),
        (
            format!("{{{}, dest: {{path: '.l[1]'}}}}", src(".n")),
            "{l: [1]}",
            r#"{"l":[1,7]}"#,
        ),
        (
            format!("{{{}, dest: {{path: '.l[2].m'}}}}", src(".n")),
            "{l: [1]}",
            r#"{"l":[1,{},{"m":7}]}"#,
        ),
        (
            format!("{{{}, dest: {{path: \".'x.y'\"}}}}", src("\".'d.e'\"")),
            "{}",
            r#"{"x.y":"z"}"#,
        ),
        (
            format!("{{{}, dest: [{{path: .x}}, {{path: .y}}]}}", src(".n")),
            "{}",
            r#"{"x":7,"y":7}"#,
        ),
        // The whole data of a map is laid over it, key by key.
        (
            format!("{{{}, dest: {{path: .}}}}", src(".map")),
            "{k: old, own: 1}",
            r#"{"k":"v","own":1,"data":"w"}"#,
        ),
        (
            format!("{{{}, dest: {{path: .}}}}", src(".list")),
            "text",
            r#"[1,2]"#,
        ),
        (
            format!("{{{}, dest: {{path: .x}}}}", src(".")),
            "{}",
            &format!(
                r#"{{"x":{}}}"#,
                r#"{"a":{"b":["x",{"c":"y"}]},"n":7,"t":true,"d.e":"z","list":[1,2],"map":{"k":"v","data":"w"}}"#
            ),
        ),
    ] {
        let found = rendered(&[values(source), taker(&substitution, data)]);
        assert_eq!(found, [format!("t {expected}")], "{substitution}");
    }
}

#[test]
fn patterns_are_replaced_within_texts() {
    let source = "{p: 'a$1\\b', n: 7, t: true}";
    let url = "{url: 'http://INSERT_A_HERE:INSERT_B_HERE@x', deep: {url: INSERT_A_HERE, more: {url: INSERT_A_HERE}}, list: [INSERT_A_HERE, 1]}";
    let dest = |path: &str, extra: &str| {
        format!("dest: {{path: {path}, pattern: 'INSERT_[A-Z]+_HERE'{extra}}}")
    };
    for (substitution, expected) in [
        (
            format!("{{{}, {}}}", src(".p"), dest(".url", "")),
            r#"{"url":"http://a$1\\b:a$1\\b@x","deep":{"url":"INSERT_A_HERE","more":{"url":"INSERT_A_HERE"}},"list":["INSERT_A_HERE",1]}"#,
        ),
        (
            format!("{{{}, {}}}", src(".n"), dest("'.list[0]'", "")),
            r#"{"url":"http://INSERT_A_HERE:INSERT_B_HERE@x","deep":{"url":"INSERT_A_HERE","more":{"url":"INSERT_A_HERE"}},"list":["7",1]}"#,
        ),
        (
            format!("{{{}, {}}}", src(".n"), dest(".", ", recurse: {depth: -1}")),
            r#"{"url":"http://7:7@x","deep":{"url":"7","more":{"url":"7"}},"list":["7",1]}"#,
        ),
        (
            format!("{{{}, {}}}", src(".t"), dest(".", ", recurse: {depth: 1}")),
            r#"{"url":"http://True:True@x","deep":{"url":"INSERT_A_HERE","more":{"url":"INSERT_A_HERE"}},"list":["INSERT_A_HERE",1]}"#,
        ),
        (
            format!(
                "{{{}, {}}}",
                src(".n"),
                dest(".deep", ", recurse: {depth: 0}")
            ),
            r#"{"url":"http://INSERT_A_HERE:INSERT_B_HERE@x","deep":{"url":"INSERT_A_HERE","more":{"url":"INSERT_A_HERE"}},"list":["INSERT_A_HERE",1]}"#,
        ),
        (
            format!(
                "{{{}, {}}}",
                src(".n"),
                dest(".deep.url", ", recurse: {depth: 1}")
            ),
            r#"{"url":"http://INSERT_A_HERE:INSERT_B_HERE@x","deep":{"url":"7","more":{"url":"INSERT_A_HERE"}},"list":["INSERT_A_HERE",1]}"#,
        ),
    ] {
        let found = rendered(&[values(source), taker(&substitution, url)]);
        assert_eq!(found, [format!("t {expected}")], "{substitution}");
    }
    let without = format!("{{{}, dest: {{path: .url, pattern: NOTHING}}}}", src(".p"));
    let found = rendered(&[values(source), taker(&without, "{url: x}")]);
    assert_eq!(
        found,
        [r#"t {"url":"x"}"#],
        "what matches nothing changes nothing"
    );
}

#[test]
fn a_part_of_the_source_can_be_taken() {
    let source = "{image: 'docker.io/library/hello:latest'}";
    let part = |more: &str| {
        format!(
            "{{src: {{schema: pegleg/Values/v1, name: values, path: .image, {more}}}, dest: {{path: .x}}}}"
        )
    };
    for (more, expected) in [
        (
            "pattern: '^(.*):(.*)', match_group: 1",
            "docker.io/library/hello",
        ),
        ("pattern: '^(.*):(.*)', match_group: 2", "latest"),
        ("pattern: 'hello.*'", "hello:latest"),
        ("pattern: 'nothing'", "docker.io/library/hello:latest"),
    ] {
        let found = rendered(&[values(source), taker(&part(more), "{}")]);
        assert_eq!(found, [format!(r#"t {{"x":"{expected}"}}"#)], "{more}");
    }
}

#[test]
fn a_scalar_is_taken_whole() {
    let substitution =
        "{src: {schema: deckhand/Passphrase/v1, name: p, path: .ignored}, dest: {path: .x}}";
    let passphrase = document(
        "deckhand/Passphrase/v1",
        "p",
        "storagePolicy: cleartext",
        "hush",
    );
    let found = rendered(&[taker(substitution, "{}"), passphrase]);
    assert_eq!(found, [r#"t {"x":"hush"}"#]);
}

#[test]
fn sources_are_rendered_first_whatever_their_layer() {
    let take = |from: &str, name: &str, layer: &str| {
        document(
            "pegleg/Values/v1",
            name,
            &format!(
                "layeringDefinition: {{layer: {layer}}}, substitutions: [{{src: {{schema: pegleg/Values/v1, name: {from}, path: .v}}, dest: {{path: .v}}}}]"
            ),
            "{}",
        )
    };
    let substitution = "{src: {schema: pegleg/Values/v1, name: first, path: .v}, dest: {path: .v}}";
    let found = rendered(&[
        document(
            RACK,
            "t",
            &format!("layeringDefinition: {{layer: global}}, substitutions: [{substitution}]"),
            "{}",
        ),
        take("second", "first", "site"),
        take("values", "second", "cicd"),
        values("{v: deep}"),
    ]);
    assert_eq!(found, [r#"t {"v":"deep"}"#]);
}

/// The parent's substitutions are in its data when the child is layered over it; the child's own come last.
#[test]
fn a_parents_substitutions_come_before_layering_and_the_childs_after() {
    let parent = document(
        RACK,
        "base",
        &format!(
            "labels: {{of: base}}, layeringDefinition: {{abstract: true, layer: global}}, substitutions: [{{{}, dest: [{{path: .a}}, {{path: .b}}, {{path: .c}}]}}]",
            src(".v")
        ),
        "{}",
    );
    let child = document(
        RACK,
        "own",
        &format!(
            "layeringDefinition: {{layer: site, parentSelector: {{of: base}}, actions: [{{method: merge, path: .}}]}}, substitutions: [{{{}, dest: {{path: .c}}}}]",
            src(".w")
        ),
        "{b: own, c: own}",
    );
    let found = rendered(&[parent, child, values("{v: theirs, w: last}")]);
    assert_eq!(found, [r#"own {"a":"theirs","b":"own","c":"last"}"#]);
}
