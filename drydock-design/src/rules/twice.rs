//! What stands twice in a list.

use drydock_model::design::Document;
use drydock_model::finding::Level;
use drydock_model::tree::{Tree, Value};
use hashbrown::HashSet;

use super::{Look, Rule, Site};
use crate::report::{Place, Report, whole};

/// Lists of names name each thing once.
pub(super) static TWICE: Rule = Rule {
    id: "document/twice",
    code: "DD5011",
    name: "List Items",
    level: Level::Warning,
    what: "Nothing stands twice in one list: names of networks, slaves, tags, keys and the like (warning), and names of partitions and logical volumes (error). Pipelines of boot actions may repeat a step. No item is an empty text.",
    why: "The second does nothing, and often another was meant: a bond of one port named twice is no bond. Of two partitions of one name, one would be lost to whoever inherits them.",
    fix: "Remove the second, or write what was meant.",
    look: Look::Site(twice),
};

fn twice(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for document in site.index.all() {
        walk(rule, document, &document.tree, "", report);
    }
}

/// Trees are as deep as their reader allowed, so recursion is bounded.
fn walk(rule: &Rule, document: &Document, tree: &Tree, field: &str, report: &mut Report) {
    match &tree.value {
        Value::Mapping(entries) => {
            for entry in entries {
                walk(rule, document, &entry.value, &entry.key, report);
            }
        }
        Value::Sequence(items) => {
            if !field.ends_with("_pipeline") {
                list(rule, document, items, field, report);
            }
            for item in items {
                walk(rule, document, item, field, report);
            }
        }
        _ => {}
    }
}

fn list(rule: &Rule, document: &Document, items: &[Tree], field: &str, report: &mut Report) {
    let mut seen: HashSet<&str> = HashSet::new();
    for item in items {
        let by_name = item.get("name");
        let Some(name) = by_name.or(item.get("tag")).unwrap_or(item).as_text() else {
            continue;
        };
        let place = || Place {
            location: Some(document.at(item.position)),
            ..whole(document)
        };
        // An item without a name is told where it is read.
        if name.is_empty() && by_name.is_none() {
            let message = format!(
                "{} {}: {field} has an empty item",
                document.kind, document.name
            );
            report.add(rule, message, "write what was meant, or remove it", place());
        }
        if items.len() == 1 || seen.insert(name) {
            continue;
        }
        let level = if by_name.is_some() {
            Level::Error
        } else {
            rule.level
        };
        let message = format!(
            "{} {}: {name:?} stands twice in {field}",
            document.kind, document.name
        );
        report.add_level(rule, level, message, "remove one of the two", place());
    }
}
