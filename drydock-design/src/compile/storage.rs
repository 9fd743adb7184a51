//! Disks, partitions, volume groups, logical volumes of a node.

use drydock_model::design::{
    FilesystemPart, LogicalVolumePart, Ordered, PartitionPart, StoragePart,
};
use drydock_model::effective::{
    Filesystem, Hardware, LogicalVolume, Partition, PhysicalDevice, Size, Storage, VolumeGroup,
};

use super::node::Draft;
use super::{hardware, texts};
use crate::size;

pub(super) fn compile(
    draft: &mut Draft<'_, '_>,
    part: Option<&StoragePart>,
    hardware: Option<&Hardware>,
) -> Storage {
    let Some(part) = part else {
        return Storage::default();
    };
    let mut storage = Storage::default();
    for (name, device) in part.physical_devices.iter().flat_map(Ordered::iter) {
        let path = ["storage", "physical_devices", name, "partitions"];
        let partitions = device.partitions.iter().flatten().enumerate();
        let partitions = partitions
            .filter_map(|(number, part)| partition(draft, &path, number, part))
            .collect();
        storage.devices.push(PhysicalDevice {
            device: hardware::device(name, hardware),
            labels: texts(device.labels.as_ref()),
            volume_group: device.volume_group.clone(),
            partitions,
        });
    }
    for (name, group) in part.volume_groups.iter().flat_map(Ordered::iter) {
        let path = ["storage", "volume_groups", name, "logical_volumes"];
        let volumes = group.logical_volumes.iter().flatten().enumerate();
        let logical_volumes = volumes
            .filter_map(|(number, part)| volume(draft, &path, number, part))
            .collect();
        storage.volume_groups.push(VolumeGroup {
            name: name.to_owned(),
            vg_uuid: group.vg_uuid.clone(),
            logical_volumes,
        });
    }
    storage
}

fn partition(
    draft: &mut Draft<'_, '_>,
    path: &[&str],
    number: usize,
    part: &PartitionPart,
) -> Option<Partition> {
    let (name, size) = name_and_size(
        draft,
        path,
        number,
        part.name.as_deref(),
        part.size.as_deref(),
    )?;
    Some(Partition {
        name,
        size,
        bootable: part.bootable.unwrap_or(false),
        part_uuid: part.part_uuid.clone(),
        volume_group: part.volume_group.clone(),
        filesystem: part.filesystem.as_ref().map(filesystem),
    })
}

fn volume(
    draft: &mut Draft<'_, '_>,
    path: &[&str],
    number: usize,
    part: &LogicalVolumePart,
) -> Option<LogicalVolume> {
    let (name, size) = name_and_size(
        draft,
        path,
        number,
        part.name.as_deref(),
        part.size.as_deref(),
    )?;
    Some(LogicalVolume {
        name,
        lv_uuid: part.lv_uuid.clone(),
        size,
        filesystem: part.filesystem.as_ref().map(filesystem),
    })
}

fn name_and_size(
    draft: &mut Draft<'_, '_>,
    path: &[&str],
    number: usize,
    name: Option<&str>,
    size: Option<&str>,
) -> Option<(String, Size)> {
    let found = read_name_and_size(draft, path, number, name, size);
    if found.is_none() {
        let node = draft.document.name.clone();
        draft.report.gaps.storage.insert(node);
    }
    found
}

fn read_name_and_size(
    draft: &mut Draft<'_, '_>,
    path: &[&str],
    number: usize,
    name: Option<&str>,
    size: Option<&str>,
) -> Option<(String, Size)> {
    let number = number.to_string();
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        draft.bad(
            &[path, &[&number]].concat(),
            "the name is missing",
            "set name",
        );
        return None;
    };
    let path = [path, &[name, "size"]].concat();
    let Some(size) = size else {
        draft.bad(&path, "is missing", "set size, for instance 20g or >20g");
        return None;
    };
    match size::parse(size) {
        Ok(size) => Some((name.to_owned(), size)),
        Err(message) => {
            draft.bad(
                &path,
                message,
                "write a whole number and a unit, for instance 20g, >20g, 512mi or 50%",
            );
            None
        }
    }
}

/// Defaults of the published field reference: ext4, `defaults`.
fn filesystem(part: &FilesystemPart) -> Filesystem {
    Filesystem {
        mountpoint: part.mountpoint.clone(),
        fstype: part.fstype.clone().unwrap_or_else(|| "ext4".into()),
        mount_options: part
            .mount_options
            .clone()
            .unwrap_or_else(|| "defaults".into()),
        fs_uuid: part.fs_uuid.clone(),
        fs_label: part.fs_label.clone(),
    }
}
