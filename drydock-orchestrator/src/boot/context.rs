//! What templates of boot actions can see.

use std::collections::BTreeMap;

use drydock_model::effective::{EffectiveDesign, Node};
use drydock_model::id::BootActionId;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct TemplateContext {
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
    pub(crate) fn new(
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
            network.insert("default".into(), primary);
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
