//! Out-of-band management.

use drydock_model::effective::Node;
use drydock_model::finding::Level;

use super::{Rule, Site};
use crate::report::Report;

/// IPMI has a network, an account, a credential and an address.
pub(crate) static IPMI: Rule = Rule {
    id: "oob/ipmi",
    code: "DD4001",
    name: "Valid IPMI Configuration",
    level: Level::Error,
    run: ipmi,
};

/// Whatever the type: who names an out-of-band network has an address on it.
pub(crate) static ADDRESS: Rule = Rule {
    id: "oob/address",
    code: "DD5112",
    name: "Out-of-band Address",
    level: Level::Error,
    run: address,
};

fn ipmi(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for node in site.nodes().filter(|node| node.oob.kind == "ipmi") {
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
            let message = format!("BaremetalNode {}: IPMI needs oob.{name}", node.name);
            report.add(
                rule,
                message,
                format!("set oob.{name}"),
                site.of_node(node, &["oob"]),
            );
        }
        no_address(rule, site, node, report);
    }
}

fn address(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for node in site.nodes().filter(|node| node.oob.kind != "ipmi") {
        no_address(rule, site, node, report);
    }
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
