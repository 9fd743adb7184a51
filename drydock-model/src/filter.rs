//! Node filters: which nodes a task or a boot action is about.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How criteria, or members of a set, go together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SetType {
    /// Any of them.
    #[default]
    Union,
    /// All of them.
    Intersection,
}

/// A set of filters over the nodes of a design. No filter at all means every node; a filter without any criterion is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["filter_set"]))]
pub struct NodeFilter {
    /// How the members of `filter_set` go together.
    #[serde(default)]
    pub filter_set_type: SetType,
    /// The members; at least one.
    #[serde(default)]
    #[schemars(extend("minItems" = 1))]
    pub filter_set: Vec<Filter>,
}

/// One member of a filter set. An empty list or map is no criterion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// How the criteria of this member go together.
    #[serde(default)]
    pub filter_type: SetType,
    /// Any of these names.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>", extend("x-refers-to" = "BaremetalNode", "x-unique" = "list"))]
    pub node_names: Vec<String>,
    /// Any of these tags.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>", extend("x-refers-to" = "Tag", "x-unique" = "list"))]
    pub node_tags: Vec<String>,
    /// Owner data: all pairs in an intersection, any pair in a union.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<BTreeMap<String, String>>", extend("x-refers-to" = "OwnerData"))]
    pub node_labels: BTreeMap<String, String>,
    /// Any of these racks.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>", extend("x-refers-to" = "Rack", "x-unique" = "list"))]
    pub rack_names: Vec<String>,
    /// The rack's labels and location: all pairs in an intersection, any pair in a union.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<BTreeMap<String, String>>", extend("x-refers-to" = "RackLabel"))]
    pub rack_labels: BTreeMap<String, String>,
}

impl Filter {
    /// Whether it names anything at all.
    #[must_use]
    pub fn has_criterion(&self) -> bool {
        !(self.node_names.is_empty()
            && self.node_tags.is_empty()
            && self.node_labels.is_empty()
            && self.rack_names.is_empty()
            && self.rack_labels.is_empty())
    }
}

impl NodeFilter {
    /// A filter that selects exactly the node of this name.
    #[must_use]
    pub fn one(name: &str) -> Self {
        Self::names([name])
    }

    /// A filter that selects the nodes of these names.
    pub fn names<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        NodeFilter {
            filter_set_type: SetType::Union,
            filter_set: vec![Filter {
                node_names: names.into_iter().map(Into::into).collect(),
                ..Filter::default()
            }],
        }
    }

    /// Refuses a filter without any criterion: it must never mean the whole site by accident.
    ///
    /// # Errors
    /// A sentence naming the field that is missing.
    pub fn check(&self) -> Result<(), String> {
        if self.filter_set.is_empty() {
            return Err("node_filter.filter_set is empty: name at least one criterion, or leave node_filter out to mean every node".into());
        }
        for (index, member) in self.filter_set.iter().enumerate() {
            if !member.has_criterion() {
                return Err(format!(
                    "node_filter.filter_set[{index}] has no criterion (node_names, node_tags, node_labels, rack_names, rack_labels)"
                ));
            }
        }
        Ok(())
    }
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
