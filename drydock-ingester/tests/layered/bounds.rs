//! Trees that ask for too much end with a finding.

use std::time::{Duration, Instant};

use drydock_ingester::DesignIngester;
use drydock_ingester::parse::Limits;
use drydock_model::ingest::Source;

use super::site::{POLICY, document, refused, render, source, tree};

const RACK: &str = "drydock/Rack/v1";
const ANY: &str = "a/B/v1";

fn quickly<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = work();
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{what} took {:?}",
        begin.elapsed()
    );
    result
}

fn take(name: &str, of: &str, dests: &str) -> String {
    let metadata = format!(
        "substitutions: [{{src: {{schema: {ANY}, name: {of}, path: .}}, dest: [{dests}]}}]"
    );
    document(ANY, name, &metadata, "{}")
}

/// The same with a Rack at the end of the chain.
fn with_rack(mut documents: Vec<String>, of: &str) -> Vec<Source> {
    let metadata = format!(
        "substitutions: [{{src: {{schema: {ANY}, name: {of}, path: .}}, dest: {{path: .x}}}}]"
    );
    documents.push(document(RACK, "r", &metadata, "{}"));
    tree(&documents)
}

#[test]
fn a_tree_that_doubles_itself_again_and_again() {
    let mut documents = vec![document(ANY, "n0", "", "{a: 1, b: 2}")];
    for number in 1..40 {
        let of = format!("n{}", number - 1);
        documents.push(take(&format!("n{number}"), &of, "{path: .a}, {path: .b}"));
    }
    let findings = quickly("doubling", || refused(&with_rack(documents, "n39")));
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].message.contains("more than 2000000 values"),
        "{findings:?}"
    );
}

#[test]
fn a_text_that_doubles_itself_again_and_again() {
    let mut documents = vec![document(ANY, "n0", "", "xxxxxxxxxxxxxxxx")];
    for number in 1..60 {
        let metadata = format!(
            "substitutions: [{{src: {{schema: {ANY}, name: n{}, path: .}}, dest: {{path: ., pattern: X}}}}]",
            number - 1
        );
        documents.push(document(ANY, &format!("n{number}"), &metadata, "'XX'"));
    }
    let findings = quickly("doubling", || refused(&with_rack(documents, "n59")));
    assert!(findings[0].message.contains("values or"), "{findings:?}");
}

#[test]
fn a_tree_that_grows_deeper_and_deeper() {
    let mut documents = vec![document(ANY, "n0", "", "{a: 1}")];
    for number in 1..10_000 {
        let of = format!("n{}", number - 1);
        documents.push(take(&format!("n{number}"), &of, "{path: .a}"));
    }
    let findings = quickly("deepening", || refused(&with_rack(documents, "n9999")));
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.contains("too deep"), "{findings:?}");
}

#[test]
fn ten_thousand_parents_are_no_more_than_a_long_chain() {
    let layers: Vec<String> = (0..10_000).map(|layer| format!("l{layer}")).collect();
    let policy = POLICY.replace("global, type, site, cicd", &layers.join(", "));
    let mut documents: Vec<String> = (1..10_000)
        .map(|layer| {
            let metadata = format!(
                "labels: {{n: n{layer}}}, layeringDefinition: {{layer: l{layer}, parentSelector: {{n: n{}}}, actions: [{{method: merge, path: .}}]}}",
                layer - 1
            );
            document(RACK, &format!("r{layer}"), &metadata, &format!("{{last: {layer}}}"))
        })
        .collect();
    // The leaf comes first, so that the whole chain waits for its end.
    documents.reverse();
    documents.push(document(
        RACK,
        "r0",
        "labels: {n: n0}, layeringDefinition: {layer: l0}",
        "{first: 0}",
    ));
    let sources = [
        source("policy.yaml", &policy),
        source("site.yaml", &documents.concat()),
    ];
    let rendered = quickly("a chain", || render(&sources).ok().unwrap());
    assert_eq!(rendered.len(), 10_000);
    let leaf = rendered[0].data().unwrap().to_json();
    assert_eq!(leaf.to_string(), r#"{"first":0,"last":9999}"#);
    let limits = Limits {
        nodes: 100_000,
        ..Limits::default()
    };
    let mut longer = sources.to_vec();
    longer[1].text = longer[1].text.replace(
        "first: 0",
        &(0..50)
            .map(|key| format!("k{key}: 0"))
            .collect::<Vec<_>>()
            .join(", "),
    );
    let findings = DesignIngester::with_limits(limits)
        .render(&longer)
        .err()
        .unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
}

#[test]
fn a_long_circle() {
    let mut documents: Vec<String> = (0..10_000)
        .map(|number| {
            take(
                &format!("n{number}"),
                &format!("n{}", (number + 1) % 10_000),
                "{path: .a}",
            )
        })
        .collect();
    documents.reverse();
    let findings = quickly("a circle", || refused(&with_rack(documents, "n0")));
    assert_eq!(findings.len(), 1);
    assert!(findings[0].message.len() < 500, "{}", findings[0].message);
}

#[test]
fn many_faults_are_not_all_told() {
    let documents: Vec<String> = (0..5_000)
        .map(|number| document(RACK, &format!("r{number}"), &format!("substitutions: [{{src: {{schema: {ANY}, name: x{number}, path: .}}, dest: {{path: .x}}}}]"), "{}"))
        .collect();
    let findings = quickly("many faults", || refused(&tree(&documents)));
    assert_eq!(findings.len(), 100);
}

#[test]
fn an_item_far_beyond_the_end() {
    let documents = vec![
        document(ANY, "n0", "", "v"),
        take("n1", "n0", "{path: '.a[4000000000]'}"),
    ];
    let findings = quickly("filling up", || refused(&with_rack(documents, "n1")));
    assert_eq!(findings.len(), 1);
}

#[test]
fn a_costly_pattern() {
    let metadata = format!(
        "substitutions: [{{src: {{schema: {ANY}, name: n0, path: .}}, dest: {{path: .t, pattern: '(a{{0,90}}){{0,90}}b'}}}}]"
    );
    let documents = [
        document(ANY, "n0", "", "v"),
        document(
            RACK,
            "r",
            &metadata,
            &format!("{{t: {}}}", "a".repeat(1 << 20)),
        ),
    ];
    quickly("matching", || refused(&tree(&documents)));
}

#[test]
fn too_many_files() {
    let sources: Vec<Source> = (0..70_000)
        .map(|number| {
            source(
                &format!("{number}.yaml"),
                if number == 0 { POLICY } else { "" },
            )
        })
        .collect();
    assert!(refused(&sources)[0].message.contains("70000 files"));
}
