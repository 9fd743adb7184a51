//! Out-of-band management.

use drydock_model::effective::Node;
use drydock_model::finding::Level;
use drydock_model::tree::is_secret_key;

use super::{Look, Rule, Site};
use crate::report::Report;

/// IPMI has a network, an account, a credential and an address.
pub(crate) static IPMI: Rule = Rule {
    id: "oob/ipmi",
    code: "DD4001",
    name: "Valid IPMI Configuration",
    level: Level::Error,
    what: "A node of type ipmi has a network, an account, a credential and an address for its controller.",
    why: "Without them its power cannot be controlled, and nothing can be deployed.",
    fix: "Set oob.network, oob.account and oob.credential, and write the controller's address under addressing.",
    look: Look::Node(ipmi),
};

/// So has Redfish.
pub(crate) static REDFISH: Rule = Rule {
    id: "oob/redfish",
    code: "DD5125",
    name: "Valid Redfish Configuration",
    level: Level::Error,
    what: "A node of type redfish has a network, an account, a credential and an address for its controller.",
    why: "Without them its power cannot be controlled, and nothing can be deployed.",
    fix: "Set oob.network, oob.account and oob.credential, and write the controller's address under addressing.",
    look: Look::Node(redfish),
};

/// Whatever the type: who names an out-of-band network has an address on it.
pub(crate) static ADDRESS: Rule = Rule {
    id: "oob/address",
    code: "DD5112",
    name: "Out-of-band Address",
    level: Level::Error,
    what: "A node of any other type that names an out-of-band network has a static address on it.",
    why: "The controller could not be found.",
    fix: "Write the controller's address under addressing.",
    look: Look::Node(address),
};

fn ipmi(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    if node.oob.kind == "ipmi" {
        login(rule, site, node, "IPMI", report);
    }
}

fn redfish(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    if node.oob.kind == "redfish" {
        login(rule, site, node, "Redfish", report);
    }
}

/// What it takes to log in to a controller.
fn login(rule: &Rule, site: &Site<'_>, node: &Node, protocol: &str, report: &mut Report) {
    if !site.is_whole(node) {
        return;
    }
    let oob = &node.oob;
    let given = [
        (
            "network",
            oob.network.as_ref().is_some_and(|text| !text.is_empty()),
        ),
        (
            "account",
            oob.account.as_ref().is_some_and(|text| !text.is_empty()),
        ),
        (
            "credential",
            oob.credential
                .as_ref()
                .is_some_and(|secret| !is_empty(secret)),
        ),
    ];
    for (name, _) in given.into_iter().filter(|(_, given)| !given) {
        let message = format!("BaremetalNode {}: {protocol} needs oob.{name}", node.name);
        report.add(
            rule,
            message,
            format!("set oob.{name}"),
            site.of_node(node, &["oob"]),
        );
    }
    no_address(rule, site, node, report);
}

fn address(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    if !site.is_whole(node) || matches!(node.oob.kind.as_str(), "ipmi" | "redfish") {
        return;
    }
    no_address(rule, site, node, report);
}

fn no_address(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    if let (Some(network), None) = (&node.oob.network, node.oob.address) {
        let message = format!(
            "BaremetalNode {} has no static address on its out-of-band network {network}",
            node.name
        );
        let advice = "write the controller's address under addressing";
        report.add(rule, message, advice, site.of_node(node, &["addressing"]));
    }
}

fn is_empty(secret: &secrecy::SecretString) -> bool {
    use secrecy::ExposeSecret;
    secret.expose_secret().is_empty()
}

/// libvirt has a URI that its driver can use, and a boot MAC.
pub(crate) static LIBVIRT: Rule = Rule {
    id: "oob/libvirt",
    code: "DD4002",
    name: "Valid Libvirt Configuration",
    level: Level::Error,
    what: "A node of type libvirt has oob.libvirt_uri with the scheme qemu+ssh, or one of a hypervisor on the server's own machine (qemu, qemu+unix; test for libvirt's test driver), and metadata.boot_mac. Such a URI of a node of another type has such a scheme, too (warning).",
    why: "Without the URI the virtual machine cannot be found, and without the MAC address the provisioner cannot tell which machine boots.",
    fix: "Set oob.libvirt_uri to qemu+ssh://USER@HOST/system, and metadata.boot_mac to the MAC address of the boot interface.",
    look: Look::Node(libvirt),
};

/// Some driver serves the type.
pub(crate) static TYPE: Rule = Rule {
    id: "oob/type",
    code: "DD5118",
    name: "Out-of-band Type",
    level: Level::Warning,
    what: "Each node has an out-of-band type that an enabled driver serves. Where it is not known which drivers are enabled, any of ipmi, redfish, libvirt and manual will do.",
    why: "Nothing can turn such a node on or off, so every task on it fails.",
    fix: "Correct oob.type, or enable a driver for it.",
    look: Look::Node(kind),
};

/// Secrets stand elsewhere.
pub(crate) static CLEAR_SECRET: Rule = Rule {
    id: "oob/clear-secret",
    code: "DD5119",
    name: "Clear Secrets",
    level: Level::Info,
    what: "Passwords among the out-of-band parameters are references: env:NAME or file:PATH.",
    why: "Who may read the design, its repository or a backup of either can control the machines.",
    fix: "Write env:NAME or file:PATH, and give the server the variable or the file.",
    look: Look::Node(clear_secret),
};

/// The types that there are drivers for, here or elsewhere.
const TYPES: [&str; 4] = ["ipmi", "redfish", "libvirt", "manual"];

/// How a hypervisor is reached that needs no password in the design and keeps what is sent to itself: SSH, or a socket of the server's own
/// machine. libvirt's test driver beside QEMU, for rehearsals.
const LIBVIRT_SCHEMES: [&str; 6] = [SSH, LOCAL, "qemu+unix", "test+ssh", "test", "test+unix"];

const SSH: &str = "qemu+ssh";
const LOCAL: &str = "qemu";

fn libvirt(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    if !site.is_whole(node) {
        return;
    }
    let libvirt = node.oob.kind == "libvirt";
    match node.oob.params.get("libvirt_uri").map(|uri| uri.trim()) {
        None | Some("") if libvirt => {
            let message = format!("BaremetalNode {}: libvirt needs oob.libvirt_uri", node.name);
            let advice = "set it to the hypervisor, for instance qemu+ssh://user@host/system";
            report.add(rule, message, advice, site.of_node(node, &["oob"]));
        }
        None => {}
        Some(uri) => {
            let scheme = uri.split_once("://").map_or("", |(scheme, _)| scheme);
            // RFC 3986, section 3.1: case does not count in a scheme.
            let taken = LIBVIRT_SCHEMES
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known));
            if !taken {
                let message = format!("oob.libvirt_uri does not begin with {SSH}:// or {LOCAL}://");
                let advice = format!(
                    "a hypervisor on another machine is reached by SSH only, as {SSH}://user@host/system; one on the server's own as {LOCAL}:///system"
                );
                let place = site.of_node(node, &["oob", "libvirt_uri"]);
                // Nothing reads it yet where the type is another.
                let level = if libvirt { rule.level } else { Level::Warning };
                report.add_level(rule, level, message, advice, place);
            }
        }
    }
    if libvirt && node.boot_mac.is_none() {
        let message = format!(
            "BaremetalNode {}: libvirt needs metadata.boot_mac",
            node.name
        );
        let advice = "write the MAC address of the interface that boots";
        report.add(rule, message, advice, site.of_node(node, &["metadata"]));
    }
}

fn kind(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    let kind = node.oob.kind.as_str();
    let served: Vec<&str> = match &site.options.oob_types {
        Some(types) if types.contains(kind) => return,
        None if TYPES.contains(&kind) => return,
        Some(types) => types.iter().map(String::as_str).collect(),
        None => TYPES.to_vec(),
    };
    // A profile that is not there may have set it.
    if kind.is_empty() && !site.is_whole(node) {
        return;
    }
    let (message, path): (_, &[&str]) = if kind.is_empty() {
        let message = format!("BaremetalNode {} has no out-of-band type", node.name);
        (message, &["oob"])
    } else {
        let message = format!("no enabled driver serves the out-of-band type {kind:?}");
        (message, &["oob", "type"])
    };
    let advice = format!("served are {}", served.join(", "));
    report.add(rule, message, advice, site.of_node(node, path));
}

fn clear_secret(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    let credential = node.oob.credential.as_ref().map(|secret| {
        use secrecy::ExposeSecret;
        ("credential", secret.expose_secret())
    });
    let params = node.oob.params.iter();
    let params = params
        .filter(|(key, _)| is_secret_key(key))
        .map(|(key, value)| (key.as_str(), value.as_str()));
    for (key, _) in credential
        .into_iter()
        .chain(params)
        .filter(|(_, value)| !is_reference(value))
    {
        let message = format!("oob.{key} stands in clear text");
        let advice = "write env:NAME or file:PATH";
        report.add(rule, message, advice, site.of_node(node, &["oob", key]));
    }
}

/// Nothing to keep secret counts as a reference.
fn is_reference(value: &str) -> bool {
    value.is_empty() || value.starts_with("env:") || value.starts_with("file:")
}
