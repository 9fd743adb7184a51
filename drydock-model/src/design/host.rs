//! HostProfile and BaremetalNode as written: one shape, for a node inherits from profiles.

use std::fmt;

use serde::Deserialize;
use serde::de::Deserializer;

use super::scalar::{Ordered, Scalar};

/// A HostProfile or a BaremetalNode.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostPart {
    /// Out-of-band management.
    pub oob: Option<OobPart>,
    /// Disks and volumes.
    pub storage: Option<StoragePart>,
    /// Operating system.
    pub platform: Option<PlatformPart>,
    /// Tags, owner data, rack.
    pub metadata: Option<HostMetadata>,
    /// The profile to inherit from.
    pub host_profile: Option<String>,
    /// The hardware.
    pub hardware_profile: Option<String>,
    /// The network of the default route.
    pub primary_network: Option<String>,
    /// Interfaces by name.
    pub interfaces: Option<Ordered<InterfacePart>>,
    /// Addresses; nodes only.
    pub addressing: Option<Vec<AddressPart>>,
}

/// Out-of-band parameters: `type`, `network`, `account`, `credential` and what the type wants besides. Its `Debug` shows no value.
#[derive(Clone, Default, PartialEq)]
pub struct OobPart(pub Ordered<Scalar>);

impl fmt::Debug for OobPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.0.0.iter().map(|(key, _)| key))
            .finish()
    }
}

impl<'de> Deserialize<'de> for OobPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ordered::deserialize(deserializer).map(OobPart)
    }
}

/// Tags, owner data, rack.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostMetadata {
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Owner data.
    pub owner_data: Option<Ordered<Scalar>>,
    /// Rack.
    pub rack: Option<String>,
    /// MAC address of the boot interface.
    pub boot_mac: Option<String>,
}

/// Operating system.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformPart {
    /// Image.
    pub image: Option<String>,
    /// Kernel.
    pub kernel: Option<String>,
    /// Kernel parameters.
    pub kernel_params: Option<Ordered<Scalar>>,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct InterfacePart {
    /// Its link.
    pub device_link: Option<String>,
    /// Labels.
    pub labels: Option<Ordered<Scalar>>,
    /// Devices it is made of.
    pub slaves: Option<Vec<String>>,
    /// Networks on it.
    pub networks: Option<Vec<String>>,
    /// SR-IOV.
    pub sriov: Option<SriovPart>,
}

/// SR-IOV.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SriovPart {
    /// Number of virtual functions.
    pub vf_count: Option<i64>,
    /// Trusted mode. The published schema says `trustmode`, the samples and the code `trustedmode`.
    #[serde(alias = "trustmode")]
    pub trustedmode: Option<bool>,
}

/// An address.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AddressPart {
    /// Network.
    pub network: Option<String>,
    /// `dhcp` or an address.
    pub address: Option<String>,
}

/// Disks and volumes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct StoragePart {
    /// Disks by alias or kernel name.
    pub physical_devices: Option<Ordered<DevicePart>>,
    /// Volume groups by name.
    pub volume_groups: Option<Ordered<VolumeGroupPart>>,
}

/// A disk.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DevicePart {
    /// Labels.
    pub labels: Option<Ordered<Scalar>>,
    /// The volume group it belongs to as a whole.
    pub volume_group: Option<String>,
    /// Partitions.
    pub partitions: Option<Vec<PartitionPart>>,
}

/// A partition.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartitionPart {
    /// Name.
    pub name: Option<String>,
    /// Size.
    pub size: Option<String>,
    /// Bootable flag.
    pub bootable: Option<bool>,
    /// UUID.
    pub part_uuid: Option<String>,
    /// The volume group it belongs to.
    pub volume_group: Option<String>,
    /// Labels.
    pub labels: Option<Ordered<Scalar>>,
    /// File system.
    pub filesystem: Option<FilesystemPart>,
}

/// A volume group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct VolumeGroupPart {
    /// UUID.
    pub vg_uuid: Option<String>,
    /// Logical volumes.
    pub logical_volumes: Option<Vec<LogicalVolumePart>>,
}

/// A logical volume.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LogicalVolumePart {
    /// Name.
    pub name: Option<String>,
    /// UUID.
    pub lv_uuid: Option<String>,
    /// Size.
    pub size: Option<String>,
    /// File system.
    pub filesystem: Option<FilesystemPart>,
}

/// A file system.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesystemPart {
    /// Mount point.
    pub mountpoint: Option<String>,
    /// Type.
    pub fstype: Option<String>,
    /// Mount options.
    pub mount_options: Option<String>,
    /// UUID.
    pub fs_uuid: Option<String>,
    /// Label.
    pub fs_label: Option<String>,
}
