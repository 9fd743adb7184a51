//! The whole state of the region, and the lock around it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::account::SshKey;
use super::boot_images::{self, BootResource};
use super::events::Event;
use super::fabric::{Fabric, Vlan};
use super::node::Node;
use super::oauth::{ApiKey, Gate};
use super::repository::{self, PackageRepository};
use super::request::Reply;
use super::status::Status;
use super::subnet::{Domain, IpRange, StaticRoute, Subnet};
use super::tag::Tag;
use crate::call_log::{Call, CallLog};
use crate::shape::{MachineShape, SiteShape};

/// MaaS's hand on a machine's power. The world's own wiring, not the BMC's network port.
pub(crate) trait PowerWire: Send + Sync + std::fmt::Debug {
    /// Whether the machine is anything but fully off.
    fn power_on(&self) -> bool;
    /// Boots it from the network, from on or off.
    fn boot_network(&self);
    /// Switches it off.
    fn power_off(&self);
}

/// A wire and the address of the BMC it stands for.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub(super) bmc_address: String,
    pub(super) hand: Arc<dyn PowerWire>,
}

/// The region behind its lock. Machine cores may be locked while it is held, never the other way round.
#[derive(Debug, Clone)]
pub(crate) struct SharedRegion(Arc<Mutex<Region>>);

/// The state of a region.
#[derive(Debug)]
pub(crate) struct Region {
    pub(super) gate: Gate,
    pub(super) fabrics: BTreeMap<u32, Fabric>,
    pub(super) vlans: BTreeMap<u32, Vlan>,
    pub(super) subnets: BTreeMap<u32, Subnet>,
    pub(super) ranges: BTreeMap<u32, IpRange>,
    pub(super) routes: BTreeMap<u32, StaticRoute>,
    pub(super) domains: BTreeMap<u32, Domain>,
    pub(super) tags: Vec<Tag>,
    pub(super) repositories: BTreeMap<u32, PackageRepository>,
    pub(super) keys: BTreeMap<u32, SshKey>,
    pub(super) images: Vec<BootResource>,
    pub(super) machines: Vec<Node>,
    pub(super) racks: Vec<Node>,
    pub(super) events: Vec<Event>,
    wires: HashMap<String, Wire>,
    last_id: u32,
    log: CallLog,
}

impl SharedRegion {
    pub(crate) fn new(shape: &SiteShape, key: ApiKey, log: CallLog) -> Self {
        Self(Arc::new(Mutex::new(Region::new(shape, key, log))))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Region> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Region {
    fn new(shape: &SiteShape, key: ApiKey, log: CallLog) -> Self {
        let mut region = Self {
            gate: Gate::new(key),
            fabrics: BTreeMap::new(),
            vlans: BTreeMap::new(),
            subnets: BTreeMap::new(),
            ranges: BTreeMap::new(),
            routes: BTreeMap::new(),
            domains: BTreeMap::from([(0, Domain::default_domain())]),
            tags: Vec::new(),
            repositories: repository::stock(),
            keys: BTreeMap::new(),
            images: boot_images::stock(&shape.images),
            machines: Vec::new(),
            racks: Vec::new(),
            events: Vec::new(),
            wires: HashMap::new(),
            last_id: 100,
            log,
        };
        region.fabrics.insert(0, Fabric::named(0, "fabric-0"));
        let home = region.add_vlan(0, 0);
        let rack = Node::own_rack(&mut region, home);
        region.racks.push(rack);
        for controller in &shape.controllers {
            let node = Node::controller(&mut region, controller, home);
            region.racks.push(node);
        }
        region
    }

    /// Joins MaaS's hand to the machine with this hardware.
    pub(crate) fn wire(&mut self, shape: &MachineShape, hand: Arc<dyn PowerWire>) {
        let wire = Wire {
            bmc_address: shape.bmc_address.to_string(),
            hand,
        };
        for mac in shape.macs() {
            self.wires.insert(mac, wire.clone());
        }
    }

    /// Cuts all wires, and with them the circle of references between machines and region.
    pub(crate) fn cut_wires(&mut self) {
        self.wires.clear();
    }

    /// The wire to a node, if MaaS may use it: it has a power type, and its power address is that of the BMC.
    pub(super) fn hand(&self, node: &Node) -> Option<Arc<dyn PowerWire>> {
        let wire = node
            .interfaces
            .iter()
            .find_map(|nic| self.wires.get(&nic.mac))?;
        let address = node.power.get("power_address")?.as_str()?;
        let wired = !matches!(node.power_type.as_str(), "" | "manual");
        (wired && address == wire.bmc_address).then(|| Arc::clone(&wire.hand))
    }

    /// A number no other object of the region has.
    pub(super) fn new_id(&mut self) -> u32 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn machine_index(&self, system_id: &str) -> Result<usize, Reply> {
        self.machines
            .iter()
            .position(|node| node.system_id == system_id)
            .ok_or_else(|| Reply::missing("Machine"))
    }

    pub(super) fn index_of_macs(&self, macs: &[String]) -> Option<usize> {
        self.machines
            .iter()
            .position(|node| node.interfaces.iter().any(|nic| macs.contains(&nic.mac)))
    }

    /// Any node, machine or rack controller.
    pub(super) fn node(&self, system_id: &str) -> Result<&Node, Reply> {
        self.machines
            .iter()
            .chain(&self.racks)
            .find(|node| node.system_id == system_id)
            .ok_or_else(|| Reply::missing("Node"))
    }

    /// Moves machine number `index` to `status`, with the events MaaS writes.
    pub(super) fn set_status(&mut self, index: usize, status: Status) {
        let node = &mut self.machines[index];
        let from = node.status;
        node.previous = from;
        node.status = status;
        node.updated = chrono::Utc::now();
        let (system_id, hostname) = (node.system_id.clone(), node.hostname.clone());
        if from == status {
            return;
        }
        let change = format!("From '{}' to '{}'", from.name(), status.name());
        self.event(
            &system_id,
            &hostname,
            "DEBUG",
            "Node changed status",
            &change,
        );
        self.event(&system_id, &hostname, "INFO", status.name(), "");
        self.log_status(&system_id, &hostname, from.name(), status.name());
    }

    pub(super) fn log_status(&self, system_id: &str, hostname: &str, from: &str, to: &str) {
        self.log.push(Call::NodeStatus {
            system_id: system_id.to_owned(),
            hostname: hostname.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        });
    }
}
