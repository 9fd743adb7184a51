//! The effective design: what is really meant, after inheritance, aliases, route domains and filters.
//!
//! Everything here is checked: names that refer to something refer to something that exists, numbers are numbers. Rules and drivers
//! read this; nobody changes it.

mod boot_action;
mod bus_address;
mod noconfig;
mod node;
mod storage;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Serialize;

pub use boot_action::{Asset, AssetKind, BootAction, PipelineSegment};
pub use bus_address::BusAddress;
pub use node::{
    Address, Addressing, Device, DeviceAlias, FirmwareMode, Hardware, Interface, Node, Oob,
    Platform, Sriov,
};
pub use storage::{
    Filesystem, LogicalVolume, Partition, PhysicalDevice, Size, Storage, VolumeGroup,
};

use crate::id::Digest;

/// A whole site, compiled.
#[derive(Clone, Debug, Serialize)]
pub struct EffectiveDesign {
    /// SHA-256 over the sources it was compiled from.
    pub digest: Digest,
    /// The region.
    pub site: Site,
    /// Racks in design order.
    pub racks: Vec<Rack>,
    /// Network links in design order.
    pub links: Vec<Link>,
    /// Networks in design order, with the routes of their route domains added.
    pub networks: Vec<Network>,
    /// Nodes in design order.
    pub nodes: Vec<Arc<Node>>,
    /// Boot actions in design order.
    pub boot_actions: Vec<BootAction>,
}

impl EffectiveDesign {
    /// The node of this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The network of this name.
    #[must_use]
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == name)
    }

    /// The link of this name.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The rack of this name.
    #[must_use]
    pub fn rack(&self, name: &str) -> Option<&Rack> {
        self.racks.iter().find(|rack| rack.name == name)
    }

    /// The link that carries this network: the first that allows it.
    #[must_use]
    pub fn link_of(&self, network: &str) -> Option<&Link> {
        self.links
            .iter()
            .find(|link| link.allowed_networks.iter().any(|name| name == network))
    }
}

/// The region: what holds for every node of the site.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Site {
    /// Name of the Region document; empty when a design has none.
    pub name: String,
    /// Public SSH keys, one line each.
    pub authorized_keys: Vec<String>,
    /// Package repositories.
    pub repositories: Vec<Repository>,
    /// Remove repositories at the provisioner that the design does not list.
    pub remove_unlisted_repositories: bool,
}

/// A package repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repository {
    /// Name in the design.
    pub name: String,
    /// `apt` is the only type there is.
    pub repo_type: String,
    /// Base URL.
    pub url: String,
    /// Distributions (suites).
    pub distributions: Vec<String>,
    /// Sub-repositories (pockets) wanted; `None`: all.
    pub subrepos: Option<Vec<String>>,
    /// Components wanted; `None`: all.
    pub components: Option<Vec<String>>,
    /// ASCII-armoured public key.
    pub gpgkey: Option<String>,
    /// Architectures; `None`: all.
    pub arches: Option<Vec<String>>,
    /// Further options as written.
    pub options: BTreeMap<String, String>,
}

/// A rack.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rack {
    /// Name.
    pub name: String,
    /// Top-of-rack switches by name.
    pub tor_switches: BTreeMap<String, TorSwitch>,
    /// Free-form location.
    pub location: BTreeMap<String, String>,
    /// Free-form labels.
    pub labels: BTreeMap<String, String>,
    /// Networks wholly inside this rack.
    pub local_networks: Vec<String>,
}

/// A top-of-rack switch.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TorSwitch {
    /// Management address.
    pub mgmt_ip: Option<String>,
    /// URI of a controller that manages it.
    pub sdn_api_uri: Option<String>,
}

/// A physical or bonded link and what may ride on it.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// Name.
    pub name: String,
    /// Labels; `noconfig` means: for provisioning only.
    pub labels: BTreeMap<String, String>,
    /// How several ports become one.
    pub bonding: Bonding,
    /// MTU in bytes.
    pub mtu: u32,
    /// Speed as written (`auto`, `100full`, ...).
    pub linkspeed: Option<String>,
    /// Whether 802.1q tags are used.
    pub trunked: bool,
    /// The network of untagged frames.
    pub default_network: Option<String>,
    /// Networks that may be used on this link.
    pub allowed_networks: Vec<String>,
}

/// Bonding of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bonding {
    /// The mode.
    pub mode: BondMode,
    /// Transmit hash policy, such as `layer3+4`.
    pub hash: Option<String>,
    /// LACP rate: `fast` or `slow`.
    pub peer_rate: Option<String>,
    /// MII monitoring interval in ms.
    pub mon_rate: Option<u32>,
    /// Delay before a slave is used, ms.
    pub up_delay: Option<u32>,
    /// Delay before a slave is dropped, ms.
    pub down_delay: Option<u32>,
}

/// Linux bonding modes that a design can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum BondMode {
    /// No bond.
    #[default]
    #[serde(rename = "disabled")]
    Disabled,
    /// IEEE 802.3ad (LACP).
    #[serde(rename = "802.3ad")]
    Lacp,
    /// One port at a time.
    #[serde(rename = "active-backup")]
    ActiveBackup,
    /// Round robin; the documents also write `balanced-rr`.
    #[serde(rename = "balance-rr")]
    BalanceRr,
}

/// A layer 3 network.
#[derive(Clone, Debug, Serialize)]
pub struct Network {
    /// Name.
    pub name: String,
    /// Labels; `noconfig` means: for provisioning only.
    pub labels: BTreeMap<String, String>,
    /// 802.1q id, 1..=4094; `None`: untagged.
    pub vlan: Option<u16>,
    /// MTU in bytes: its own, else its link's.
    pub mtu: Option<u32>,
    /// Prefix.
    pub cidr: IpNet,
    /// Route domain it belongs to.
    pub routedomain: Option<String>,
    /// Address ranges.
    pub ranges: Vec<Range>,
    /// Routes for nodes on this network, those of the route domain included.
    pub routes: Vec<Route>,
    /// DNS domain.
    pub dns_domain: Option<String>,
    /// DNS servers.
    pub dns_servers: Vec<String>,
    /// DHCP relay: its own address here and where it sends requests.
    pub dhcp_relay: Option<DhcpRelay>,
}

impl Network {
    /// The gateway of the route with the lowest metric to everywhere.
    #[must_use]
    pub fn default_gateway(&self) -> Option<IpAddr> {
        self.routes
            .iter()
            .filter(|route| route.destination.prefix_len() == 0)
            .min_by_key(|route| route.metric)
            .and_then(|route| route.gateway)
    }
}

/// A DHCP relay on a network.
#[derive(Clone, Debug, Serialize)]
pub struct DhcpRelay {
    /// The relay's own address.
    pub self_ip: Option<IpAddr>,
    /// Where it forwards requests to; may lie outside the design.
    pub upstream_target: Option<IpAddr>,
}

/// An address range of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// Use.
    pub kind: RangeKind,
    /// First address, included.
    pub start: IpAddr,
    /// Last address, included.
    pub end: IpAddr,
}

/// What a range is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RangeKind {
    /// Addresses given to nodes by the design.
    Static,
    /// Given out by DHCP.
    Dhcp,
    /// Not for bare metal.
    Reserved,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Where to.
    pub destination: IpNet,
    /// By which gateway; `None`: on the link.
    pub gateway: Option<IpAddr>,
    /// Preference, lower first.
    pub metric: u32,
}
