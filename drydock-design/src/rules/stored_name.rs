//! Tags and owner-data keys that the node provisioner has to store.

use std::collections::BTreeMap;

use drydock_model::effective::Node;
use drydock_model::finding::Level;

use super::{Look, Rule, Site};
use crate::report::Report;

/// Tags and owner-data keys are of characters that the provisioner keeps.
pub(super) static STORED: Rule = Rule {
    id: "host/stored-names",
    code: "DD5115",
    name: "Stored Tags and Owner Data",
    level: Level::Warning,
    what: "Tags have only letters, digits, _ and -; keys of owner data those and the dot. Other characters are stored as _: a warning, and an error when two become one by that.",
    why: "MaaS refuses other characters, so who looks for the name at the provisioner does not find it as written; of two names that become one, one would be lost.",
    fix: "Rename the tag or the key; a warning may also be left as it is, for filters and boot actions see the name as written.",
    look: Look::Node(stored_names),
};

/// What a list of names is called, where it stands, and what may stand in a name (as MaaS has it).
struct Names {
    what: &'static str,
    field: &'static str,
    keeps: fn(char) -> bool,
}

const TAGS: Names = Names {
    what: "tag",
    field: "tags",
    keeps: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'),
};

const OWNER_DATA: Names = Names {
    what: "owner-data key",
    field: "owner_data",
    keeps: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'),
};

fn stored_names(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    check(rule, site, node, &TAGS, &node.tags, report);
    check(
        rule,
        site,
        node,
        &OWNER_DATA,
        node.owner_data.keys(),
        report,
    );
}

fn check<'n>(
    rule: &Rule,
    site: &Site<'_>,
    node: &Node,
    names: &Names,
    written: impl IntoIterator<Item = &'n String> + Clone,
    report: &mut Report,
) {
    let fits = |name: &str| name.chars().all(names.keeps);
    if written.clone().into_iter().all(|name| fits(name)) {
        return;
    }
    let Names { what, field, .. } = names;
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for name in written {
        let stored: String = name
            .chars()
            .map(|c| if (names.keeps)(c) { c } else { '_' })
            .collect();
        let place = || site.of_node(node, &["metadata", field, name]);
        if let Some(other) = known.get(&stored).filter(|other| **other != name) {
            let message = format!(
                "the {what} {other:?} and the {what} {name:?} are both stored as {stored:?}"
            );
            report.add_level(rule, Level::Error, message, "rename one of them", place());
        } else if stored != *name {
            let message = format!(
                "the node provisioner cannot store the {what} {name:?} as written; it becomes {stored:?}"
            );
            let advice = "rename it, or look for the other name at the provisioner";
            report.add(rule, message, advice, place());
        }
        known.entry(stored).or_insert(name);
    }
}
