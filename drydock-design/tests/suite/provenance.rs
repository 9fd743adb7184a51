//! How findings tell by what way a value came to a document, and what to write instead.

use drydock_model::finding::{Finding, Fix};

use crate::site::{base_with, findings, sample};

fn of<'a>(found: &'a [Finding], rule: &str) -> &'a Finding {
    found.iter().find(|finding| finding.rule == rule).unwrap()
}

#[test]
fn the_chain_leads_from_the_node_to_the_profile_in_which_the_value_stands() {
    let found = findings(&sample("fullsite-yaml-faulty.yaml"));
    let finding = of(&found, "network/allowed");
    assert_eq!(
        finding.chain_text().as_deref(),
        Some("BaremetalNode compute01 <- HostProfile k8-node")
    );
    assert_eq!(finding.documents[0].to_string(), "HostProfile k8-node");
}

#[test]
fn a_longer_chain_names_every_profile_on_the_way() {
    let (documents, _) = base_with(&[
        ("size: 20g", "size: 1g"),
        (
            "host_profile: base\n  addressing:\n    - {network: oob, address: 127.20.0.11",
            "host_profile: middle\n  addressing:\n    - {network: oob, address: 127.20.0.11",
        ),
        (
            "---\napiVersion: drydock/v1\nkind: BaremetalNode",
            "---\napiVersion: drydock/v1\nkind: HostProfile\nmetadata: {name: middle}\nspec: {host_profile: base}\n---\napiVersion: drydock/v1\nkind: BaremetalNode",
        ),
    ]);
    let found = findings(&documents);
    assert_eq!(
        of(&found, "storage/boot").chain_text().as_deref(),
        Some("BaremetalNode n1 <- HostProfile middle <- HostProfile base")
    );
}

#[test]
fn what_stands_in_the_document_itself_has_no_chain() {
    let found = findings(&base_with(&[("cidr: 10.0.1.0/24", "cidr: 10.0.1.7/24")]).0);
    let finding = of(&found, "network/cidr");
    assert_eq!(finding.chain_text(), None);
    assert_eq!(
        finding.fix,
        Some(Fix {
            replace: "10.0.1.7/24".into(),
            by: "10.0.1.0/24".into()
        })
    );
}

#[test]
fn a_misspelt_name_comes_with_the_right_one() {
    let (documents, _) = base_with(&[(
        "host_profile: base\n  addressing:\n    - {network: oob, address: 127.20.0.11",
        "host_profile: bass\n  addressing:\n    - {network: oob, address: 127.20.0.11",
    )]);
    let found = findings(&documents);
    assert_eq!(
        of(&found, "reference/host-profile").fix,
        Some(Fix {
            replace: "bass".into(),
            by: "base".into()
        })
    );
}
