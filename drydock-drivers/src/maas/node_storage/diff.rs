//! What of a machine's storage is not as designed.

use std::collections::BTreeSet;
use std::time::Duration;

use drydock_model::change::{Change, JournalEntry, Remembered, Risk, remembered};
use drydock_model::driver::{DriverError, StepPlan};
use drydock_model::effective::{Filesystem, LogicalVolume, Node, VolumeGroup};
use serde_json::{Value, json};

use super::super::lookup::{MachineSeen, Place};
use super::super::redeploy::configurable;
use super::super::status::Status;
use super::wanted::{PHYSICAL_VOLUME, WantedDisk, boot, bytes, disks, fault, root};
use super::{
    CREATE_GROUP, CREATE_PARTITION, CREATE_VOLUME, Content, FORMAT, Group, MOUNT, SET_BOOT_DISK,
    SET_LAYOUT, Seen, UNMOUNT,
};

/// Plans one round of differences. What cannot grow into what is wanted is laid out anew, once.
pub(crate) fn plan(node: &Node, seen: &Seen, journal: &[JournalEntry], poll: Duration) -> StepPlan {
    let place = seen.place.as_ref().unwrap_or(&Place::Unknown);
    let machine = match configurable(node, place, journal, poll, "applying the storage") {
        Ok(machine) => machine,
        Err(plan) => return *plan,
    };
    if node.storage.devices.is_empty() {
        return StepPlan::done(format!(
            "the design gives {} no storage: its disks stay as MaaS commissioned them",
            node.name
        ));
    }
    let wanted = match disks(node, seen) {
        Ok(wanted) => wanted,
        Err(error) => return StepPlan::fail(error),
    };
    let diff = Diff {
        node,
        machine,
        seen,
        disks: &wanted,
    };
    let changes = match diff.changes(journal) {
        Ok(changes) => changes,
        Err(error) => return StepPlan::fail(error),
    };
    if changes.is_empty() {
        return StepPlan::done(format!("the storage of {} is as designed", node.name));
    }
    if machine.status != Status::Ready {
        return StepPlan::fail(DriverError::permanent(
            format!("applying the storage of {}", node.name),
            machine.target(),
            format!(
                "it is {}, {} changes are needed, and MaaS changes storage only in state Ready",
                machine.status_name,
                changes.len()
            ),
            "release it in MaaS (it is not deployed), then run deploy_nodes again",
        ));
    }
    StepPlan::apply(changes)
}

struct Diff<'a> {
    node: &'a Node,
    machine: &'a MachineSeen,
    seen: &'a Seen,
    disks: &'a [WantedDisk<'a>],
}

/// Where a file system is: a disk or volume, or a partition of one.
#[derive(Clone, Copy)]
struct Spot {
    disk: i64,
    partition: Option<i64>,
}

impl Diff<'_> {
    fn changes(&self, journal: &[JournalEntry]) -> Result<Vec<Change>, DriverError> {
        let (at, root) = root(self.disks).ok_or_else(|| {
            fault(self.node, "no partition is mounted at / (a root file system in a volume group is not understood yet)".to_owned())
        })?;
        if let Some(obstacle) = self.obstacle(at, root) {
            if remembered(journal, SET_LAYOUT) == Remembered::Done {
                return Err(fault(
                    self.node,
                    format!("MaaS laid the disks out, and still {obstacle}"),
                ));
            }
            return Ok(self.layout(at, root, &obstacle));
        }
        let mut changes = Vec::new();
        for disk in self.disks {
            self.partitions(disk, &mut changes);
        }
        for group in &self.node.storage.volume_groups {
            self.group(group, &mut changes)?;
        }
        Ok(changes)
    }

    /// Why the disks have to be cleared, if they have to.
    fn obstacle(&self, at: usize, root: usize) -> Option<String> {
        let base = &self.disks[at];
        if self.seen.boot_disk != Some(base.disk.id) {
            return Some(format!("{} is not the boot disk", base.disk.name));
        }
        if base.there[root].is_none() || boot(base).is_some_and(|boot| base.there[boot].is_none()) {
            return Some(format!(
                "{} has no root or boot partition of the designed size",
                base.disk.name
            ));
        }
        let designed: BTreeSet<i64> = self.disks.iter().map(|disk| disk.disk.id).collect();
        for disk in self
            .seen
            .disks
            .iter()
            .filter(|disk| !disk.is_volume && !designed.contains(&disk.id))
        {
            if disk.filesystem.is_some() || !disk.partitions.is_empty() {
                return Some(format!("{} is in use and not in the design", disk.name));
            }
        }
        if let Some(disk) = self.disks.iter().find(|disk| !disk.foreign.is_empty()) {
            return Some(format!(
                "{} has {} partitions that are not in the design",
                disk.disk.name,
                disk.foreign.len()
            ));
        }
        let in_the_way = |disk: &&WantedDisk<'_>| {
            let content = disk.disk.filesystem.as_ref();
            content.is_some_and(|content| disk.group.is_none() || content.fstype != PHYSICAL_VOLUME)
        };
        if let Some(disk) = self.disks.iter().find(in_the_way) {
            return Some(format!("{} is formatted as a whole", disk.disk.name));
        }
        self.seen
            .groups
            .iter()
            .find_map(|group| self.group_obstacle(group))
    }

    fn group_obstacle(&self, group: &Group) -> Option<String> {
        let Some(wanted) = self
            .node
            .storage
            .volume_groups
            .iter()
            .find(|wanted| wanted.name == group.name)
        else {
            return Some(format!("volume group {} is not in the design", group.name));
        };
        let set = |ids: &[i64]| ids.iter().copied().collect::<BTreeSet<_>>();
        let (disks, partitions) = self.members(&group.name);
        let complete = partitions.iter().all(Option::is_some);
        let partitions: Vec<i64> = partitions.into_iter().flatten().collect();
        if !complete
            || set(&disks) != set(&group.disks)
            || set(&partitions) != set(&group.partitions)
        {
            return Some(format!("volume group {} has other members", group.name));
        }
        let prefix = format!("{}-", group.name);
        let volumes = self.seen.disks.iter().filter(|disk| disk.is_volume);
        volumes
            .filter_map(|disk| Some((disk, disk.name.strip_prefix(&prefix)?)))
            .find_map(|(disk, name)| {
                match wanted
                    .logical_volumes
                    .iter()
                    .find(|volume| volume.name == name)
                {
                    None => Some(format!("volume {} is not in the design", disk.name)),
                    Some(volume) if !super::wanted::is_size(disk.size, volume.size, group.size) => {
                        Some(format!("volume {} has another size", disk.name))
                    }
                    Some(_) => None,
                }
            })
    }

    /// Disks and partitions of the design that make up a group; a partition that is not there yet is `None`.
    fn members(&self, group: &str) -> (Vec<i64>, Vec<Option<i64>>) {
        let whole = self
            .disks
            .iter()
            .filter(|disk| disk.group == Some(group))
            .map(|disk| disk.disk.id)
            .collect();
        let parts = self
            .disks
            .iter()
            .flat_map(|disk| disk.partitions.iter().zip(&disk.there));
        let parts = parts.filter(|(part, _)| part.volume_group.as_deref() == Some(group));
        (
            whole,
            parts
                .map(|(_, there)| there.map(|there| there.id))
                .collect(),
        )
    }

    fn layout(&self, at: usize, root: usize, obstacle: &str) -> Vec<Change> {
        let base = &self.disks[at];
        let mut changes = Vec::new();
        if self.seen.boot_disk != Some(base.disk.id) {
            let before = json!({"disk": self.seen.boot_disk});
            let why = format!("{} holds the root file system", base.disk.name);
            changes.push(self.change(SET_BOOT_DISK, before, json!({"disk": base.disk.id}), why));
        }
        let size = |part: usize| bytes(base.partitions[part].size, base.disk.size);
        let after = json!({
            "layout": "flat", "root_device": base.disk.id, "root_size": size(root), "boot_size": boot(base).and_then(size),
        });
        let why = format!("{obstacle}; everything on the disks is laid out anew");
        changes.push(self.change(SET_LAYOUT, json!({"obstacle": obstacle}), after, why));
        changes
    }

    fn partitions(&self, disk: &WantedDisk<'_>, changes: &mut Vec<Change>) {
        for (part, there) in disk.partitions.iter().zip(&disk.there) {
            let why = format!(
                "partition {} of {} in the design",
                part.name, disk.disk.name
            );
            match there {
                None => {
                    let after = json!({
                        "disk": disk.disk.id, "size": bytes(part.size, disk.disk.size), "bootable": part.bootable,
                        "uuid": part.part_uuid,
                    });
                    changes.push(self.change(CREATE_PARTITION, Value::Null, after, why));
                }
                Some(there) => {
                    let spot = Spot {
                        disk: disk.disk.id,
                        partition: Some(there.id),
                    };
                    changes.extend(self.filesystem(
                        spot,
                        there.filesystem.as_ref(),
                        part.filesystem.as_ref(),
                        why,
                    ));
                }
            }
        }
    }

    /// The next thing to do to a file system: unmount, format, or mount.
    fn filesystem(
        &self,
        spot: Spot,
        own: Option<&Content>,
        wanted: Option<&Filesystem>,
        why: String,
    ) -> Option<Change> {
        let wanted = wanted?;
        let place = |mut after: Value| {
            after["disk"] = spot.disk.into();
            after["partition"] = spot.partition.into();
            after
        };
        let format =
            json!({"fstype": wanted.fstype, "uuid": wanted.fs_uuid, "label": wanted.fs_label});
        let (verb, after) = match own {
            None => (FORMAT, format),
            Some(own) if own.fstype != wanted.fstype && own.mount.is_some() => (UNMOUNT, json!({})),
            Some(own) if own.fstype != wanted.fstype => (FORMAT, format),
            Some(own) if own.mount != wanted.mountpoint && own.mount.is_some() => {
                (UNMOUNT, json!({}))
            }
            Some(own) if own.mount != wanted.mountpoint => (
                MOUNT,
                json!({"mount_point": wanted.mountpoint, "mount_options": wanted.mount_options}),
            ),
            Some(_) => return None,
        };
        Some(self.change(verb, json!({"filesystem": own}), place(after), why))
    }

    fn group(&self, wanted: &VolumeGroup, changes: &mut Vec<Change>) -> Result<(), DriverError> {
        let why = format!("volume group {} of the design", wanted.name);
        let Some(group) = self
            .seen
            .groups
            .iter()
            .find(|group| group.name == wanted.name)
        else {
            let (disks, partitions) = self.members(&wanted.name);
            if disks.is_empty() && partitions.is_empty() {
                return Err(fault(
                    self.node,
                    format!("volume group {} has no member", wanted.name),
                ));
            }
            // Partitions that are only about to be made are members in the next round.
            if let Some(partitions) = partitions.into_iter().collect::<Option<Vec<i64>>>() {
                let after = json!({"name": wanted.name, "uuid": wanted.vg_uuid, "disks": disks, "partitions": partitions});
                changes.push(self.change(CREATE_GROUP, Value::Null, after, why));
            }
            return Ok(());
        };
        for volume in &wanted.logical_volumes {
            self.volume(group, volume, changes);
        }
        Ok(())
    }

    fn volume(&self, group: &Group, wanted: &LogicalVolume, changes: &mut Vec<Change>) {
        let name = format!("{}-{}", group.name, wanted.name);
        let why = format!(
            "logical volume {} of volume group {} in the design",
            wanted.name, group.name
        );
        match self
            .seen
            .disks
            .iter()
            .find(|disk| disk.is_volume && disk.name == name)
        {
            None => {
                let after = json!({
                    "group": group.id, "name": wanted.name, "uuid": wanted.lv_uuid, "size": bytes(wanted.size, group.size),
                });
                changes.push(self.change(CREATE_VOLUME, Value::Null, after, why));
            }
            Some(disk) => {
                let spot = Spot {
                    disk: disk.id,
                    partition: None,
                };
                changes.extend(self.filesystem(
                    spot,
                    disk.filesystem.as_ref(),
                    wanted.filesystem.as_ref(),
                    why,
                ));
            }
        }
    }

    /// Until it is deployed a machine's storage is only written down in MaaS.
    fn change(&self, verb: &str, before: Value, mut after: Value, why: String) -> Change {
        after["system_id"] = self.machine.system_id.clone().into();
        Change {
            target: self.machine.target(),
            verb: verb.to_owned(),
            before,
            after,
            risk: Risk::Reversible,
            why,
        }
    }
}
