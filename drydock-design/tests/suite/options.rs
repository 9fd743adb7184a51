//! What an operator and the drivers say to the rules.

use drydock_design::rules::{self, LevelOverride, Options};
use drydock_model::finding::{Finding, Level};

use crate::site::{base_with, findings, findings_with};

fn of<'f>(found: &'f [Finding], rule: &str) -> Vec<&'f Finding> {
    found
        .iter()
        .filter(|finding| finding.rule == rule)
        .collect()
}

fn level(rule: &str, level: LevelOverride) -> Options {
    Options {
        levels: [(rule.to_owned(), level)].into(),
        ..Options::default()
    }
}

#[test]
fn a_rule_has_the_level_that_it_is_given() {
    let (documents, _) = base_with(&[("size: 20g", "size: 1g")]);
    for (given, wanted) in [
        (LevelOverride::Error, Level::Error),
        (LevelOverride::Warning, Level::Warning),
        (LevelOverride::Info, Level::Info),
    ] {
        let found = findings_with(&documents, &level("storage/boot", given));
        let told = of(&found, "storage/boot");
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].level, wanted);
        assert!(told[0].message.contains("less than 20 GB"));
    }
}

#[test]
fn a_rule_that_is_switched_off_says_so_and_no_more() {
    let (documents, _) = base_with(&[("size: 20g", "size: 1g")]);
    let found = findings_with(&documents, &level("storage/boot", LevelOverride::Off));
    let told = of(&found, "storage/boot");
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].level, told[0].message.as_str()),
        (
            Level::Info,
            "Rational Boot Storage: Switched off by configuration."
        )
    );
    assert_eq!(found.len(), findings(&documents).len());
}

#[test]
fn a_raised_rule_that_finds_nothing_is_no_error() {
    let (documents, _) = base_with(&[]);
    let found = findings_with(&documents, &level("reference/rack", LevelOverride::Error));
    assert_eq!(of(&found, "reference/rack")[0].level, Level::Info);
}

#[test]
fn ids_can_be_looked_up() {
    assert!(
        rules::ALL
            .iter()
            .all(|rule| rules::find(rule.id).is_some_and(|found| found.id == rule.id))
    );
    assert!(rules::find("network/mtv").is_none());
    assert!(
        rules::find("document/readable").is_none(),
        "its level cannot be changed"
    );
}

#[test]
fn levels_are_words_in_settings() {
    let levels: std::collections::BTreeMap<String, LevelOverride> =
        serde_json::from_str(r#"{"a": "error", "b": "warning", "c": "info", "d": "off"}"#).unwrap();
    assert_eq!(levels["d"], LevelOverride::Off);
    assert!(serde_json::from_str::<LevelOverride>("\"fatal\"").is_err());
}

#[test]
fn without_a_provisioner_images_are_said_to_be_unchecked() {
    let (documents, _) = base_with(&[("image: noble", "image: nobel")]);
    let found = findings(&documents);
    let told = of(&found, "platform/selection");
    assert_eq!((told.len(), told[0].level), (1, Level::Info));
    assert!(told[0].message.contains("not checked"), "{}", told[0]);
}

#[test]
fn the_enabled_drivers_decide_which_types_are_served() {
    let (documents, _) = base_with(&[]);
    let options = Options {
        oob_types: Some(["redfish".to_owned()].into()),
        ..Options::default()
    };
    let found = findings_with(&documents, &options);
    let told = of(&found, "oob/type");
    assert_eq!((told.len(), told[0].level), (1, Level::Warning));
    assert!(told[0].diagnostic.contains("redfish"));
}
