//! Documents that nothing uses.

use drydock_model::design::Kind;
use drydock_model::effective::Node;
use drydock_model::finding::Level;
use hashbrown::HashSet;

use super::{Look, Rule, Site};
use crate::report::Report;

/// Each profile, network and boot action has some effect.
pub(super) static UNUSED: Rule = Rule {
    id: "document/unused",
    code: "DD5010",
    name: "Unused Documents",
    level: Level::Info,
    what: "Some node inherits from each host profile, has each hardware profile and uses each network, and each boot action has assets. A network counts as used, too, when routes of another lead to its route domain. Nothing applies tag_definitions.",
    why: "What nothing uses is often left over, or its name is misspelt where it was meant.",
    fix: "Remove the document, or name it where it belongs.",
    look: Look::Site(unused),
};

const ADVICE: &str = "remove it, or name it where it belongs";

fn unused(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    let design = &site.compiled.design;
    for document in site.index.of(Kind::Region) {
        if let Some(definitions) = document.tree.get("tag_definitions")
            && !definitions.items().is_empty()
        {
            let message = format!("Region {}: nothing applies tag_definitions", document.name);
            let advice = "write tags in metadata.tags of nodes or profiles";
            let place = site.of(Kind::Region, &document.name, &["tag_definitions"]);
            report.add(rule, message, advice, place);
        }
    }
    // A part of a site, such as its global documents alone, has nodes elsewhere.
    if design.nodes.is_empty() {
        return;
    }
    without_use(rule, site, report);
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
        report.add(rule, message, ADVICE, place);
    }
}

/// Profiles and networks. Where a document that may use them is not there, nobody knows.
fn without_use(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    let users = [Kind::BaremetalNode, Kind::HostProfile, Kind::Network];
    if site.lacks(&users) || !site.compiled.gaps.heirs.is_empty() {
        return;
    }
    let mut left = Left::new(site);
    for node in site.nodes() {
        if left.is_empty() {
            break;
        }
        left.strike(node);
    }
    for (kind, left) in [
        (Kind::HostProfile, &left.profiles),
        (Kind::HardwareProfile, &left.hardware),
        (Kind::Network, &left.networks),
    ] {
        for document in site.index.of(kind) {
            if left.contains(document.name.as_str()) {
                let message = format!("{kind} {} is used by no node", document.name);
                report.add(rule, message, ADVICE, site.of(kind, &document.name, &[]));
            }
        }
    }
}

/// Names that no use was found for yet. Nodes are alike, so the first few strike out most of them.
struct Left<'a> {
    profiles: HashSet<&'a str>,
    hardware: HashSet<&'a str>,
    networks: HashSet<&'a str>,
}

impl<'a> Left<'a> {
    /// All names but those of networks that routes lead to.
    fn new(site: &Site<'a>) -> Self {
        let names = |kind| {
            let documents = site.index.of(kind);
            documents.map(|document| document.name.as_str()).collect()
        };
        let domains: HashSet<&str> = site
            .index
            .networks()
            .flat_map(|(_, part)| part.routes.iter().flatten())
            .filter_map(|route| route.routedomain.as_deref())
            .collect();
        let mut networks: HashSet<&str> = names(Kind::Network);
        for network in &site.compiled.design.networks {
            let domain = network.routedomain.as_deref();
            if domain.is_some_and(|domain| domains.contains(domain)) {
                networks.remove(network.name.as_str());
            }
        }
        Left {
            profiles: names(Kind::HostProfile),
            hardware: names(Kind::HardwareProfile),
            networks,
        }
    }

    fn is_empty(&self) -> bool {
        self.profiles.is_empty() && self.hardware.is_empty() && self.networks.is_empty()
    }

    fn strike(&mut self, node: &Node) {
        if !self.profiles.is_empty() {
            for profile in &node.profiles {
                self.profiles.remove(profile.as_str());
            }
        }
        if let Some(hardware) = node.hardware.as_ref().filter(|_| !self.hardware.is_empty()) {
            self.hardware.remove(hardware.name.as_str());
        }
        if !self.networks.is_empty() {
            let addresses = node.addressing.iter().map(|entry| &entry.network);
            let carried = node
                .interfaces
                .iter()
                .flat_map(|interface| &interface.networks);
            let named = [&node.oob.network, &node.primary_network];
            for network in addresses.chain(carried).chain(named.into_iter().flatten()) {
                self.networks.remove(network.as_str());
            }
        }
    }
}
