//! Node filters at work.

use std::collections::BTreeMap;
use std::sync::Arc;

use drydock_model::effective::{EffectiveDesign, Node, Rack};
use drydock_model::filter::{Filter, NodeFilter, SetType};
use hashbrown::{HashMap, HashSet};

/// A filter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(
    /// What is wrong with it, for the user.
    pub String,
);

/// The nodes that a filter selects, in design order, each once. No filter selects every node.
///
/// # Errors
/// A filter, or a member of its set, that names no criterion at all: it must never mean the whole site by accident.
pub fn select(
    design: &EffectiveDesign,
    filter: Option<&NodeFilter>,
) -> Result<Vec<Arc<Node>>, FilterError> {
    let Some(filter) = filter else {
        return Ok(design.nodes.clone());
    };
    let selector = Selector::new(filter, &design.racks)?;
    Ok(design
        .nodes
        .iter()
        .filter(|node| selector.matches(node))
        .cloned()
        .collect())
}

/// A filter made ready to be asked about many nodes.
pub(crate) struct Selector<'a> {
    set_type: SetType,
    members: Vec<Member<'a>>,
    racks: HashMap<&'a str, &'a Rack>,
}

struct Member<'a> {
    filter: &'a Filter,
    names: HashSet<&'a str>,
}

impl<'a> Selector<'a> {
    pub(crate) fn new(filter: &'a NodeFilter, racks: &'a [Rack]) -> Result<Self, FilterError> {
        filter.check().map_err(FilterError)?;
        let members = filter
            .filter_set
            .iter()
            .map(|filter| Member {
                filter,
                names: filter.node_names.iter().map(String::as_str).collect(),
            })
            .collect();
        let racks = racks
            .iter()
            .map(|rack| (rack.name.as_str(), rack))
            .collect();
        Ok(Selector {
            set_type: filter.filter_set_type,
            members,
            racks,
        })
    }

    pub(crate) fn matches(&self, node: &Node) -> bool {
        let rack = node
            .rack
            .as_deref()
            .and_then(|name| self.racks.get(name).copied());
        match self.set_type {
            SetType::Union => self.members.iter().any(|member| member.matches(node, rack)),
            SetType::Intersection => self.members.iter().all(|member| member.matches(node, rack)),
        }
    }
}

impl Member<'_> {
    /// A criterion that is not given has no say.
    fn matches(&self, node: &Node, rack: Option<&Rack>) -> bool {
        let filter = self.filter;
        let how = filter.filter_type;
        let verdicts = [
            (!filter.node_names.is_empty()).then(|| self.names.contains(node.name.as_str())),
            (!filter.node_tags.is_empty())
                .then(|| node.tags.iter().any(|tag| filter.node_tags.contains(tag))),
            (!filter.node_labels.is_empty()).then(|| {
                pairs(how, &filter.node_labels, |key| {
                    [node.owner_data.get(key), None]
                })
            }),
            (!filter.rack_names.is_empty()).then(|| {
                node.rack
                    .as_ref()
                    .is_some_and(|rack| filter.rack_names.contains(rack))
            }),
            (!filter.rack_labels.is_empty()).then(|| {
                rack.is_some_and(|rack| {
                    pairs(how, &filter.rack_labels, |key| {
                        [rack.labels.get(key), rack.location.get(key)]
                    })
                })
            }),
        ];
        let mut given = verdicts.into_iter().flatten();
        match how {
            SetType::Union => given.any(|verdict| verdict),
            SetType::Intersection => given.all(|verdict| verdict),
        }
    }
}

fn pairs<'n>(
    how: SetType,
    wanted: &BTreeMap<String, String>,
    found: impl Fn(&str) -> [Option<&'n String>; 2],
) -> bool {
    let mut verdicts = wanted
        .iter()
        .map(|(key, value)| found(key).into_iter().flatten().any(|have| have == value));
    match how {
        SetType::Union => verdicts.any(|verdict| verdict),
        SetType::Intersection => verdicts.all(|verdict| verdict),
    }
}
