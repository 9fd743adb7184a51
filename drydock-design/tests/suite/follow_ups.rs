//! One fault is told once: nothing is told that only follows from it, and it keeps nothing else from being told.

use std::fmt::Write;
use std::time::{Duration, Instant};

use drydock_design::rules::Options;
use drydock_design::{digest, judge};
use drydock_ingester::DesignIngester;
use drydock_model::finding::{Finding, Level};
use drydock_model::ingest::{Format, Ingester, Source};

use crate::site::{base_with, compiled, documents, findings, lines, sample};

/// The sound design, altered, as far as it can be read.
fn judged(edits: &[(&str, &str)]) -> Vec<Finding> {
    let mut text = include_str!("base.yaml").to_owned();
    for (old, new) in edits {
        assert!(text.contains(old), "{old:?} is not in the sound design");
        text = text.replacen(old, new, 1);
    }
    let source = Source {
        name: "base.yaml".into(),
        format: Format::Auto,
        text,
        without: Vec::new(),
    };
    let ingested = DesignIngester::default().read(&[source]);
    judge(&ingested, digest(&[]), &Options::default()).1
}

fn rules(findings: &[Finding]) -> Vec<&str> {
    findings
        .iter()
        .filter(|finding| finding.level >= Level::Warning)
        .map(|finding| finding.rule.as_str())
        .collect()
}

#[test]
fn a_document_that_cannot_be_read_is_the_only_one_told() {
    for (old, new) in [
        ("kind: Region\n", "kind: Regoin\n"),
        ("  location: {hall: '7'}\n", "  location: nowhere\n"),
        ("  labels: {noconfig: enabled}\n", "  labels: [noconfig]\n"),
        ("  bonding: {mode: disabled}\n", "  bonding: []\n"),
        ("  mtu: 9000\n  trunking", "  mtu: many\n  trunking"),
        (
            "kind: Network\nmetadata: {name: oob}",
            "kind: Netwrok\nmetadata: {name: oob}",
        ),
        ("  vlan: '100'\n", "  vlan: {a: b}\n"),
        ("  vlan: '100'\n", "  mtu: [\n"),
        ("  generation: 8\n", "  generation: [8]\n"),
        (
            "  hardware_profile: model-a\n",
            "  hardware_profil: model-a\n",
        ),
        ("metadata: {name: base}", "metadata: {nam: base}"),
        (
            "  host_profile: base\n  addressing:\n    - {network: oob, address: 127.20.0.12}",
            "  host_profil: base\n  addressing:\n    - {network: oob, address: 127.20.0.12}",
        ),
        (
            "metadata: {name: hello}\nspec:\n",
            "metadata: {name: hello}\nspec:\n  signaling: maybe\n",
        ),
    ] {
        let found = judged(&[(old, new)]);
        let told = rules(&found);
        assert_eq!(
            told.len(),
            1,
            "{new:?}: {:#?}",
            lines(&found, Level::Warning)
        );
        assert!(
            [
                "document/schema",
                "document/kind",
                "document/name",
                "document/readable"
            ]
            .contains(&told[0]),
            "{new:?}: {told:?}"
        );
    }
}

#[test]
fn a_document_that_cannot_be_read_hides_no_other_finding() {
    let found = judged(&[
        ("  generation: 8\n", "  generation: [8]\n"),
        ("size: 20g", "size: 19g"),
        ("primary_network: mgmt", "primary_network: mgnt"),
    ]);
    assert_eq!(
        rules(&found),
        ["document/schema", "reference/network", "storage/boot"]
    );
}

#[test]
fn a_value_that_cannot_be_read_is_the_only_one_told() {
    for (edits, rule) in [
        (&[("size: 20g", "size: 20x")][..], "value/valid"),
        (&[("size: '>10g'", "size: '>10'")], "value/valid"),
        (&[("mode: 802.3ad", "mode: lacp")], "value/valid"),
        (
            &[("trunking: {mode: 802.1q}", "trunking: {mode: dot1q}")],
            "value/valid",
        ),
        (
            &[("hardware_profile: model-a", "hardware_profile: model-b")],
            "reference/hardware-profile",
        ),
        (
            &[("hugepages.big.count", "hugepages.big.cuont")],
            "platform/reference",
        ),
    ] {
        let found = findings(&base_with(edits).0);
        assert_eq!(
            rules(&found),
            [rule],
            "{edits:?}: {:#?}",
            lines(&found, Level::Warning)
        );
    }
    let profiles = [
        (
            "host_profile: base\n  addressing:\n    - {network: oob, address: 127.20.0.11",
            "host_profile: bass\n  addressing:\n    - {network: oob, address: 127.20.0.11",
        ),
        (
            "metadata: {name: base}\nspec:\n",
            "metadata: {name: base}\nspec:\n  host_profile: bass\n",
        ),
    ];
    for edit in profiles {
        let found = findings(&base_with(&[edit]).0);
        assert_eq!(
            rules(&found),
            ["reference/host-profile"],
            "{:#?}",
            lines(&found, Level::Warning)
        );
    }
}

#[test]
fn a_gateway_leads_to_networks_of_its_family_only() {
    let network = |name: &str, body: &str| {
        format!(
            "---\napiVersion: drydock/v1\nkind: Network\nmetadata: {{name: {name}}}\nspec: {{routedomain: all, {body}}}\n"
        )
    };
    let text = [
        network(
            "a4",
            "cidr: 10.0.0.0/24, routes: [{routedomain: all, gateway: 10.0.0.1}]",
        ),
        network("b4", "cidr: 10.1.0.0/24"),
        network(
            "a6",
            "cidr: 'fd00:1::/64', routes: [{routedomain: all, gateway: 'fe80::1'}]",
        ),
        network("b6", "cidr: 'fd00:2::/64'"),
    ];
    let documents = documents("domain.yaml", text.concat());
    let design = compiled(&documents).design;
    let routes: Vec<String> = design
        .networks
        .iter()
        .flat_map(|network| &network.routes)
        .map(|route| format!("{} by {}", route.destination, route.gateway.unwrap()))
        .collect();
    assert_eq!(
        routes,
        ["10.1.0.0/24 by 10.0.0.1", "fd00:2::/64 by fe80::1"]
    );
    let told = findings(&documents);
    // fe80::1 is a link-local address, which every link has.
    assert!(!rules(&told).contains(&"network/locality"), "{told:#?}");
}

#[test]
fn a_name_that_dangles_on_every_node_ends_soon() {
    let mut text = String::new();
    for number in 0..20_000 {
        let _ = write!(
            text,
            "---\napiVersion: drydock/v1\nkind: BaremetalNode\nmetadata: {{name: node-{number:05}}}\nspec:\n  host_profile: compute-profile\n"
        );
    }
    for number in 0..2_000 {
        let _ = write!(
            text,
            "---\napiVersion: drydock/v1\nkind: HostProfile\nmetadata: {{name: compute-profil-{number}}}\nspec: {{}}\n"
        );
    }
    let documents = documents("many.yaml", text);
    let begin = Instant::now();
    let compiled = compiled(&documents);
    let told = compiled.findings.len();
    assert!(told >= 20_000, "{told}");
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn samples_that_can_be_read_are_judged_alike_either_way() {
    for name in ["fullsite-yaml.yaml", "fullsite-yaml-faulty.yaml"] {
        let path = format!("{}/../examples/designs/{name}", env!("CARGO_MANIFEST_DIR"));
        let source = Source {
            name: format!("examples/designs/{name}").into(),
            format: Format::Auto,
            text: std::fs::read_to_string(path).unwrap(),
            without: Vec::new(),
        };
        let ingested = DesignIngester::default().read(&[source]);
        let (_, found) = judge(&ingested, digest(&[]), &Options::default());
        assert_eq!(found, findings(&sample(name)));
    }
}
