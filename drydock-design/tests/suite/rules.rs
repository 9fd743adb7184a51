//! Each rule with a failing sample, and a design that passes all of them.

use std::collections::BTreeSet;

use drydock_design::rules;
use drydock_model::finding::{Finding, Level};

use crate::case::Case;
use crate::site::{asked, base_with, findings, findings_with, lines, places};
use crate::{cases_host, cases_later, cases_network, cases_value};

fn cases() -> impl Iterator<Item = &'static Case> {
    cases_host::CASES
        .iter()
        .chain(cases_network::CASES)
        .chain(cases_later::CASES)
        .chain(cases_value::CASES)
}

#[test]
fn a_sound_design_passes_every_rule() {
    let found = findings_with(&base_with(&[]).0, &asked());
    assert_eq!(lines(&found, Level::Warning), [""; 0]);
    let passed: Vec<&str> = found.iter().map(|finding| finding.rule.as_str()).collect();
    let all: Vec<&str> = rules::ALL.iter().map(|rule| rule.id).collect();
    assert_eq!(passed, all);
    assert!(
        found
            .iter()
            .all(|finding| finding.message.ends_with(": Validation successful."))
    );
}

#[test]
fn every_rule_finds_its_fault() {
    let failures: Vec<String> = cases().filter_map(|case| check(case).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn check(case: &Case) -> Result<(), String> {
    let (documents, text) = base_with(case.edits);
    let found = findings_with(&documents, &asked());
    let shown = format!(
        "{:?}\n{}",
        case.edits,
        lines(&found, case.level.min(Level::Warning)).join("\n")
    );
    let told = |finding: &&Finding| finding.rule == case.rule && finding.level == case.level;
    let Some(finding) = found
        .iter()
        .filter(told)
        .find(|finding| finding.message.contains(case.says))
    else {
        return Err(format!(
            "{} does not say {:?}: {shown}",
            case.rule, case.says
        ));
    };
    if finding.diagnostic.is_empty() || finding.documents.is_empty() {
        return Err(format!("no advice or no document: {finding:?}"));
    }
    let location = finding
        .location
        .as_ref()
        .ok_or_else(|| format!("no place: {finding:?}"))?;
    let expected = places(&text, case.place);
    if expected.contains(&(location.line, location.column)) {
        Ok(())
    } else {
        Err(format!(
            "{} stands at {location}, not at {expected:?}: {shown}",
            case.rule
        ))
    }
}

#[test]
fn every_rule_has_a_case() {
    let cases: BTreeSet<&str> = cases().map(|case| case.rule).collect();
    let all: BTreeSet<&str> = rules::ALL.iter().map(|rule| rule.id).collect();
    assert_eq!(cases, all);
    assert_eq!(all.len(), rules::ALL.len(), "ids are unique");
}

#[test]
fn one_fault_does_not_hide_another() {
    let (documents, _) = base_with(&[
        ("size: 20g", "size: 1g"),
        ("cidr: 10.0.1.0/24", "cidr: nonsense"),
        (
            "host_profile: base\n  addressing:\n    - {network: oob, address: 127.20.0.11",
            "host_profile: bass\n  addressing:\n    - {network: oob, address: 127.20.0.11",
        ),
    ]);
    let found = findings(&documents);
    for rule in ["storage/boot", "value/valid", "reference/host-profile"] {
        assert!(
            found
                .iter()
                .any(|finding| finding.rule == rule && finding.level == Level::Error),
            "{rule}"
        );
    }
}

#[test]
fn a_fault_of_a_profile_is_told_once_with_every_node_it_concerns() {
    let found = findings(&base_with(&[("size: 20g", "size: 1g")]).0);
    let told: Vec<&Finding> = found
        .iter()
        .filter(|finding| finding.rule == "storage/boot")
        .collect();
    assert_eq!(told.len(), 1);
    let documents: Vec<String> = told[0].documents.iter().map(ToString::to_string).collect();
    assert_eq!(
        documents,
        ["HostProfile base", "BaremetalNode n1", "BaremetalNode n2"]
    );
}

#[test]
fn validating_twice_says_the_same() {
    let (documents, _) = base_with(&[("size: 20g", "size: 1g")]);
    assert_eq!(findings(&documents), findings(&documents));
}
