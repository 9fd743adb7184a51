//! What machines tell the region, and what that makes of their status.

use super::node::Node;
use super::region::Region;
use super::status::Status;
use crate::machine::core::BootPurpose;
use crate::shape::MachineShape;

impl Region {
    /// What a machine that boots from the network gets.
    pub(crate) fn boot_purpose(&self, macs: &[String]) -> BootPurpose {
        let is_rack = self
            .racks
            .iter()
            .any(|node| node.interfaces.iter().any(|nic| macs.contains(&nic.mac)));
        if is_rack {
            return BootPurpose::LocalDisk;
        }
        let Some(index) = self.index_of_macs(macs) else {
            return BootPurpose::Enlist;
        };
        match self.machines[index].status {
            Status::Commissioning | Status::Testing => BootPurpose::Commission,
            Status::Deploying => BootPurpose::Install,
            Status::DiskErasing => BootPurpose::Erase,
            Status::Deployed => BootPurpose::LocalDisk,
            _ => BootPurpose::PowerOff,
        }
    }

    /// A machine has enlisted; it is a new node unless another enlistment of it was faster.
    pub(crate) fn enlist(&mut self, shape: &MachineShape) {
        if self.index_of_macs(&shape.macs()).is_some() {
            return;
        }
        let node = Node::enlisted(self, shape);
        let (system_id, hostname) = (node.system_id.clone(), node.hostname.clone());
        self.machines.push(node);
        self.event(
            &system_id,
            &hostname,
            "DEBUG",
            "Node changed status",
            "From '' to 'New'",
        );
        self.event(&system_id, &hostname, "INFO", "New", "");
        self.log_status(&system_id, &hostname, "", Status::New.name());
    }

    /// Commissioning of a machine has ended; on success its networking and storage are as found.
    pub(crate) fn commissioning_ended(&mut self, macs: &[String], ok: bool) {
        let Some(index) = self.in_status(macs, Status::Commissioning) else {
            return;
        };
        self.machines[index].commissioned = Some(ok);
        if ok {
            let (keep_network, keep_storage) = self.machines[index].keep_on_commission;
            if !keep_network {
                self.restore_networking(index);
            }
            if !keep_storage {
                self.restore_storage(index);
            }
            self.set_status(index, Status::Ready);
        } else {
            self.set_status(index, Status::FailedCommissioning);
        }
    }

    /// The installer of a machine has ended.
    pub(crate) fn deployment_ended(&mut self, macs: &[String], ok: bool) {
        let Some(index) = self.in_status(macs, Status::Deploying) else {
            return;
        };
        self.machines[index].installed = Some(ok);
        let status = if ok {
            Status::Deployed
        } else {
            Status::FailedDeployment
        };
        self.set_status(index, status);
    }

    /// The disks of a machine are erased: it goes on to be released.
    pub(crate) fn erasure_ended(&mut self, macs: &[String]) {
        if let Some(index) = self.in_status(macs, Status::DiskErasing) {
            self.set_status(index, Status::Releasing);
            self.finish_release_or_power_off(index);
        }
    }

    /// The power of a machine was seen off; that ends a release. News that is out of date by now changes nothing.
    pub(crate) fn power_seen_off(&mut self, macs: &[String]) {
        if let Some(index) = self.in_status(macs, Status::Releasing) {
            let on = self
                .hand(&self.machines[index])
                .is_some_and(|hand| hand.power_on());
            if !on {
                self.finish_release(index);
            }
        }
    }

    /// Hostname and boot-action key of a deployed machine, from its tag `<hostname>__baid__<hex>`.
    pub(crate) fn boot_action_key(&self, macs: &[String]) -> Option<(String, String)> {
        let node = &self.machines[self.in_status(macs, Status::Deployed)?];
        let prefix = format!("{}__baid__", node.hostname);
        let key = node.tags.iter().find_map(|tag| tag.strip_prefix(&prefix))?;
        Some((node.hostname.clone(), key.to_owned()))
    }

    fn in_status(&self, macs: &[String], status: Status) -> Option<usize> {
        self.index_of_macs(macs)
            .filter(|index| self.machines[*index].status == status)
    }

    /// Off already: Ready at once. Otherwise Ready when the power is seen off.
    pub(super) fn finish_release_or_power_off(&mut self, index: usize) {
        match self.hand(&self.machines[index]) {
            Some(hand) if hand.power_on() => hand.power_off(),
            _ => self.finish_release(index),
        }
    }

    fn finish_release(&mut self, index: usize) {
        self.withdraw_addresses(index);
        let node = &mut self.machines[index];
        node.owner = None;
        node.owner_data.clear();
        node.osystem.clear();
        node.series.clear();
        node.kernel.clear();
        node.agent_name.clear();
        node.installed = None;
        self.set_status(index, Status::Ready);
    }

    pub(super) fn boot_network(&self, index: usize) {
        if let Some(hand) = self.hand(&self.machines[index]) {
            hand.boot_network();
        }
    }

    pub(super) fn power_off(&self, index: usize) {
        if let Some(hand) = self.hand(&self.machines[index])
            && hand.power_on()
        {
            hand.power_off();
        }
    }
}
