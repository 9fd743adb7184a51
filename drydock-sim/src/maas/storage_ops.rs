//! `nodes/{system_id}/blockdevices/`, `partitions/`, `volume-groups/` and what is done to them.

use serde_json::json;

use super::region::Region;
use super::request::{Answer, Reply, Request, Verb};
use super::status::Status;
use super::storage::{
    Content, Disk, Filesystem, Group, Partition, Storage, aligned, new_uuid, render_content,
    render_disk, render_disks, render_group, render_partition,
};

/// Where a machine's storage is, checked against its status.
fn open<'a>(
    region: &'a mut Region,
    request: &Request,
    system_id: &str,
    deed: &str,
) -> Result<(usize, &'a mut Storage), Reply> {
    let index = region.machine_index(system_id)?;
    let node = &mut region.machines[index];
    if request.verb != Verb::Get && node.status != Status::Ready {
        return Err(Reply::conflict(format!(
            "Cannot {deed} because the node is not Ready."
        )));
    }
    Ok((index, &mut node.storage))
}

fn position(storage: &Storage, text: &str) -> Result<usize, Reply> {
    storage
        .disks
        .iter()
        .position(|disk| text.parse() == Ok(disk.id) || disk.name == text)
        .ok_or_else(|| Reply::missing("BlockDevice"))
}

/// `nodes/{system_id}/blockdevices/` and below.
pub(super) fn blockdevices(
    region: &mut Region,
    request: &Request,
    system_id: &str,
    path: &[&str],
) -> Answer {
    let fresh = region.new_id();
    let op = request.op.as_deref();
    let deed = match path {
        [_, "partitions"] => "create partition",
        [_, "partition", _] if request.verb == Verb::Delete => "delete block device",
        [_, "partition", _] => "change partition",
        _ => "change block device",
    };
    let (_, storage) = open(region, request, system_id, deed)?;
    if path.is_empty() && request.verb == Verb::Get {
        return Ok(Reply::json(render_disks(system_id, storage).into()));
    }
    let [device, rest @ ..] = path else {
        return Err(request.unrecognised());
    };
    let at = position(storage, device)?;
    match (request.verb, rest, op) {
        (Verb::Get, [], None) => Ok(Reply::json(render_disk(
            system_id,
            storage,
            &storage.disks[at],
        ))),
        (Verb::Post, [], Some("set_boot_disk")) => {
            storage.boot_disk = Some(storage.disks[at].id);
            Ok(Reply::text(200, "OK"))
        }
        (Verb::Post, [], Some(op)) => {
            if storage.disks[at].has_table {
                return Err(Reply::text(
                    400,
                    "Cannot format block device because it has partitions.",
                ));
            }
            fill(request, op, &mut storage.disks[at].content)?;
            Ok(Reply::json(render_disk(
                system_id,
                storage,
                &storage.disks[at],
            )))
        }
        (Verb::Get, ["partitions"], None) => {
            let disk = &storage.disks[at];
            if !disk.has_table {
                // So does every stock release.
                return Err(Reply {
                    status: 500,
                    body: super::request::Body::Json(json!(
                        "PartitionTable matching query does not exist."
                    )),
                });
            }
            let all =
                (0..disk.partitions.len()).map(|i| render_partition(system_id, storage, disk, i));
            Ok(Reply::json(all.collect()))
        }
        (Verb::Post, ["partitions"], None) => {
            let index = create_partition(request, &mut storage.disks[at], fresh)?;
            Ok(Reply::json(render_partition(
                system_id,
                storage,
                &storage.disks[at],
                index,
            )))
        }
        (verb, ["partition", id], op) => {
            let index = storage.disks[at]
                .partitions
                .iter()
                .position(|part| id.parse() == Ok(part.id))
                .ok_or_else(|| Reply::missing("Partition"))?;
            match (verb, op) {
                (Verb::Get, None) => {}
                (Verb::Delete, None) => {
                    let disk = &mut storage.disks[at];
                    if matches!(disk.partitions[index].content, Content::VolumeOf(_)) {
                        return Err(Reply::conflict(
                            "Cannot delete a partition that is in a volume group.",
                        ));
                    }
                    disk.partitions.remove(index);
                    disk.has_table = !disk.partitions.is_empty();
                    return Ok(Reply::deleted());
                }
                (Verb::Post, Some(op)) => {
                    fill(
                        request,
                        op,
                        &mut storage.disks[at].partitions[index].content,
                    )?;
                }
                _ => return Err(request.unrecognised()),
            }
            Ok(Reply::json(render_partition(
                system_id,
                storage,
                &storage.disks[at],
                index,
            )))
        }
        _ => Err(request.unrecognised()),
    }
}

fn create_partition(request: &Request, disk: &mut Disk, id: u32) -> Result<usize, Reply> {
    if !matches!(disk.content, Content::Nothing) {
        return Err(Reply::conflict(
            "Cannot create partition because the block device is in use.",
        ));
    }
    let room = disk.free();
    let size = request.number::<u64>("size")?.unwrap_or(room);
    if size > room {
        let most = if disk.has_table { room } else { disk.size };
        return Err(Reply::invalid(
            "size",
            &format!("Ensure this value is less than or equal to {most}."),
        ));
    }
    if aligned(size) == 0 {
        return Err(Reply::invalid(
            "size",
            "Ensure this value is greater than or equal to 4194304.",
        ));
    }
    disk.has_table = true;
    disk.partitions.push(Partition {
        id,
        size: aligned(size),
        bootable: request.flag("bootable")?.unwrap_or(false),
        uuid: given_uuid(request),
        content: Content::Nothing,
    });
    Ok(disk.partitions.len() - 1)
}

fn given_uuid(request: &Request) -> String {
    let given = request.field("uuid").filter(|uuid| !uuid.is_empty());
    given.map_or_else(new_uuid, str::to_owned)
}

/// `format`, `unformat`, `mount` and `unmount` of a disk or partition.
fn fill(request: &Request, op: &str, content: &mut Content) -> Result<(), Reply> {
    if matches!(content, Content::VolumeOf(_)) {
        return Err(Reply::text(
            400,
            "Cannot change a device that is part of a volume group.",
        ));
    }
    match (op, content) {
        ("format", content) => {
            let fstype = request.required("fstype")?;
            let mut fs = Filesystem::new(fstype, request.field("label").unwrap_or_default(), None);
            fs.uuid = given_uuid(request);
            *content = Content::Filesystem(fs);
        }
        ("unformat", content) => *content = Content::Nothing,
        ("mount", Content::Filesystem(fs)) => {
            fs.mount_point = Some(request.required("mount_point")?.to_owned());
            fs.mount_options = Some(
                request
                    .field("mount_options")
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
        ("unmount", Content::Filesystem(fs)) => {
            fs.mount_point = None;
            fs.mount_options = None;
        }
        ("mount" | "unmount", content) => {
            debug_assert!(render_content(content).is_null());
            return Err(Reply::text(400, "Cannot mount an unformatted device."));
        }
        _ => return Err(request.unrecognised()),
    }
    Ok(())
}

/// `nodes/{system_id}/volume-groups/`.
pub(super) fn groups(region: &mut Region, request: &Request, system_id: &str) -> Answer {
    let id = region.new_id();
    let (_, storage) = open(region, request, system_id, "create volume group")?;
    match (request.verb, request.op.as_deref()) {
        (Verb::Get, None) => Ok(Reply::json(
            storage
                .groups
                .iter()
                .map(|group| render_group(system_id, storage, group))
                .collect(),
        )),
        (Verb::Post, None) => {
            let name = request.required("name")?.to_owned();
            if storage.groups.iter().any(|group| group.name == name) {
                return Err(Reply::invalid(
                    "name",
                    "Volume group with this Name already exists.",
                ));
            }
            let mut changed = storage.clone();
            let count = claim(request, &mut changed, id)?;
            if count == 0 {
                return Err(Reply::text(
                    400,
                    "At least one valid block device or partition is required.",
                ));
            }
            let group = Group {
                id,
                name,
                uuid: given_uuid(request),
            };
            changed.groups.push(group.clone());
            *storage = changed;
            Ok(Reply::json(render_group(system_id, storage, &group)))
        }
        _ => Err(request.unrecognised()),
    }
}

/// Makes the devices the request names physical volumes of `group`; gives their number.
fn claim(request: &Request, storage: &mut Storage, group: u32) -> Result<usize, Reply> {
    let mut count = 0;
    for (field, partitions) in [("block_devices", false), ("partitions", true)] {
        for text in request.form.list(field) {
            let content = if partitions {
                let mut parts = storage
                    .disks
                    .iter_mut()
                    .flat_map(|disk| &mut disk.partitions);
                parts
                    .find(|part| text.parse() == Ok(part.id))
                    .map(|part| &mut part.content)
            } else {
                let mut disks = storage.disks.iter_mut();
                let free = |disk: &&mut Disk| {
                    !disk.has_table && (text.parse() == Ok(disk.id) || disk.name == text)
                };
                disks.find(free).map(|disk| &mut disk.content)
            };
            match content {
                Some(content @ Content::Nothing) => *content = Content::VolumeOf(group),
                _ => {
                    let why = format!("'{text}' is not one of the available choices.");
                    return Err(Reply::invalid(field, &why));
                }
            }
            count += 1;
        }
    }
    Ok(count)
}

/// `nodes/{system_id}/volume-group/{id}/`.
pub(super) fn group(region: &mut Region, request: &Request, system_id: &str, id: &str) -> Answer {
    let fresh = region.new_id();
    let (_, storage) = open(region, request, system_id, "change volume group")?;
    let found = storage
        .groups
        .iter()
        .find(|group| id.parse() == Ok(group.id));
    let group = found
        .cloned()
        .ok_or_else(|| Reply::missing("VolumeGroup"))?;
    match (request.verb, request.op.as_deref()) {
        (Verb::Get, None) => Ok(Reply::json(render_group(system_id, storage, &group))),
        (Verb::Delete, None) => {
            storage
                .disks
                .retain(|disk| disk.volume_of != Some(group.id));
            storage.groups.retain(|other| other.id != group.id);
            for disk in &mut storage.disks {
                let parts = disk.partitions.iter_mut().map(|part| &mut part.content);
                for content in parts.chain([&mut disk.content]) {
                    if matches!(content, Content::VolumeOf(id) if *id == group.id) {
                        *content = Content::Nothing;
                    }
                }
            }
            Ok(Reply::deleted())
        }
        (Verb::Post, Some("create_logical_volume")) => {
            let room = storage.group_size(group.id) - storage.group_used(group.id);
            let name = request.required("name")?;
            let size = aligned(request.number::<u64>("size")?.unwrap_or(room));
            if size == 0 || size > room {
                let why = format!("Ensure this value is less than or equal to {room}.");
                return Err(Reply::invalid("size", &why));
            }
            let volume = Disk {
                id: fresh,
                name: format!("{}-{name}", group.name),
                size,
                serial: String::new(),
                volume_of: Some(group.id),
                has_table: false,
                partitions: Vec::new(),
                content: Content::Nothing,
                uuid: Some(given_uuid(request)),
            };
            storage.disks.push(volume.clone());
            Ok(Reply::json(render_disk(system_id, storage, &volume)))
        }
        (Verb::Post, Some("delete_logical_volume")) => {
            let id: u32 = request.number("id")?.unwrap_or_default();
            storage
                .disks
                .retain(|disk| disk.id != id || disk.volume_of != Some(group.id));
            Ok(Reply::deleted())
        }
        _ => Err(request.unrecognised()),
    }
}
