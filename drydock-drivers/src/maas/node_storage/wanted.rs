//! The storage that a design wants a machine to have, and whether something that is there is it.

use drydock_model::driver::DriverError;
use drydock_model::effective::{Filesystem, Node, Partition, Size};

use super::super::hardware::kernel_name;
use super::{Content, Disk, Part, Seen};

/// MaaS rounds sizes down to 4 MiB and keeps some room for tables.
const TOLERANCE: u64 = 8 << 20;
/// Boot partitions that MaaS adds by itself (BIOS boot, PReP) are not larger.
const SMALL: u64 = 16 << 20;
/// What a member of a volume group is formatted with.
pub(super) const PHYSICAL_VOLUME: &str = "lvm-pv";

/// A disk of the design on the machine.
pub(super) struct WantedDisk<'a> {
    pub(super) disk: &'a Disk,
    pub(super) group: Option<&'a str>,
    pub(super) partitions: &'a [Partition],
    /// Of each wanted partition the one that is there, if any.
    pub(super) there: Vec<Option<&'a Part>>,
    /// What is there and not wanted.
    pub(super) foreign: Vec<&'a Part>,
}

/// The disks of the design, each with what of it is there.
pub(super) fn disks<'a>(
    node: &'a Node,
    seen: &'a Seen,
) -> Result<Vec<WantedDisk<'a>>, DriverError> {
    let mut all = Vec::new();
    for device in &node.storage.devices {
        let name = kernel_name(&seen.names, node, &device.device)?;
        let disk = seen
            .disks
            .iter()
            .find(|disk| !disk.is_volume && disk.name == name)
            .ok_or_else(|| {
                let has: Vec<&str> = seen
                    .disks
                    .iter()
                    .filter(|disk| !disk.is_volume)
                    .map(|disk| disk.name.as_str())
                    .collect();
                fault(
                    node,
                    format!("the machine has no disk {name} (it has {})", has.join(", ")),
                )
            })?;
        let (there, foreign) = matched(disk, &device.partitions);
        let group = device.volume_group.as_deref();
        all.push(WantedDisk {
            disk,
            group,
            partitions: &device.partitions,
            there,
            foreign,
        });
    }
    Ok(all)
}

/// The partition for `/` (or of that name), and its disk's place in the list.
pub(super) fn root(disks: &[WantedDisk<'_>]) -> Option<(usize, usize)> {
    let find = |is: &dyn Fn(&Partition) -> bool| {
        disks
            .iter()
            .enumerate()
            .find_map(|(at, disk)| Some((at, disk.partitions.iter().position(is)?)))
    };
    find(&|part| mount_of(part.filesystem.as_ref()) == Some("/"))
        .or_else(|| find(&|part| part.name == "root"))
}

/// The partition for `/boot` on the disk of the root.
pub(super) fn boot(disk: &WantedDisk<'_>) -> Option<usize> {
    let by_mount = disk
        .partitions
        .iter()
        .position(|part| mount_of(part.filesystem.as_ref()) == Some("/boot"));
    by_mount.or_else(|| disk.partitions.iter().position(|part| part.name == "boot"))
}

pub(super) fn mount_of(filesystem: Option<&Filesystem>) -> Option<&str> {
    filesystem?.mountpoint.as_deref()
}

/// Bytes to ask for; `None` takes the rest.
pub(super) fn bytes(size: Size, whole: u64) -> Option<u64> {
    match size {
        Size::Bytes(bytes) => Some(bytes),
        Size::Percent(percent) => Some(share(whole, percent)),
        Size::AtLeast(_) | Size::AtLeastPercent(_) => None,
    }
}

fn share(whole: u64, percent: u32) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}

/// Whether something of this size is what is wanted.
pub(super) fn is_size(actual: u64, wanted: Size, whole: u64) -> bool {
    match wanted {
        Size::AtLeast(least) => actual.saturating_add(TOLERANCE) >= least,
        Size::AtLeastPercent(percent) => actual.saturating_add(TOLERANCE) >= share(whole, percent),
        Size::Bytes(bytes) => actual.abs_diff(bytes) <= TOLERANCE,
        Size::Percent(percent) => actual.abs_diff(share(whole, percent)) <= TOLERANCE,
    }
}

/// Pairs wanted partitions with those that are there: first by mount point; then what is not finished yet, those of a
/// fixed size before those that would take any.
fn matched<'a>(disk: &'a Disk, wanted: &[Partition]) -> (Vec<Option<&'a Part>>, Vec<&'a Part>) {
    let mut left: Vec<&Part> = disk
        .partitions
        .iter()
        .filter(|part| !is_of_maas(part))
        .collect();
    let mut there: Vec<Option<&Part>> = vec![None; wanted.len()];
    for (exact, elastic) in [(true, true), (true, false), (false, false), (false, true)] {
        for (slot, part) in there.iter_mut().zip(wanted) {
            if slot.is_some() || bytes(part.size, disk.size).is_none() != elastic {
                continue;
            }
            let at = left.iter().position(|own| {
                is_size(own.size, part.size, disk.size)
                    && fits(own.filesystem.as_ref(), part, exact)
            });
            *slot = at.map(|at| left.remove(at));
        }
    }
    (there, left)
}

fn fits(own: Option<&Content>, wanted: &Partition, exact: bool) -> bool {
    match (own, &wanted.filesystem) {
        (None, _) => !exact,
        (Some(own), _) if own.fstype == PHYSICAL_VOLUME => wanted.volume_group.is_some(),
        (Some(own), Some(filesystem)) if own.mount.is_some() => own.mount == filesystem.mountpoint,
        // Not mounted: on its way to another type or to its mount point.
        (Some(_), Some(_)) => !exact,
        (Some(_), None) => false,
    }
}

/// Partitions that MaaS makes by itself so that the machine can boot.
fn is_of_maas(part: &Part) -> bool {
    match &part.filesystem {
        Some(content) => content.mount.as_deref() == Some("/boot/efi"),
        None => part.size <= SMALL,
    }
}

pub(super) fn fault(node: &Node, got: String) -> DriverError {
    DriverError::permanent(
        format!("applying the storage of {}", node.name),
        "the storage of the design",
        got,
        "correct the design, or compare it with the machine's disks in MaaS",
    )
}
