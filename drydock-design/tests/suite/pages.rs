//! Each rule has its page in the documentation.

use std::collections::BTreeSet;

use drydock_design::rules::{self, Rule};

fn all() -> impl Iterator<Item = &'static Rule> {
    rules::READING.iter().chain(rules::ALL.iter().copied())
}

#[test]
fn every_rule_has_a_page_and_every_page_a_rule() {
    let folder = format!("{}/../docs/rules", env!("CARGO_MANIFEST_DIR"));
    let mut expected: BTreeSet<String> = all().map(rules::page_name).collect();
    assert_eq!(expected.len(), all().count(), "ids are unique");
    expected.insert("README.md".to_owned());
    let there: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, expected, "`cargo xtask rules` writes them");
    for rule in all() {
        let text = std::fs::read_to_string(format!("{folder}/{}", rules::page_name(rule))).unwrap();
        assert_eq!(text, rules::page(rule), "`cargo xtask rules` writes it");
    }
    let index = std::fs::read_to_string(format!("{folder}/README.md")).unwrap();
    assert_eq!(index, rules::index());
}

#[test]
fn every_rule_says_what_why_and_how_to_mend() {
    for rule in all() {
        for text in [rule.what, rule.why, rule.fix] {
            assert!(
                text.len() > 20 && text.ends_with('.'),
                "{}: {text}",
                rule.id
            );
        }
        assert!(rules::page(rule).contains(rule.code));
    }
}
