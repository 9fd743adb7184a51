//! Networks and the addresses on them.

use std::net::IpAddr;

use drydock_model::design::Kind;
use drydock_model::effective::{Interface, Link, Node};
use drydock_model::finding::Level;
use hashbrown::HashMap;
use ipnet::IpNet;

use super::{Look, Rule, Site, from_compilation};
use crate::compile::network::same_family;
use crate::report::{Advice, Report};

/// A network is on one link, and an interface carries only what its link allows.
pub(crate) static ALLOWED: Rule = Rule {
    id: "network/allowed",
    code: "DD1007",
    name: "Allowed Network Check",
    level: Level::Error,
    what: "A network is allowed on one link only, and an interface carries only networks that its link allows.",
    why: "A network that crosses two links has no one way; one that the link does not carry gets no traffic.",
    fix: "Add the network to allowed_networks of the one link it is on, or take it off the interface.",
    look: Look::Both(allowed, allowed_on),
};

/// Addresses and gateways lie in their networks.
pub(crate) static LOCALITY: Rule = Rule {
    id: "network/locality",
    code: "DD2002",
    name: "IP Locality Check",
    level: Level::Error,
    what: "The address of a node and the gateway of a route lie in their network (an IPv6 gateway may be link-local), a gateway is of the family of the subnet that it leads to, and the address of a node is neither its first nor its last (IPv4).",
    why: "The machine could not be reached under the address, nor reach the gateway.",
    fix: "Choose an address of the network.",
    look: Look::Both(locality, locality_of),
};

/// An address belongs to one node.
pub(crate) static DUPLICATE_ADDRESS: Rule = Rule {
    id: "network/duplicate-address",
    code: "DD2005",
    name: "Duplicated IP Check",
    level: Level::Error,
    what: "An address is used once, by one node or as a gateway.",
    why: "Two machines with one address disturb each other, and which of them answers changes.",
    fix: "Give each node an address of its own.",
    look: Look::Site(duplicate_address),
};

/// A CIDR has no host bits.
pub(crate) static CIDR: Rule = Rule {
    id: "network/cidr",
    code: "DD2006",
    name: "CIDR Validity",
    level: Level::Error,
    what: "The CIDR of a network has no host bits.",
    why: "It may be a slip in the address or in the prefix length, and provisioners refuse it.",
    fix: "Write the CIDR that the message gives, or correct the prefix length.",
    look: Look::Site(cidr),
};

/// VLAN ids are in range and unique on a link; one network of a link is untagged.
pub(crate) static VLAN: Rule = Rule {
    id: "network/vlan",
    code: "DD5101",
    name: "VLAN Validity",
    level: Level::Error,
    what: "VLAN ids lie in 1 to 4094 (0 and absent mean untagged); on one link each is used once, and one network at most is untagged.",
    why: "Frames of the two networks could not be told apart.",
    fix: "Give each network of a link a VLAN of its own.",
    look: Look::Site(vlan),
};

/// A network is on some link.
pub(crate) static UNLINKED: Rule = Rule {
    id: "network/unlinked",
    code: "DD5102",
    name: "Network Link Presence",
    level: Level::Warning,
    what: "Each network is allowed on some link.",
    why: "No interface can carry it.",
    fix: "Add it to allowed_networks of its NetworkLink, or remove it.",
    look: Look::Site(unlinked),
};

fn allowed(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    let mut first: HashMap<&str, &Link> = HashMap::new();
    for link in &site.compiled.design.links {
        for network in &link.allowed_networks {
            let earlier = *first.entry(network).or_insert(link);
            if earlier.name != link.name {
                let place = site.of(
                    Kind::NetworkLink,
                    &link.name,
                    &["allowed_networks", network],
                );
                let message = format!(
                    "network {network} is allowed on NetworkLink {} and on NetworkLink {}",
                    earlier.name, link.name
                );
                report.add(
                    rule,
                    message,
                    "a network crosses one link only; remove it from one of the two",
                    place,
                );
            }
        }
    }
}

/// As [`allowed`], of one node.
fn allowed_on(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    for interface in &node.interfaces {
        let Some(link) = site.links.get(interface.link.as_str()) else {
            continue;
        };
        for network in interface
            .networks
            .iter()
            .filter(|network| !link.allowed_networks.contains(network))
        {
            let place = site.of_node(node, &["interfaces", &interface.name, "networks", network]);
            let message = format!(
                "interface {} carries network {network}, which NetworkLink {} does not allow",
                interface.name, link.name
            );
            let advice = format!(
                "add {network} to allowed_networks of the link, or remove it from the interface"
            );
            report.add(rule, message, advice, place);
        }
    }
}

fn locality(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for (document, part) in site.index.networks() {
        let Some(network) = site.networks.get(document.name.as_str()) else {
            continue;
        };
        for (number, route) in part.routes.iter().flatten().enumerate() {
            let number = number.to_string();
            let place = site.of(
                Kind::Network,
                &network.name,
                &["routes", &number, "gateway"],
            );
            match &route.gateway {
                None => {
                    let message = format!("Network {}: a route has no gateway", network.name);
                    report.add(rule, message, "set a gateway on this network", place);
                }
                Some(text) => {
                    let Ok(gateway) = text.trim().parse::<IpAddr>() else {
                        continue;
                    };
                    let subnet = route.subnet.as_deref().map(str::trim);
                    let subnet = subnet.and_then(|subnet| subnet.parse::<IpNet>().ok());
                    if let Some(subnet) = subnet.filter(|subnet| !same_family(gateway, *subnet)) {
                        let message = format!(
                            "Network {}: the gateway {gateway} is of another family than {subnet}, which it leads to",
                            network.name
                        );
                        let advice = "name a gateway of the family of the subnet: IPv4 or IPv6";
                        report.add(rule, message, advice, place.clone());
                    }
                    if !network.cidr.contains(&gateway) && !is_link_local(gateway) {
                        let message = format!(
                            "Network {}: the gateway {gateway} is not in {}",
                            network.name,
                            network.cidr.trunc()
                        );
                        report.add(
                            rule,
                            message,
                            "a gateway must be on the network itself",
                            place,
                        );
                    }
                }
            }
        }
    }
}

/// As [`locality`], of one node.
fn locality_of(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    for (name, address, network) in site.statics(node) {
        let Some(network) = network else { continue };
        let fault = if !network.cidr.contains(&address) {
            "not in"
        } else if is_no_hosts(address, network.cidr) {
            "that of no machine in"
        } else {
            continue;
        };
        let message = format!(
            "BaremetalNode {}: the address {address} is {fault} network {name}, {}",
            node.name,
            network.cidr.trunc()
        );
        report.add(
            rule,
            message,
            "choose an address of the network",
            site.of_address(node, name),
        );
    }
}

/// RFC 4291, section 2.5.6: every IPv6 interface has such an address, and routers are named by theirs (RFC 4861, section 4.2).
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// The first and the last address of an IPv4 network (RFC 1122, section 3.2.1.3), but in one of two (RFC 3021) or one.
fn is_no_hosts(address: IpAddr, cidr: IpNet) -> bool {
    address.is_ipv4()
        && cidr.prefix_len() < 31
        && (address == cidr.network() || address == cidr.broadcast())
}

fn duplicate_address(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    let mut first: HashMap<_, &Node> = HashMap::new();
    for node in site.nodes() {
        for (network, address, on) in site.statics(node) {
            let mut gateways = on.into_iter().flat_map(|on| &on.routes);
            if gateways.any(|route| route.gateway == Some(address)) {
                let message = format!(
                    "the address {address} of {} is also that of a gateway of network {network}",
                    node.name
                );
                let place = site.of_address(node, network);
                report.add(rule, message, "choose another address", place);
            }
            let Some(other) = first.insert(address, node) else {
                continue;
            };
            let others = site.of_node(other, &[]).documents;
            let place = site
                .of_address(node, network)
                .and(others.into_iter().filter(|_| other.name != node.name));
            let message = format!(
                "the address {address} of {} is also that of {}",
                node.name, other.name
            );
            report.add(rule, message, "give each node an address of its own", place);
        }
    }
}

fn cidr(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for network in site
        .compiled
        .design
        .networks
        .iter()
        .filter(|network| network.cidr.trunc() != network.cidr)
    {
        let message = format!("Network {}: {} has host bits", network.name, network.cidr);
        let right = network.cidr.trunc().to_string();
        let advice = Advice::write(&right, network.cidr.to_string(), format!("write {right}"));
        report.add(
            rule,
            message,
            advice,
            site.of(Kind::Network, &network.name, &["cidr"]),
        );
    }
}

fn vlan(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    from_compilation(rule, site, report);
    for link in &site.compiled.design.links {
        let mut first: HashMap<Option<u16>, &str> = HashMap::new();
        for name in &link.allowed_networks {
            let Some(network) = site.networks.get(name.as_str()) else {
                continue;
            };
            // Compilation has told about an id out of range; it is no second untagged network.
            let told = network.vlan.is_none()
                && site
                    .of(Kind::Network, name, &["vlan"])
                    .location
                    .is_some_and(|place| {
                        site.compiled.findings.iter().any(|finding| {
                            finding.rule == rule.id && finding.location.as_ref() == Some(&place)
                        })
                    });
            if told {
                continue;
            }
            let Some(other) = first
                .insert(network.vlan, name)
                .filter(|other| other != name)
            else {
                continue;
            };
            let what = network
                .vlan
                .map_or_else(|| "no VLAN".to_owned(), |vlan| format!("VLAN {vlan}"));
            let message = format!(
                "networks {other} and {name} both have {what} on NetworkLink {}",
                link.name
            );
            report.add(
                rule,
                message,
                "give each network of a link a VLAN of its own",
                site.of(Kind::Network, name, &["vlan"]),
            );
        }
    }
}

fn unlinked(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    if site.lacks(&[Kind::NetworkLink]) {
        return;
    }
    let linked: std::collections::HashSet<&str> = site
        .compiled
        .design
        .links
        .iter()
        .flat_map(|link| &link.allowed_networks)
        .map(String::as_str)
        .collect();
    for network in site
        .compiled
        .design
        .networks
        .iter()
        .filter(|network| !linked.contains(network.name.as_str()))
    {
        let message = format!("Network {} is on no link", network.name);
        let advice = "add it to allowed_networks of its NetworkLink";
        report.add(
            rule,
            message,
            advice,
            site.of(Kind::Network, &network.name, &[]),
        );
    }
}

/// Whether an interface is for provisioning only, or may be: its link, which would say so, is not there.
pub(super) fn is_noconfig(site: &Site<'_>, interface: &Interface) -> bool {
    let link = site.links.get(interface.link.as_str()).copied();
    link.is_none() || interface.is_noconfig(link, |name| site.networks.get(name).copied())
}
