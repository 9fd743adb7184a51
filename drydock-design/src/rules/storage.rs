//! Disks, partitions, volumes.

use std::collections::BTreeMap;

use drydock_model::effective::{Filesystem, Node, Size};
use drydock_model::finding::Level;
use hashbrown::{HashMap, HashSet};

use super::{Look, Rule, Site};
use crate::report::Report;

/// Root and boot are large enough.
pub(crate) static BOOT: Rule = Rule {
    id: "storage/boot",
    code: "DD1001",
    name: "Rational Boot Storage",
    level: Level::Error,
    what: "There is a root file system of at least 20 GB, and a boot file system, where there is one, has at least 1 GB. Root is what is mounted at /; failing that, what is named root. Boot likewise.",
    why: "An installation fails half way, or the system fills up with its first update.",
    fix: "Make the partition or volume larger, or add one that is mounted at /.",
    look: Look::Node(boot),
};

/// A disk is partitioned or in a volume group; a volume group has a disk.
pub(crate) static PARTITIONING: Rule = Rule {
    id: "storage/partitioning",
    code: "DD2002",
    name: "Storage Partitioning",
    level: Level::Error,
    what: "A disk has partitions or belongs to a volume group, not both; a volume group has a disk or a partition.",
    why: "One of the two uses would destroy the other, and a volume group of nothing cannot be made.",
    fix: "Use a disk for one thing, and set volume_group on the disks that a group is made of.",
    look: Look::Node(partitioning),
};

/// Shares of a disk or a volume group are at most 99 percent in sum.
pub(crate) static SIZING: Rule = Rule {
    id: "storage/sizing",
    code: "DD2003",
    name: "Storage Sizing",
    level: Level::Error,
    what: "Shares in percent add up to 99 at most, on each disk and in each volume group; one size with > at most stands there; nothing has the size 0.",
    why: "Partition tables and alignment need a little room; the last volume would not fit. What is left can go to one only.",
    fix: "Lower one of the shares, or leave the > to one size.",
    look: Look::Node(sizing),
};

/// Mount points are unique on a node.
pub(crate) static MOUNTPOINT: Rule = Rule {
    id: "storage/mountpoint",
    code: "DD2004",
    name: "Storage Mountpoint",
    level: Level::Error,
    what: "A mount point is an absolute path (or none, or swap), and used once on a node.",
    why: "The second mount hides the first; a path that is not absolute is refused by the provisioner.",
    fix: "Give each file system a mount point of its own.",
    look: Look::Node(mountpoint),
};

const GIGABYTE: u64 = 1_000_000_000;
const ROOT_LEAST: u64 = 20 * GIGABYTE;
const BOOT_LEAST: u64 = GIGABYTE;

/// A partition or a logical volume.
pub(super) struct Volume<'a> {
    /// `physical_devices` or `volume_groups`.
    holders: &'static str,
    pub(super) holder: &'a str,
    /// `partitions` or `logical_volumes`.
    pub(super) list: &'static str,
    pub(super) name: &'a str,
    size: Size,
    pub(super) uuid: Option<&'a str>,
    pub(super) filesystem: Option<&'a Filesystem>,
}

impl<'a> Volume<'a> {
    /// As [`Volume::path`], for longer than the volume.
    pub(super) fn owned_path(&self, field: &[&'static str]) -> Vec<&'a str> {
        let way = ["storage", self.holders, self.holder, self.list, self.name];
        way.into_iter().chain(field.iter().copied()).collect()
    }

    pub(super) fn path<'p>(&'p self, field: &'p [&'p str]) -> Vec<&'p str> {
        [
            &["storage", self.holders, self.holder, self.list, self.name],
            field,
        ]
        .concat()
    }

    fn mountpoint(&self) -> Option<&str> {
        self.filesystem
            .and_then(|filesystem| filesystem.mountpoint.as_deref())
    }
}

pub(super) fn volumes(node: &Node) -> Vec<Volume<'_>> {
    let partitions = node.storage.devices.iter().flat_map(|device| {
        device.partitions.iter().map(|partition| Volume {
            holders: "physical_devices",
            holder: &device.device.name,
            list: "partitions",
            name: &partition.name,
            size: partition.size,
            uuid: partition.part_uuid.as_deref(),
            filesystem: partition.filesystem.as_ref(),
        })
    });
    let logical = node.storage.volume_groups.iter().flat_map(|group| {
        group.logical_volumes.iter().map(|volume| Volume {
            holders: "volume_groups",
            holder: &group.name,
            list: "logical_volumes",
            name: &volume.name,
            size: volume.size,
            uuid: volume.lv_uuid.as_deref(),
            filesystem: volume.filesystem.as_ref(),
        })
    });
    partitions.chain(logical).collect()
}

/// What is mounted there; failing that, what goes by the name.
fn system<'v, 'a>(
    volumes: &'v [Volume<'a>],
    mountpoint: &str,
    name: &str,
) -> Option<&'v Volume<'a>> {
    let mounted = volumes
        .iter()
        .find(|volume| volume.mountpoint() == Some(mountpoint));
    mounted.or_else(|| volumes.iter().find(|volume| volume.name == name))
}

fn boot(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    let volumes = volumes(node);
    let root = system(&volumes, "/", "root");
    if root.is_none() && is_complete(site, node) {
        let message = "there is no root file system";
        let advice = "add a partition or logical volume of at least 20g that is mounted at /";
        report.add(rule, message, advice, site.of_node(node, &["storage"]));
    }
    let boot = system(&volumes, "/boot", "boot");
    for (volume, what, least) in [(root, "root", ROOT_LEAST), (boot, "boot", BOOT_LEAST)] {
        let Some(volume) = volume else { continue };
        // The size of a share is known with the disk only.
        let (Size::Bytes(bytes) | Size::AtLeast(bytes)) = volume.size else {
            continue;
        };
        if bytes < least {
            let message = format!(
                "the {what} file system, {} on {}, has {bytes} bytes, less than {} GB",
                volume.name,
                volume.holder,
                least / GIGABYTE
            );
            report.add(
                rule,
                message,
                "make it larger",
                site.of_node(node, &volume.path(&["size"])),
            );
        }
    }
}

/// Whether all that a node's storage is to have is known: none of it was left out, and every profile is there.
fn is_complete(site: &Site<'_>, node: &Node) -> bool {
    let gaps = &site.compiled.gaps;
    !gaps.storage.contains(&node.name) && !gaps.heirs.contains(&node.name)
}

fn partitioning(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    let complete = is_complete(site, node);
    // Each group that is used, with the way to the value that first says so.
    let mut used: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for device in &node.storage.devices {
        let name = device.device.name.as_str();
        let place = || site.of_node(node, &["storage", "physical_devices", name]);
        if let Some(group) = device.volume_group.as_deref() {
            let path = vec!["storage", "physical_devices", name, "volume_group"];
            used.entry(group).or_insert(path);
        }
        let advice = "use a disk for partitions or for one volume group";
        match (device.partitions.is_empty(), &device.volume_group) {
            (false, Some(group)) => {
                let message =
                    format!("the disk {name} has partitions and is in volume group {group}");
                report.add(rule, message, advice, place());
            }
            (true, None) if complete => {
                report.add(
                    rule,
                    format!("the disk {name} has neither partitions nor a volume group"),
                    advice,
                    place(),
                );
            }
            _ => {}
        }
        for partition in &device.partitions {
            let list = ["storage", "physical_devices", name, "partitions"];
            let path = [list.as_slice(), &[partition.name.as_str()]].concat();
            if let Some(group) = partition.volume_group.as_deref() {
                used.entry(group)
                    .or_insert_with(|| [path.as_slice(), &["volume_group"]].concat());
            }
            if let (Some(group), Some(_)) = (&partition.volume_group, &partition.filesystem) {
                let message = format!(
                    "the partition {} on {name} has a file system and is in volume group {group}",
                    partition.name
                );
                report.add(
                    rule,
                    message,
                    "use a partition for one of the two",
                    site.of_node(node, &path),
                );
            }
        }
    }
    for group in node
        .storage
        .volume_groups
        .iter()
        .filter(|group| complete && !used.contains_key(group.name.as_str()))
    {
        let message = format!("volume group {} has no disk and no partition", group.name);
        let advice = "set volume_group on a disk or a partition";
        report.add(
            rule,
            message,
            advice,
            site.of_node(node, &["storage", "volume_groups", &group.name]),
        );
    }
    let groups: HashSet<&str> = node
        .storage
        .volume_groups
        .iter()
        .map(|group| group.name.as_str())
        .collect();
    let whole = !site.compiled.gaps.heirs.contains(&node.name);
    let unknown = used
        .into_iter()
        .filter(|(name, _)| whole && !groups.contains(name));
    for (name, path) in unknown {
        let message = format!("volume group {name} has disks, but is not defined");
        let advice = "define it under storage.volume_groups";
        report.add_level(
            rule,
            Level::Warning,
            message,
            advice,
            site.of_node(node, &path),
        );
    }
}

fn sizing(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    let mut shares: HashMap<(&str, &str), u32> = HashMap::new();
    let mut rest: HashMap<(&str, &str), &str> = HashMap::new();
    for volume in volumes(node) {
        if matches!(volume.size, Size::AtLeast(_) | Size::AtLeastPercent(_))
            && let Some(other) = rest.insert((volume.holders, volume.holder), volume.name)
        {
            let message = format!(
                "{other} and {} would both take the rest of {}",
                volume.name, volume.holder
            );
            let advice = "leave the > to one of them";
            let place = site.of_node(node, &volume.path(&["size"]));
            report.add(rule, message, advice, place);
        }
        if matches!(volume.size, Size::Bytes(0) | Size::Percent(0)) {
            let message = format!("{} on {} has no size", volume.name, volume.holder);
            let place = site.of_node(node, &volume.path(&["size"]));
            report.add(rule, message, "write a size above 0", place);
        }
        let (Size::Percent(share) | Size::AtLeastPercent(share)) = volume.size else {
            continue;
        };
        let sum = shares.entry((volume.holders, volume.holder)).or_default();
        let before = *sum;
        *sum = before.saturating_add(share);
        if before <= 99 && *sum > 99 {
            let message = format!(
                "the shares of {} add up to {sum}% with {}",
                volume.holder, volume.name
            );
            let advice = "leave at least one percent for the partition table and alignment";
            report.add(
                rule,
                message,
                advice,
                site.of_node(node, &volume.path(&["size"])),
            );
        }
    }
}

fn mountpoint(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    let volumes = volumes(node);
    let mut first: HashMap<&str, &Volume<'_>> = HashMap::new();
    for volume in &volumes {
        let Some(point) = volume
            .mountpoint()
            .filter(|point| !matches!(*point, "none" | "swap"))
        else {
            continue;
        };
        if !point.starts_with('/') {
            let message = format!(
                "{} on {} is mounted at {point:?}, which is not an absolute path",
                volume.name, volume.holder
            );
            let place = site.of_node(node, &volume.path(&["filesystem", "mountpoint"]));
            report.add(rule, message, "begin it with a slash", place);
            continue;
        }
        let Some(other) = first.insert(point, volume) else {
            continue;
        };
        let message = format!(
            "{} on {} and {} on {} are both mounted at {point}",
            other.name, other.holder, volume.name, volume.holder
        );
        let place = site.of_node(node, &volume.path(&["filesystem", "mountpoint"]));
        report.add(rule, message, "give each a mount point of its own", place);
    }
}
