//! What differs between two compiled designs, and whom it concerns.
//!
//! The comparison walks the serialised form of both designs, so a field that is added to the model is compared without a line here.
//! [`field`] knows what the generic walk cannot: how the documents call a field, where order says nothing, and which [`Concern`] a
//! field of a node belongs to. What cannot be compared, such as a secret that a server keeps to itself, is told and is no change.

mod field;
mod reach;
mod snapshot;
mod text;
mod walk;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

pub use field::Concern;
pub use snapshot::{NotADesign, Snapshot};

use field::{concern_of_node, concern_of_site, word_of};
use walk::Walk;

/// Where a value stands, in the words of the documents: `storage.physical_devices.sda.partitions.root.size`. Items of a list go by their
/// name, network or path, else by their index from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(pub Vec<String>);

impl fmt::Display for FieldPath {
    /// Segments with a dot between them. One that holds a dot, a space, a quote or nothing at all stands in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            let plain = |c: char| !(c == '.' || c == '"' || c.is_whitespace() || c.is_control());
            if !segment.is_empty() && segment.chars().all(plain) {
                f.write_str(segment)?;
            } else {
                write!(f, "{segment:?}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for FieldPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
    /// The same items in another order, where order counts.
    Reordered,
}

/// One change of one value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Change {
    /// Where.
    pub path: FieldPath,
    /// What became of it.
    pub kind: ChangeKind,
    /// The value before; none when it was not there. A secret is never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after; none when it is not there any more. A secret is never shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Whether the value is a secret, so that `before` and `after` do not tell it.
    pub secret: bool,
}

/// Nodes that change in the same way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeGroup {
    /// Their names, in the order of the first design.
    pub nodes: Vec<String>,
    /// What of a deployment the changes touch.
    pub concerns: BTreeSet<Concern>,
    /// The changes.
    pub changes: Vec<Change>,
}

/// A part of the site other than a node that differs: the region, a rack, a link, a network, a boot action.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SitePart {
    /// Which: `networks.mgmt`, `region`.
    pub part: FieldPath,
    /// Whether the whole part is new or gone.
    pub kind: ChangeKind,
    /// What of a deployment it touches.
    pub concern: Concern,
    /// The nodes of both designs that use it, in either.
    pub reaches: Vec<String>,
    /// The changes; their paths begin below the part. One with an empty path tells the whole part.
    pub changes: Vec<Change>,
}

/// Everything that differs between two designs. The digest is no difference: it tells of the text, not of what is meant.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Nodes that only the second design has, in its order.
    pub added: Vec<String>,
    /// Nodes that only the first design has, in its order.
    pub removed: Vec<String>,
    /// Nodes that both have and that change.
    pub changed: Vec<NodeGroup>,
    /// Changes outside the nodes.
    pub site: Vec<SitePart>,
    /// For each concern the nodes it touches, through their own changes or through a part of the site that they use.
    pub touched: BTreeMap<Concern, Vec<String>>,
    /// Secrets that stand in both designs and that one side does not tell, as a server does not: whether they differ is not known.
    pub not_compared: Vec<FieldPath>,
}

impl Difference {
    /// Whether nothing is known to differ.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.site.is_empty()
    }
}

/// Compares two designs.
#[must_use]
pub fn diff(before: &Snapshot, after: &Snapshot) -> Difference {
    let mut difference = Difference::default();
    nodes(before, after, &mut difference);
    site(before, after, &mut difference);
    difference.touched = touched(before, &difference);
    difference
}

fn nodes(before: &Snapshot, after: &Snapshot, difference: &mut Difference) {
    let (old, new) = (before.nodes_by_name(), after.nodes_by_name());
    let mut groups: HashMap<(BTreeSet<Concern>, Vec<Change>), usize> = HashMap::new();
    for (name, node) in before.nodes() {
        let Some(other) = new.get(name) else {
            difference.removed.push(name.to_owned());
            continue;
        };
        let mut concerns = BTreeSet::new();
        let mut walk = Walk::new(before, after, &["nodes", name], "nodes");
        for field in walk::keys(node, other) {
            let known = walk.changes.len();
            walk.field(field, node.get(field), other.get(field));
            if walk.changes.len() > known {
                concerns.insert(concern_of_node(field));
            }
        }
        difference.not_compared.append(&mut walk.not_compared);
        let changes = walk.into_changes(2);
        if changes.is_empty() {
            continue;
        }
        let group = *groups
            .entry((concerns.clone(), changes.clone()))
            .or_insert(difference.changed.len());
        match difference.changed.get_mut(group) {
            Some(group) => group.nodes.push(name.to_owned()),
            None => difference.changed.push(NodeGroup {
                nodes: vec![name.to_owned()],
                concerns,
                changes,
            }),
        }
    }
    let names = after.nodes().map(|(name, _)| name);
    difference.added = names
        .filter(|name| !old.contains_key(name))
        .map(str::to_owned)
        .collect();
}

fn site(before: &Snapshot, after: &Snapshot, difference: &mut Difference) {
    let mut uses = None;
    for field in walk::keys(before.value(), after.value()) {
        if matches!(field, "nodes" | "digest" | "id") {
            continue;
        }
        let (old, new) = (before.value().get(field), after.value().get(field));
        let word = word_of(field).unwrap_or(field);
        for (name, old, new) in walk::parts(old, new) {
            let part: Vec<&str> = [word].into_iter().chain(name).collect();
            let mut walk = Walk::new(before, after, &part, field);
            walk.compare(old, new);
            difference.not_compared.append(&mut walk.not_compared);
            let changes = walk.into_changes(part.len());
            let kind = match changes.as_slice() {
                [] => continue,
                [only] if only.path.0.is_empty() => only.kind,
                _ => ChangeKind::Changed,
            };
            let uses = uses.get_or_insert_with(|| reach::Uses::new(before, after));
            difference.site.push(SitePart {
                part: FieldPath(part.into_iter().map(str::to_owned).collect()),
                kind,
                concern: concern_of_site(field),
                reaches: uses.of(field, name),
                changes,
            });
        }
    }
}

fn touched(before: &Snapshot, difference: &Difference) -> BTreeMap<Concern, Vec<String>> {
    let mut found: BTreeMap<Concern, HashSet<&str>> = BTreeMap::new();
    for group in &difference.changed {
        for concern in &group.concerns {
            let nodes = group.nodes.iter().map(String::as_str);
            found.entry(*concern).or_default().extend(nodes);
        }
    }
    for part in &difference.site {
        if !part.reaches.is_empty() {
            let nodes = part.reaches.iter().map(String::as_str);
            found.entry(part.concern).or_default().extend(nodes);
        }
    }
    let in_order = |names: HashSet<&str>| {
        before
            .nodes()
            .map(|(name, _)| name)
            .filter(|name| names.contains(name))
            .map(str::to_owned)
            .collect()
    };
    found
        .into_iter()
        .map(|(concern, names)| (concern, in_order(names)))
        .collect()
}
