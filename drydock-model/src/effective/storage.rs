//! Storage of a node: disks, partitions, volume groups.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Device;

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
