//! Which nodes use a part of the site.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Snapshot;

/// The nodes that both designs have, and what each of them uses in either.
pub(super) struct Uses<'a> {
    nodes: Vec<&'a str>,
    by_part: HashMap<(&'static str, &'a str), HashSet<&'a str>>,
}

impl<'a> Uses<'a> {
    pub(super) fn new(before: &'a Snapshot, after: &'a Snapshot) -> Self {
        let new = after.nodes_by_name();
        let mut uses = Uses {
            nodes: Vec::new(),
            by_part: HashMap::new(),
        };
        for (name, node) in before.nodes() {
            if let Some(other) = new.get(name) {
                uses.nodes.push(name);
                uses.add(name, node);
                uses.add(name, other);
            }
        }
        uses
    }

    fn add(&mut self, name: &'a str, node: &'a Value) {
        let mut uses = |field, part: &'a Value| {
            if let Some(part) = part.as_str() {
                self.by_part.entry((field, part)).or_default().insert(name);
            }
        };
        uses("racks", &node["rack"]);
        uses("networks", &node["oob"]["network"]);
        for interface in items(&node["interfaces"]) {
            uses("links", &interface["link"]);
            for network in items(&interface["networks"]) {
                uses("networks", network);
            }
        }
        for entry in items(&node["addressing"]) {
            uses("networks", &entry["network"]);
        }
        for action in items(&node["boot_actions"]) {
            uses("boot_actions", action);
        }
    }

    /// The nodes that use a part. The region, and whatever is not known here, is everybody's.
    pub(super) fn of(&self, field: &str, name: Option<&str>) -> Vec<String> {
        let listed = ["racks", "links", "networks", "boot_actions"]
            .into_iter()
            .find(|known| *known == field)
            .zip(name);
        let found = listed.map(|key| self.by_part.get(&key));
        self.nodes
            .iter()
            .filter(|node| match found {
                None => true,
                Some(users) => users.is_some_and(|users| users.contains(*node)),
            })
            .map(|node| (*node).to_owned())
            .collect()
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
