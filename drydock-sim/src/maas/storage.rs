//! Disks, partitions, file systems and volume groups of a node: state, sizes and JSON.

use serde_json::{Value, json};
use uuid::Uuid;

use super::region::Region;
use crate::shape::DiskShape;

/// MaaS aligns partitions and logical volumes to this many bytes.
const ALIGNMENT: u64 = 4 * 1024 * 1024;
/// What a partition table and its margins take of a disk.
const TABLE: u64 = 6 * 1024 * 1024;

/// The storage of a node.
#[derive(Debug, Clone, Default)]
pub(super) struct Storage {
    pub(super) disks: Vec<Disk>,
    pub(super) groups: Vec<Group>,
    pub(super) boot_disk: Option<u32>,
}

/// A disk, or a logical volume (then `volume_of` is its group).
#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) serial: String,
    pub(super) volume_of: Option<u32>,
    pub(super) has_table: bool,
    pub(super) partitions: Vec<Partition>,
    pub(super) content: Content,
    pub(super) uuid: Option<String>,
}

/// A partition.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    pub(super) id: u32,
    pub(super) size: u64,
    pub(super) bootable: bool,
    pub(super) uuid: String,
    pub(super) content: Content,
}

/// What fills a disk or partition.
#[derive(Debug, Clone, Default)]
pub(super) enum Content {
    #[default]
    Nothing,
    Filesystem(Filesystem),
    /// It is a physical volume of this group.
    VolumeOf(u32),
}

/// A file system.
#[derive(Debug, Clone)]
pub(super) struct Filesystem {
    pub(super) fstype: String,
    pub(super) label: String,
    pub(super) uuid: String,
    pub(super) mount_point: Option<String>,
    pub(super) mount_options: Option<String>,
}

/// A volume group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) uuid: String,
}

pub(super) fn aligned(size: u64) -> u64 {
    size / ALIGNMENT * ALIGNMENT
}

pub(super) fn new_uuid() -> String {
    Uuid::new_v4().to_string()
}

impl Filesystem {
    pub(super) fn new(fstype: &str, label: &str, mount_point: Option<&str>) -> Self {
        Self {
            fstype: fstype.to_owned(),
            label: label.to_owned(),
            uuid: new_uuid(),
            mount_point: mount_point.map(str::to_owned),
            mount_options: None,
        }
    }
}

impl Disk {
    pub(super) fn used(&self) -> u64 {
        match (&self.content, self.has_table) {
            (Content::Nothing, false) => 0,
            (Content::Nothing, true) => TABLE + self.partitions.iter().map(|p| p.size).sum::<u64>(),
            _ => self.size,
        }
    }

    /// Bytes a new partition can have at most.
    pub(super) fn free(&self) -> u64 {
        let used = if self.has_table { self.used() } else { TABLE };
        aligned(self.size.saturating_sub(used))
    }
}

impl Storage {
    /// The disks commissioning finds, empty.
    pub(super) fn found(region: &mut Region, disks: &[DiskShape]) -> Self {
        let disks: Vec<Disk> = disks
            .iter()
            .map(|shape| {
                let id = region.new_id();
                Disk {
                    id,
                    name: shape.name.trim_start_matches("/dev/").to_owned(),
                    size: shape.size_bytes,
                    serial: format!("SIM{id:06}"),
                    volume_of: None,
                    has_table: false,
                    partitions: Vec::new(),
                    content: Content::Nothing,
                    uuid: None,
                }
            })
            .collect();
        Self {
            boot_disk: disks.first().map(|disk| disk.id),
            disks,
            groups: Vec::new(),
        }
    }

    /// Empties everything: groups, volumes, partitions, file systems.
    pub(super) fn wipe(&mut self) {
        self.groups.clear();
        self.disks.retain(|disk| disk.volume_of.is_none());
        for disk in &mut self.disks {
            disk.has_table = false;
            disk.partitions.clear();
            disk.content = Content::Nothing;
        }
    }

    pub(super) fn disk(&self, id: u32) -> Option<&Disk> {
        self.disks.iter().find(|disk| disk.id == id)
    }

    pub(super) fn group_size(&self, group: u32) -> u64 {
        let of_group = |content: &Content| matches!(content, Content::VolumeOf(id) if *id == group);
        self.disks
            .iter()
            .map(|disk| {
                let whole = if of_group(&disk.content) {
                    aligned(disk.size.saturating_sub(TABLE))
                } else {
                    0
                };
                let parts = disk.partitions.iter().filter(|p| of_group(&p.content));
                whole + parts.map(|p| aligned(p.size)).sum::<u64>()
            })
            .sum()
    }

    pub(super) fn volumes(&self, group: u32) -> impl Iterator<Item = &Disk> {
        self.disks
            .iter()
            .filter(move |disk| disk.volume_of == Some(group))
    }

    pub(super) fn group_used(&self, group: u32) -> u64 {
        self.volumes(group).map(|volume| volume.size).sum()
    }
}

pub(super) fn render_content(content: &Content) -> Value {
    match content {
        Content::Nothing => Value::Null,
        Content::VolumeOf(_) => json!({
            "fstype": "lvm-pv", "label": null, "uuid": null, "mount_point": null, "mount_options": null,
        }),
        Content::Filesystem(fs) => json!({
            "fstype": fs.fstype, "label": fs.label, "uuid": fs.uuid, "mount_point": fs.mount_point,
            "mount_options": fs.mount_options,
        }),
    }
}

fn used_for(content: &Content, storage: &Storage) -> Option<String> {
    match content {
        Content::Nothing => None,
        Content::VolumeOf(id) => {
            let group = storage.groups.iter().find(|group| group.id == *id)?;
            Some(format!("LVM volume for {}", group.name))
        }
        Content::Filesystem(fs) => Some(match &fs.mount_point {
            Some(point) => format!("{} formatted filesystem mounted at {point}", fs.fstype),
            None => format!("Unmounted {} formatted filesystem", fs.fstype),
        }),
    }
}

pub(super) fn render_partition(
    system_id: &str,
    storage: &Storage,
    disk: &Disk,
    index: usize,
) -> Value {
    let part = &disk.partitions[index];
    json!({
        "uuid": part.uuid, "size": part.size, "bootable": part.bootable, "tags": [],
        "system_id": system_id, "filesystem": render_content(&part.content),
        "used_for": used_for(&part.content, storage).unwrap_or_else(|| "Unused".to_owned()),
        "type": "partition", "id": part.id, "device_id": disk.id,
        "path": format!("/dev/disk/by-dname/{}-part{}", disk.name, index + 1),
        "resource_uri": format!("/MAAS/api/2.0/nodes/{system_id}/blockdevices/{}/partition/{}", disk.id, part.id),
    })
}

pub(super) fn render_disk(system_id: &str, storage: &Storage, disk: &Disk) -> Value {
    let physical = disk.volume_of.is_none();
    let partitions: Vec<Value> = (0..disk.partitions.len())
        .map(|index| render_partition(system_id, storage, disk, index))
        .collect();
    let used_for = used_for(&disk.content, storage).unwrap_or_else(|| {
        if disk.has_table {
            format!("GPT partitioned with {} partitions", partitions.len())
        } else {
            "Unused".to_owned()
        }
    });
    let available = if disk.has_table {
        disk.free()
    } else {
        disk.size.saturating_sub(disk.used())
    };
    json!({
        "id": disk.id, "name": disk.name, "type": if physical { "physical" } else { "virtual" },
        "path": format!("/dev/disk/by-dname/{}", disk.name), "size": disk.size,
        "used_size": disk.used(), "available_size": available, "used_for": used_for,
        "block_size": if physical { 512 } else { 4096 },
        "serial": physical.then_some(&disk.serial), "model": physical.then_some("SIMDISK"),
        "id_path": physical.then(|| format!("/dev/disk/by-id/wwn-0x{:016x}", disk.id)),
        "firmware_version": physical.then_some("1"), "uuid": disk.uuid,
        "tags": if physical { vec!["ssd"] } else { Vec::new() }, "numa_node": physical.then_some(0),
        "storage_pool": null, "partition_table_type": disk.has_table.then_some("GPT"),
        "filesystem": render_content(&disk.content), "partitions": partitions, "system_id": system_id,
        "resource_uri": format!("/MAAS/api/2.0/nodes/{system_id}/blockdevices/{}/", disk.id),
    })
}

pub(super) fn render_disks(system_id: &str, storage: &Storage) -> Vec<Value> {
    storage
        .disks
        .iter()
        .map(|disk| render_disk(system_id, storage, disk))
        .collect()
}

pub(super) fn render_group(system_id: &str, storage: &Storage, group: &Group) -> Value {
    let (size, used) = (storage.group_size(group.id), storage.group_used(group.id));
    let of_group = |content: &Content| matches!(content, Content::VolumeOf(id) if *id == group.id);
    let mut devices = Vec::new();
    for disk in &storage.disks {
        if of_group(&disk.content) {
            devices.push(render_disk(system_id, storage, disk));
        }
        for (index, part) in disk.partitions.iter().enumerate() {
            if of_group(&part.content) {
                devices.push(render_partition(system_id, storage, disk, index));
            }
        }
    }
    let volumes: Vec<Value> = storage
        .volumes(group.id)
        .map(|volume| render_disk(system_id, storage, volume))
        .collect();
    json!({
        "id": group.id, "name": group.name, "uuid": group.uuid, "system_id": system_id,
        "size": size, "used_size": used, "available_size": size.saturating_sub(used),
        "devices": devices, "logical_volumes": volumes,
        "resource_uri": format!("/MAAS/api/2.0/nodes/{system_id}/volume-group/{}/", group.id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes as a real server gave them for a disk of 480 GB with two partitions and a group on one of 1.92 TB.
    #[test]
    fn sizes_are_those_of_the_real_server() {
        let part = |size| Partition {
            id: 0,
            size: aligned(size),
            bootable: false,
            uuid: String::new(),
            content: Content::Nothing,
        };
        let mut disk = Disk {
            id: 1,
            name: "sda".into(),
            size: 480_000_000_000,
            serial: String::new(),
            volume_of: None,
            has_table: true,
            partitions: vec![part(1_000_000_000), part(20_000_000_000)],
            content: Content::Nothing,
            uuid: None,
        };
        assert_eq!(disk.used(), 21_002_977_280);
        assert_eq!(disk.free(), 458_995_269_632);
        disk.size = 1_920_000_000_000;
        disk.content = Content::VolumeOf(7);
        disk.has_table = false;
        disk.partitions.clear();
        let storage = Storage {
            disks: vec![disk],
            ..Storage::default()
        };
        assert_eq!(storage.group_size(7), 1_919_992_987_648);
    }
}
