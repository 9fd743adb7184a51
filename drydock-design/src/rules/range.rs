//! Address ranges of networks.

use std::net::IpAddr;

use drydock_model::design::{Kind, Part};
use drydock_model::effective::{Address, Network, Node, Range, RangeKind};
use drydock_model::finding::Level;

use super::{Look, Rule, Site};
use crate::report::{Place, Report};

/// Ranges lie in their network and do not overlap.
pub(crate) static SHAPE: Rule = Rule {
    id: "range/shape",
    code: "DD5103",
    name: "Address Range Validity",
    level: Level::Error,
    what: "Address ranges lie in their network and do not overlap.",
    why: "Addresses would be given out that do not belong to the network, or twice.",
    fix: "Correct start and end.",
    look: Look::Site(shape),
};

/// No node's address and no gateway lies where others are given out.
pub(crate) static USE: Rule = Rule {
    id: "range/use",
    code: "DD5104",
    name: "Address Range Use",
    level: Level::Error,
    what: "No address of a node lies in a dhcp or reserved range, and no gateway in a dhcp range.",
    why: "DHCP may give the address to another machine.",
    fix: "Choose an address outside of the range, or move the range.",
    look: Look::Both(use_of, use_by),
};

/// A node's address lies in the static range, where there is one.
pub(crate) static STATIC: Rule = Rule {
    id: "range/static",
    code: "DD5105",
    name: "Static Address Range",
    level: Level::Warning,
    what: "An address lies in the static range, where a network declares one.",
    why: "Others who read the design take the addresses outside of it for free.",
    fix: "Widen the range, or choose another address.",
    look: Look::Node(statics),
};

/// DHCP needs a range.
pub(crate) static DHCP: Rule = Rule {
    id: "range/dhcp",
    code: "DD5106",
    name: "DHCP Address Range",
    level: Level::Error,
    what: "A network on which a node gets its address by DHCP has a dhcp range.",
    why: "Nothing would answer the node's request.",
    fix: "Add a dhcp range to the network, or give the node an address.",
    look: Look::Node(dhcp),
};

fn contains(range: &Range, address: IpAddr) -> bool {
    range.start.is_ipv4() == address.is_ipv4() && range.start <= address && address <= range.end
}

fn word(kind: RangeKind) -> &'static str {
    match kind {
        RangeKind::Static => "static",
        RangeKind::Dhcp => "dhcp",
        RangeKind::Reserved => "reserved",
    }
}

fn show(range: &Range) -> String {
    format!(
        "{} range {} to {}",
        word(range.kind),
        range.start,
        range.end
    )
}

/// The place of a field of a range. Ranges that cannot be understood are in the document only, so it is found by its addresses; of two that
/// are the same, the one that follows.
fn place(site: &Site<'_>, network: &Network, range: &Range, field: &str) -> Place {
    let means = |text: &Option<String>, address: IpAddr| {
        text.as_deref().and_then(|text| text.trim().parse().ok()) == Some(address)
    };
    let document = site.index.get(Kind::Network, &network.name);
    let parts = document.and_then(|document| match &document.part {
        Part::Network(part) => part.ranges.as_deref(),
        _ => None,
    });
    let number = parts.and_then(|parts| {
        parts.iter().rposition(|part| {
            means(&part.start, range.start)
                && means(&part.end, range.end)
                && part.kind.as_deref() == Some(word(range.kind))
        })
    });
    let number = number.map(|number| number.to_string());
    let path = match &number {
        Some(number) => vec!["ranges", number.as_str(), field],
        None => vec!["ranges"],
    };
    site.of(Kind::Network, &network.name, &path)
}

fn shape(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for network in &site.compiled.design.networks {
        for range in &network.ranges {
            let outside = [("start", range.start), ("end", range.end)]
                .into_iter()
                .find(|(_, address)| !network.cidr.contains(address));
            if let Some((field, _)) = outside {
                let message = format!(
                    "Network {}: the {} is not in {}",
                    network.name,
                    show(range),
                    network.cidr.trunc()
                );
                let place = place(site, network, range, field);
                report.add(rule, message, "keep ranges within the network", place);
            }
        }
        let mut sorted: Vec<&Range> = network.ranges.iter().collect();
        sorted.sort_by_key(|range| (range.start, range.end));
        let mut widest: Option<&Range> = None;
        for range in sorted {
            if let Some(before) =
                widest.filter(|before| range.start <= before.end && contains(before, range.start))
            {
                let message = format!(
                    "Network {}: the {} overlaps the {}",
                    network.name,
                    show(range),
                    show(before)
                );
                let place = place(site, network, range, "start");
                report.add(rule, message, "make the ranges distinct", place);
            }
            if widest.is_none_or(|before| before.end < range.end) {
                widest = Some(range);
            }
        }
    }
}

fn use_of(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for network in &site.compiled.design.networks {
        let dhcp = || {
            network
                .ranges
                .iter()
                .filter(|range| range.kind == RangeKind::Dhcp)
        };
        for gateway in network.routes.iter().filter_map(|route| route.gateway) {
            for range in dhcp().filter(|range| contains(range, gateway)) {
                let message = format!(
                    "Network {}: the gateway {gateway} is in the {}",
                    network.name,
                    show(range)
                );
                let advice = "move the range, so that DHCP never gives out the gateway's address";
                report.add(rule, message, advice, place(site, network, range, "start"));
            }
        }
    }
}

/// As [`use_of`], of one node.
fn use_by(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    for (name, address, network) in site.statics(node) {
        let ranges = network.into_iter().flat_map(|network| &network.ranges);
        for range in
            ranges.filter(|range| range.kind != RangeKind::Static && contains(range, address))
        {
            let message = format!(
                "BaremetalNode {}: the address {address} is in the {} of network {name}",
                node.name,
                show(range)
            );
            report.add(
                rule,
                message,
                "choose an address outside that range",
                site.of_address(node, name),
            );
        }
    }
}

fn statics(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    for (name, address, network) in site.statics(node) {
        let Some(network) = network.filter(|network| network.cidr.contains(&address)) else {
            continue;
        };
        let mut declared = network
            .ranges
            .iter()
            .filter(|range| range.kind == RangeKind::Static)
            .peekable();
        let elsewhere = network
            .ranges
            .iter()
            .any(|range| range.kind != RangeKind::Static && contains(range, address));
        if declared.peek().is_some()
            && !elsewhere
            && !declared.any(|range| contains(range, address))
        {
            let message = format!(
                "BaremetalNode {}: the address {address} is outside the static range of network {name}",
                node.name
            );
            report.add(
                rule,
                message,
                "widen the range, or choose another address",
                site.of_address(node, name),
            );
        }
    }
}

fn dhcp(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    for entry in node
        .addressing
        .iter()
        .filter(|entry| entry.address == Address::Dhcp)
    {
        let Some(network) = site.networks.get(entry.network.as_str()) else {
            continue;
        };
        if !network
            .ranges
            .iter()
            .any(|range| range.kind == RangeKind::Dhcp)
        {
            let message = format!(
                "BaremetalNode {} gets its address on network {} by DHCP, but the network has no dhcp range",
                node.name, network.name
            );
            let advice = "add a dhcp range to the network, or give the node an address";
            report.add(rule, message, advice, site.of_address(node, &network.name));
        }
    }
}
