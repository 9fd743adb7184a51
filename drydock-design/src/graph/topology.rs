//! What there is to see of a site.

use std::collections::HashMap;

use drydock_model::effective::EffectiveDesign;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// In a site of more nodes than this, nodes of one rack that have the same profile and the same interfaces are drawn as one.
pub const COLLAPSE_ABOVE: usize = 60;

/// Why there is nothing to draw.
#[derive(Debug, Error)]
pub enum NoPicture {
    /// The value is no compiled design.
    #[error("it is no compiled design: {0}")]
    NotADesign(#[from] serde_json::Error),
    /// There is no such node.
    #[error("it has no node {0}")]
    NoNode(String),
}

/// A site as it is drawn. Indices point into `links` and `networks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Name of the region; may be empty.
    pub site: String,
    /// Racks in design order, then those that are only named by nodes, then the nodes without a rack.
    pub racks: Vec<Rack>,
    /// Links in design order, then those that are only named.
    pub links: Vec<Link>,
    /// Networks in design order, then those that are only named.
    pub networks: Vec<Network>,
}

/// A rack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rack {
    /// Its name; none: nodes without a rack.
    pub name: Option<String>,
    /// Whether the design defines it, and does not only name it.
    pub defined: bool,
    /// Its nodes in design order.
    pub machines: Vec<Machine>,
}

/// A node, or several that look the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Names in design order; at least one.
    pub names: Vec<String>,
    /// The nearest host profile.
    pub profile: Option<String>,
    /// Interfaces in design order, the BMC after them.
    pub ports: Vec<Port>,
}

/// An interface of a node, or its BMC.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Port {
    /// Name; `BMC` for the management controller.
    pub name: String,
    /// Index of its link; none for the BMC, whose link the design does not tell.
    pub link: Option<usize>,
    /// The devices it is made of; for the BMC its type.
    pub devices: Vec<String>,
    /// The networks on it.
    pub rides: Vec<Ride>,
}

/// A network on a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ride {
    /// Index of the network.
    pub network: usize,
    /// The node's address there, or `dhcp`; none where it has none, or where several nodes are drawn as one.
    pub address: Option<String>,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Name.
    pub name: String,
    /// Whether the design defines it.
    pub defined: bool,
    /// Bonding mode; none when it is no bond.
    pub bond: Option<String>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
    /// Whether 802.1q tags are used.
    pub trunked: bool,
    /// Indices of the networks it allows.
    pub networks: Vec<usize>,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Name.
    pub name: String,
    /// Whether the design defines it.
    pub defined: bool,
    /// 802.1q id; none: untagged.
    pub vlan: Option<u16>,
    /// Prefix.
    pub cidr: Option<String>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
}

impl Topology {
    /// Of a design that was compiled here; only of one node, when one is named.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn of(design: &EffectiveDesign, node: Option<&str>) -> Result<Self, NoPicture> {
        Topology::from_json(&serde_json::to_value(design)?, node)
    }

    /// Of a design as a server tells it (`GET /designs/{id}?source=compiled`); only of one node, when one is named.
    ///
    /// # Errors
    /// When it is no compiled design, or there is no such node.
    pub fn from_json(design: &Value, node: Option<&str>) -> Result<Self, NoPicture> {
        let mut told = Told::deserialize(design)?;
        if let Some(name) = node {
            told.only(name)?;
        }
        Ok(Builder::build(told))
    }

    /// How many nodes there are.
    #[must_use]
    pub fn node_count(&self) -> usize {
        let machines = self.racks.iter().flat_map(|rack| &rack.machines);
        machines.map(|machine| machine.names.len()).sum()
    }
}

impl Link {
    /// What is to be said of it beside its name: bonding, MTU, tagging.
    pub(super) fn facts(&self) -> Vec<String> {
        if !self.defined {
            return vec!["not defined".into()];
        }
        let mut facts = vec![self.bond.clone().unwrap_or_else(|| "no bond".into())];
        facts.extend(self.mtu.map(|mtu| format!("MTU {mtu}")));
        facts.push(if self.trunked { "802.1q" } else { "untagged" }.into());
        facts
    }
}

impl Network {
    /// What is to be said of it beside its name: VLAN, prefix, MTU.
    pub(super) fn facts(&self) -> Vec<String> {
        if !self.defined {
            return vec!["not defined".into()];
        }
        let vlan = self
            .vlan
            .map_or_else(|| "untagged".into(), |vlan| format!("VLAN {vlan}"));
        let mut facts = vec![vlan];
        facts.extend(self.cidr.clone());
        facts.extend(self.mtu.map(|mtu| format!("MTU {mtu}")));
        facts
    }
}

#[derive(Deserialize)]
struct Told {
    site: ToldSite,
    racks: Vec<Named>,
    links: Vec<ToldLink>,
    networks: Vec<ToldNetwork>,
    nodes: Vec<ToldNode>,
}

#[derive(Deserialize)]
struct ToldSite {
    name: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct ToldLink {
    name: String,
    bonding: ToldBonding,
    mtu: Option<u32>,
    trunked: bool,
    allowed_networks: Vec<String>,
}

#[derive(Deserialize)]
struct ToldBonding {
    mode: String,
}

#[derive(Deserialize)]
struct ToldNetwork {
    name: String,
    vlan: Option<u16>,
    mtu: Option<u32>,
    cidr: String,
}

#[derive(Deserialize)]
struct ToldNode {
    name: String,
    profiles: Vec<String>,
    rack: Option<String>,
    oob: ToldOob,
    interfaces: Vec<ToldInterface>,
    addressing: Vec<ToldAddress>,
}

#[derive(Deserialize)]
struct ToldOob {
    kind: String,
    network: Option<String>,
}

#[derive(Deserialize)]
struct ToldInterface {
    name: String,
    link: String,
    slaves: Vec<Named>,
    networks: Vec<String>,
}

#[derive(Deserialize)]
struct ToldAddress {
    network: String,
    address: Value,
}

impl Told {
    /// Leaves the node of this name, its rack, its links, and the networks of both.
    fn only(&mut self, name: &str) -> Result<(), NoPicture> {
        self.nodes.retain(|node| node.name == name);
        self.nodes.truncate(1);
        let Some(node) = self.nodes.first() else {
            return Err(NoPicture::NoNode(name.to_owned()));
        };
        let interfaces = &node.interfaces;
        self.racks
            .retain(|rack| node.rack.as_ref() == Some(&rack.name));
        self.links
            .retain(|link| interfaces.iter().any(|own| own.link == link.name));
        let links = &self.links;
        self.networks.retain(|network| {
            node.oob.network.as_ref() == Some(&network.name)
                || interfaces
                    .iter()
                    .any(|own| own.networks.contains(&network.name))
                || links
                    .iter()
                    .any(|link| link.allowed_networks.contains(&network.name))
        });
        Ok(())
    }
}

/// What nodes that are drawn as one have in common: rack, profile, ports.
type Looks = (Option<usize>, Option<String>, Vec<Port>);

/// Puts indices in place of names; what is named and not defined gets an entry of its own.
#[derive(Default)]
struct Builder {
    links: Vec<Link>,
    link_at: HashMap<String, usize>,
    networks: Vec<Network>,
    network_at: HashMap<String, usize>,
}

impl Builder {
    fn build(told: Told) -> Topology {
        let mut builder = Builder::default();
        for network in told.networks {
            builder
                .network_at
                .entry(network.name.clone())
                .or_insert(builder.networks.len());
            builder.networks.push(Network {
                name: network.name,
                defined: true,
                vlan: network.vlan,
                cidr: Some(network.cidr),
                mtu: network.mtu,
            });
        }
        for link in told.links {
            let networks = link.allowed_networks.iter();
            let networks = networks.map(|name| builder.network(name)).collect();
            builder
                .link_at
                .entry(link.name.clone())
                .or_insert(builder.links.len());
            builder.links.push(Link {
                name: link.name,
                defined: true,
                bond: (link.bonding.mode != "disabled").then_some(link.bonding.mode),
                mtu: link.mtu,
                trunked: link.trunked,
                networks,
            });
        }
        let collapse = told.nodes.len() > COLLAPSE_ABOVE;
        let racks = builder.racks(told.racks, told.nodes, collapse);
        Topology {
            site: told.site.name,
            racks,
            links: builder.links,
            networks: builder.networks,
        }
    }

    fn network(&mut self, name: &str) -> usize {
        if let Some(at) = self.network_at.get(name) {
            return *at;
        }
        self.network_at.insert(name.to_owned(), self.networks.len());
        self.networks.push(Network {
            name: name.to_owned(),
            defined: false,
            vlan: None,
            cidr: None,
            mtu: None,
        });
        self.networks.len() - 1
    }

    fn link(&mut self, name: &str) -> usize {
        if let Some(at) = self.link_at.get(name) {
            return *at;
        }
        self.link_at.insert(name.to_owned(), self.links.len());
        self.links.push(Link {
            name: name.to_owned(),
            defined: false,
            bond: None,
            mtu: None,
            trunked: false,
            networks: Vec::new(),
        });
        self.links.len() - 1
    }

    fn racks(&mut self, defined: Vec<Named>, nodes: Vec<ToldNode>, collapse: bool) -> Vec<Rack> {
        let rack = |name: Option<String>, defined| Rack {
            name,
            defined,
            machines: Vec::new(),
        };
        let mut racks: Vec<Rack> = defined
            .into_iter()
            .map(|named| rack(Some(named.name), true))
            .collect();
        let mut at: HashMap<String, usize> = HashMap::new();
        for (index, rack) in racks.iter().enumerate() {
            at.entry(rack.name.clone().unwrap_or_default())
                .or_insert(index);
        }
        let mut alone = rack(None, true);
        // Of the machines in each rack, those that a further node may join.
        let mut alike: HashMap<Looks, usize> = HashMap::new();
        for mut node in nodes {
            let index = node.rack.take().map(|name| {
                *at.entry(name.clone()).or_insert_with(|| {
                    racks.push(rack(Some(name), false));
                    racks.len() - 1
                })
            });
            let machine = self.machine(node, collapse);
            let machines = match index {
                Some(index) => &mut racks[index].machines,
                None => &mut alone.machines,
            };
            if collapse {
                let key = (index, machine.profile.clone(), machine.ports.clone());
                let place = *alike.entry(key).or_insert(machines.len());
                match machines.get_mut(place) {
                    Some(known) => known.names.extend(machine.names),
                    None => machines.push(machine),
                }
            } else {
                machines.push(machine);
            }
        }
        if !alone.machines.is_empty() {
            racks.push(alone);
        }
        racks
    }

    fn machine(&mut self, node: ToldNode, collapse: bool) -> Machine {
        let mut addresses: HashMap<&str, String> = HashMap::new();
        if !collapse {
            for entry in &node.addressing {
                let told = entry.address.get("static").unwrap_or(&entry.address);
                if let Some(address) = told.as_str() {
                    addresses.insert(&entry.network, address.to_owned());
                }
            }
        }
        let mut ports: Vec<Port> = Vec::new();
        for interface in &node.interfaces {
            let rides = interface.networks.iter().map(|name| Ride {
                network: self.network(name),
                address: addresses.get(name.as_str()).cloned(),
            });
            let rides = rides.collect();
            ports.push(Port {
                name: interface.name.clone(),
                link: Some(self.link(&interface.link)),
                devices: interface
                    .slaves
                    .iter()
                    .map(|slave| slave.name.clone())
                    .collect(),
                rides,
            });
        }
        if let Some(network) = &node.oob.network {
            let address = addresses.get(network.as_str()).cloned();
            ports.push(Port {
                name: "BMC".into(),
                link: None,
                devices: vec![node.oob.kind],
                rides: vec![Ride {
                    network: self.network(network),
                    address,
                }],
            });
        }
        Machine {
            names: vec![node.name],
            profile: node.profiles.into_iter().next(),
            ports,
        }
    }
}
