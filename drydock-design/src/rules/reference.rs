//! Names that lead nowhere; compilation finds them.

use std::collections::BTreeSet;

use drydock_model::design::Kind;
use drydock_model::finding::Level;
use drydock_model::tree::nearest;

use super::{Look, Rule, Site, from_compilation};
use crate::report::{Advice, Report, at};

/// Host profiles exist and do not inherit in a circle.
pub(crate) static HOST_PROFILE: Rule = Rule {
    id: "reference/host-profile",
    code: "DD5001",
    name: "Host Profile Reference",
    level: Level::Error,
    what: "Each host_profile exists, and no profile inherits from itself by way of others.",
    why: "A node would come up without everything that the missing profile says.",
    fix: "Define the profile, correct the name, or take host_profile out of one member of the circle.",
    look: Look::Site(from_compilation),
};

/// Hardware profiles exist.
pub(crate) static HARDWARE_PROFILE: Rule = Rule {
    id: "reference/hardware-profile",
    code: "DD5002",
    name: "Hardware Profile Reference",
    level: Level::Error,
    what: "Each hardware_profile exists.",
    why: "Without it, device aliases mean nothing, so disks and ports cannot be found.",
    fix: "Define the profile, or correct the name.",
    look: Look::Site(from_compilation),
};

/// Links exist.
pub(crate) static LINK: Rule = Rule {
    id: "reference/link",
    code: "DD5003",
    name: "Network Link Reference",
    level: Level::Error,
    what: "The device_link of each interface exists.",
    why: "An interface without its link has no MTU, no bonding and no VLANs.",
    fix: "Define the NetworkLink, or correct the name.",
    look: Look::Site(from_compilation),
};

/// Networks exist.
pub(crate) static NETWORK: Rule = Rule {
    id: "reference/network",
    code: "DD5004",
    name: "Network Reference",
    level: Level::Error,
    what: "Each network that a link, a node or a profile names exists.",
    why: "Addresses and VLANs of a network that does not exist cannot be set up.",
    fix: "Define the Network, or correct the name.",
    look: Look::Site(from_compilation),
};

/// Racks of nodes are defined.
pub(crate) static RACK: Rule = Rule {
    id: "reference/rack",
    code: "DD5005",
    name: "Rack Reference",
    level: Level::Warning,
    what: "The rack of each node is defined.",
    why: "Filters by rack labels pass over a node whose rack is not defined.",
    fix: "Define the Rack, or correct the name.",
    look: Look::Site(from_compilation),
};

/// Local networks of racks exist.
pub(crate) static LOCAL_NETWORK: Rule = Rule {
    id: "reference/local-network",
    code: "DD5006",
    name: "Rack Local Network Reference",
    level: Level::Warning,
    what: "Each network in a Rack's local_networks exists.",
    why: "The list is only informative, but it is wrong.",
    fix: "Define the Network, or take it out of the list.",
    look: Look::Site(from_compilation),
};

/// Route domains have members.
pub(crate) static ROUTE_DOMAIN: Rule = Rule {
    id: "reference/route-domain",
    code: "DD5012",
    name: "Route Domain Reference",
    level: Level::Warning,
    what: "Some network belongs to the route domain that a route leads to.",
    why: "The route leads nowhere, so machines cannot reach what was meant.",
    fix: "Set routedomain on the networks that belong to it, or correct the name in the route.",
    look: Look::Site(route_domains),
};

fn route_domains(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    if site.lacks(&[Kind::Network]) {
        return;
    }
    let networks = site.index.networks();
    let known: BTreeSet<&str> = networks
        .filter_map(|(_, part)| part.routedomain.as_deref())
        .collect();
    for (document, part) in site.index.networks() {
        for (number, route) in part.routes.iter().flatten().enumerate() {
            let Some(domain) = route.routedomain.as_deref() else {
                continue;
            };
            if known.contains(domain) {
                continue;
            }
            let message = format!(
                "Network {} has a route to route domain {domain}, which no network belongs to",
                document.name
            );
            let advice = match nearest(domain, known.iter().copied()) {
                Some(near) => Advice::write(near, domain, format!("did you mean {near}?")),
                None => "set routedomain on the networks that belong to it".into(),
            };
            let number = number.to_string();
            let place = at(document, &["routes", number.as_str(), "routedomain"]);
            report.add(rule, message, advice, place);
        }
    }
}
