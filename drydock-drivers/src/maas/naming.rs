//! Names as MaaS can store them: tags, owner-data keys, images.

use std::collections::BTreeMap;

use drydock_model::driver::DriverError;
use drydock_model::effective::Node;

/// A tag as MaaS stores it: what is not in `[a-zA-Z0-9_-]` becomes `_` (MaaS answers 400 otherwise).
pub(crate) fn tag_name(tag: &str) -> String {
    replace(tag, |c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// An owner-data key as MaaS stores it: what is not in `[\w.-]` becomes `_` (MaaS answers 500 otherwise).
pub(crate) fn owner_key(key: &str) -> String {
    replace(key, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
    })
}

/// The tag that carries a node's kernel options.
pub(crate) fn kernel_tag(node: &str) -> String {
    format!("{}_kp", tag_name(node))
}

/// What the names of a node's boot-action key tags begin with.
pub(crate) fn key_tag_prefix(node: &str) -> String {
    format!("{}{}", tag_name(node), super::redaction::KEY_MARK)
}

fn replace(text: &str, keep: impl Fn(char) -> bool) -> String {
    text.chars()
        .map(|c| if keep(c) { c } else { '_' })
        .collect()
}

/// Names as stored, and a sentence about those that had to change.
#[derive(Debug, PartialEq)]
pub(crate) struct Stored<T> {
    /// As stored.
    pub names: T,
    /// What to tell; empty when all names were kept.
    pub note: String,
}

/// The node's tags as MaaS stores them, in design order.
pub(crate) fn tags(node: &Node) -> Result<Stored<Vec<String>>, DriverError> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut names = Vec::new();
    let mut changed = Vec::new();
    for tag in &node.tags {
        let name = tag_name(tag);
        match seen.get(&name) {
            Some(other) if *other == tag => continue,
            Some(other) => return Err(collision(node, "tags", other, tag, &name)),
            None => {}
        }
        if name != *tag {
            changed.push(format!("{tag} as {name}"));
        }
        seen.insert(name.clone(), tag);
        names.push(name);
    }
    Ok(Stored {
        names,
        note: note("tags", &changed),
    })
}

/// The node's owner data under the keys that MaaS stores.
pub(crate) fn annotations(node: &Node) -> Result<Stored<BTreeMap<String, String>>, DriverError> {
    let mut origin: BTreeMap<String, &str> = BTreeMap::new();
    let mut names = BTreeMap::new();
    let mut changed = Vec::new();
    for (key, value) in &node.owner_data {
        let name = owner_key(key);
        if let Some(other) = origin.insert(name.clone(), key) {
            return Err(collision(node, "owner data", other, key, &name));
        }
        if name != *key {
            changed.push(format!("{key} as {name}"));
        }
        names.insert(name, value.clone());
    }
    Ok(Stored {
        names,
        note: note("owner data", &changed),
    })
}

fn note(what: &str, changed: &[String]) -> String {
    if changed.is_empty() {
        return String::new();
    }
    format!(
        "; MaaS cannot store some names of {what} as written, so they are stored with _ in place of what it refuses: {}",
        changed.join(", ")
    )
}

fn collision(node: &Node, what: &str, one: &str, other: &str, name: &str) -> DriverError {
    DriverError::permanent(
        format!("storing the {what} of {}", node.name),
        "MaaS",
        format!("{one:?} and {other:?} would both be stored as {name:?}"),
        "rename one of them in the design",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::maas::trial;

    #[test]
    fn foreign_characters_become_underscores() {
        assert_eq!(tag_name("deployment=initial"), "deployment_initial");
        assert_eq!(
            owner_key("beta.kubernetes.io/fluentd-ds-ready"),
            "beta.kubernetes.io_fluentd-ds-ready"
        );
        assert_eq!(kernel_tag("node.1"), "node_1_kp");
    }

    #[test]
    fn a_changed_name_is_told_once_and_a_collision_is_an_error() {
        let mut node = trial::node("n1");
        node.tags = vec!["ok".into(), "a=b".into(), "ok".into()];
        let stored = tags(&node).unwrap();
        assert_eq!(stored.names, ["ok", "a_b"]);
        assert!(stored.note.contains("a=b as a_b"));
        node.tags.push("a/b".into());
        assert!(tags(&node).unwrap_err().got.contains("a_b"));

        node.owner_data = [
            ("x/y".to_owned(), "1".to_owned()),
            ("x_y".to_owned(), "2".to_owned()),
        ]
        .into();
        assert!(annotations(&node).is_err());
        node.owner_data.remove("x/y");
        assert_eq!(annotations(&node).unwrap().note, "");
    }
}
