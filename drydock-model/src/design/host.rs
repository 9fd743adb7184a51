//! HostProfile and BaremetalNode as written: one shape, for a node inherits from profiles.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::Deserializer;

use super::scalar::{Ordered, Scalar};
use super::schema::pattern;

/// How a machine is set up. A profile and a node have the same fields; what a node does not say it inherits from its profile, and a
/// profile from its own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostPart {
    /// How the machine's controller (BMC) is reached.
    pub oob: Option<OobPart>,
    /// Disks, partitions and volumes.
    pub storage: Option<StoragePart>,
    /// Operating system.
    pub platform: Option<PlatformPart>,
    /// Tags, owner data, rack, boot interface.
    pub metadata: Option<HostMetadata>,
    /// Name of the HostProfile to inherit from.
    #[schemars(extend("x-refers-to" = "HostProfile"))]
    pub host_profile: Option<String>,
    /// Name of the HardwareProfile of the machine.
    #[schemars(extend("x-refers-to" = "HardwareProfile"))]
    pub hardware_profile: Option<String>,
    /// Name of the Network that the default route, the domain and the host name come from.
    #[schemars(extend("x-refers-to" = "Network", "x-needed" = true))]
    pub primary_network: Option<String>,
    /// Network interfaces by name. Null, or a name with `!` before it, removes an inherited one.
    pub interfaces: Option<Ordered<InterfacePart>>,
    /// Addresses of the machine, its controller's among them. In a BaremetalNode only.
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

impl JsonSchema for OobPart {
    fn schema_name() -> Cow<'static, str> {
        "OobPart".into()
    }

    /// Each type wants parameters of its own, so any other key may stand here, too.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Ordered::<Scalar>::json_schema(generator);
        let text = ["string", "number", "boolean", "null"];
        schema.insert(
            "properties".to_owned(),
            json_schema!({
                "type": {
                    "description": "How the controller is spoken to: `ipmi`, `redfish`, `libvirt`, or `manual` (an operator presses the buttons).",
                    "type": ["string", "null"],
                    "examples": ["ipmi", "redfish", "libvirt", "manual"],
                    "x-words": true,
                    "x-needed": true
                },
                "network": {
                    "description": "Name of the Network that the controller's address is on; the address stands under `addressing`.",
                    "type": text,
                    "x-refers-to": "Network",
                    "x-needed": true
                },
                "account": {
                    "description": "Account at the controller.",
                    "type": text,
                    "examples": ["admin"],
                    "x-needed": true
                },
                "credential": {
                    "description": "Password of the account. Better a reference than clear text: `env:NAME` or `file:PATH`, which the server resolves.",
                    "type": text,
                    "examples": ["env:OOB_PASSWORD"],
                    "x-needed": true
                },
                "port": {
                    "description": "Port of the controller. Default: 623 for ipmi.",
                    "type": ["integer", "string", "null"],
                    "minimum": 1,
                    "maximum": 65535,
                    "pattern": pattern::PORT,
                    "examples": [623]
                },
                "libvirt_uri": {
                    "description": "For libvirt: the hypervisor, always by SSH.",
                    "type": ["string", "null"],
                    "pattern": pattern::LIBVIRT_URI,
                    "examples": ["qemu+ssh://user@host/system"]
                }
            })
            .to_value(),
        );
        schema
    }
}

impl<'de> Deserialize<'de> for OobPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ordered::deserialize(deserializer).map(OobPart)
    }
}

/// Tags, owner data, rack, boot interface.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostMetadata {
    /// Tags, for filters and for the provisioner: letters, digits, `_` and `-`. `!tag` removes an inherited one.
    #[schemars(extend("x-unique" = "list"))]
    pub tags: Option<Vec<String>>,
    /// Keys and values of your own, for filters (`node_labels`) and boot actions. `!key` removes an inherited one.
    pub owner_data: Option<Ordered<Scalar>>,
    /// Name of the Rack that the machine stands in.
    #[schemars(extend("x-refers-to" = "Rack"))]
    pub rack: Option<String>,
    /// MAC address of the interface that boots from the network, by which the provisioner knows the machine. Example:
    /// `'52:54:00:12:34:56'`.
    #[schemars(extend("type" = ["string", "integer", "null"], "minimum" = 0, "pattern" = pattern::MAC, "format" = "mac-address", "examples" = ["52:54:00:12:34:56"], "x-unique" = "value"))]
    pub boot_mac: Option<String>,
}

/// Operating system.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformPart {
    /// Image, as the provisioner calls it. Example: `noble`. Default: the provisioner's.
    #[schemars(extend("x-refers-to" = "Image"))]
    pub image: Option<String>,
    /// Kernel, as the provisioner calls it. Example: `ga-24.04`. Default: the provisioner's.
    #[schemars(extend("x-refers-to" = "Kernel"))]
    pub kernel: Option<String>,
    /// Kernel parameters. `true` makes a bare flag, `false` leaves the parameter out. `hardwareprofile:cpuset.NAME`,
    /// `hardwareprofile:hugepages.NAME.size` and `.count` take the value from the hardware profile.
    #[schemars(extend("x-refers-to" = "HardwareSetting"))]
    pub kernel_params: Option<Ordered<Scalar>>,
}

/// A network interface: one port, or several as a bond.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct InterfacePart {
    /// Name of the NetworkLink that it is plugged into.
    #[schemars(extend("x-refers-to" = "NetworkLink", "x-needed" = true))]
    pub device_link: Option<String>,
    /// Labels of your own. `noconfig` (whatever its value) marks an interface that is used for provisioning only and is not configured
    /// on the deployed system.
    pub labels: Option<Ordered<Scalar>>,
    /// The ports it is made of: aliases of the hardware profile, or kernel names. `!port` removes an inherited one.
    #[schemars(extend("x-refers-to" = "DeviceAlias", "x-unique" = "list"))]
    pub slaves: Option<Vec<String>>,
    /// Names of the Networks on it; its link must allow them. `!network` removes an inherited one.
    #[schemars(extend("x-refers-to" = "Network", "x-unique" = "list"))]
    pub networks: Option<Vec<String>>,
    /// Virtual functions (SR-IOV) of its ports.
    pub sriov: Option<SriovPart>,
}

/// Virtual functions of a port.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = super::schema::other_spelling)]
pub struct SriovPart {
    /// Number of virtual functions, from 0.
    #[schemars(extend("minimum" = 0, "maximum" = 4_294_967_295_u32, "examples" = [16]))]
    pub vf_count: Option<i64>,
    /// Whether the host trusts its virtual functions, so that they may change their own MAC address. Default: `false`.
    // The published schema says `trustmode`, the samples and the code `trustedmode`.
    #[serde(alias = "trustmode")]
    pub trustedmode: Option<bool>,
}

/// An address of a machine.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AddressPart {
    /// Name of the Network that the address is on.
    #[schemars(required, extend("x-required" = true, "x-refers-to" = "Network"))]
    pub network: Option<String>,
    /// `dhcp`, or an address of the network. Without it the interface comes up without an address.
    #[schemars(extend("pattern" = pattern::ADDRESS_OR_DHCP, "format" = "ip-address", "examples" = ["10.0.1.11", "dhcp"], "x-unique" = "value"))]
    pub address: Option<String>,
}

/// Disks and volumes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StoragePart {
    /// Disks by alias of the hardware profile, or by kernel name. Null, or a name with `!` before it, removes an inherited one.
    pub physical_devices: Option<Ordered<DevicePart>>,
    /// Volume groups (LVM) by name. Null, or a name with `!` before it, removes an inherited one.
    pub volume_groups: Option<Ordered<VolumeGroupPart>>,
}

/// A disk: either with partitions, or in a volume group as a whole.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DevicePart {
    /// Labels of your own. `bootdrive: true` marks the disk that the machine boots from.
    pub labels: Option<Ordered<Scalar>>,
    /// Name of the volume group that the whole disk belongs to.
    #[schemars(extend("x-refers-to" = "VolumeGroup"))]
    pub volume_group: Option<String>,
    /// Its partitions in their order. One named `!name` removes an inherited one.
    pub partitions: Option<Vec<PartitionPart>>,
}

/// A partition.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PartitionPart {
    /// Name, by which a child changes or removes (`!name`) it. `root` and `boot` mean what they say where nothing is mounted there.
    #[schemars(required, extend("x-required" = true, "x-unique" = "sibling", "examples" = ["root"]))]
    pub name: Option<String>,
    /// Size: `20g`, `512mi`, `50%`; with `>` before it at least so much, and what is left. `m`, `g`, `t` are powers of ten, `mi`, `gi`,
    /// `ti` of two.
    #[schemars(extend("pattern" = pattern::SIZE, "format" = "size", "examples" = ["20g", ">20g", "512mi", "50%"], "x-needed" = true))]
    pub size: Option<String>,
    /// Whether the firmware may boot from it. Default: `false`.
    pub bootable: Option<bool>,
    /// UUID of the partition.
    #[schemars(extend("examples" = ["2b6e0f0c-4b5e-4f0e-9a8e-3c1d5a7f9b01"], "x-unique" = "value"))]
    pub part_uuid: Option<String>,
    /// Name of the volume group that it belongs to, instead of a file system.
    #[schemars(extend("x-refers-to" = "VolumeGroup"))]
    pub volume_group: Option<String>,
    /// Labels of your own.
    pub labels: Option<Ordered<Scalar>>,
    /// File system on it.
    pub filesystem: Option<FilesystemPart>,
}

/// A volume group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct VolumeGroupPart {
    /// UUID of the group.
    #[schemars(extend("examples" = ["2b6e0f0c-4b5e-4f0e-9a8e-3c1d5a7f9b02"], "x-unique" = "value"))]
    pub vg_uuid: Option<String>,
    /// Its logical volumes. One named `!name` removes an inherited one.
    pub logical_volumes: Option<Vec<LogicalVolumePart>>,
}

/// A logical volume.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LogicalVolumePart {
    /// Name, by which a child changes or removes (`!name`) it.
    #[schemars(required, extend("x-required" = true, "x-unique" = "sibling", "examples" = ["log"]))]
    pub name: Option<String>,
    /// UUID of the volume.
    #[schemars(extend("examples" = ["2b6e0f0c-4b5e-4f0e-9a8e-3c1d5a7f9b03"], "x-unique" = "value"))]
    pub lv_uuid: Option<String>,
    /// Size, as with partitions; a share is one of the volume group.
    #[schemars(extend("pattern" = pattern::SIZE, "format" = "size", "examples" = ["20g", ">20g", "512mi", "50%"], "x-needed" = true))]
    pub size: Option<String>,
    /// File system on it.
    pub filesystem: Option<FilesystemPart>,
}

/// A file system.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FilesystemPart {
    /// Where it is mounted: an absolute path, or `none`. Example: `/var/log`.
    #[schemars(extend("pattern" = pattern::MOUNTPOINT, "examples" = ["/", "/var/log"], "x-unique" = "value"))]
    pub mountpoint: Option<String>,
    /// Type. Default: `ext4`.
    #[schemars(extend("examples" = ["ext4", "xfs", "btrfs", "fat32", "swap"], "x-words" = true))]
    pub fstype: Option<String>,
    /// Options of the mount, with commas and without blanks. Default: `defaults`.
    #[schemars(extend("type" = ["string", "number", "boolean", "null"], "pattern" = pattern::MOUNT_OPTIONS, "examples" = ["defaults", "noatime,nodiratime"]))]
    pub mount_options: Option<String>,
    /// UUID of the file system.
    #[schemars(extend("examples" = ["2b6e0f0c-4b5e-4f0e-9a8e-3c1d5a7f9b04"], "x-unique" = "value"))]
    pub fs_uuid: Option<String>,
    /// Label of the file system.
    #[schemars(extend("examples" = ["rootfs"], "x-unique" = "value"))]
    pub fs_label: Option<String>,
}
