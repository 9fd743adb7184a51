//! Which addresses are taken, which are free, and where an unknown machine lands when it boots.

use std::net::IpAddr;

use super::fabric::Vlan;
use super::node::Link;
use super::region::Region;
use super::subnet::{IpRange, Subnet};

/// Network of the subnet that is made when machines enlist before any VLAN has DHCP (TEST-NET-1, RFC 5737).
const FALLBACK_NET: [u8; 4] = [192, 0, 2, 0];

impl Region {
    /// Addresses that interfaces have on a subnet.
    pub(super) fn addresses_in_use(&self, subnet: u32) -> Vec<IpAddr> {
        self.machines
            .iter()
            .chain(&self.racks)
            .flat_map(|node| &node.interfaces)
            .flat_map(|nic| &nic.links)
            .filter(|link| link.subnet == Some(subnet))
            .filter_map(|link| link.ip.as_ref()?.parse().ok())
            .collect()
    }

    /// An address of the subnet that no interface, gateway or range has.
    pub(super) fn free_address(&self, subnet: &Subnet) -> Option<IpAddr> {
        let used = self.addresses_in_use(subnet.id);
        let ranges: Vec<&IpRange> = self
            .ranges
            .values()
            .filter(|range| range.subnet == subnet.id)
            .collect();
        subnet.cidr.hosts().find(|ip| {
            !used.contains(ip)
                && subnet.gateway != Some(*ip)
                && !ranges
                    .iter()
                    .any(|range| range.start <= *ip && *ip <= range.end)
        })
    }

    /// The VLAN an unknown machine boots on: the first with DHCP, or a default one that is set up for it now.
    pub(super) fn enlistment_vlan(&mut self) -> u32 {
        let with_subnet =
            |vlan: &&Vlan| vlan.dhcp_on && self.subnets.values().any(|s| s.vlan == vlan.id);
        if let Some(vlan) = self.vlans.values().find(with_subnet) {
            return vlan.id;
        }
        let rack = self.racks.first().map(|rack| rack.system_id.clone());
        let untagged = |vlan: &&mut Vlan| vlan.fabric == 0 && vlan.vid == 0;
        let Some(vlan) = self.vlans.values_mut().find(untagged) else {
            return self.auto_vlan();
        };
        vlan.dhcp_on = true;
        vlan.primary_rack = rack;
        let vlan = vlan.id;
        let net = ipnet::Ipv4Net::new_assert(FALLBACK_NET.into(), 24);
        if !self.subnets.values().any(|subnet| subnet.vlan == vlan) {
            let id = self.new_id();
            let subnet = Subnet::new(id, net.into(), vlan);
            self.subnets.insert(id, subnet);
        }
        vlan
    }

    /// The link MaaS gives a boot card: automatic address on the first subnet of its VLAN.
    pub(super) fn auto_link(&mut self, vlan: u32) -> Option<Link> {
        let subnet = self.subnets.values().find(|subnet| subnet.vlan == vlan)?.id;
        Some(Link {
            id: self.new_id(),
            mode: "auto",
            subnet: Some(subnet),
            ip: None,
            default_gateway: false,
        })
    }

    /// Gives every automatic link of a machine an address, as a deployment does.
    pub(super) fn assign_addresses(&mut self, index: usize) {
        for nic in 0..self.machines[index].interfaces.len() {
            for link in 0..self.machines[index].interfaces[nic].links.len() {
                let current = &self.machines[index].interfaces[nic].links[link];
                if current.mode != "auto" || current.ip.is_some() {
                    continue;
                }
                let subnet = current.subnet.and_then(|id| self.subnets.get(&id));
                let ip = subnet.and_then(|subnet| self.free_address(subnet));
                self.machines[index].interfaces[nic].links[link].ip = ip.map(|ip| ip.to_string());
            }
        }
    }

    /// Takes the automatic addresses back, as a release does.
    pub(super) fn withdraw_addresses(&mut self, index: usize) {
        for nic in &mut self.machines[index].interfaces {
            for link in nic.links.iter_mut().filter(|link| link.mode == "auto") {
                link.ip = None;
            }
        }
    }
}
