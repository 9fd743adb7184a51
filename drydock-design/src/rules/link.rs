//! Links: bonding, MTU, trunking.

use drydock_model::design::Kind;
use drydock_model::effective::{BondMode, Node};
use drydock_model::finding::Level;

use super::network::is_noconfig;
use super::{Look, Rule, Site};
use crate::report::Report;

/// A bond's options fit its mode, and several ports need a bond.
pub(crate) static BOND: Rule = Rule {
    id: "network/bond",
    code: "DD1006",
    name: "Network Bond Rationality",
    level: Level::Error,
    what: "The options of a link's bonding fit its mode, delays are not shorter than the monitoring interval, and an interface of several slaves has a link with bonding.",
    why: "The provisioner refuses such a bond, or its options have no effect.",
    fix: "Remove the option, or choose the mode it is for; 802.3ad takes them all.",
    look: Look::Both(bond, bond_of),
};

/// MTUs are sane, and a network's is not above its link's.
pub(crate) static MTU: Rule = Rule {
    id: "network/mtu",
    code: "DD2003",
    name: "MTU Rationality",
    level: Level::Error,
    what: "MTUs lie in 1280 to 65536, and that of a network is not above that of its link.",
    why: "IPv6 needs 1280; larger frames than the link takes are dropped.",
    fix: "Use 1500 (standard) or 9000 to 9100 (jumbo), and raise the link's MTU with the network's.",
    look: Look::Site(mtu),
};

/// Several networks need trunking; an untrunked link needs one untagged network.
pub(crate) static TRUNKING: Rule = Rule {
    id: "network/trunking",
    code: "DD2004",
    name: "Network Trunking Rationality",
    level: Level::Error,
    what: "A link with several networks has trunking, and one without has an untagged default network (error). The default network is among those allowed (warning).",
    why: "Without tags only one network can use the link.",
    fix: "Set trunking.mode to 802.1q, or allow one network and make it the default.",
    look: Look::Site(trunking),
};

const MTU_LEAST: u32 = 1280;
const MTU_MOST: u32 = 65_536;

fn bond(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for (document, part) in site.index.links() {
        let (Some(link), Some(part)) = (site.links.get(document.name.as_str()), &part.bonding)
        else {
            continue;
        };
        let mut tell = |option: &str, message: String, advice: &str| {
            let place = site.of(Kind::NetworkLink, &link.name, &["bonding", option]);
            report.add(
                rule,
                format!("NetworkLink {}: {message}", link.name),
                advice,
                place,
            );
        };
        let lacp_only = [
            ("hash", part.hash.is_some()),
            ("peer_rate", part.peer_rate.is_some()),
        ];
        let timing = [
            ("mon_rate", part.mon_rate.unwrap_or(0) != 0),
            ("up_delay", part.up_delay.unwrap_or(0) != 0),
            ("down_delay", part.down_delay.unwrap_or(0) != 0),
        ];
        match link.bonding.mode {
            // A mode that is not known is told already.
            BondMode::Disabled if site.compiled.gaps.bonding.contains(&link.name) => {}
            BondMode::Disabled => {
                for (option, _) in lacp_only.into_iter().chain(timing).filter(|(_, set)| *set) {
                    let message = format!("bonding is disabled, so bonding.{option} has no effect");
                    tell(option, message, "set a bonding mode, or remove the option");
                }
            }
            BondMode::ActiveBackup | BondMode::BalanceRr => {
                for (option, _) in lacp_only.into_iter().filter(|(_, set)| *set) {
                    let message = format!("bonding.{option} is for 802.3ad only");
                    tell(option, message, "remove the option, or use mode 802.3ad");
                }
            }
            BondMode::Lacp => {}
        }
        if link.bonding.mode != BondMode::Disabled {
            let monitor = link.bonding.mon_rate.unwrap_or(0);
            for (option, delay) in [
                ("up_delay", link.bonding.up_delay),
                ("down_delay", link.bonding.down_delay),
            ] {
                if let Some(delay) = delay.filter(|delay| *delay < monitor) {
                    let message = format!(
                        "bonding.{option} of {delay} ms is less than mon_rate, {monitor} ms"
                    );
                    tell(option, message, "set it to mon_rate or more");
                }
            }
        }
    }
}

/// As [`bond`], of one node.
fn bond_of(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    for interface in &node.interfaces {
        let bonded = site.compiled.gaps.bonding.contains(&interface.link)
            || site
                .links
                .get(interface.link.as_str())
                .is_none_or(|link| link.bonding.mode != BondMode::Disabled);
        if interface.slaves.len() > 1 && !bonded {
            let place = site.of_node(node, &["interfaces", &interface.name, "slaves"]);
            let message = format!(
                "interface {} has {} slaves, but bonding is disabled on NetworkLink {}",
                interface.name,
                interface.slaves.len(),
                interface.link
            );
            report.add(
                rule,
                message,
                "set a bonding mode on the link, or leave one slave",
                place,
            );
        }
    }
}

fn mtu(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    let sane = MTU_LEAST..=MTU_MOST;
    let advice = format!("use {MTU_LEAST} to {MTU_MOST}; 1500 is standard, 9100 jumbo");
    for link in site
        .compiled
        .design
        .links
        .iter()
        .filter(|link| !sane.contains(&link.mtu))
    {
        let message = format!(
            "NetworkLink {}: the MTU {} is out of range",
            link.name, link.mtu
        );
        report.add(
            rule,
            message,
            advice.clone(),
            site.of(Kind::NetworkLink, &link.name, &["mtu"]),
        );
    }
    for (document, part) in site.index.networks() {
        let Some(network) = site.networks.get(document.name.as_str()) else {
            continue;
        };
        let (Some(mtu), true) = (network.mtu, part.mtu.is_some()) else {
            continue;
        };
        let place = || site.of(Kind::Network, &network.name, &["mtu"]);
        if !sane.contains(&mtu) {
            let message = format!("Network {}: the MTU {mtu} is out of range", network.name);
            report.add(rule, message, advice.clone(), place());
        }
        let links = site.compiled.design.links.iter();
        for link in
            links.filter(|link| link.allowed_networks.contains(&network.name) && mtu > link.mtu)
        {
            let message = format!(
                "Network {}: the MTU {mtu} is above that of NetworkLink {}, {}",
                network.name, link.name, link.mtu
            );
            report.add(rule, message, "lower it, or raise the link's", place());
        }
    }
}

fn trunking(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    default_is_allowed(rule, site, report);
    for link in site
        .compiled
        .design
        .links
        .iter()
        .filter(|link| !link.trunked && !site.compiled.gaps.trunking.contains(&link.name))
    {
        let place = |path: &[&str]| site.of(Kind::NetworkLink, &link.name, path);
        if link.allowed_networks.len() > 1 {
            let message = format!(
                "NetworkLink {} allows {} networks, but trunking is disabled",
                link.name,
                link.allowed_networks.len()
            );
            let advice = "set trunking.mode to 802.1q, or allow one network";
            report.add(rule, message, advice, place(&["allowed_networks"]));
        }
        match &link.default_network {
            None => {
                let message = format!(
                    "NetworkLink {} has trunking disabled and no default network",
                    link.name
                );
                report.add(
                    rule,
                    message,
                    "set trunking.default_network",
                    place(&["trunking"]),
                );
            }
            Some(name) => {
                if let Some(vlan) = site
                    .networks
                    .get(name.as_str())
                    .and_then(|network| network.vlan)
                {
                    let message = format!(
                        "NetworkLink {} has trunking disabled, but its network {name} has VLAN {vlan}",
                        link.name
                    );
                    let advice = "remove the vlan of the network, or set trunking.mode to 802.1q";
                    report.add(
                        rule,
                        message,
                        advice,
                        place(&["trunking", "default_network"]),
                    );
                }
            }
        }
    }
}

fn default_is_allowed(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for link in &site.compiled.design.links {
        let default = link.default_network.as_ref();
        // One that does not exist is told elsewhere.
        let Some(name) = default.filter(|name| {
            site.networks.contains_key(name.as_str()) && !link.allowed_networks.contains(name)
        }) else {
            continue;
        };
        let message = format!(
            "NetworkLink {} has the default network {name}, which is not among its allowed networks",
            link.name
        );
        let place = site.of(
            Kind::NetworkLink,
            &link.name,
            &["trunking", "default_network"],
        );
        let advice = "add it to allowed_networks, or name another";
        report.add_level(rule, Level::Warning, message, advice, place);
    }
}

/// A bond has more than one slave.
pub(crate) static BOND_SLAVES: Rule = Rule {
    id: "host/bond-slaves",
    code: "DD5117",
    name: "Bond Slaves",
    level: Level::Warning,
    what: "An interface on a link with bonding has two slaves at least, those apart that are for provisioning only (label noconfig).",
    why: "A bond of one port survives the loss of no port; often the second is missing by mistake.",
    fix: "Add the second slave, or use a link without bonding.",
    look: Look::Node(bond_slaves),
};

fn bond_slaves(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    for interface in &node.interfaces {
        let bonded = site
            .links
            .get(interface.link.as_str())
            .is_some_and(|link| link.bonding.mode != BondMode::Disabled);
        let slaves = interface.slaves.len();
        if !bonded || slaves > 1 || is_noconfig(site, interface) {
            continue;
        }
        let message = format!(
            "interface {} is a bond on NetworkLink {}, with {}",
            interface.name,
            interface.link,
            if slaves == 1 { "one slave" } else { "no slave" }
        );
        let advice = "name all its slaves, or use a link without bonding";
        let place = site.of_node(node, &["interfaces", &interface.name, "slaves"]);
        report.add(rule, message, advice, place);
    }
}
