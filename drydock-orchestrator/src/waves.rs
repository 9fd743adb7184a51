//! Waves: which nodes of a task go one after another. Pure.

use std::sync::Arc;

use drydock_model::effective::Node;
use drydock_model::strategy::{GroupBy, Strategy};

/// Nodes that go side by side; a stage of a plan.
#[derive(Clone, Debug)]
pub struct Wave {
    /// What they have in common, for people: `canary`, `rack r1`, `row=7`.
    pub what: String,
    /// The nodes, in the order of the design.
    pub nodes: Vec<Arc<Node>>,
}

/// The waves of these nodes, in order: first the canaries, then the groups. Without a strategy, one wave.
#[must_use]
pub fn waves(nodes: &[Arc<Node>], strategy: Option<&Strategy>) -> Vec<Wave> {
    let canaries = strategy.and_then(|strategy| strategy.canary).unwrap_or(0);
    let canaries = usize::try_from(canaries)
        .unwrap_or(usize::MAX)
        .min(nodes.len());
    let (first, rest) = nodes.split_at(canaries);
    let mut waves = Vec::new();
    if !first.is_empty() {
        waves.push(Wave {
            what: "canary".into(),
            nodes: first.to_vec(),
        });
    }
    match strategy.and_then(|strategy| strategy.group_by.as_ref()) {
        None if rest.is_empty() => {}
        None => waves.push(Wave {
            what: if waves.is_empty() {
                "all"
            } else {
                "the others"
            }
            .into(),
            nodes: rest.to_vec(),
        }),
        Some(by) => waves.extend(groups(rest, by)),
    }
    waves
}

fn groups(nodes: &[Arc<Node>], by: &GroupBy) -> Vec<Wave> {
    let mut groups: Vec<(Option<&String>, Vec<Arc<Node>>)> = Vec::new();
    for node in nodes {
        let value = match by {
            GroupBy::Rack => node.rack.as_ref(),
            GroupBy::Label(key) => node.owner_data.get(key),
        };
        match groups.iter_mut().find(|(known, _)| *known == value) {
            Some((_, members)) => members.push(Arc::clone(node)),
            None => groups.push((value, vec![Arc::clone(node)])),
        }
    }
    // Those without one last; the others stay in the order of the design.
    groups.sort_by_key(|(value, _)| value.is_none());
    groups
        .into_iter()
        .map(|(value, nodes)| Wave {
            what: match (by, value) {
                (GroupBy::Rack, Some(rack)) => format!("rack {rack}"),
                (GroupBy::Rack, None) => "without a rack".into(),
                (GroupBy::Label(key), Some(value)) => format!("{key}={value}"),
                (GroupBy::Label(key), None) => format!("without {key}"),
            },
            nodes,
        })
        .collect()
}

/// Most waves told of by name.
const TOLD: usize = 12;

/// What an operator is told of the waves.
#[must_use]
pub fn told(waves: &[Wave], strategy: &Strategy) -> String {
    let mut parts: Vec<String> = waves
        .iter()
        .take(TOLD)
        .map(|wave| format!("{} ({} node(s))", wave.what, wave.nodes.len()))
        .collect();
    if waves.len() > TOLD {
        parts.push(format!("and {} more", waves.len() - TOLD));
    }
    let mut text = format!("one after another: {}", parts.join(", "));
    if let Some(most) = strategy.max_in_flight {
        text.push_str(&format!("; at most {most} node(s) at once"));
    }
    if let Some(percent) = strategy.stop_at_failures_percent {
        text.push_str(&format!("; stops at {percent} % failures"));
    }
    text
}
