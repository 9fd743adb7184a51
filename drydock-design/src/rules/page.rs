//! The documentation of the rules, written from the registry.

use std::fmt::Write as _;

use super::{ALL, READING, Rule};

/// The file name of a rule's page.
#[must_use]
pub fn page_name(rule: &Rule) -> String {
    format!("{}.md", rule.id.replace('/', "-"))
}

/// A rule's page, in Markdown.
#[must_use]
pub fn page(rule: &Rule) -> String {
    let Rule {
        id,
        code,
        name,
        level,
        what,
        why,
        fix,
        ..
    } = rule;
    let configured = if super::find(id).is_some() {
        format!(
            "The level can be changed, or the rule switched off, by `rules.levels` in the settings, under `{id}`."
        )
    } else {
        "Reading finds this; the level cannot be changed.".to_owned()
    };
    format!(
        "# {name}\n\n`{id}`, code `{code}`, level {level} unless a finding says otherwise.\n\n## What it checks\n\n{what}\n\n## Why\n\n{why}\n\n## How to fix\n\n{fix}\n\n{configured}\n"
    )
}

/// The index of all pages, in Markdown: in the order of the messages.
#[must_use]
pub fn index() -> String {
    let mut text = "# Rules\n\nEvery rule runs on every design. A rule that finds nothing says \"Validation successful.\". Codes are those that clients of the Python server know, and several rules may share one; the id is unique. `cargo xtask rules` writes these pages from the registry.\n\n| id | code | level | name |\n|---|---|---|---|\n".to_owned();
    for rule in READING.iter().chain(ALL.iter().copied()) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| [{}]({}) | {} | {} | {} |",
            rule.id,
            page_name(rule),
            rule.code,
            rule.level,
            rule.name
        );
    }
    text
}
