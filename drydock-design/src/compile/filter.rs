//! What node filters name, and nothing goes by.

use std::collections::{BTreeMap, HashSet};

use drydock_model::design::{Document, Kind};
use drydock_model::effective::{EffectiveDesign, Node};
use drydock_model::filter::Filter;
use drydock_model::finding::Level;

use crate::index::Index;
use crate::report::{Report, at};
use crate::rules::boot::FILTER;

/// Everything that a filter can name.
#[derive(Default)]
struct Known<'a> {
    nodes: HashSet<&'a str>,
    tags: HashSet<&'a str>,
    labels: HashSet<(&'a str, &'a str)>,
    racks: HashSet<&'a str>,
    rack_labels: HashSet<(&'a str, &'a str)>,
}

impl<'a> Known<'a> {
    fn new(design: &'a EffectiveDesign, nodes: &'a [Node]) -> Self {
        let mut known = Known::default();
        for node in nodes {
            known.nodes.insert(&node.name);
            known.tags.extend(node.tags.iter().map(String::as_str));
            known.labels.extend(pairs(&node.owner_data));
            known.racks.extend(node.rack.as_deref());
        }
        for rack in &design.racks {
            known.racks.insert(&rack.name);
            known.rack_labels.extend(pairs(&rack.labels));
            known.rack_labels.extend(pairs(&rack.location));
        }
        known
    }
}

fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
}

/// Tells names in the filters of boot actions that nothing goes by. A filter may select something all the same.
pub(super) fn check(
    index: &Index<'_>,
    design: &EffectiveDesign,
    nodes: &[Node],
    report: &mut Report,
) {
    let filtered: Vec<_> = design
        .boot_actions
        .iter()
        .filter_map(|action| Some((action, action.node_filter.as_ref()?)))
        .collect();
    // A part of a site, such as its global documents alone, has nodes elsewhere.
    if filtered.is_empty() || nodes.is_empty() || may_have_more(index, report) {
        return;
    }
    let known = Known::new(design, nodes);
    for (action, filter) in filtered {
        let Some(document) = index.get(Kind::BootAction, &action.name) else {
            continue;
        };
        for (number, member) in filter.filter_set.iter().enumerate() {
            for (field, name, what) in unknown(member, &known) {
                tell(document, number, field, &name, what, report);
            }
        }
    }
}

/// Whether documents that are not there may give a filter something to select: nodes, the profiles that give them tags, or racks.
pub(super) fn may_have_more(index: &Index<'_>, report: &Report) -> bool {
    let kinds = [Kind::BaremetalNode, Kind::HostProfile, Kind::Rack];
    !report.gaps.heirs.is_empty() || kinds.into_iter().any(|kind| index.misses(kind))
}

/// Field, the name as a path has it, and what was named.
fn unknown(member: &Filter, known: &Known<'_>) -> Vec<(&'static str, String, String)> {
    let mut found = Vec::new();
    let lists = [
        ("node_names", "node", &member.node_names, &known.nodes),
        ("node_tags", "tag", &member.node_tags, &known.tags),
        ("rack_names", "rack", &member.rack_names, &known.racks),
    ];
    for (field, what, names, known) in lists {
        let missing = names.iter().filter(|name| !known.contains(name.as_str()));
        found.extend(missing.map(|name| (field, name.clone(), format!("{what} {name}"))));
    }
    let maps = [
        ("node_labels", "node", &member.node_labels, &known.labels),
        (
            "rack_labels",
            "rack",
            &member.rack_labels,
            &known.rack_labels,
        ),
    ];
    for (field, what, labels, known) in maps {
        for (key, value) in pairs(labels).filter(|pair| !known.contains(pair)) {
            let told = format!("label {key}: {value} of a {what}");
            found.push((field, key.to_owned(), told));
        }
    }
    found
}

fn tell(
    document: &Document,
    number: usize,
    field: &str,
    name: &str,
    what: String,
    report: &mut Report,
) {
    let number = number.to_string();
    let path = ["node_filter", "filter_set", &number, field, name];
    report.add_level(
        &FILTER,
        Level::Warning,
        format!(
            "BootAction {}: its node_filter names the {what}, which there is not",
            document.name
        ),
        "correct the name, or take it out of the filter",
        at(document, &path),
    );
}
