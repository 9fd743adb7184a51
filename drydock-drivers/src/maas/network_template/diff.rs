//! What of the design's networks MaaS does not have yet, or has otherwise.

use std::collections::BTreeSet;

use drydock_model::change::{Change, Risk};
use drydock_model::driver::{DriverError, StepPlan};
use drydock_model::effective::{EffectiveDesign, Link, Network, RangeKind};
use serde_json::{Value, json};

use super::{
    CREATE_DOMAIN, CREATE_FABRIC, CREATE_RANGE, CREATE_SUBNET, CREATE_VLAN, ENABLE_DHCP, Fabric,
    RELAY_DHCP, RENAME_FABRIC, Range, SET_SUBNET, SET_VLAN, Seen, Subnet, Vlan,
};

/// MTU that MaaS gives the untagged VLAN of a new fabric, bytes.
const NEW_FABRIC_MTU: u32 = 1500;

/// Plans everything that differs. Nothing that is there and as designed is written again.
pub(crate) fn plan(design: &EffectiveDesign, seen: &Seen) -> StepPlan {
    let mut diff = Diff {
        design,
        seen,
        changes: Vec::new(),
        notes: Vec::new(),
        faults: Vec::new(),
    };
    for link in &design.links {
        diff.link(link);
    }
    for network in design
        .networks
        .iter()
        .filter(|network| design.link_of(&network.name).is_none())
    {
        diff.notes.push(format!(
            "network {} is on no link and was passed over",
            network.name
        ));
    }
    let Diff {
        changes,
        notes,
        faults,
        ..
    } = diff;
    if !changes.is_empty() {
        return StepPlan::apply(changes);
    }
    if !faults.is_empty() {
        return StepPlan::fail(DriverError::permanent(
            "configuring the networks",
            "MaaS",
            faults.join("; "),
            "connect a rack controller to the network in MaaS or give the network a dhcp_relay in the design",
        ));
    }
    let mut message = format!(
        "the {} networks of the design are in MaaS",
        design.networks.len()
    );
    for note in notes {
        message.push_str("; ");
        message.push_str(&note);
    }
    StepPlan::done(message)
}

struct Diff<'a> {
    design: &'a EffectiveDesign,
    seen: &'a Seen,
    changes: Vec<Change>,
    notes: Vec<String>,
    faults: Vec<String>,
}

/// One network where it is to be.
struct Spot<'a> {
    network: &'a Network,
    /// Name of its fabric after the changes.
    fabric: &'a str,
    vid: u16,
    mtu: u32,
    /// The VLAN, if it exists.
    vlan: Option<&'a Vlan>,
}

impl<'a> Diff<'a> {
    fn push(&mut self, target: String, verb: &str, before: Value, after: Value, why: String) {
        self.changes.push(Change {
            target,
            verb: verb.to_owned(),
            before,
            after,
            risk: Risk::Reversible,
            why,
        });
    }

    fn link(&mut self, link: &'a Link) {
        if link.is_noconfig() {
            self.notes.push(format!(
                "link {} is labelled noconfig and was passed over",
                link.name
            ));
            return;
        }
        let (design, seen) = (self.design, self.seen);
        let networks: Vec<&Network> = link
            .allowed_networks
            .iter()
            .filter_map(|name| design.network(name))
            .filter(|network| {
                design
                    .link_of(&network.name)
                    .is_some_and(|own| own.name == link.name)
            })
            .filter(|network| !network.is_noconfig())
            .collect();
        let fabric = self.fabric_of(link, &networks);
        let name = self.fabric_change(link, fabric);
        let vlan_of =
            |vid: u16| fabric.and_then(|fabric| fabric.vlans.iter().find(|vlan| vlan.vid == vid));
        if !networks.iter().any(|network| network.vlan.is_none()) {
            self.untagged_mtu(link, name, vlan_of(0));
        }
        for network in networks {
            let vid = network.vlan.unwrap_or(0);
            let spot = Spot {
                network,
                fabric: name,
                vid,
                mtu: network.mtu.unwrap_or(link.mtu),
                vlan: vlan_of(vid),
            };
            self.domain(network);
            self.vlan(&spot);
            self.subnet(
                &spot,
                seen.subnets
                    .iter()
                    .find(|subnet| subnet.cidr == network.cidr),
            );
            self.ranges(network);
            self.dhcp(&spot);
        }
    }

    /// The fabric where one of the link's networks is already, else the one of its name.
    fn fabric_of(&mut self, link: &Link, networks: &[&Network]) -> Option<&'a Fabric> {
        let seen = self.seen;
        let by_cidr: BTreeSet<i64> = networks
            .iter()
            .filter_map(|network| {
                seen.subnets
                    .iter()
                    .find(|subnet| subnet.cidr == network.cidr)
            })
            .filter_map(|subnet| {
                seen.fabrics
                    .iter()
                    .find(|fabric| fabric.vlans.iter().any(|vlan| vlan.id == subnet.vlan))
            })
            .map(|fabric| fabric.id)
            .collect();
        let by_name = seen.fabrics.iter().find(|fabric| fabric.name == link.name);
        if by_cidr.is_empty() || by_name.is_some_and(|fabric| by_cidr.contains(&fabric.id)) {
            return by_name;
        }
        let chosen = seen
            .fabrics
            .iter()
            .find(|fabric| by_cidr.contains(&fabric.id));
        if by_cidr.len() > 1
            && let Some(chosen) = chosen
        {
            self.notes.push(format!(
                "the networks of link {} lie in {} fabrics of MaaS; they are brought together in {}",
                link.name,
                by_cidr.len(),
                chosen.name
            ));
        }
        chosen
    }

    /// Makes the fabric bear the link's name. Gives the name it has then.
    fn fabric_change(&mut self, link: &'a Link, fabric: Option<&'a Fabric>) -> &'a str {
        let Some(fabric) = fabric else {
            let why = format!("link {} has no fabric in MaaS", link.name);
            let target = format!("maas fabric {}", link.name);
            self.push(
                target,
                CREATE_FABRIC,
                Value::Null,
                json!({"name": link.name}),
                why,
            );
            return &link.name;
        };
        if fabric.name == link.name {
            return &fabric.name;
        }
        if self
            .seen
            .fabrics
            .iter()
            .any(|other| other.name == link.name)
        {
            self.notes.push(format!(
                "fabric {} serves link {}, but another fabric has its name",
                fabric.name, link.name
            ));
            return &fabric.name;
        }
        let why = format!("it carries the networks of link {}", link.name);
        let target = format!("maas fabric {}", fabric.name);
        self.push(
            target,
            RENAME_FABRIC,
            json!({"name": fabric.name}),
            json!({"id": fabric.id, "name": link.name}),
            why,
        );
        &link.name
    }

    /// Without an untagged network the link's own MTU holds for untagged frames.
    fn untagged_mtu(&mut self, link: &Link, fabric: &str, vlan: Option<&Vlan>) {
        let mtu = vlan.map_or(NEW_FABRIC_MTU, |vlan| vlan.mtu);
        if mtu != link.mtu {
            let why = format!("MTU of link {}", link.name);
            let after = json!({"fabric": fabric, "vid": 0, "name": "untagged", "mtu": link.mtu});
            self.push(
                format!("maas vlan {fabric}/0"),
                SET_VLAN,
                json!({"mtu": mtu}),
                after,
                why,
            );
        }
    }

    fn domain(&mut self, network: &Network) {
        let Some(domain) = &network.dns_domain else {
            return;
        };
        let planned = self
            .changes
            .iter()
            .any(|change| change.verb == CREATE_DOMAIN && change.after["name"] == domain.as_str());
        if planned || self.seen.domains.contains(domain) {
            return;
        }
        let why = format!("DNS domain of network {}", network.name);
        self.push(
            format!("maas domain {domain}"),
            CREATE_DOMAIN,
            Value::Null,
            json!({"name": domain}),
            why,
        );
    }

    fn vlan(&mut self, spot: &Spot<'_>) {
        let Spot {
            network,
            fabric,
            vid,
            mtu,
            vlan,
        } = spot;
        // MaaS always calls the VLAN of vid 0 "untagged" and passes over any other name.
        let name = if *vid == 0 {
            "untagged"
        } else {
            network.name.as_str()
        };
        let after = json!({"fabric": fabric, "vid": vid, "name": name, "mtu": mtu});
        let why = format!("network {} rides on it", network.name);
        let target = format!("maas vlan {fabric}/{vid}");
        match vlan {
            None if *vid != 0 => self.push(target, CREATE_VLAN, Value::Null, after, why),
            None if *mtu == NEW_FABRIC_MTU => {}
            None => self.push(target, SET_VLAN, json!({"mtu": NEW_FABRIC_MTU}), after, why),
            Some(vlan) if vlan.mtu != *mtu || (*vid != 0 && vlan.name != name) => {
                self.push(
                    target,
                    SET_VLAN,
                    json!({"name": vlan.name, "mtu": vlan.mtu}),
                    after,
                    why,
                );
            }
            Some(_) => {}
        }
    }

    fn subnet(&mut self, spot: &Spot<'_>, subnet: Option<&Subnet>) {
        let network = spot.network;
        let gateway = network.default_gateway().map(|gateway| gateway.to_string());
        let after = json!({
            "cidr": network.cidr, "name": network.name, "fabric": spot.fabric, "vid": spot.vid,
            "gateway": gateway, "dns": network.dns_servers,
        });
        let target = format!("maas subnet {}", network.cidr);
        let why = format!("network {} of the design", network.name);
        let Some(subnet) = subnet else {
            self.push(target, CREATE_SUBNET, Value::Null, after, why);
            return;
        };
        let placed = spot.vlan.is_some_and(|vlan| vlan.id == subnet.vlan);
        let same = subnet.name == network.name
            && subnet.gateway == gateway
            && subnet.dns == network.dns_servers;
        if !placed || !same {
            let before = json!({"name": subnet.name, "vlan": subnet.vlan, "gateway": subnet.gateway, "dns": subnet.dns});
            self.push(target, SET_SUBNET, before, after, why);
        }
    }

    fn ranges(&mut self, network: &Network) {
        for range in &network.ranges {
            let kind = match range.kind {
                RangeKind::Dhcp => "dynamic",
                RangeKind::Reserved => "reserved",
                // What the design gives out itself is simply not given to anybody else.
                RangeKind::Static => continue,
            };
            let wanted = Range {
                kind: kind.to_owned(),
                start: range.start.to_string(),
                end: range.end.to_string(),
            };
            if !self.seen.ranges.contains(&wanted) {
                let after = json!({"cidr": network.cidr, "kind": kind, "start": wanted.start, "end": wanted.end});
                let target = format!("maas range {}-{}", wanted.start, wanted.end);
                self.push(
                    target,
                    CREATE_RANGE,
                    Value::Null,
                    after,
                    format!("range of network {}", network.name),
                );
            }
        }
    }

    fn dhcp(&mut self, spot: &Spot<'_>) {
        let network = spot.network;
        if !network
            .ranges
            .iter()
            .any(|range| range.kind == RangeKind::Dhcp)
        {
            return;
        }
        let target = format!("maas vlan {}/{}", spot.fabric, spot.vid);
        if let Some(cidr) = self.relay_target(network) {
            let to = self
                .seen
                .subnets
                .iter()
                .find(|subnet| subnet.cidr == cidr)
                .map(|subnet| subnet.vlan);
            let relay = spot.vlan.and_then(|vlan| vlan.relay);
            if to.is_none() || relay != to {
                let after = json!({"fabric": spot.fabric, "vid": spot.vid, "relay_to": cidr});
                let why = format!("network {} relays its DHCP requests there", network.name);
                self.push(target, RELAY_DHCP, json!({"relay_vlan": relay}), after, why);
            }
            return;
        }
        if spot.vlan.is_some_and(|vlan| vlan.dhcp_on) {
            return;
        }
        let racks = self.racks_on(spot);
        let Some(primary) = racks.first() else {
            // A VLAN that is only about to be made is looked at again once it is.
            if spot.vlan.is_some() {
                self.faults.push(format!(
                    "no rack controller is connected to the VLAN of network {}, which wants DHCP",
                    network.name
                ));
            }
            return;
        };
        let after = json!({
            "fabric": spot.fabric, "vid": spot.vid, "primary_rack": primary, "secondary_rack": racks.get(1),
        });
        self.push(
            target,
            ENABLE_DHCP,
            json!({"dhcp_on": false}),
            after,
            format!("network {} has a dhcp range", network.name),
        );
    }

    /// The network that DHCP requests are relayed to, if the relay's target lies in a known one.
    fn relay_target(&self, network: &Network) -> Option<ipnet::IpNet> {
        let target = network.dhcp_relay.as_ref()?.upstream_target?;
        let designed = self
            .design
            .networks
            .iter()
            .filter(|other| self.design.link_of(&other.name).is_some())
            .map(|other| other.cidr);
        let known = designed.chain(self.seen.subnets.iter().map(|subnet| subnet.cidr));
        known
            .filter(|cidr| *cidr != network.cidr)
            .find(|cidr| cidr.contains(&target))
    }

    /// Racks with an interface on the VLAN, else on a VLAN of that 802.1q id (which is what MaaS asks for); healthy ones first.
    fn racks_on(&self, spot: &Spot<'_>) -> Vec<&'a str> {
        let seen = self.seen;
        let by = |on: &dyn Fn(&(i64, u16)) -> bool| {
            let mut racks: Vec<_> = seen
                .racks
                .iter()
                .filter(|rack| rack.vlans.iter().any(on))
                .collect();
            racks.sort_by_key(|rack| !rack.healthy);
            racks
                .into_iter()
                .map(|rack| rack.system_id.as_str())
                .collect::<Vec<_>>()
        };
        let exact = by(&|(id, _)| spot.vlan.is_some_and(|vlan| vlan.id == *id));
        if exact.is_empty() {
            by(&|(_, vid)| *vid == spot.vid)
        } else {
            exact
        }
    }
}

#[cfg(test)]
mod tests;
