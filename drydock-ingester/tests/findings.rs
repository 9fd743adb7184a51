//! What is said about bad input, and where.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::time::{Duration, Instant};

use drydock_ingester::parse::Limits;
use drydock_ingester::{DesignIngester, parse_tree};
use drydock_model::design::Kind;
use drydock_model::finding::{Finding, Level};
use drydock_model::ingest::{Format, Ingester, Source, Unread};

fn source(text: &str) -> Source {
    Source {
        name: "x.yaml".into(),
        format: Format::Auto,
        text: text.into(),
        without: Vec::new(),
    }
}

fn ingest(format: Format, text: &str) -> Result<usize, Vec<Finding>> {
    let source = Source {
        name: "x.yaml".into(),
        format,
        text: text.into(),
        without: Vec::new(),
    };
    DesignIngester::default()
        .ingest(&[source])
        .map(|documents| documents.len())
}

fn refused(format: Format, text: &str) -> Vec<Finding> {
    let findings = ingest(format, text).unwrap_err();
    assert!(findings.iter().any(|finding| finding.level == Level::Error));
    findings
}

/// Rule and place of each finding.
fn shown(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            let place = finding
                .location
                .as_ref()
                .map(|place| format!("{}:{}", place.line, place.column));
            format!(
                "{} {} {}",
                place.unwrap_or_default(),
                finding.rule,
                finding.code
            )
        })
        .collect()
}

#[test]
fn every_fault_has_its_rule_its_place_and_a_word_of_advice() {
    let node = "apiVersion: drydock/v1\nkind: BaremetalNode\nmetadata: {name: n}\n";
    let mut failures = Vec::new();
    for (what, format, text, place, says) in [
        ("an open bracket", Format::Yaml, "a: [1, 2\n".to_owned(), "1:4 document/readable DD000", "not YAML"),
        ("a tab", Format::Yaml, "a:\n\tb: 1\n".to_owned(), "2:2 document/readable DD000", "tab"),
        ("a scalar", Format::Yaml, "hello\n".to_owned(), "1:1 document/form DD000", "no apiVersion"),
        ("a scalar, auto", Format::Auto, "hello\n".to_owned(), "1:1 document/form DD000", "a text"),
        ("a list", Format::Deckhand, "- a\n".to_owned(), "1:1 document/kind DD000", "no schema"),
        ("another version", Format::Yaml, "apiVersion: v2\nkind: Rack\n".to_owned(), "1:13 document/form DD000", "\"v2\""),
        ("no kind", Format::Yaml, "apiVersion: drydock/v1\n".to_owned(), "1:1 document/kind DD000", "no kind"),
        ("a misspelt kind", Format::Yaml, "apiVersion: drydock/v1\nkind: BareMetalNode\n".to_owned(), "2:7 document/kind DD000", "did you mean BaremetalNode?"),
        ("a misspelt schema", Format::Deckhand, "schema: drydock/Netwrok/v1\n".to_owned(), "1:9 document/kind DD000", "did you mean Network?"),
        ("a schema's version", Format::Deckhand, "schema: drydock/Network/v2\n".to_owned(), "1:9 document/kind DD000", "v1"),
        ("a schema that is a map", Format::Deckhand, "schema: {}\n".to_owned(), "1:9 document/kind DD000", "a map"),
        ("no name", Format::Yaml, "apiVersion: drydock/v1\nkind: Rack\nmetadata: {}\nspec: {}\n".to_owned(), "3:11 document/name DD000", "no name"),
        ("no metadata", Format::Deckhand, "schema: drydock/Rack/v1\ndata: {}\n".to_owned(), "1:1 document/name DD000", "no name"),
        ("an empty name", Format::Yaml, "apiVersion: drydock/v1\nkind: Rack\nmetadata: {name: ''}\nspec: {}\n".to_owned(), "3:18 document/name DD000", "no name"),
        ("no body", Format::Yaml, node.to_owned(), "1:1 document/body DD000", "`spec`"),
        ("the other form", Format::Deckhand, node.to_owned(), "1:1 document/form DD000", "yaml form"),
        ("the other form", Format::Yaml, "\nschema: drydock/Rack/v1\n".to_owned(), "2:1 document/form DD000", "deckhand form"),
        ("an unknown field", Format::Yaml, format!("{node}spec:\n  host_profil: x\n"), "5:3 document/schema DD001", "did you mean \"host_profile\"?"),
        ("an unknown field deep inside", Format::Yaml, format!("{node}spec:\n  metadata:\n    rak: x\n"), "6:5 document/schema DD001", "spec.metadata: unknown field"),
        ("a list for a map", Format::Yaml, format!("{node}spec:\n  interfaces:\n    - a\n"), "6:5 document/schema DD001", "spec.interfaces: here is a list"),
        ("a map for a text", Format::Yaml, format!("{node}spec:\n  host_profile: {{a: b}}\n"), "5:17 document/schema DD001", "here is a map"),
        ("a word for a number", Format::Yaml, format!("{node}spec:\n  interfaces:\n    e: {{sriov: {{vf_count: many}}}}\n"), "6:27 document/schema DD001", "interfaces.e.sriov.vf_count"),
        ("a word for a boolean", Format::Yaml, "apiVersion: drydock/v1\nkind: BootAction\nmetadata: {name: n}\nspec: {signaling: maybe}\n".to_owned(), "4:19 document/schema DD001", "a boolean"),
        ("an unknown word", Format::Yaml, "apiVersion: drydock/v1\nkind: BootAction\nmetadata: {name: n}\nspec: {assets: [{type: fil, path: /a}]}\n".to_owned(), "4:24 document/schema DD001", "did you mean \"file\"?"),
        ("a missing field", Format::Yaml, "apiVersion: drydock/v1\nkind: BootAction\nmetadata: {name: n}\nspec: {assets: [{path: /a}]}\n".to_owned(), "4:17 document/schema DD001", "missing field `type`"),
        ("addresses in a profile", Format::Yaml, "apiVersion: drydock/v1\nkind: HostProfile\nmetadata: {name: n}\nspec:\n  addressing: []\n".to_owned(), "5:3 document/schema DD001", "cannot have addressing"),
        ("a body that is a list", Format::Yaml, format!("{node}spec: [a]\n"), "4:7 document/schema DD001", "here is a list"),
        ("a key twice", Format::Yaml, format!("{node}spec:\n  host_profile: x\n  host_profile: y\n"), "6:3 document/readable DD000", "set in line 5"),
        ("a tag for a removal", Format::Yaml, format!("{node}spec: {{metadata: {{tags: [!private]}}}}\n"), "4:26 document/readable DD000", "'!private'"),
        ("a map as a key", Format::Yaml, "{a: b}: c\n".to_owned(), "1:1 document/readable DD000", "a key must be"),
        ("an unquoted template", Format::Yaml, "a: {{ b }}\n".to_owned(), "1:5 document/readable DD000", "quoted"),
        ("an unknown anchor", Format::Yaml, "a: *b\n".to_owned(), "1:4 document/readable DD000", "not YAML"),
        ("a circle", Format::Yaml, "a: &a [*a]\n".to_owned(), "1:8 document/readable DD000", "contains it"),
        ("a merge of a text", Format::Yaml, "a: &a b\nc:\n  <<: *a\n".to_owned(), "3:7 document/readable DD000", "merge key"),
    ] {
        let findings = refused(format, &text);
        let told = findings.iter().map(|finding| format!("{} {}", finding.message, finding.diagnostic)).collect::<String>();
        let advised = findings.iter().all(|finding| !finding.diagnostic.is_empty());
        if shown(&findings) != [place] || !told.contains(says) || !advised {
            failures.push(format!("{what}: {:?} {told}", shown(&findings)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn all_findings_of_a_stream_are_told_and_nothing_is_taken() {
    let text = "apiVersion: drydock/v1\nkind: Rack\nmetadata: {name: good}\nspec: {}\n---\nkind: Rack\n---\na: [1, 2\n---\n\
                apiVersion: drydock/v1\nkind: Rak\n---\nx: 1\nx: 2\n";
    let findings = refused(Format::Auto, text);
    let mut lines: Vec<u32> = findings
        .iter()
        .map(|finding| finding.location.as_ref().unwrap().line)
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, [6, 8, 11, 14]);
}

#[test]
fn what_cannot_be_taken_is_known_by_its_head_and_keeps_nothing_else_back() {
    let text = "apiVersion: drydock/v1\nkind: Rack\nmetadata: {name: good}\nspec: {}\n---\n\
                apiVersion: drydock/v1\nkind: Network\nmetadata: {name: a}\nspec: {cdir: 10.0.0.0/24}\n---\n\
                schema: drydock/HostProfile/v1\nmetadata: {name: b}\n---\n\
                apiVersion: drydock/v1\nkind: Netwrok\nmetadata: {name: c}\nspec: {}\n---\na: [1, 2\n";
    let ingested = DesignIngester::default().read(&[source(text)]);
    let names: Vec<&str> = ingested
        .documents
        .iter()
        .map(|document| document.name.as_str())
        .collect();
    assert_eq!(names, ["good"]);
    let head = |kind, name: Option<&str>| Unread {
        kind,
        name: name.map(str::to_owned),
    };
    let unread: HashSet<Unread> = ingested.unread.iter().cloned().collect();
    let expected = HashSet::from([
        head(Some(Kind::Network), Some("a")),
        head(Some(Kind::HostProfile), Some("b")),
        head(None, Some("c")),
        head(None, None),
    ]);
    assert_eq!(unread, expected);
    assert_eq!(ingested.findings.len(), 4);
    assert!(!ingested.is_text());
    let (whole, _) = text.split_at(text.rfind("---").unwrap());
    assert!(DesignIngester::default().read(&[source(whole)]).is_text());
}

#[test]
fn every_unknown_key_of_a_document_is_told() {
    let text = "apiVersion: drydock/v1\nkind: BaremetalNode\nmetadata: {name: n}\nspec:\n  host_profil: x\n  metadata:\n    rak: r\n  \
                storage: {physical_devices: {d: {partitions: [{nam: a}]}}}\n  interfaces: []\n";
    assert_eq!(
        shown(&refused(Format::Auto, text)),
        [
            "5:3 document/schema DD001",
            "7:5 document/schema DD001",
            "8:50 document/schema DD001",
            "9:15 document/schema DD001",
        ]
    );
}

#[test]
fn streams_may_be_untidy() {
    let rack = "apiVersion: drydock/v1\nkind: Rack\nmetadata: {name: r}\nspec: {}\n";
    for (text, documents) in [
        (String::new(), 0),
        ("# nothing\n".into(), 0),
        ("---\n---\n...\n---\n# nothing\n".into(), 0),
        (format!("\u{feff}{rack}"), 1),
        (
            format!("# begin\n---\n{rack}...\n# between\n---\n{rack}...\n---\n"),
            2,
        ),
        (format!("%YAML 1.2\n---\n{rack}"), 1),
        (rack.replace('\n', "\r\n"), 1),
        (rack.replace("spec: {}", "spec:"), 1),
        (
            "schema: deckhand/LayeringPolicy/v1\n---\nschema: pegleg/Site/v1\n".into(),
            0,
        ),
    ] {
        assert_eq!(ingest(Format::Auto, &text).unwrap(), documents, "{text:?}");
    }
}

#[test]
fn both_forms_may_stand_in_one_stream() {
    let text = "apiVersion: drydock/v1\nkind: Rack\nmetadata: {name: a}\nspec: {}\n---\nschema: drydock/Rack/v1\nmetadata: {name: b}\ndata: {}\n";
    assert_eq!(ingest(Format::Auto, text).unwrap(), 2);
    assert_eq!(refused(Format::Yaml, text).len(), 1);
    assert_eq!(refused(Format::Deckhand, text).len(), 1);
}

#[test]
fn anchors_and_merge_keys_work() {
    let trees = parse_tree(
        "base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  y: 3\ncopy: *b\nboth: {<<: [{y: 9}, *b]}\n",
        "x",
    )
    .unwrap();
    let expected = r#"[{"base":{"x":1,"y":2},"mine":{"y":3,"x":1},"copy":{"x":1,"y":2},"both":{"y":9,"x":1}}]"#;
    let found: Vec<String> = trees
        .iter()
        .map(|tree| tree.to_json().to_string())
        .collect();
    assert_eq!(format!("[{}]", found.join(",")), expected);
}

#[test]
fn a_block_that_ends_with_the_text_has_no_line_break() {
    for (text, expected) in [
        ("a: |\n  x\n  y", "x\ny"),
        ("a: |\n  x\n  y\n", "x\ny\n"),
        ("a: |-\n  x", "x"),
        ("a: |+\n  x", "x"),
        ("a: |+\n  x\n", "x\n"),
        ("a: >\n  x\n  y", "x y"),
        ("a: |\n  x\n  ", "x\n"),
        ("a: |\n  x\n# c", "x\n"),
        ("a: |\n  ä", "ä"),
        ("---\na: |\n  x\n---\nb: 1", "x\n"),
    ] {
        let trees = parse_tree(text, "x").unwrap();
        let found = trees[0].get("a").and_then(|a| a.as_text());
        assert_eq!(found, Some(expected), "{text:?}");
    }
}

#[test]
fn attacks_end_in_bounded_time_with_a_finding() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let quadratic = format!(
        "a: &a '{}'\nb: [{}]\n",
        "x".repeat(1 << 20),
        vec!["*a"; 10_000].join(",")
    );
    let many_keys: String = (0..50_000).map(|key| format!("k{key}: 1\n")).collect();
    for (what, text) in [
        ("an alias bomb", laughs),
        ("a large text repeated", quadratic),
        ("brackets", "[".repeat(10_000)),
        (
            "closed brackets",
            format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
        ),
        ("flow maps", "{a: ".repeat(10_000)),
        ("lists within lists", "- ".repeat(10_000)),
        (
            "indented maps",
            (0..2_000)
                .map(|depth| format!("{}a:\n", " ".repeat(depth)))
                .collect(),
        ),
        ("duplicate keys", "a: 1\n".repeat(50_000)),
        ("many keys and no document", many_keys),
        ("many bad documents", "---\na: [\n".repeat(50_000)),
        ("quotes", "\"".repeat(99_999)),
        ("colons", ": ".repeat(50_000)),
        ("question marks", "? ".repeat(10_000)),
    ] {
        let begin = Instant::now();
        let findings = refused(Format::Auto, &text);
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "{what} took {:?}",
            begin.elapsed()
        );
        assert!(findings.len() <= 101, "{what}: {}", findings.len());
    }
}

#[test]
fn limits_hold() {
    let limits = Limits {
        bytes: 100,
        nodes: 10,
        ..Limits::default()
    };
    let ingester = DesignIngester::with_limits(limits);
    let source = |text: String| Source {
        name: "x".into(),
        format: Format::Auto,
        text,
        without: Vec::new(),
    };
    let findings = ingester.ingest(&[source("#".repeat(101))]).unwrap_err();
    assert!(findings[0].message.contains("at most 100"), "{findings:?}");
    let findings = ingester
        .ingest(&[source("[1,2,3,4,5,6,7,8,9,10,11]".into())])
        .unwrap_err();
    assert!(
        findings[0].message.contains("more than 10 values"),
        "{findings:?}"
    );
}

#[test]
fn numbers_and_texts_are_read_as_meant() {
    let text = "apiVersion: drydock/v1\nkind: Network\nmetadata: {name: n}\nspec: {vlan: 0100, mtu: '1500', cidr: 10.0.0.0/8, dns: {servers: [1.1.1.1, 2.2.2.2]}}\n\
                ---\napiVersion: drydock/v1\nkind: HardwareProfile\nmetadata: {name: 7}\nspec: {generation: 8, hw_version: 3.10, bios_version: 2.2.3, pxe_interface: '0'}\n";
    let source = Source {
        name: "x".into(),
        format: Format::Yaml,
        text: text.into(),
        without: Vec::new(),
    };
    let documents = DesignIngester::default().ingest(&[source]).unwrap();
    insta::assert_debug_snapshot!(
        documents
            .iter()
            .map(|document| (&document.name, &document.part))
            .collect::<Vec<_>>()
    );
}
