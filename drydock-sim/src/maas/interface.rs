//! `nodes/{system_id}/interfaces/`: listing, changing and deleting, and what commissioning makes of them.

use super::interface_ops;
use super::node::{Interface, InterfaceKind};
use super::region::Region;
use super::render;
use super::request::{Answer, Reply, Request, Verb};

impl Region {
    /// Networking as the machine was found: cards only, the boot card on its network with an automatic address.
    pub(super) fn restore_networking(&mut self, index: usize) {
        let node = &mut self.machines[index];
        node.interfaces
            .retain(|nic| nic.kind == InterfaceKind::Physical);
        for nic in &mut node.interfaces {
            nic.params.clear();
            nic.parents.clear();
            nic.links.clear();
        }
        let boot = node.boot_interface;
        let vlan = self.enlistment_vlan();
        for position in 0..self.machines[index].interfaces.len() {
            let nic = &self.machines[index].interfaces[position];
            if nic.id == boot {
                let link = self.auto_link(vlan);
                let nic = &mut self.machines[index].interfaces[position];
                nic.vlan = Some(vlan);
                nic.links.extend(link);
            } else if nic.vlan.is_none_or(|id| !self.vlans.contains_key(&id)) {
                let vlan = self.auto_vlan();
                self.machines[index].interfaces[position].vlan = Some(vlan);
            }
        }
        self.drop_empty_fabrics();
    }

    /// Position of an interface by number or name.
    pub(super) fn interface_index(&self, node: usize, text: &str) -> Result<usize, Reply> {
        self.machines[node]
            .interfaces
            .iter()
            .position(|nic| text.parse() == Ok(nic.id) || nic.name == text)
            .ok_or_else(|| Reply::missing("Interface"))
    }

    pub(super) fn one_interface(&self, node: usize, nic: usize) -> Reply {
        let node = &self.machines[node];
        Reply::json(render::interface(self, node, &node.interfaces[nic]))
    }
}

/// `nodes/{system_id}/interfaces/` and below.
pub(super) fn handle(
    region: &mut Region,
    request: &Request,
    system_id: &str,
    path: &[&str],
) -> Answer {
    let op = request.op.as_deref();
    if (request.verb, path, op) == (Verb::Get, &[], None) {
        let node = region.node(system_id)?;
        let all = node.interfaces.iter();
        return Ok(Reply::json(
            all.map(|nic| render::interface(region, node, nic))
                .collect(),
        ));
    }
    let index = region.machine_index(system_id)?;
    if request.verb != Verb::Get && !region.machines[index].status.may_change_interfaces() {
        let hostname = region.machines[index].hostname.clone();
        return Err(Reply::conflict(format!(
            "Cannot change interfaces of {hostname} because the machine is not New, Ready, Allocated, or Broken."
        )));
    }
    match (request.verb, path, op) {
        (Verb::Post, [], Some("create_bond")) => interface_ops::create_bond(region, request, index),
        (Verb::Post, [], Some("create_vlan")) => interface_ops::create_vlan(region, request, index),
        (verb, [text], op) => {
            let nic = region.interface_index(index, text)?;
            match (verb, op) {
                (Verb::Get, None) => Ok(region.one_interface(index, nic)),
                (Verb::Put, None) => update(region, request, index, nic),
                (Verb::Delete, None) => {
                    delete(region, index, nic);
                    Ok(Reply::deleted())
                }
                (Verb::Post, Some("link_subnet")) => {
                    interface_ops::link(region, request, index, nic)
                }
                (Verb::Post, Some("unlink_subnet")) => {
                    interface_ops::unlink(region, request, index, nic)
                }
                (Verb::Post, Some("disconnect")) => {
                    let interface = &mut region.machines[index].interfaces[nic];
                    interface.links.clear();
                    interface.vlan = None;
                    region.drop_empty_fabrics();
                    Ok(region.one_interface(index, nic))
                }
                (Verb::Post, Some("set_default_gateway")) => {
                    interface_ops::set_default_gateway(region, index, nic)
                }
                _ => Err(request.unrecognised()),
            }
        }
        _ => Err(request.unrecognised()),
    }
}

/// Deletes an interface and what stands on it (VLAN interfaces of a bond).
fn delete(region: &mut Region, index: usize, nic: usize) {
    let interfaces = &mut region.machines[index].interfaces;
    let mut gone = vec![interfaces[nic].id];
    while let Some(child) = interfaces
        .iter()
        .find(|nic| !gone.contains(&nic.id) && nic.parents.iter().any(|id| gone.contains(id)))
    {
        gone.push(child.id);
    }
    interfaces.retain(|nic| !gone.contains(&nic.id));
    region.drop_empty_fabrics();
}

fn update(region: &mut Region, request: &Request, index: usize, nic: usize) -> Answer {
    let mut changed: Interface = region.machines[index].interfaces[nic].clone();
    interface_ops::write_shared(region, request, &mut changed)?;
    if let Some(name) = request.field("name").filter(|name| !name.is_empty()) {
        let others = &region.machines[index].interfaces;
        if others
            .iter()
            .any(|nic| nic.name == name && nic.id != changed.id)
        {
            let node = &region.machines[index];
            return Err(Reply::invalid(
                "name",
                &format!(
                    "Node {} ({}) already has an interface named '{name}'.",
                    node.system_id, node.hostname
                ),
            ));
        }
        name.clone_into(&mut changed.name);
    }
    changed.enabled = request.flag("enabled")?.unwrap_or(changed.enabled);
    // Links to subnets of another VLAN do not survive a move.
    let on_vlan = |link: &super::node::Link| {
        link.subnet
            .and_then(|id| region.subnets.get(&id))
            .is_none_or(|subnet| Some(subnet.vlan) == changed.vlan)
    };
    let links: Vec<_> = changed
        .links
        .iter()
        .filter(|link| on_vlan(link))
        .cloned()
        .collect();
    changed.links = links;
    region.machines[index].interfaces[nic] = changed;
    region.drop_empty_fabrics();
    Ok(region.one_interface(index, nic))
}
