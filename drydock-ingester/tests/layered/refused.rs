//! What is refused besides the faults of one document: circles, policies, unreadable files; and what is never told.

use drydock_ingester::DesignIngester;
use drydock_model::ingest::Ingester;

use super::site::{POLICY, document, refused, render, shown, source, tree};

const RACK: &str = "drydock/Rack/v1";

#[test]
fn a_replacement_is_replaced_by_nobody_and_has_no_rival() {
    let replacement = |layer: &str, selects: &str| {
        let metadata = format!(
            "replacement: true, labels: {{now: {layer}}}, layeringDefinition: {{layer: {layer}, parentSelector: {{{selects}}}, actions: [{{method: merge, path: .}}]}}"
        );
        document(RACK, "r", &metadata, "{}")
    };
    let first = document(
        RACK,
        "r",
        "labels: {k: v}, layeringDefinition: {layer: global}",
        "{}",
    );
    let again = [
        first.clone(),
        replacement("type", "k: v"),
        replacement("site", "now: type"),
    ];
    assert!(
        refused(&tree(&again))[0]
            .message
            .contains("itself a replacement")
    );
    let rivals = [
        first,
        replacement("type", "k: v"),
        replacement("site", "k: v"),
    ];
    assert!(
        refused(&tree(&rivals))[0]
            .message
            .contains("two documents replace drydock/Rack/v1 r")
    );
}

#[test]
fn a_circle_is_told_once_with_all_its_documents() {
    let take = |schema: &str, name: &str, from: &str| {
        let substitution =
            format!("substitutions: [{{src: {{schema: {from}, path: .}}, dest: {{path: .x}}}}]");
        document(schema, name, &substitution, "{}")
    };
    let findings = refused(&tree(&[
        take(RACK, "a", "drydock/Rack/v1, name: b"),
        take(RACK, "b", "c/C/v1, name: c"),
        take("c/C/v1", "c", "drydock/Rack/v1, name: a"),
        take(RACK, "outside", "drydock/Rack/v1, name: a"),
    ]));
    assert_eq!(shown(&findings), ["site.yaml:11:75 document/substitution"]);
    assert!(
        findings[0]
            .message
            .contains("drydock/Rack/v1 a <- drydock/Rack/v1 b <- c/C/v1 c <- drydock/Rack/v1 a"),
        "{findings:?}"
    );
}

#[test]
fn a_policy_stands_once_and_has_an_order() {
    let rack = document(RACK, "r", "", "{}");
    let with = |policy: &str| refused(&[source("policy.yaml", policy), source("site.yaml", &rack)]);
    let twice = format!("{POLICY}---\n{POLICY}");
    let findings = with(&twice);
    assert_eq!(shown(&findings), ["policy.yaml:6:47 document/layering"]);
    assert!(
        findings[0]
            .message
            .contains("the first is at policy.yaml:2:47"),
        "{findings:?}"
    );
    let head = "schema: deckhand/LayeringPolicy/v1\nmetadata: {name: p}\n";
    for (data, place, says) in [
        ("", "2:18", "no layerOrder"),
        ("data: {}\n", "2:18", "no layerOrder"),
        ("data: {layerOrder: global}\n", "3:20", "a text, not a list"),
        ("data: {layerOrder: [[]]}\n", "3:21", "a list, not a text"),
        (
            "data: {layerOrder: [a, b, a]}\n",
            "3:27",
            "\"a\" stands twice",
        ),
    ] {
        let findings = with(&format!("{head}{data}"));
        assert_eq!(
            shown(&findings),
            [format!("policy.yaml:{place} document/layering")],
            "{data}"
        );
        assert!(findings[0].message.contains(says), "{findings:?}");
    }
}

#[test]
fn an_abstract_document_without_a_policy_asks_for_its_folder() {
    let text = document(
        RACK,
        "base",
        "layeringDefinition: {abstract: true, layer: global}",
        "{}",
    );
    let findings = refused(&[source("base.yaml", &text)]);
    assert_eq!(shown(&findings), ["base.yaml:3:55 document/layering"]);
    assert!(
        findings[0]
            .diagnostic
            .contains("the folder that holds the deckhand/LayeringPolicy")
    );
    let read = DesignIngester::default()
        .ingest(&[source("base.yaml", &text)])
        .unwrap_err();
    assert_eq!(read, findings);
}

#[test]
fn a_file_that_is_no_yaml_is_told_before_what_it_may_have_held() {
    let mut sources = tree(&[document(
        RACK,
        "r",
        "substitutions: [{src: {schema: a/B/v1, name: b, path: .}, dest: {path: .x}}]",
        "{}",
    )]);
    sources.push(source("b.yaml", "schema: a/B/v1\nmetadata: {name: b\n"));
    let findings = refused(&sources);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].rule, "document/readable");
    assert_eq!(&*findings[0].location.as_ref().unwrap().source, "b.yaml");
}

#[test]
fn what_the_reader_finds_is_told_where_it_was_written() {
    let parent = document(
        "drydock/HostProfile/v1",
        "base",
        "labels: {k: v}, layeringDefinition: {abstract: true, layer: global}",
        "\n  metadata:\n    rak: x",
    );
    let child = document(
        "drydock/HostProfile/v1",
        "own",
        "layeringDefinition: {layer: site, parentSelector: {k: v}, actions: [{method: merge, path: .}]}",
        "{}",
    );
    let sources = [
        source("policy.yaml", POLICY),
        source("global.yaml", &parent),
        source("site.yaml", &child),
    ];
    let findings = DesignIngester::default().ingest(&sources).unwrap_err();
    assert_eq!(shown(&findings), ["global.yaml:6:5 document/schema"]);
    assert!(findings[0].diagnostic.contains("rack"), "{findings:?}");
}

/// Whatever goes wrong with a secret, the secret is not in the message, and its line is not pointed at.
#[test]
fn no_secret_is_told() {
    let secret = document(
        "deckhand/Passphrase/v1",
        "p",
        "storagePolicy: cleartext",
        "hush-hush",
    );
    let key = document(
        "deckhand/CertificateKey/v1",
        "k",
        "storagePolicy: encrypted",
        "{pem: hush-hush}",
    );
    for (substitution, data) in [
        (
            "{src: {schema: deckhand/Passphrase/v1, name: p, path: .}, dest: {path: .t.x}}",
            "{t: hush-hush}",
        ),
        (
            "{src: {schema: deckhand/Passphrase/v1, name: p, path: ., pattern: '(u)', match_group: 4}, dest: {path: .x}}",
            "{}",
        ),
        (
            "{src: {schema: deckhand/CertificateKey/v1, name: k, path: .pen}, dest: {path: .x}}",
            "{}",
        ),
        (
            "{src: {schema: deckhand/CertificateKey/v1, name: k, path: .pem.x}, dest: {path: .x}}",
            "{}",
        ),
        (
            "{src: {schema: deckhand/CertificateKey/v1, name: k, path: .}, dest: {path: .t, pattern: x}}",
            "{t: x}",
        ),
    ] {
        let metadata = format!("substitutions: [{substitution}]");
        let documents = [
            document(RACK, "r", &metadata, data),
            secret.clone(),
            key.clone(),
        ];
        let findings = refused(&tree(&documents));
        assert!(
            !format!("{findings:?}").contains("hush-hush"),
            "{findings:?}"
        );
    }
    // Substituted where nothing of the kind belongs.
    let metadata = "substitutions: [{src: {schema: deckhand/Passphrase/v1, name: p, path: .}, dest: {path: .local_networks}}]";
    let documents = [document(RACK, "r", metadata, "{}"), secret];
    let findings = DesignIngester::default()
        .ingest(&tree(&documents))
        .unwrap_err();
    assert!(
        !format!("{findings:?}").contains("hush-hush"),
        "{findings:?}"
    );
    assert_eq!(findings[0].location.as_ref().unwrap().line, 3);
    assert!(render(&tree(&documents)).is_ok());
}
