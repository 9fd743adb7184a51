//! A node of the effective design: hardware, out-of-band management, interfaces, operating system.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};

use super::Storage;
use crate::tree::{REDACTED, is_secret_key};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    #[serde(serialize_with = "redacted_params")]
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

fn redacted<S: Serializer>(value: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(_) => serializer.serialize_some(REDACTED),
        None => serializer.serialize_none(),
    }
}

fn redacted_params<S: Serializer>(
    params: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(params.iter().map(|(key, value)| {
        let shown = if is_secret_key(key) {
            REDACTED
        } else {
            value.as_str()
        };
        (key, shown)
    }))
}
