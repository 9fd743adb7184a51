//! What of a machine's interfaces is not as designed.

use std::collections::BTreeSet;
use std::time::Duration;

use drydock_model::change::{Change, JournalEntry, Remembered, Risk, remembered};
use drydock_model::driver::{DriverError, StepPlan};
use drydock_model::effective::{EffectiveDesign, Node};
use serde_json::{Value, json};

use super::super::lookup::MachineSeen;
use super::super::redeploy::configurable;
use super::super::status::Status;
use super::wanted::{Kind, Wanted, WantedLink, wanted};
use super::{
    CREATE_BOND, CREATE_VLAN, LINK, Link, Nic, REMOVE, RESTORE, SET, SET_GATEWAY, Seen, UNLINK,
};

/// Plans the differences. What is built in another way altogether is restored to what commissioning found, once, and
/// built anew.
pub(crate) fn plan(
    design: &EffectiveDesign,
    node: &Node,
    seen: &Seen,
    journal: &[JournalEntry],
    poll: Duration,
) -> StepPlan {
    let machine = match configurable(node, &seen.place, journal, poll, "applying the networking") {
        Ok(machine) => machine,
        Err(plan) => return *plan,
    };
    if node.interfaces.is_empty() {
        return StepPlan::done(format!(
            "the design gives {} no interfaces: they stay as MaaS commissioned them",
            node.name
        ));
    }
    let wanted = match wanted(design, node, seen) {
        Ok(wanted) => wanted,
        Err(error) => return StepPlan::fail(error),
    };
    let diff = Diff {
        node,
        machine,
        seen,
        wanted: &wanted,
    };
    match diff.changes() {
        Ok(changes) if changes.is_empty() => StepPlan::done(format!(
            "the {} interfaces of {} are as designed",
            wanted.len(),
            node.name
        )),
        Ok(changes) => StepPlan::apply(changes),
        Err(conflict) => diff.restore(&conflict, journal),
    }
}

struct Diff<'a> {
    node: &'a Node,
    machine: &'a MachineSeen,
    seen: &'a Seen,
    wanted: &'a [Wanted],
}

/// Why the interfaces cannot be changed into what is wanted one by one.
struct Conflict(String);

impl Diff<'_> {
    /// A change names interfaces, and gives the ids of those that are there; the others are looked up at apply.
    fn change(&self, verb: &str, before: Value, mut after: Value, why: String) -> Change {
        let id_of = |name: &Value| {
            let nic = self
                .seen
                .nics
                .iter()
                .find(|nic| name.as_str() == Some(nic.name.as_str()));
            json!(nic.map(|nic| nic.id))
        };
        after["system_id"] = self.machine.system_id.clone().into();
        after["id"] = id_of(&after["interface"]);
        if let Some(parents) = after["parents"].as_array() {
            after["parent_ids"] = parents.iter().map(id_of).collect();
        }
        if after["parent"].is_string() {
            after["parent_id"] = id_of(&after["parent"]);
        }
        Change {
            target: self.machine.target(),
            verb: verb.to_owned(),
            before,
            after,
            risk: Risk::Reversible,
            why,
        }
    }

    fn changes(&self) -> Result<Vec<Change>, Conflict> {
        let mut changes = self.removals();
        for wanted in self.wanted {
            let nic = self.seen.nics.iter().find(|nic| nic.name == wanted.name);
            let links: &[Link] = nic.map_or(&[], |nic| &nic.links);
            for link in links.iter().filter(|link| !is_kept(link, &wanted.links)) {
                let why = format!("{} is not linked so in the design", wanted.name);
                let before = json!({"mode": link.mode, "ip": link.ip, "subnet": link.subnet});
                changes.push(self.change(
                    UNLINK,
                    before,
                    json!({"interface": wanted.name, "link": link.id}),
                    why,
                ));
            }
            changes.extend(self.interface(wanted, nic)?);
            for link in &wanted.links {
                changes.extend(self.link(wanted, link, links));
            }
        }
        Ok(changes)
    }

    /// Bonds and VLAN interfaces that the design does not have.
    fn removals(&self) -> Vec<Change> {
        let names: BTreeSet<&str> = self
            .wanted
            .iter()
            .map(|wanted| wanted.name.as_str())
            .collect();
        let extra = self
            .seen
            .nics
            .iter()
            .filter(|nic| nic.kind != "physical" && !names.contains(nic.name.as_str()));
        // What rides on something that is removed goes with it.
        let top = extra.filter(|nic| nic.children.is_empty());
        top.map(|nic| {
            let why = format!(
                "{} has no interface {} in the design",
                self.node.name, nic.name
            );
            self.change(
                REMOVE,
                json!({"type": nic.kind, "parents": nic.parents}),
                json!({"interface": nic.name}),
                why,
            )
        })
        .collect()
    }

    fn interface(&self, wanted: &Wanted, nic: Option<&Nic>) -> Result<Option<Change>, Conflict> {
        let why = format!("interface {} of the design", wanted.origin);
        let mut after = json!({"interface": wanted.name, "vlan": wanted.vlan, "mtu": wanted.mtu});
        let Some(nic) = nic else {
            let verb = match &wanted.kind {
                Kind::Physical => {
                    return Err(Conflict(format!(
                        "the machine has no interface {}",
                        wanted.name
                    )));
                }
                Kind::Bond { parents, params } => {
                    self.check_free(parents, &wanted.name)?;
                    after["parents"] = json!(parents);
                    after["params"] = json!(params);
                    CREATE_BOND
                }
                Kind::Vlan { parent } => {
                    after["parent"] = json!(parent);
                    CREATE_VLAN
                }
            };
            return Ok(Some(self.change(verb, Value::Null, after, why)));
        };
        let mut same = nic.vlan == Some(wanted.vlan) && nic.mtu == wanted.mtu;
        match &wanted.kind {
            Kind::Physical => self.check_free(std::slice::from_ref(&wanted.name), &wanted.name)?,
            Kind::Bond { parents, params } => {
                let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
                if nic.kind != "bond" || set(&nic.parents) != set(parents) {
                    return Err(Conflict(format!(
                        "{} is made of {}",
                        nic.name,
                        nic.parents.join(", ")
                    )));
                }
                same &= params
                    .iter()
                    .all(|(name, value)| nic.params.get(name) == Some(value));
                after["params"] = json!(params);
            }
            Kind::Vlan { parent } => {
                if nic.kind != "vlan"
                    || nic.parents != [parent.clone()]
                    || nic.vlan != Some(wanted.vlan)
                {
                    return Err(Conflict(format!(
                        "{} is a {} on {}",
                        nic.name,
                        nic.kind,
                        nic.parents.join(", ")
                    )));
                }
            }
        }
        if same {
            return Ok(None);
        }
        let before = json!({"vlan": nic.vlan, "mtu": nic.mtu, "params": nic.params});
        Ok(Some(self.change(SET, before, after, why)))
    }

    /// No bond or bridge other than `owner` holds these devices.
    fn check_free(&self, devices: &[String], owner: &str) -> Result<(), Conflict> {
        for device in devices {
            let Some(nic) = self.seen.nics.iter().find(|nic| nic.name == *device) else {
                return Err(Conflict(format!("the machine has no interface {device}")));
            };
            let holders = self
                .seen
                .nics
                .iter()
                .filter(|other| nic.children.contains(&other.name));
            if let Some(holder) = holders
                .into_iter()
                .find(|other| other.kind != "vlan" && other.name != owner)
            {
                return Err(Conflict(format!(
                    "{device} is part of {} {}",
                    holder.kind, holder.name
                )));
            }
        }
        Ok(())
    }

    fn link(&self, wanted: &Wanted, link: &WantedLink, links: &[Link]) -> Option<Change> {
        let why = format!("interface {} of the design", wanted.origin);
        match links.iter().find(|own| is_it(own, link)) {
            None => {
                let after = json!({
                    "interface": wanted.name, "subnet": link.subnet, "mode": link.mode, "ip": link.ip,
                    "default_gateway": link.default_gateway,
                });
                Some(self.change(LINK, Value::Null, after, why))
            }
            Some(own) if link.default_gateway && self.seen.default_link != Some(own.id) => {
                let before = json!({"default_link": self.seen.default_link});
                let why = format!(
                    "the default route of {} goes by its primary network",
                    self.node.name
                );
                Some(self.change(
                    SET_GATEWAY,
                    before,
                    json!({"interface": wanted.name, "link": own.id}),
                    why,
                ))
            }
            Some(_) => None,
        }
    }

    fn restore(&self, conflict: &Conflict, journal: &[JournalEntry]) -> StepPlan {
        let tried_before = remembered(journal, RESTORE) == Remembered::Done;
        if tried_before || self.machine.status != Status::Ready {
            return StepPlan::fail(DriverError::permanent(
                format!("applying the networking of {}", self.node.name),
                self.machine.target(),
                conflict.0.clone(),
                "compare the design's devices with the machine's interfaces in MaaS",
            ));
        }
        let why = format!("{}; the design wants it otherwise", conflict.0);
        StepPlan::apply(vec![self.change(
            RESTORE,
            json!({"conflict": conflict.0}),
            json!({}),
            why,
        )])
    }
}

/// MaaS itself keeps a link without address on an interface that has no other; it goes when another comes.
fn is_kept(link: &Link, wanted: &[WantedLink]) -> bool {
    link.mode == "link_up" || wanted.iter().any(|wanted| is_it(link, wanted))
}

fn is_it(link: &Link, wanted: &WantedLink) -> bool {
    match wanted.mode {
        "link_up" => {
            link.mode == "link_up" && link.subnet.is_none_or(|subnet| subnet == wanted.subnet)
        }
        mode => {
            link.mode == mode
                && link.subnet == Some(wanted.subnet)
                && (mode != "static" || link.ip == wanted.ip)
        }
    }
}
