//! `apply_node_storage`: partitions, volume groups and file systems of a machine, as differences from what it has.
//!
//! Built where the root file system is on a partition. MaaS lays out the root disk (`flat`), which clears everything;
//! the rest is added in rounds - partitions and groups, volumes, formats, mounts - each planned on a fresh look.

mod diff;
mod wanted;
mod write;

use drydock_model::driver::{DriverError, StepContext};
use serde::{Deserialize, Serialize};

use super::hardware::{Names, names};
use super::lookup::{Found, Place, find};
use super::region::Region;
use super::resource::{BlockDeviceResource, FilesystemResource, VolumeGroupResource};
use super::status::Status;

pub(crate) use diff::plan;
pub(crate) use write::apply;

const SET_BOOT_DISK: &str = "set_boot_disk";
const SET_LAYOUT: &str = "set_storage_layout";
const CREATE_PARTITION: &str = "create_partition";
const CREATE_GROUP: &str = "create_volume_group";
const CREATE_VOLUME: &str = "create_logical_volume";
const FORMAT: &str = "format";
const MOUNT: &str = "mount";
const UNMOUNT: &str = "unmount";

/// What is looked at.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub place: Option<Place>,
    disks: Vec<Disk>,
    groups: Vec<Group>,
    boot_disk: Option<i64>,
    names: Names,
}

/// A disk, or a logical volume.
#[derive(Debug, Serialize, Deserialize)]
struct Disk {
    id: i64,
    name: String,
    size: u64,
    is_volume: bool,
    filesystem: Option<Content>,
    partitions: Vec<Part>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Part {
    id: i64,
    size: u64,
    filesystem: Option<Content>,
}

/// A file system, or a physical volume (`lvm-pv`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    fstype: String,
    mount: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Group {
    id: i64,
    name: String,
    size: u64,
    /// Disks that are members as a whole.
    disks: Vec<i64>,
    /// Partitions that are members.
    partitions: Vec<i64>,
}

impl Disk {
    fn has_physical_volume(&self) -> bool {
        let own = self
            .partitions
            .iter()
            .map(|part| &part.filesystem)
            .chain([&self.filesystem]);
        own.flatten()
            .any(|content| content.fstype == wanted::PHYSICAL_VOLUME)
    }
}

impl From<&FilesystemResource> for Content {
    fn from(filesystem: &FilesystemResource) -> Self {
        let mount = filesystem
            .mount_point
            .clone()
            .filter(|mount| !mount.is_empty());
        Content {
            fstype: filesystem.fstype.clone(),
            mount,
        }
    }
}

impl From<&BlockDeviceResource> for Disk {
    fn from(disk: &BlockDeviceResource) -> Self {
        let partitions = disk.partitions.iter().map(|part| Part {
            id: part.id,
            size: part.size,
            filesystem: part.filesystem.as_ref().map(Content::from),
        });
        Disk {
            id: disk.id,
            name: disk.name.clone(),
            size: disk.size,
            is_volume: disk.kind == "virtual",
            filesystem: disk.filesystem.as_ref().map(Content::from),
            partitions: partitions.collect(),
        }
    }
}

impl From<&VolumeGroupResource> for Group {
    fn from(group: &VolumeGroupResource) -> Self {
        let size = group
            .size
            .as_u64()
            .or_else(|| group.size.as_str()?.parse().ok())
            .unwrap_or(0);
        let ids = |partition: bool| {
            let members = group
                .devices
                .iter()
                .filter(move |device| (device.kind == "partition") == partition);
            members.map(|device| device.id).collect()
        };
        Group {
            id: group.id,
            name: group.name.clone(),
            size,
            disks: ids(false),
            partitions: ids(true),
        }
    }
}

pub(crate) async fn observe(region: &Region, cx: &StepContext) -> Result<Seen, DriverError> {
    let node = cx.node()?;
    let found = find(region, node).await?;
    let mut seen = Seen {
        place: Some(found.place()),
        ..Seen::default()
    };
    if let Found::Machine { machine, .. } = &found
        && matches!(machine.status, Status::Ready | Status::Allocated)
        && !node.storage.devices.is_empty()
    {
        let devices = node.storage.devices.iter().map(|disk| &disk.device);
        seen.names = names(region, &machine.system_id, devices).await?;
        seen.disks = machine.blockdevice_set.iter().map(Disk::from).collect();
        seen.boot_disk = machine.boot_disk.as_ref().map(|disk| disk.id);
        // The machine's own list of groups is incomplete; where nothing is a physical volume there are none.
        if seen.disks.iter().any(Disk::has_physical_volume) {
            let path = format!("nodes/{}/volume-groups/", machine.system_id);
            let groups: Vec<VolumeGroupResource> = region.client.get(&path).await?;
            seen.groups = groups.iter().map(Group::from).collect();
        }
    }
    Ok(seen)
}
