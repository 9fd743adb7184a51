//! Templates of boot actions: that they can be rendered, on each node that they are for.

use std::borrow::Cow;
use std::cell::OnceCell;

use base64::Engine;
use drydock_model::design::Kind;
use drydock_model::effective::{Asset, BootAction, Node, PipelineSegment};
use drydock_model::finding::Level;
use drydock_model::tree::nearest;
use hashbrown::HashMap;

use super::super::{Look, Rule, Site};
use crate::report::{Advice, Place, Report};
use crate::template::context::{Keyed, Never, keys, resolve};
use crate::template::{self, Path};

/// Templates can be rendered.
pub(crate) static TEMPLATE: Rule = Rule {
    id: "boot/template",
    code: "DD5114",
    name: "Boot Action Templates",
    level: Level::Error,
    what: "Templates of boot actions parse, and name only what the context has on each node that they are for: the variables node and action, their attributes, and by name the networks with a static address, the interfaces and the labels of the node. A macro that calls itself without a condition, or loops over ranges that turn too often, are told as a warning; how long a template may run and how much it may yield is otherwise bounded when it is rendered.",
    why: "A name that is not there is an error when the machine first boots, which is too late.",
    fix: "Correct the template, or its pipeline. Where a node may lack a name, ask first: `{% if node.network.pxe is defined %}`, or `| default('...')`.",
    look: Look::Site(templates),
};

/// Findings about names for one template. One that has more was made for other nodes.
const MOST_FINDINGS: usize = 20;

/// Nodes that one finding names.
const MOST_NODES: usize = 3;

fn templates(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    let held = Held::new(site);
    let targets = targets(&held.nodes);
    for action in &site.compiled.design.boot_actions {
        let nodes = targets
            .get(action.name.as_str())
            .map_or(&[][..], Vec::as_slice);
        for (number, asset) in action.assets.iter().enumerate() {
            for (field, text) in [("location", location(asset)), ("data", data(asset))] {
                let number = number.to_string();
                let name = if asset.path.is_empty() {
                    number.as_str()
                } else {
                    asset.path.as_str()
                };
                let subject = Subject {
                    rule,
                    held: &held,
                    action,
                    nodes,
                    what: format!("{field} of {name}"),
                    place: site.of(Kind::BootAction, &action.name, &["assets", name, field]),
                };
                let inspected = match &text {
                    Ok(None) => continue,
                    Ok(Some(text)) => template::inspect(text),
                    Err(fault) => Err(fault.clone()),
                };
                match inspected {
                    Ok(inspection) => subject.names(&inspection, report),
                    Err(fault) => {
                        let advice = "correct the template, or its pipeline";
                        subject.tell(Level::Error, &fault, advice, report);
                    }
                }
            }
        }
    }
}

/// The nodes of each boot action, by their place in the design.
fn targets<'a>(nodes: &[&'a Node]) -> HashMap<&'a str, Vec<usize>> {
    let mut targets: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for action in &node.boot_actions {
            targets.entry(action).or_default().push(index);
        }
    }
    targets
}

/// What the contexts of the nodes hold. Most nodes hold the same names, so that each name is looked for in a few sets only.
struct Held<'a, 's> {
    site: &'s Site<'a>,
    nodes: Vec<&'a Node>,
    networks: OnceCell<Sets<'a>>,
    interfaces: OnceCell<Sets<'a>>,
    labels: OnceCell<Sets<'a>>,
}

/// The distinct sets of names, and which of them each node has.
struct Sets<'a> {
    distinct: Vec<Vec<&'a str>>,
    of: Vec<usize>,
}

impl<'a, 's> Held<'a, 's> {
    fn new(site: &'s Site<'a>) -> Self {
        Held {
            site,
            nodes: site.nodes().collect(),
            networks: OnceCell::new(),
            interfaces: OnceCell::new(),
            labels: OnceCell::new(),
        }
    }

    fn sets(&self, keyed: Keyed) -> &Sets<'a> {
        let cell = match keyed {
            Keyed::Network => &self.networks,
            Keyed::Interfaces => &self.interfaces,
            Keyed::Labels => &self.labels,
        };
        cell.get_or_init(|| {
            let mut known: HashMap<Vec<&'a str>, usize> = HashMap::new();
            let mut distinct = Vec::new();
            let number = |node: &&'a Node| {
                let names = keys(node, keyed, |name| self.site.networks.get(name).copied());
                *known.entry(names).or_insert_with_key(|names| {
                    distinct.push(names.clone());
                    distinct.len() - 1
                })
            };
            let of = self.nodes.iter().map(number).collect();
            Sets { distinct, of }
        })
    }

    /// Those of the nodes that lack a name, if there are any, and the names that the first of them has in its place.
    fn lacking(
        &self,
        nodes: &[usize],
        keyed: Keyed,
        name: &str,
    ) -> Option<(Vec<usize>, &[&'a str])> {
        let sets = self.sets(keyed);
        let there: Vec<bool> = sets
            .distinct
            .iter()
            .map(|names| names.contains(&name))
            .collect();
        let lacks = |node: &usize| !there[sets.of[*node]];
        let lacking: Vec<usize> = nodes.iter().copied().filter(lacks).collect();
        let known = &sets.distinct[sets.of[*lacking.first()?]];
        Some((lacking, known))
    }

    /// The first few by name, and how many more there are.
    fn listed(&self, nodes: &[usize]) -> String {
        let shown: Vec<&str> = nodes
            .iter()
            .take(MOST_NODES)
            .map(|node| self.nodes[*node].name.as_str())
            .collect();
        match nodes.len() - shown.len() {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

/// One template of a boot action.
struct Subject<'a, 'd, 's> {
    rule: &'a Rule,
    held: &'a Held<'d, 's>,
    action: &'a BootAction,
    nodes: &'a [usize],
    what: String,
    place: Place,
}

impl Subject<'_, '_, '_> {
    fn tell(&self, level: Level, fault: &str, advice: impl Into<Advice>, report: &mut Report) {
        let message = format!("BootAction {}: {}: {fault}", self.action.name, self.what);
        report.add_level(self.rule, level, message, advice, self.place.clone());
    }

    fn names(&self, inspection: &template::Inspection, report: &mut Report) {
        for fault in &inspection.endless {
            let advice = "let a condition end it, or make the range smaller";
            self.tell(Level::Warning, fault, advice, report);
        }
        let faults = inspection.paths.iter().filter_map(|path| self.fault(path));
        for (fault, advice) in faults.take(MOST_FINDINGS) {
            self.tell(Level::Error, &fault, advice, report);
        }
    }

    /// What is wrong with a path, and what to do.
    fn fault(&self, path: &Path) -> Option<(String, String)> {
        let written = path.names.join(".");
        let line = path.line;
        match resolve(path.needed()) {
            Err(never) => {
                let owner = path.names.get(..never.at)?.join(".");
                let on = match self.nodes {
                    [] => String::new(),
                    nodes => format!(", so it fails on {}", self.held.listed(nodes)),
                };
                let fault = format!(
                    "{written} in line {line} of the template: {owner} has no {}{on}",
                    never.name
                );
                Some((fault, instead(&never)))
            }
            // In a condition the template may well know which nodes have the name.
            Ok(Some((keyed, name))) if !path.conditional => {
                let (lacking, known) = self.held.lacking(self.nodes, keyed, name)?;
                let fault = format!(
                    "{written} in line {line} of the template: {name} is not there on {}, for want of {}",
                    self.held.listed(&lacking),
                    wanted(keyed, name)
                );
                let advice = match nearest(name, known.iter().copied()) {
                    Some(near) => format!(
                        "did you mean {near}? Otherwise give it to the nodes, ask `is defined` first, or narrow the node filter"
                    ),
                    None => {
                        "give it to the nodes, ask `is defined` first, or narrow the node filter"
                            .to_owned()
                    }
                };
                Some((fault, advice))
            }
            Ok(_) => None,
        }
    }
}

fn instead(never: &Never<'_>) -> String {
    match nearest(never.name, never.known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if never.known.is_empty() => "end the path before it".to_owned(),
        None => format!("known are {}", never.known.join(", ")),
    }
}

fn wanted(keyed: Keyed, name: &str) -> String {
    match keyed {
        Keyed::Network if name == "default" => "a primary network with a static address".to_owned(),
        Keyed::Network => format!("a static address on network {name}"),
        Keyed::Interfaces => format!("an interface {name}"),
        Keyed::Labels => format!("{name} in owner_data"),
    }
}

/// The template of a location.
fn location(asset: &Asset) -> Result<Option<Cow<'_, str>>, String> {
    let is_template = asset.location_pipeline.contains(&PipelineSegment::Template);
    let text = asset.location.as_deref().filter(|_| is_template);
    Ok(text.map(Cow::Borrowed))
}

/// Follows the pipeline up to its template, as far as that can be done without a node.
fn data(asset: &Asset) -> Result<Option<Cow<'_, str>>, String> {
    let Some(text) = asset
        .data
        .as_deref()
        .filter(|_| asset.data_pipeline.contains(&PipelineSegment::Template))
    else {
        return Ok(None);
    };
    let mut bytes = text.as_bytes().to_vec();
    for segment in &asset.data_pipeline {
        match segment {
            PipelineSegment::Base64Decode => bytes = decode(&bytes)?,
            PipelineSegment::Base64Encode => {
                bytes = base64::engine::general_purpose::STANDARD
                    .encode(&bytes)
                    .into_bytes();
            }
            PipelineSegment::Utf8Decode | PipelineSegment::Utf8Encode => {}
            PipelineSegment::Template => {
                let text = String::from_utf8(bytes)
                    .map_err(|error| format!("the template is not UTF-8: {error}"))?;
                return Ok(Some(Cow::Owned(text)));
            }
        }
    }
    Ok(None)
}

/// Line breaks within base64 do not count (RFC 2045, section 6.8).
fn decode(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let compact: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    base64::engine::general_purpose::STANDARD
        .decode(compact)
        .map_err(|error| format!("this is not base64: {error}"))
}
