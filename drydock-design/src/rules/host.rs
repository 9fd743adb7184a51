//! Nodes: names, addresses, interfaces.

use drydock_model::effective::Node;
use drydock_model::finding::Level;
use drydock_model::tree::nearest;
use hashbrown::HashMap;

use super::network::is_noconfig;
use super::{Look, Rule, Site};
use crate::report::{Advice, Report};

/// Host names are DNS names.
pub(crate) static NAME: Rule = Rule {
    id: "host/name",
    code: "DD3003",
    name: "Hostname Validity",
    level: Level::Error,
    what: "The name of a node with its domain is a DNS name: letters, digits and hyphens, 63 characters between dots, 255 in all, no double underscore (RFC 1035, RFC 1123).",
    why: "The provisioner refuses other names, and so do name servers.",
    fix: "Rename the node, or correct dns.domain of its primary network.",
    look: Look::Node(name),
};

/// A node has an address on its primary network.
pub(crate) static PRIMARY_NETWORK: Rule = Rule {
    id: "host/primary-network",
    code: "DD5107",
    name: "Primary Network Address",
    level: Level::Error,
    what: "A node with networks names its primary network (warning), and has an address on it (error).",
    why: "The default route and the host name come from that network.",
    fix: "Add the network to addressing, or name another primary_network.",
    look: Look::Node(primary_network),
};

/// Some interface carries each network that a node has an address on.
pub(crate) static UNCARRIED: Rule = Rule {
    id: "host/uncarried-address",
    code: "DD5108",
    name: "Address Use",
    level: Level::Warning,
    what: "Some interface of a node carries each network that it has an address on, the out-of-band network apart.",
    why: "The address is never set up.",
    fix: "Add the network to an interface, or remove the address.",
    look: Look::Node(uncarried),
};

/// A device is the slave of one configured interface.
pub(crate) static SLAVES: Rule = Rule {
    id: "host/slaves",
    code: "DD5109",
    name: "Interface Slave Use",
    level: Level::Error,
    what: "A device is the slave of one interface, those apart that are for provisioning only (label noconfig).",
    why: "A port cannot be in two bonds.",
    fix: "Take it out of one, or label the interface that is for provisioning only noconfig.",
    look: Look::Node(slaves),
};

/// A boot MAC address belongs to one node.
pub(crate) static BOOT_MAC: Rule = Rule {
    id: "host/boot-mac",
    code: "DD5110",
    name: "Duplicated Boot MAC",
    level: Level::Error,
    what: "A boot MAC address belongs to one node.",
    why: "The provisioner would take two nodes for one machine.",
    fix: "Write the MAC address of each node's own boot interface.",
    look: Look::Site(boot_mac),
};

/// RFC 1035, section 2.3.4: 255 octets in all, 63 in a label; RFC 1123, section 2.1: letters, digits and hyphens, no hyphen at an end.
fn name(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    let fqdn = node.fqdn();
    let advice =
        "use letters, digits and hyphens; up to 63 characters between dots, 255 in all (RFC 1035)";
    if fqdn.len() > 255 {
        let message = format!("the name {fqdn} is {} characters long", fqdn.len());
        report.add(rule, message, advice, site.of_node(node, &[]));
    }
    for label in fqdn.split('.').filter(|label| !is_label(label)) {
        let message = if label.contains("__") {
            format!("the name {fqdn} has a double underscore")
        } else {
            format!("the name {fqdn} is not a DNS name: {label:?}")
        };
        report.add(rule, message, advice, site.of_node(node, &[]));
    }
}

/// Whether every label of a name is one that DNS takes.
pub(crate) fn is_name(name: &str) -> bool {
    name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn primary_network(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    if !site.is_whole(node) {
        return;
    }
    let Some(primary) = node.primary_network.as_deref() else {
        let configured = node
            .interfaces
            .iter()
            .any(|interface| !interface.networks.is_empty() && !is_noconfig(site, interface));
        if configured {
            let message = format!("BaremetalNode {} has no primary network", node.name);
            let advice = "set primary_network to the one of its default route";
            let place = site.of_node(node, &[]);
            report.add_level(rule, Level::Warning, message, advice, place);
        }
        return;
    };
    if !site.networks.contains_key(primary) {
        return;
    }
    if !node.addressing.iter().any(|entry| entry.network == primary) {
        let message = format!(
            "BaremetalNode {} has no address on its primary network {primary}",
            node.name
        );
        report.add(
            rule,
            message,
            "add the network to addressing",
            site.of_node(node, &["addressing"]),
        );
    }
}

fn uncarried(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    if !site.is_whole(node) {
        return;
    }
    for entry in &node.addressing {
        let carried = node
            .interfaces
            .iter()
            .any(|interface| interface.networks.contains(&entry.network));
        let oob = node.oob.network.as_ref() == Some(&entry.network);
        if !carried && !oob {
            let message = format!(
                "BaremetalNode {} has an address on network {}, which no interface of it carries",
                node.name, entry.network
            );
            let advice = "add the network to an interface, or remove the address";
            report.add(
                rule,
                message,
                advice,
                site.of_node(node, &["addressing", &entry.network]),
            );
        }
    }
}

fn slaves(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    let mut first: HashMap<&str, &str> = HashMap::new();
    for interface in node
        .interfaces
        .iter()
        .filter(|interface| !is_noconfig(site, interface))
    {
        for slave in &interface.slaves {
            let earlier = *first.entry(slave.name.as_str()).or_insert(&interface.name);
            if earlier != interface.name {
                let place = site.of_node(
                    node,
                    &["interfaces", &interface.name, "slaves", &slave.name],
                );
                let message = format!(
                    "the slave {} is in interface {earlier} and in interface {}",
                    slave.name, interface.name
                );
                let advice =
                    "remove it from one, or label the one that is for provisioning only `noconfig`";
                report.add(rule, message, advice, place);
            }
        }
    }
}

fn boot_mac(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    let mut first: HashMap<&str, &Node> = HashMap::new();
    for node in site.nodes() {
        let Some(mac) = node.boot_mac.as_deref() else {
            continue;
        };
        let Some(other) = first.insert(mac, node) else {
            continue;
        };
        let others = site.of_node(other, &[]).documents;
        let place = site.of_node(node, &["metadata", "boot_mac"]).and(others);
        let message = format!(
            "the boot MAC {mac} of {} is also that of {}",
            node.name, other.name
        );
        report.add(
            rule,
            message,
            "write the MAC address of each node's own boot interface",
            place,
        );
    }
}

/// A slave goes by an alias, where the hardware profile has any.
pub(crate) static SLAVE_ALIAS: Rule = Rule {
    id: "host/slave-alias",
    code: "DD5116",
    name: "Interface Slave Aliases",
    level: Level::Warning,
    what: "Each slave of an interface is an alias of the node's hardware profile, where that profile defines aliases.",
    why: "What is no alias is taken for a kernel name, which changes with firmware and kernel; often it is a misspelt alias.",
    fix: "Add the alias to device_aliases of the hardware profile, or correct the slave.",
    look: Look::Node(slave_alias),
};

fn slave_alias(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    let Some(hardware) = node
        .hardware
        .as_ref()
        .filter(|hardware| !hardware.aliases.is_empty())
    else {
        return;
    };
    for interface in &node.interfaces {
        for slave in interface
            .slaves
            .iter()
            .filter(|slave| slave.alias.is_none())
        {
            let message = format!(
                "the slave {} of interface {} is no alias of HardwareProfile {}",
                slave.name, interface.name, hardware.name
            );
            let aliases = hardware.aliases.keys().map(String::as_str);
            let advice = match nearest(&slave.name, aliases) {
                Some(near) => Advice::write(
                    near,
                    &slave.name,
                    format!("did you mean {near}? Otherwise define the alias"),
                ),
                None => "define the alias, or correct the slave".into(),
            };
            let path = ["interfaces", &interface.name, "slaves", &slave.name];
            report.add(rule, message, advice, site.of_node(node, &path));
        }
    }
}
