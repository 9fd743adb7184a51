//! Documents that nothing uses.

use std::collections::HashSet;

use drydock_model::design::Kind;
use drydock_model::effective::EffectiveDesign;
use drydock_model::finding::Level;

use super::{Rule, Site};
use crate::report::Report;

/// Each profile, network and boot action has some effect.
pub(super) static UNUSED: Rule = Rule {
    id: "document/unused",
    code: "DD5010",
    name: "Unused Documents",
    level: Level::Info,
    what: "Some node inherits from each host profile, has each hardware profile and uses each network, and each boot action has assets. A network counts as used, too, when routes of another lead to its route domain.",
    why: "What nothing uses is often left over, or its name is misspelt where it was meant.",
    fix: "Remove the document, or name it where it belongs.",
    run: unused,
};

fn unused(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    let design = &site.compiled.design;
    // A part of a site, such as its global documents alone, has nodes elsewhere.
    if design.nodes.is_empty() {
        return;
    }
    let nodes = || design.nodes.iter();
    let profiles: HashSet<&str> = nodes()
        .flat_map(|node| &node.profiles)
        .map(String::as_str)
        .collect();
    let hardware: HashSet<&str> = nodes()
        .filter_map(|node| node.hardware.as_ref())
        .map(|hardware| hardware.name.as_str())
        .collect();
    let networks = used_networks(site, design);
    let advice = "remove it, or name it where it belongs";
    for (kind, used) in [
        (Kind::HostProfile, &profiles),
        (Kind::HardwareProfile, &hardware),
        (Kind::Network, &networks),
    ] {
        for document in site.index.of(kind) {
            if !used.contains(document.name.as_str()) {
                let message = format!("{kind} {} is used by no node", document.name);
                report.add(rule, message, advice, site.of(kind, &document.name, &[]));
            }
        }
    }
    for action in design
        .boot_actions
        .iter()
        .filter(|action| action.assets.is_empty())
    {
        let message = format!(
            "BootAction {} has no assets, so it does nothing",
            action.name
        );
        let place = site.of(Kind::BootAction, &action.name, &[]);
        report.add(rule, message, advice, place);
    }
}

fn used_networks<'a>(site: &Site<'a>, design: &'a EffectiveDesign) -> HashSet<&'a str> {
    let mut used: HashSet<&str> = HashSet::new();
    for node in &design.nodes {
        used.extend(node.addressing.iter().map(|entry| entry.network.as_str()));
        used.extend(node.oob.network.as_deref());
        used.extend(node.primary_network.as_deref());
        for interface in &node.interfaces {
            used.extend(interface.networks.iter().map(String::as_str));
        }
    }
    let domains: HashSet<&str> = site
        .index
        .networks()
        .flat_map(|(_, part)| part.routes.iter().flatten())
        .filter_map(|route| route.routedomain.as_deref())
        .collect();
    used.extend(
        design
            .networks
            .iter()
            .filter(|network| {
                let domain = network.routedomain.as_deref();
                domain.is_some_and(|domain| domains.contains(domain))
            })
            .map(|network| network.name.as_str()),
    );
    used
}
