//! What templates of boot actions see: the values when one is rendered, and the names when one is checked.

use std::collections::BTreeMap;

use drydock_model::effective::{EffectiveDesign, Network, Node};
use drydock_model::id::BootActionId;
use serde::Serialize;

/// What one template of one boot action sees on one node.
#[derive(Serialize)]
pub struct TemplateContext {
    node: NodeContext,
    action: ActionContext,
}

#[derive(Serialize)]
struct NodeContext {
    hostname: String,
    domain: String,
    tags: Vec<String>,
    labels: BTreeMap<String, String>,
    network: BTreeMap<String, NetworkContext>,
    interfaces: BTreeMap<String, InterfaceContext>,
}

#[derive(Clone, Serialize)]
struct NetworkContext {
    ip: String,
    cidr: String,
    dns_suffix: Option<String>,
}

#[derive(Serialize)]
struct InterfaceContext {
    sriov: bool,
    vf_count: u32,
    trustedmode: bool,
}

#[derive(Serialize)]
struct ActionContext {
    action_id: String,
    action_key: String,
    report_url: String,
    design_ref: String,
}

impl TemplateContext {
    /// The values. `key_hex` is the key by which the machine reports.
    #[must_use]
    pub fn new(
        design: &EffectiveDesign,
        node: &Node,
        action: BootActionId,
        key_hex: &str,
        report_url: &str,
        design_ref: &str,
    ) -> Self {
        let mut network: BTreeMap<String, NetworkContext> = node
            .addressing
            .iter()
            .filter_map(|entry| {
                let ip = node.address_on(&entry.network)?;
                let network = design.network(&entry.network)?;
                let context = NetworkContext {
                    ip: ip.to_string(),
                    cidr: network.cidr.to_string(),
                    dns_suffix: network.dns_domain.clone(),
                };
                Some((entry.network.clone(), context))
            })
            .collect();
        if let Some(primary) = node
            .primary_network
            .as_ref()
            .and_then(|name| network.get(name))
            .cloned()
        {
            network.insert(DEFAULT.into(), primary);
        }
        let interfaces = node
            .interfaces
            .iter()
            .map(|interface| {
                let sriov = interface.sriov.as_ref();
                let context = InterfaceContext {
                    sriov: sriov.is_some(),
                    vf_count: sriov.map_or(0, |sriov| sriov.vf_count),
                    trustedmode: sriov.is_some_and(|sriov| sriov.trustedmode),
                };
                (interface.name.clone(), context)
            })
            .collect();
        TemplateContext {
            node: NodeContext {
                hostname: node.name.clone(),
                domain: node.domain.clone(),
                tags: node.tags.clone(),
                labels: node.owner_data.clone(),
                network,
                interfaces,
            },
            action: ActionContext {
                action_id: action.to_string(),
                action_key: key_hex.to_owned(),
                report_url: report_url.to_owned(),
                design_ref: design_ref.to_owned(),
            },
        }
    }
}

/// The network that stands for the primary one.
const DEFAULT: &str = "default";

const NODE: &[&str] = &[
    "hostname",
    "domain",
    "tags",
    "labels",
    "network",
    "interfaces",
];
const NETWORK: &[&str] = &["ip", "cidr", "dns_suffix"];
const INTERFACE: &[&str] = &["sriov", "vf_count", "trustedmode"];
const ACTION: &[&str] = &["action_id", "action_key", "report_url", "design_ref"];

/// A map of the context whose keys are each node's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Keyed {
    Network,
    Interfaces,
    Labels,
}

/// A name that no node's context has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Never<'p> {
    /// How many names of the path stand before it.
    pub at: usize,
    pub name: &'p str,
    /// What could stand there.
    pub known: &'static [&'static str],
}

/// The name in a path that depends on the node, if there is one. `path` begins with a variable.
///
/// # Errors
/// The first name that no node has.
pub(crate) fn resolve(path: &[String]) -> Result<Option<(Keyed, &str)>, Never<'_>> {
    let named = |at: usize, known: &'static [&'static str]| match path.get(at) {
        Some(name) if !known.contains(&name.as_str()) => Err(Never { at, name, known }),
        _ => Ok(()),
    };
    if path.first().is_some_and(|root| root == "action") {
        return named(1, ACTION).and(named(2, &[])).map(|()| None);
    }
    named(1, NODE)?;
    let (keyed, below) = match path.get(1).map(String::as_str) {
        Some("network") => (Keyed::Network, NETWORK),
        Some("interfaces") => (Keyed::Interfaces, INTERFACE),
        Some("labels") => (Keyed::Labels, &[][..]),
        _ => return named(2, &[]).map(|()| None),
    };
    named(3, below)?;
    named(4, &[])?;
    Ok(path.get(2).map(|name| (keyed, name.as_str())))
}

/// The keys that a map has on a node. `network` finds a network of the design.
pub(crate) fn keys<'n>(
    node: &'n Node,
    keyed: Keyed,
    network: impl Fn(&str) -> Option<&'n Network>,
) -> Vec<&'n str> {
    match keyed {
        Keyed::Network => {
            let with_address =
                |name: &str| node.address_on(name).is_some() && network(name).is_some();
            let mut names: Vec<&str> = node
                .addressing
                .iter()
                .map(|entry| entry.network.as_str())
                .filter(|name| with_address(name))
                .collect();
            if node.primary_network.as_deref().is_some_and(with_address) {
                names.push(DEFAULT);
            }
            names
        }
        Keyed::Interfaces => node
            .interfaces
            .iter()
            .map(|interface| interface.name.as_str())
            .collect(),
        Keyed::Labels => node.owner_data.keys().map(String::as_str).collect(),
    }
}
