//! Storage layouts: what commissioning lays out, and `op=set_storage_layout`.

use super::region::Region;
use super::render;
use super::request::{Answer, Reply, Request};
use super::status::Status;
use super::storage::{Content, Disk, Filesystem, Group, Partition, Storage, aligned, new_uuid};

impl Region {
    /// Storage as found by commissioning, with the flat layout that MaaS gives by default.
    pub(super) fn restore_storage(&mut self, index: usize) {
        let plan = Plan {
            boot: None,
            root: None,
        };
        let mut storage = std::mem::take(&mut self.machines[index].storage);
        storage.wipe();
        if let Some(root) = storage.boot_disk {
            flat(self, &mut storage, root, &plan);
        }
        self.machines[index].storage = storage;
    }
}

/// Sizes asked for; none for the root means all that is left.
struct Plan {
    boot: Option<u64>,
    root: Option<u64>,
}

fn size(request: &Request, field: &str) -> Result<Option<u64>, Reply> {
    let Some(text) = request.field(field).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let unit = |suffix: char| match suffix {
        'K' | 'k' => Some(1_000),
        'M' | 'm' => Some(1_000_000),
        'G' | 'g' => Some(1_000_000_000),
        'T' | 't' => Some(1_000_000_000_000),
        _ => None,
    };
    let (digits, factor) = match text.chars().last().and_then(unit) {
        Some(factor) => (&text[..text.len() - 1], factor),
        None => (text, 1),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .map(Some)
        .ok_or_else(|| Reply::invalid(field, "Enter a valid size."))
}

/// `POST machines/{system_id}/?op=set_storage_layout`.
pub(super) fn set(region: &mut Region, request: &Request, index: usize) -> Answer {
    if region.machines[index].status != Status::Ready {
        return Err(Reply::conflict(
            "Cannot change the storage layout on a machine that is not Ready.",
        ));
    }
    let kind = request.required("storage_layout")?.to_owned();
    let plan = Plan {
        boot: size(request, "boot_size")?.filter(|size| *size > 0),
        root: size(request, "root_size")?,
    };
    let mut storage = region.machines[index].storage.clone();
    let root = match request.number::<u32>("root_device")? {
        None => storage.boot_disk,
        Some(id) => storage
            .disk(id)
            .filter(|disk| disk.volume_of.is_none())
            .map(|disk| disk.id),
    };
    let root = root.ok_or_else(|| Reply::invalid("root_device", "Select a valid choice."))?;
    storage.wipe();
    let room = storage.disk(root).map_or(0, Disk::free);
    if plan.boot.unwrap_or(0) + plan.root.unwrap_or(0) > room {
        return Err(Reply::text(
            400,
            format!(
                "Failed to configure storage layout '{kind}': Size is too large. Maximum size is {room}."
            ),
        ));
    }
    match kind.as_str() {
        "flat" => flat(region, &mut storage, root, &plan),
        "lvm" => {
            let volume = size(request, "lv_size")?;
            let vg = request.field("vg_name").unwrap_or("vgroot");
            let lv = request.field("lv_name").unwrap_or("lvroot");
            lvm(region, &mut storage, root, &plan, (vg, lv, volume));
        }
        "blank" => {}
        other => {
            return Err(Reply::invalid(
                "storage_layout",
                &format!(
                    "'{other}' is not a valid storage_layout.  It should be one of: 'bcache', 'blank', 'flat', 'lvm', 'vmfs6', 'vmfs7'."
                ),
            ));
        }
    }
    region.machines[index].storage = storage;
    Ok(Reply::json(render::node(region, &region.machines[index])))
}

fn add_partition(
    region: &mut Region,
    storage: &mut Storage,
    disk: u32,
    bytes: Option<u64>,
    bootable: bool,
    content: Content,
) {
    let id = region.new_id();
    if let Some(disk) = storage
        .disks
        .iter_mut()
        .find(|candidate| candidate.id == disk)
    {
        let size = aligned(bytes.unwrap_or(u64::MAX).min(disk.free()));
        disk.has_table = true;
        disk.partitions.push(Partition {
            id,
            size,
            bootable,
            uuid: new_uuid(),
            content,
        });
    }
}

fn boot_partition(region: &mut Region, storage: &mut Storage, disk: u32, plan: &Plan) {
    if plan.boot.is_some() {
        let boot = Content::Filesystem(Filesystem::new("ext4", "boot", Some("/boot")));
        add_partition(region, storage, disk, plan.boot, true, boot);
    }
}

fn flat(region: &mut Region, storage: &mut Storage, disk: u32, plan: &Plan) {
    boot_partition(region, storage, disk, plan);
    let root = Content::Filesystem(Filesystem::new("ext4", "root", Some("/")));
    let bootable = plan.boot.is_none();
    add_partition(region, storage, disk, plan.root, bootable, root);
}

fn lvm(
    region: &mut Region,
    storage: &mut Storage,
    disk: u32,
    plan: &Plan,
    (vg, lv, volume): (&str, &str, Option<u64>),
) {
    boot_partition(region, storage, disk, plan);
    let group = region.new_id();
    storage.groups.push(Group {
        id: group,
        name: vg.to_owned(),
        uuid: new_uuid(),
    });
    add_partition(
        region,
        storage,
        disk,
        plan.root,
        false,
        Content::VolumeOf(group),
    );
    let size = aligned(volume.unwrap_or(u64::MAX).min(storage.group_size(group)));
    storage.disks.push(Disk {
        id: region.new_id(),
        name: format!("{vg}-{lv}"),
        size,
        serial: String::new(),
        volume_of: Some(group),
        has_table: false,
        partitions: Vec::new(),
        content: Content::Filesystem(Filesystem::new("ext4", "root", Some("/"))),
        uuid: Some(new_uuid()),
    });
}
