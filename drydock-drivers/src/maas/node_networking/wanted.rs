//! The interfaces that a design wants a machine to have, in MaaS's terms.

use drydock_model::driver::DriverError;
use drydock_model::effective::{
    Address, BondMode, Bonding, EffectiveDesign, Interface, Link, Network, Node,
};
use serde_json::{Map, Value};

use super::super::hardware::kernel_name;
use super::Seen;

/// An interface as it is to be.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) vlan: i64,
    pub(super) mtu: u32,
    pub(super) links: Vec<WantedLink>,
    /// Name in the design.
    pub(super) origin: String,
}

#[derive(Debug)]
pub(super) enum Kind {
    Physical,
    Bond {
        parents: Vec<String>,
        params: Map<String, Value>,
    },
    Vlan {
        parent: String,
    },
}

/// A link of an interface to a subnet as it is to be.
#[derive(Debug)]
pub(super) struct WantedLink {
    pub(super) subnet: i64,
    pub(super) mode: &'static str,
    pub(super) ip: Option<String>,
    /// The machine's default route goes this way.
    pub(super) default_gateway: bool,
}

/// All interfaces that are configured on the deployed system; parents before what rides on them.
pub(super) fn wanted(
    design: &EffectiveDesign,
    node: &Node,
    seen: &Seen,
) -> Result<Vec<Wanted>, DriverError> {
    let mut all = Vec::new();
    for interface in &node.interfaces {
        let link = design.link(&interface.link);
        if interface.is_noconfig(link, |name| design.network(name)) {
            continue;
        }
        let link = link.ok_or_else(|| {
            fault(
                node,
                &interface.name,
                format!("its link {} is not defined", interface.link),
            )
        })?;
        one(design, node, seen, interface, link, &mut all)?;
    }
    Ok(all)
}

fn one(
    design: &EffectiveDesign,
    node: &Node,
    seen: &Seen,
    interface: &Interface,
    link: &Link,
    all: &mut Vec<Wanted>,
) -> Result<(), DriverError> {
    let mut parents = Vec::new();
    for device in &interface.slaves {
        parents.push(kernel_name(&seen.names, node, device)?.to_owned());
    }
    let first = parents
        .first()
        .cloned()
        .ok_or_else(|| fault(node, &interface.name, "it names no device".to_owned()))?;
    let bonded = link.bonding.mode != BondMode::Disabled;
    if !bonded && parents.len() > 1 {
        return Err(fault(
            node,
            &interface.name,
            format!(
                "it has {} devices, but link {} has no bonding",
                parents.len(),
                link.name
            ),
        ));
    }
    let networks: Vec<&Network> = interface
        .networks
        .iter()
        .filter_map(|name| design.network(name))
        .filter(|network| !network.is_noconfig())
        .collect();
    let is_native = |network: &Network| {
        network.vlan.is_none() || link.default_network.as_deref() == Some(network.name.as_str())
    };
    let native = networks.iter().find(|network| is_native(network)).copied();
    let vlan = match native {
        Some(network) => subnet_of(node, seen, interface, network)?.1,
        None => untagged_vlan(node, seen, interface, &networks)?,
    };
    let top = if bonded {
        interface.name.clone()
    } else {
        first
    };
    let mut top_links = Vec::new();
    let mut above = Vec::new();
    for network in &networks {
        let (subnet, on) = subnet_of(node, seen, interface, network)?;
        let wanted = link_to(node, network, subnet);
        match network.vlan {
            Some(vid) if !is_native(network) => above.push(Wanted {
                name: format!("{top}.{vid}"),
                kind: Kind::Vlan {
                    parent: top.clone(),
                },
                vlan: on,
                mtu: network.mtu.unwrap_or(link.mtu),
                links: vec![wanted],
                origin: interface.name.clone(),
            }),
            _ => top_links.push(wanted),
        }
    }
    let kind = if bonded {
        Kind::Bond {
            parents,
            params: bond_params(&link.bonding),
        }
    } else {
        Kind::Physical
    };
    all.push(Wanted {
        name: top,
        kind,
        vlan,
        mtu: link.mtu,
        links: top_links,
        origin: interface.name.clone(),
    });
    all.append(&mut above);
    Ok(())
}

fn link_to(node: &Node, network: &Network, subnet: i64) -> WantedLink {
    let entry = node
        .addressing
        .iter()
        .find(|entry| entry.network == network.name);
    let (mode, ip) = match entry.map(|entry| entry.address) {
        Some(Address::Static(address)) => ("static", Some(address.to_string())),
        Some(Address::Dhcp) => ("dhcp", None),
        None => ("link_up", None),
    };
    let primary = node.primary_network.as_deref() == Some(network.name.as_str());
    let default_gateway = primary
        && mode == "static"
        && network
            .default_gateway()
            .is_some_and(|gateway| gateway.is_ipv4());
    WantedLink {
        subnet,
        mode,
        ip,
        default_gateway,
    }
}

/// The subnet of a network, and the VLAN it is on.
fn subnet_of(
    node: &Node,
    seen: &Seen,
    interface: &Interface,
    network: &Network,
) -> Result<(i64, i64), DriverError> {
    let subnet = seen
        .subnets
        .iter()
        .find(|subnet| subnet.cidr == network.cidr);
    subnet
        .map(|subnet| (subnet.id, subnet.vlan))
        .ok_or_else(|| {
            fault(
                node,
                &interface.name,
                format!(
                    "MaaS has no subnet {} of network {}",
                    network.cidr, network.name
                ),
            )
        })
}

/// The untagged VLAN of the fabric on which the tagged networks are.
fn untagged_vlan(
    node: &Node,
    seen: &Seen,
    interface: &Interface,
    networks: &[&Network],
) -> Result<i64, DriverError> {
    let none = || {
        fault(
            node,
            &interface.name,
            "none of its networks tells on which fabric it is".to_owned(),
        )
    };
    let (_, tagged) = subnet_of(node, seen, interface, networks.first().ok_or_else(none)?)?;
    let fabric = seen
        .vlans
        .iter()
        .find(|vlan| vlan.id == tagged)
        .ok_or_else(none)?
        .fabric;
    seen.vlans
        .iter()
        .find(|vlan| vlan.fabric == fabric && vlan.vid == 0)
        .map(|vlan| vlan.id)
        .ok_or_else(none)
}

/// Parameters as MaaS names them; what the design leaves open is left to MaaS.
fn bond_params(bonding: &Bonding) -> Map<String, Value> {
    let mut params = Map::new();
    let mode = match bonding.mode {
        BondMode::Disabled => return params,
        BondMode::Lacp => "802.3ad",
        BondMode::ActiveBackup => "active-backup",
        BondMode::BalanceRr => "balance-rr",
    };
    params.insert("bond_mode".into(), mode.into());
    let numbers = [
        ("bond_miimon", bonding.mon_rate),
        ("bond_updelay", bonding.up_delay),
        ("bond_downdelay", bonding.down_delay),
    ];
    for (name, value) in numbers {
        if let Some(value) = value {
            params.insert(name.into(), value.into());
        }
    }
    if let Some(hash) = &bonding.hash {
        params.insert("bond_xmit_hash_policy".into(), hash.clone().into());
    }
    if let Some(rate) = bonding
        .peer_rate
        .as_ref()
        .filter(|_| bonding.mode == BondMode::Lacp)
    {
        params.insert("bond_lacp_rate".into(), rate.clone().into());
    }
    params
}

fn fault(node: &Node, interface: &str, got: String) -> DriverError {
    DriverError::permanent(
        format!("applying the networking of {}", node.name),
        format!("interface {interface} of the design"),
        got,
        "correct the design, or run prepare_site so that MaaS has its networks",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use drydock_model::effective::Device;

    use super::super::{Subnet, Vlan};
    use super::*;
    use crate::maas::hardware::Names;
    use crate::maas::lookup::Place;
    use crate::trial;

    fn interface(name: &str, link: &str, networks: &[&str]) -> Interface {
        Interface {
            name: name.to_owned(),
            link: link.to_owned(),
            labels: BTreeMap::new(),
            slaves: vec![Device {
                name: name.to_owned(),
                alias: None,
            }],
            networks: networks.iter().map(|name| (*name).to_owned()).collect(),
            sriov: None,
        }
    }

    fn seen() -> Seen {
        let subnet = |id: i64, cidr: &str| Subnet {
            id,
            cidr: cidr.parse().unwrap(),
            vlan: 1,
        };
        Seen {
            place: Place::Unknown,
            nics: Vec::new(),
            subnets: vec![subnet(1, "10.0.0.0/24"), subnet(2, "10.0.1.0/24")],
            vlans: vec![Vlan {
                id: 1,
                vid: 0,
                fabric: 0,
            }],
            names: Names::of(&["eth0", "eth1", "eth2", "eth3"]),
            default_link: None,
        }
    }

    /// The interfaces that are configured, each with the subnets on it.
    fn configured(label: Option<&str>) -> Vec<(String, Vec<i64>)> {
        let mut node = trial::node("n1");
        node.interfaces = vec![
            interface("eth0", "access", &["pxe"]),
            interface("eth1", "access", &["pxe", "mgmt"]),
            interface("eth2", "access", &["mgmt"]),
        ];
        let mut design = trial::design(vec![node.clone()]);
        design.links = vec![trial::link("access", 1500, &["pxe", "mgmt"])];
        design.networks = vec![
            trial::network("pxe", None, "10.0.0.0/24"),
            trial::network("mgmt", None, "10.0.1.0/24"),
        ];
        if let Some(label) = label {
            design.networks[0].labels = [(label.to_owned(), "enabled".to_owned())].into();
        }
        wanted(&design, &node, &seen())
            .unwrap()
            .into_iter()
            .map(|one| {
                let subnets = one.links.iter().map(|link| link.subnet).collect();
                (one.name, subnets)
            })
            .collect()
    }

    #[test]
    fn an_interface_with_noconfig_networks_only_is_left_alone() {
        let all = |eth0: Option<Vec<i64>>, eth1: Vec<i64>| -> Vec<(String, Vec<i64>)> {
            let eth0 = eth0.map(|subnets| ("eth0".to_owned(), subnets));
            eth0.into_iter()
                .chain([("eth1".to_owned(), eth1), ("eth2".to_owned(), vec![2])])
                .collect()
        };
        assert_eq!(configured(None), all(Some(vec![1]), vec![1, 2]));
        assert_eq!(configured(Some("other")), all(Some(vec![1]), vec![1, 2]));
        assert_eq!(configured(Some("noconfig")), all(None, vec![2]));
    }
}
