//! File systems: their types and options, and what tells one from another.

use drydock_model::effective::Node;
use drydock_model::finding::Level;
use drydock_model::tree::nearest;
use hashbrown::HashMap;

use super::storage::volumes;
use super::{Look, Rule, Site};
use crate::report::{Advice, Report};

/// File systems are of a known type.
pub(super) static FILESYSTEM: Rule = Rule {
    id: "storage/filesystem",
    code: "DD5122",
    name: "File Systems",
    level: Level::Warning,
    what: "The type of a file system is one that provisioners know, and its mount options have no blanks.",
    why: "A type that the provisioner does not know ends the preparation of the machine; what stands behind a blank in a line of fstab is another field (fstab(5)).",
    fix: "Correct the type, and write options with commas between them.",
    look: Look::Node(filesystems),
};

/// What tells one file system from another is not shared.
pub(super) static IDENTITY: Rule = Rule {
    id: "storage/identity",
    code: "DD5123",
    name: "Storage Identity",
    level: Level::Warning,
    what: "A UUID of a partition, volume group, logical volume or file system, and a label of a file system, is used once on a node.",
    why: "Which of the two is mounted, or assembled, changes from boot to boot.",
    fix: "Give each its own, or leave it out and let the machine choose.",
    look: Look::Node(identity),
};

/// Those of MaaS and of the kernel that a design can ask for.
const TYPES: [&str; 20] = [
    "ext4", "xfs", "btrfs", "ext2", "ext3", "fat32", "vfat", "fat16", "swap", "tmpfs", "ramfs",
    "zfs", "zfsroot", "jfs", "f2fs", "ntfs", "lvm-pv", "raid", "bcache", "vmfs6",
];

fn filesystems(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    for volume in volumes(node) {
        let Some(filesystem) = volume.filesystem else {
            continue;
        };
        let kind = filesystem.fstype.as_str();
        if !TYPES.contains(&kind) {
            let message = format!(
                "{} on {} has a file system of the unknown type {kind:?}",
                volume.name, volume.holder
            );
            let advice = match nearest(kind, TYPES.iter().copied()) {
                Some(near) => Advice::write(near, kind, format!("did you mean {near}?")),
                None => format!("known are {}", TYPES.join(", ")).into(),
            };
            let place = site.of_node(node, &volume.path(&["filesystem", "fstype"]));
            report.add(rule, message, advice, place);
        }
        if filesystem.mount_options.contains(char::is_whitespace) {
            let message = format!(
                "the mount options of {} on {} have a blank",
                volume.name, volume.holder
            );
            let place = site.of_node(node, &volume.path(&["filesystem", "mount_options"]));
            report.add(rule, message, "write commas between them", place);
        }
    }
}

/// What tells something from all else on a node, and the way to it.
struct Mark<'a> {
    what: &'static str,
    value: &'a str,
    path: Vec<&'a str>,
}

fn identity(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    let mut first: HashMap<(&str, String), Vec<&str>> = HashMap::new();
    for Mark { what, value, path } in marks(node) {
        // Hexadecimal digits have no case; labels have.
        let key = match what {
            LABEL => value.to_owned(),
            _ => value.to_ascii_lowercase(),
        };
        let Some(other) = first.insert((what, key), path.clone()) else {
            continue;
        };
        let message = format!(
            "the {what} {value} stands at {} and at {}",
            other.join("."),
            path.join(".")
        );
        let place = site.of_node(node, &path);
        report.add(rule, message, "give each its own", place);
    }
}

const UUID: &str = "UUID";
const LABEL: &str = "label";

fn marks(node: &Node) -> Vec<Mark<'_>> {
    let mut marks = Vec::new();
    for volume in volumes(node) {
        if let Some(value) = volume.uuid {
            let field = if volume.list == "partitions" {
                "part_uuid"
            } else {
                "lv_uuid"
            };
            marks.push(mark(UUID, value, volume.owned_path(&[field])));
        }
        let Some(filesystem) = volume.filesystem else {
            continue;
        };
        if let Some(value) = &filesystem.fs_uuid {
            let path = volume.owned_path(&["filesystem", "fs_uuid"]);
            marks.push(mark(UUID, value, path));
        }
        if let Some(value) = &filesystem.fs_label {
            let path = volume.owned_path(&["filesystem", "fs_label"]);
            marks.push(mark(LABEL, value, path));
        }
    }
    for group in &node.storage.volume_groups {
        if let Some(value) = &group.vg_uuid {
            let path = vec!["storage", "volume_groups", &group.name, "vg_uuid"];
            marks.push(mark(UUID, value, path));
        }
    }
    marks.retain(|mark| !mark.value.is_empty());
    marks
}

fn mark<'a>(what: &'static str, value: &'a str, path: Vec<&'a str>) -> Mark<'a> {
    Mark { what, value, path }
}
