//! The effective design: what is really meant, after inheritance, aliases, route domains and filters.
//!
//! Everything here is checked: names that refer to something refer to something that exists, numbers are numbers. Rules and drivers
//! read this; nobody changes it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};

use crate::filter::NodeFilter;
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

/// A node with everything it inherits.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Host name.
    pub name: String,
    /// DNS domain: that of the primary network, else `local`.
    pub domain: String,
    /// The profiles it inherits from, nearest first.
    pub profiles: Vec<String>,
    /// Rack.
    pub rack: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Owner data, also called labels.
    pub owner_data: BTreeMap<String, String>,
    /// Hardware profile.
    pub hardware: Option<Arc<Hardware>>,
    /// Out-of-band management.
    pub oob: Oob,
    /// MAC address of the boot interface, lower case with colons.
    pub boot_mac: Option<String>,
    /// Interfaces in design order.
    pub interfaces: Vec<Interface>,
    /// Addresses in design order.
    pub addressing: Vec<Addressing>,
    /// The network of the default route and the host name.
    pub primary_network: Option<String>,
    /// Disks, partitions, volume groups.
    pub storage: Storage,
    /// Operating system.
    pub platform: Platform,
    /// Names of the boot actions that target it, in design order.
    pub boot_actions: Vec<String>,
}

impl Node {
    /// Host name and domain.
    #[must_use]
    pub fn fqdn(&self) -> String {
        format!("{}.{}", self.name, self.domain)
    }

    /// Its static address on a network.
    #[must_use]
    pub fn address_on(&self, network: &str) -> Option<IpAddr> {
        self.addressing
            .iter()
            .find(|entry| entry.network == network)
            .and_then(|entry| match entry.address {
                Address::Static(address) => Some(address),
                Address::Dhcp => None,
            })
    }
}

/// A hardware profile.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Hardware {
    /// Name.
    pub name: String,
    /// Vendor.
    pub vendor: Option<String>,
    /// Generation.
    pub generation: Option<String>,
    /// Version within the generation.
    pub hw_version: Option<String>,
    /// Certified firmware version.
    pub bios_version: Option<String>,
    /// Firmware mode of the default boot.
    pub boot_mode: FirmwareMode,
    /// `pxe`, `usb`, `hdd`.
    pub bootstrap_protocol: Option<String>,
    /// Which interface boots from the network, as the controller counts.
    pub pxe_interface: Option<u32>,
    /// Aliases of devices.
    pub aliases: BTreeMap<String, DeviceAlias>,
}

/// Firmware mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirmwareMode {
    /// Legacy.
    #[default]
    Bios,
    /// UEFI.
    Uefi,
}

/// What an alias stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeviceAlias {
    /// Bus: `pci`, `scsi`, ...
    pub bus_type: String,
    /// Address on that bus, or `regexp:...`.
    pub address: String,
    /// Expected model.
    pub dev_type: Option<String>,
}

/// Out-of-band management of a node.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Oob {
    /// Type as written: `ipmi`, `redfish`, `libvirt`, `manual`; drivers say which they serve.
    pub kind: String,
    /// The network on which its address lies.
    pub network: Option<String>,
    /// The address: the node's on that network.
    pub address: Option<IpAddr>,
    /// Port; `None`: the protocol's own.
    pub port: Option<u16>,
    /// User name.
    pub account: Option<String>,
    /// Password, or a reference to one (`env:`, `file:`), resolved at the last moment.
    #[serde(serialize_with = "redacted")]
    pub credential: Option<SecretString>,
    /// Further parameters as written (`libvirt_uri`, ...).
    pub params: BTreeMap<String, String>,
}

/// An interface of a node.
#[derive(Clone, Debug, Serialize)]
pub struct Interface {
    /// Name on the deployed system.
    pub name: String,
    /// Its link.
    pub link: String,
    /// Labels; `noconfig` means: for provisioning only.
    pub labels: BTreeMap<String, String>,
    /// Devices it is made of.
    pub slaves: Vec<Device>,
    /// Networks on it.
    pub networks: Vec<String>,
    /// SR-IOV.
    pub sriov: Option<Sriov>,
}

/// A device as the design names it, and what its alias says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Alias or kernel name as written.
    pub name: String,
    /// The alias's bus address; `None` when the name is a kernel name.
    pub alias: Option<DeviceAlias>,
}

/// SR-IOV of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sriov {
    /// Number of virtual functions.
    pub vf_count: u32,
    /// Trusted mode.
    pub trustedmode: bool,
}

/// One address of a node.
#[derive(Clone, Debug, Serialize)]
pub struct Addressing {
    /// Network.
    pub network: String,
    /// Address.
    pub address: Address,
}

/// How an interface gets its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    /// By DHCP.
    Dhcp,
    /// This one.
    Static(IpAddr),
}

/// Storage of a node.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Storage {
    /// Physical devices in design order.
    pub devices: Vec<PhysicalDevice>,
    /// Volume groups in design order.
    pub volume_groups: Vec<VolumeGroup>,
}

/// A disk.
#[derive(Clone, Debug, Serialize)]
pub struct PhysicalDevice {
    /// The disk.
    pub device: Device,
    /// Labels; `bootdrive` marks the boot disk.
    pub labels: BTreeMap<String, String>,
    /// The volume group it belongs to as a whole.
    pub volume_group: Option<String>,
    /// Partitions in order.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    /// Name.
    pub name: String,
    /// Size.
    pub size: Size,
    /// Bootable flag.
    pub bootable: bool,
    /// UUID of the partition.
    pub part_uuid: Option<String>,
    /// The volume group it belongs to.
    pub volume_group: Option<String>,
    /// File system.
    pub filesystem: Option<Filesystem>,
}

/// A volume group.
#[derive(Clone, Debug, Serialize)]
pub struct VolumeGroup {
    /// Name.
    pub name: String,
    /// UUID.
    pub vg_uuid: Option<String>,
    /// Logical volumes in order.
    pub logical_volumes: Vec<LogicalVolume>,
}

/// A logical volume.
#[derive(Clone, Debug, Serialize)]
pub struct LogicalVolume {
    /// Name.
    pub name: String,
    /// UUID.
    pub lv_uuid: Option<String>,
    /// Size.
    pub size: Size,
    /// File system.
    pub filesystem: Option<Filesystem>,
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Filesystem {
    /// Mount point.
    pub mountpoint: Option<String>,
    /// Type: `ext4`, `xfs`, ...
    pub fstype: String,
    /// Mount options.
    pub mount_options: String,
    /// UUID.
    pub fs_uuid: Option<String>,
    /// Label.
    pub fs_label: Option<String>,
}

/// A size of a partition or volume.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Exactly so many bytes.
    Bytes(u64),
    /// At least so many bytes; takes the rest.
    AtLeast(u64),
    /// Share of the device in percent.
    Percent(u32),
    /// At least this share in percent; takes the rest.
    AtLeastPercent(u32),
}

/// Operating system of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Platform {
    /// Image name.
    pub image: Option<String>,
    /// Kernel name.
    pub kernel: Option<String>,
    /// Kernel parameters with hardware references resolved; an empty value is a bare flag.
    pub kernel_params: BTreeMap<String, String>,
}

impl Platform {
    /// The kernel command line: `hugepagesz` before `hugepages`, the others in the order of their names.
    #[must_use]
    pub fn kernel_command_line(&self) -> String {
        let word = |key: &str, value: &str| {
            if value.is_empty() {
                key.to_owned()
            } else {
                format!("{key}={value}")
            }
        };
        let mut words: Vec<String> = Vec::with_capacity(self.kernel_params.len());
        for key in ["hugepagesz", "hugepages"] {
            if let Some(value) = self.kernel_params.get(key) {
                words.push(word(key, value));
            }
        }
        for (key, value) in &self.kernel_params {
            if key != "hugepagesz" && key != "hugepages" {
                words.push(word(key, value));
            }
        }
        words.join(" ")
    }
}

/// A boot action.
#[derive(Clone, Debug, Serialize)]
pub struct BootAction {
    /// Name.
    pub name: String,
    /// Whether the machine reports how it went.
    pub signaling: bool,
    /// Which nodes; `None`: all.
    pub node_filter: Option<NodeFilter>,
    /// Assets in order.
    pub assets: Vec<Asset>,
}

/// Something a boot action puts on the machine.
#[derive(Clone, Debug, Serialize)]
pub struct Asset {
    /// What it is.
    pub kind: AssetKind,
    /// Where it goes; empty for a package list.
    pub path: String,
    /// Mode bits.
    pub permissions: Option<u32>,
    /// Whether a unit is enabled; `None`: as written in the unit.
    pub enabled: Option<bool>,
    /// The data, inline.
    pub data: Option<String>,
    /// Where the data comes from otherwise.
    pub location: Option<String>,
    /// What is done to the location before it is fetched.
    pub location_pipeline: Vec<PipelineSegment>,
    /// What is done to the data.
    pub data_pipeline: Vec<PipelineSegment>,
    /// Package to version; an absent version means any.
    pub packages: BTreeMap<String, Option<String>>,
}

/// Kinds of assets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetKind {
    /// A file.
    File,
    /// A systemd unit.
    Unit,
    /// A list of packages.
    PkgList,
}

/// Steps of an asset's pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PipelineSegment {
    /// Base64 to bytes.
    Base64Decode,
    /// Bytes to base64.
    Base64Encode,
    /// Bytes to text.
    Utf8Decode,
    /// Text to bytes.
    Utf8Encode,
    /// Jinja2.
    Template,
}

fn redacted<S: Serializer>(value: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(_) => serializer.serialize_some("********"),
        None => serializer.serialize_none(),
    }
}
