//! A node of the region: a machine or a rack controller, and its network interfaces.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rand::RngExt;
use serde_json::{Map, Value, json};

use super::oauth::random_word;
use super::region::Region;
use super::status::Status;
use super::storage::Storage;
use crate::shape::{DiskShape, MachineShape, NicShape};

/// What commissioning found in a machine.
#[derive(Debug, Clone, Default)]
pub(super) struct Hardware {
    pub(super) name: String,
    pub(super) cpu_count: u32,
    pub(super) memory_mib: u64,
    pub(super) nics: Vec<NicShape>,
    pub(super) disks: Vec<DiskShape>,
}

/// A node.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) system_id: String,
    pub(super) rack: bool,
    pub(super) hostname: String,
    pub(super) description: String,
    pub(super) domain: u32,
    pub(super) status: Status,
    pub(super) previous: Status,
    pub(super) owner: Option<String>,
    pub(super) owner_data: BTreeMap<String, String>,
    pub(super) tags: Vec<String>,
    pub(super) power_type: String,
    pub(super) power: Map<String, Value>,
    pub(super) osystem: String,
    pub(super) series: String,
    pub(super) kernel: String,
    pub(super) agent_name: String,
    pub(super) locked: bool,
    pub(super) interfaces: Vec<Interface>,
    pub(super) boot_interface: u32,
    pub(super) storage: Storage,
    pub(super) hardware: Hardware,
    /// Whether the running commissioning leaves networking and storage as they are.
    pub(super) keep_on_commission: (bool, bool),
    pub(super) commissioned: Option<bool>,
    pub(super) installed: Option<bool>,
    pub(super) updated: DateTime<Utc>,
}

/// Kinds of network interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InterfaceKind {
    Physical,
    Bond,
    Vlan,
}

impl InterfaceKind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::Bond => "bond",
            Self::Vlan => "vlan",
        }
    }
}

/// A network interface of a node.
#[derive(Debug, Clone)]
pub(super) struct Interface {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) kind: InterfaceKind,
    pub(super) mac: String,
    pub(super) enabled: bool,
    pub(super) vlan: Option<u32>,
    pub(super) parents: Vec<u32>,
    pub(super) params: Map<String, Value>,
    pub(super) tags: Vec<String>,
    pub(super) links: Vec<Link>,
}

/// An address configuration of an interface.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) id: u32,
    pub(super) mode: &'static str,
    pub(super) subnet: Option<u32>,
    pub(super) ip: Option<String>,
    pub(super) default_gateway: bool,
}

impl Interface {
    pub(super) fn physical(id: u32, nic: &NicShape, vlan: Option<u32>) -> Self {
        Self {
            id,
            name: nic.name.clone(),
            kind: InterfaceKind::Physical,
            mac: nic.mac.to_ascii_lowercase(),
            enabled: true,
            vlan,
            parents: Vec::new(),
            params: Map::new(),
            tags: Vec::new(),
            links: Vec::new(),
        }
    }

    /// The MTU set on the interface itself.
    pub(super) fn mtu(&self) -> Option<u64> {
        self.params.get("mtu").and_then(Value::as_u64)
    }
}

impl Node {
    /// A machine MaaS has just met. Its BMC account is one that enlistment makes for MaaS, not the design's.
    pub(super) fn enlisted(region: &mut Region, shape: &MachineShape) -> Self {
        let system_id = region.new_system_id();
        let boot_vlan = region.enlistment_vlan();
        let mut interfaces = Vec::new();
        for (index, nic) in shape.nics.iter().enumerate() {
            let vlan = if index == shape.boot_nic {
                boot_vlan
            } else {
                region.auto_vlan()
            };
            interfaces.push(Interface::physical(region.new_id(), nic, Some(vlan)));
        }
        let boot_interface = interfaces[shape.boot_nic].id;
        let link = region.auto_link(boot_vlan);
        interfaces[shape.boot_nic].links.extend(link);
        let mut node = Self::bare(system_id, region.invented_hostname(), shape, interfaces);
        node.boot_interface = boot_interface;
        node.power_type = "ipmi".to_owned();
        node.power = enlisted_power(&shape.bmc_address.to_string());
        node.storage = Storage::found(region, &shape.disks);
        node
    }

    /// A machine of the site that is a rack controller.
    pub(super) fn controller(region: &mut Region, shape: &MachineShape, vlan: u32) -> Self {
        let system_id = region.new_system_id();
        let interfaces: Vec<_> = shape
            .nics
            .iter()
            .map(|nic| Interface::physical(region.new_id(), nic, Some(vlan)))
            .collect();
        let boot_interface = interfaces.get(shape.boot_nic).map_or(0, |nic| nic.id);
        let mut node = Self::bare(system_id, shape.name.clone(), shape, interfaces);
        node.boot_interface = boot_interface;
        node.rack = true;
        node.status = Status::Deployed;
        node.power_type = "ipmi".to_owned();
        node.power = enlisted_power(&shape.bmc_address.to_string());
        node
    }

    /// The region's own rack controller, which is no machine of the site.
    pub(super) fn own_rack(region: &mut Region, vlan: u32) -> Self {
        let nic = NicShape {
            name: "eth0".to_owned(),
            mac: "02:00:00:00:00:01".to_owned(),
            pci_address: "0000:00:01.0".to_owned(),
        };
        let system_id = region.new_system_id();
        let interface = Interface::physical(region.new_id(), &nic, Some(vlan));
        let hardware = Hardware {
            name: "rack1".to_owned(),
            nics: vec![nic],
            ..Hardware::default()
        };
        let mut node =
            Self::with_hardware(system_id, "rack1".to_owned(), hardware, vec![interface]);
        node.rack = true;
        node.status = Status::Deployed;
        node
    }

    fn bare(
        system_id: String,
        hostname: String,
        shape: &MachineShape,
        interfaces: Vec<Interface>,
    ) -> Self {
        let hardware = Hardware {
            name: shape.name.clone(),
            cpu_count: shape.cpu_count,
            memory_mib: shape.memory_mib,
            nics: shape.nics.clone(),
            disks: shape.disks.clone(),
        };
        Self::with_hardware(system_id, hostname, hardware, interfaces)
    }

    fn with_hardware(
        system_id: String,
        hostname: String,
        hardware: Hardware,
        interfaces: Vec<Interface>,
    ) -> Self {
        Self {
            system_id,
            rack: false,
            hostname,
            description: String::new(),
            domain: 0,
            status: Status::New,
            previous: Status::New,
            owner: None,
            owner_data: BTreeMap::new(),
            tags: Vec::new(),
            power_type: String::new(),
            power: Map::new(),
            osystem: String::new(),
            series: String::new(),
            kernel: String::new(),
            agent_name: String::new(),
            locked: false,
            boot_interface: interfaces.first().map_or(0, |nic| nic.id),
            interfaces,
            storage: Storage::default(),
            hardware,
            keep_on_commission: (false, false),
            commissioned: None,
            installed: None,
            updated: Utc::now(),
        }
    }
}

fn enlisted_power(address: &str) -> Map<String, Value> {
    let fields = json!({
        "power_driver": "LAN_2_0",
        "power_boot_type": "auto",
        "power_address": address,
        "power_user": "maas",
        "power_pass": random_word(14),
        "k_g": "",
        "cipher_suite_id": "17",
        "privilege_level": "ADMIN",
        "workaround_flags": ["opensesspriv"],
        "mac_address": "",
    });
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

impl Region {
    /// A fresh `system_id`: six letters and digits, as MaaS makes them.
    fn new_system_id(&self) -> String {
        loop {
            let id = random_word(6).to_ascii_lowercase();
            if self.node(&id).is_err() {
                return id;
            }
        }
    }

    /// A fresh hostname of the two-word kind.
    fn invented_hostname(&self) -> String {
        const FIRST: [&str; 12] = [
            "able", "brave", "calm", "eager", "fast", "keen", "loyal", "mild", "proud", "quick",
            "sunny", "wise",
        ];
        const SECOND: [&str; 12] = [
            "badger", "crane", "dingo", "egret", "ferret", "gecko", "heron", "jackal", "koala",
            "lynx", "marten", "otter",
        ];
        let mut rng = rand::rng();
        for round in 0_u32.. {
            let first = FIRST[rng.random_range(0..FIRST.len())];
            let second = SECOND[rng.random_range(0..SECOND.len())];
            let name = if round < 64 {
                format!("{first}-{second}")
            } else {
                format!("{first}-{second}-{}", rng.random_range(0..1_000_000_u32))
            };
            if self.machines.iter().all(|node| node.hostname != name) {
                return name;
            }
        }
        random_word(12).to_ascii_lowercase()
    }
}
