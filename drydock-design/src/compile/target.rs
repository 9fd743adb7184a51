//! Which nodes each boot action is for, and what node filters name that nothing goes by.
//!
//! A node is asked about once, while it is at hand: of ten thousand nodes none is still in a cache when all have been made.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};

use drydock_model::design::{Document, Kind};
use drydock_model::effective::{BootAction, EffectiveDesign, Node, Rack};
use drydock_model::filter::{Filter, NodeFilter};
use drydock_model::finding::Level;
use hashbrown::{HashMap, HashSet};

use crate::index::Index;
use crate::report::{Report, at};
use crate::rules::boot::FILTER;
use crate::select::{FilterError, Selector};

/// The boot actions of a design, ready to be asked about nodes by several threads.
pub(super) struct Targets<'a> {
    design: &'a EffectiveDesign,
    actions: Vec<Action<'a>>,
    named: Named<'a>,
}

struct Action<'a> {
    action: &'a BootAction,
    selector: Result<Option<Selector<'a>>, FilterError>,
    /// Whether it is for some node.
    any: Found,
}

impl<'a> Targets<'a> {
    pub(super) fn new(design: &'a EffectiveDesign) -> Self {
        let mut named = Named::default();
        let actions = design.boot_actions.iter().map(|action| {
            let filter = action.node_filter.as_ref();
            for filter in filter.into_iter().flat_map(|filter| &filter.filter_set) {
                named.name(filter);
            }
            let ready = |filter: &'a NodeFilter| Selector::new(filter, &design.racks);
            Action {
                action,
                selector: filter.map(ready).transpose(),
                any: Found::default(),
            }
        });
        Targets {
            actions: actions.collect(),
            named,
            design,
        }
    }

    /// The names of the boot actions that are for a node, in design order.
    pub(super) fn of(&self, node: &Node) -> Vec<String> {
        self.named.see(node);
        let meant = self.actions.iter().filter(|action| {
            let selector = action.selector.as_ref();
            selector.is_ok_and(|selector| selector.as_ref().is_none_or(|all| all.matches(node)))
        });
        meant
            .map(|meant| {
                meant.any.set();
                meant.action.name.clone()
            })
            .collect()
    }

    /// Tells filters that are none, that select nothing, or that name what nothing goes by, when all nodes were asked about.
    pub(super) fn tell(&self, index: &Index<'_>, nodes: usize, report: &mut Report) {
        // A part of a site, such as its global documents alone, has nodes elsewhere.
        let more = may_have_more(index, report);
        let known = (!more && nodes > 0).then(|| Known::new(&self.named, &self.design.racks));
        for Action { action, .. } in &self.actions {
            let filter = action.node_filter.as_ref();
            let document = index.get(Kind::BootAction, &action.name);
            if let (Some(known), Some(filter), Some(document)) = (&known, filter, document) {
                unknown(document, filter, known, report);
            }
        }
        for Action {
            action,
            selector,
            any,
        } in &self.actions
        {
            let Some(document) = index.get(Kind::BootAction, &action.name) else {
                continue;
            };
            match (selector, &action.node_filter) {
                (Err(error), Some(filter)) => unusable(document, filter, error, report),
                (Ok(Some(_)), _) if !any.get() && !more => {
                    let message = format!(
                        "BootAction {}: its node_filter selects no node",
                        action.name
                    );
                    let advice = "correct the filter, or remove the boot action";
                    let place = at(document, &["node_filter"]);
                    report.add_level(&FILTER, Level::Warning, message, advice, place);
                }
                _ => {}
            }
        }
    }
}

fn unusable(document: &Document, filter: &NodeFilter, error: &FilterError, report: &mut Report) {
    let message = format!("BootAction {}: {error}", document.name);
    let advice = "name a criterion, or leave node_filter out to mean every node";
    let members = &filter.filter_set;
    let empty = members.iter().position(|member| !member.has_criterion());
    let number = empty.unwrap_or_default().to_string();
    let path = ["node_filter", "filter_set", &number];
    report.add(&FILTER, message, advice, at(document, &path));
}

/// Whether documents that are not there may give a filter something to select: nodes, the profiles that give them tags, or racks.
fn may_have_more(index: &Index<'_>, report: &Report) -> bool {
    let kinds = [Kind::BaremetalNode, Kind::HostProfile, Kind::Rack];
    !report.gaps.heirs.is_empty() || kinds.into_iter().any(|kind| index.misses(kind))
}

/// Whether something was found, by whichever thread. Written once at most, so that threads do not take its memory from each other.
#[derive(Default)]
struct Found(AtomicBool);

impl Found {
    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        if !self.get() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Things that filters name, and whether some node goes by each. Filters name few things, and nodes have many.
#[derive(Default)]
struct Named<'a> {
    nodes: HashMap<&'a str, Found>,
    tags: HashMap<&'a str, Found>,
    labels: HashMap<(&'a str, &'a str), Found>,
    racks: HashMap<&'a str, Found>,
}

impl<'a> Named<'a> {
    fn name(&mut self, filter: &'a Filter) {
        for (names, known) in [
            (&filter.node_names, &mut self.nodes),
            (&filter.node_tags, &mut self.tags),
            (&filter.rack_names, &mut self.racks),
        ] {
            for name in names {
                known.entry(name).or_default();
            }
        }
        for pair in pairs(&filter.node_labels) {
            self.labels.entry(pair).or_default();
        }
    }

    fn see(&self, node: &Node) {
        see(&self.nodes, [node.name.as_str()]);
        see(&self.tags, node.tags.iter().map(String::as_str));
        see(&self.racks, node.rack.as_deref());
        if !self.labels.is_empty() {
            for found in pairs(&node.owner_data).filter_map(|pair| self.labels.get(&pair)) {
                found.set();
            }
        }
    }
}

fn see<'n>(known: &HashMap<&str, Found>, names: impl IntoIterator<Item = &'n str>) {
    if known.is_empty() {
        return;
    }
    for found in names.into_iter().filter_map(|name| known.get(name)) {
        found.set();
    }
}

/// What a filter can name: what some node goes by, and the racks of the design.
struct Known<'k, 'a> {
    named: &'k Named<'a>,
    racks: HashSet<&'a str>,
    rack_labels: HashSet<(&'a str, &'a str)>,
}

impl<'k, 'a> Known<'k, 'a> {
    fn new(named: &'k Named<'a>, racks: &'a [Rack]) -> Self {
        let labels = |rack: &'a Rack| pairs(&rack.labels).chain(pairs(&rack.location));
        Known {
            named,
            racks: racks.iter().map(|rack| rack.name.as_str()).collect(),
            rack_labels: racks.iter().flat_map(labels).collect(),
        }
    }
}

fn found<K: Eq + Hash>(named: &HashMap<K, Found>, name: &K) -> bool {
    named.get(name).is_some_and(Found::get)
}

fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
}

/// Tells names in the filter of a boot action that nothing goes by. A filter may select something all the same.
fn unknown(document: &Document, filter: &NodeFilter, known: &Known<'_, '_>, report: &mut Report) {
    for (number, member) in filter.filter_set.iter().enumerate() {
        for (field, name, what) in missing(member, known) {
            let number = number.to_string();
            let path = ["node_filter", "filter_set", &number, field, name];
            let message = format!(
                "BootAction {}: its node_filter names the {what}, which there is not",
                document.name
            );
            let advice = "correct the name, or take it out of the filter";
            let place = at(document, &path);
            report.add_level(&FILTER, Level::Warning, message, advice, place);
        }
    }
}

/// Field, the name as a path has it, and what was named.
fn missing<'f>(member: &'f Filter, known: &Known<'_, '_>) -> Vec<(&'static str, &'f str, String)> {
    let Known {
        named,
        racks,
        rack_labels,
    } = known;
    let mut missing = Vec::new();
    let mut names = |field, what, names: &'f [String], known: &dyn Fn(&str) -> bool| {
        let names = names.iter().filter(|name| !known(name));
        missing.extend(names.map(|name| (field, name.as_str(), format!("{what} {name}"))));
    };
    names("node_names", "node", &member.node_names, &|name| {
        found(&named.nodes, &name)
    });
    names("node_tags", "tag", &member.node_tags, &|name| {
        found(&named.tags, &name)
    });
    names("rack_names", "rack", &member.rack_names, &|name| {
        found(&named.racks, &name) || racks.contains(name)
    });
    let mut labels = |field, what, known: &dyn Fn((&str, &str)) -> bool, labels| {
        let labels = pairs(labels).filter(|pair| !known(*pair));
        missing.extend(
            labels.map(|(key, value)| (field, key, format!("label {key}: {value} of a {what}"))),
        );
    };
    let of_node = |pair: (&str, &str)| found(&named.labels, &pair);
    labels("node_labels", "node", &of_node, &member.node_labels);
    let of_rack = |pair: (&str, &str)| rack_labels.contains(&pair);
    labels("rack_labels", "rack", &of_rack, &member.rack_labels);
    missing
}
