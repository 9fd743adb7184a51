//! Designs, nodes and journals for the tests.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use drydock_model::boot::BootKeys;
use drydock_model::change::{Change, ChangeOutcome, JournalEntry};
use drydock_model::driver::{DriverError, StepContext};
use drydock_model::effective::{
    Bonding, EffectiveDesign, Link, Network, Node, Oob, Platform, Site, Storage,
};
use drydock_model::id::{Digest, Epoch};
use drydock_model::oob::BootDevice;
use drydock_model::operator::{Operator, OperatorAnswer};
use drydock_model::step::StepAction;
use secrecy::SecretString;
use serde_json::Map;
use uuid::Uuid;

struct NoKeys;

#[async_trait]
impl BootKeys for NoKeys {
    async fn mint(&self) -> Result<SecretString, DriverError> {
        Ok("00".repeat(32).into())
    }

    async fn is_current(&self, _key_hex: &str) -> Result<bool, DriverError> {
        Ok(false)
    }
}

struct Nobody;

#[async_trait]
impl Operator for Nobody {
    async fn answer(&self) -> Result<Option<OperatorAnswer>, DriverError> {
        Ok(None)
    }
}

pub(crate) fn node(name: &str) -> Node {
    Node {
        name: name.to_owned(),
        domain: "local".to_owned(),
        profiles: Vec::new(),
        rack: None,
        tags: Vec::new(),
        owner_data: BTreeMap::new(),
        hardware: None,
        oob: Oob {
            kind: "ipmi".into(),
            address: Some("127.0.0.9".parse().unwrap()),
            account: Some("admin".into()),
            credential: Some("hunter2".to_owned().into()),
            ..Oob::default()
        },
        boot_mac: None,
        interfaces: Vec::new(),
        addressing: Vec::new(),
        primary_network: None,
        storage: Storage::default(),
        platform: Platform::default(),
        boot_actions: Vec::new(),
    }
}

pub(crate) fn link(name: &str, mtu: u32, networks: &[&str]) -> Link {
    Link {
        name: name.to_owned(),
        labels: BTreeMap::new(),
        bonding: Bonding::default(),
        mtu,
        linkspeed: None,
        trunked: false,
        default_network: None,
        allowed_networks: networks
            .iter()
            .map(|network| (*network).to_owned())
            .collect(),
    }
}

pub(crate) fn network(name: &str, vlan: Option<u16>, cidr: &str) -> Network {
    Network {
        name: name.to_owned(),
        labels: BTreeMap::new(),
        vlan,
        mtu: None,
        cidr: cidr.parse().unwrap(),
        routedomain: None,
        ranges: Vec::new(),
        routes: Vec::new(),
        dns_domain: None,
        dns_servers: Vec::new(),
        dhcp_relay: None,
    }
}

pub(crate) fn design(nodes: Vec<Node>) -> EffectiveDesign {
    EffectiveDesign {
        digest: Digest("00".repeat(32)),
        site: Site::default(),
        racks: Vec::new(),
        links: Vec::new(),
        networks: Vec::new(),
        nodes: nodes.into_iter().map(Arc::new).collect(),
        boot_actions: Vec::new(),
    }
}

pub(crate) fn site_context(action: StepAction, nodes: Vec<Node>) -> StepContext {
    StepContext {
        task: Uuid::nil().into(),
        step: Uuid::nil().into(),
        action,
        design: Arc::new(design(nodes)),
        node: None,
        boot_device: BootDevice::Network,
        facts: Map::new(),
        boot_keys: Arc::new(NoKeys),
        time_left: Duration::from_secs(300),
        operator: Arc::new(Nobody),
    }
}

/// A journal's line.
pub(crate) fn entry(
    change: Change,
    outcome: Option<ChangeOutcome>,
    evidence: Option<&str>,
) -> JournalEntry {
    JournalEntry {
        id: Uuid::nil().into(),
        task: Uuid::nil().into(),
        step: Uuid::nil().into(),
        node: None,
        attempt: 1,
        instance: Uuid::nil().into(),
        epoch: Epoch(1),
        change,
        intended: Utc::now(),
        outcome,
        evidence: evidence.map(str::to_owned),
        latency_ms: None,
    }
}

/// The context of a step on a node.
pub(crate) fn node_context(action: StepAction, node: Node) -> StepContext {
    let mut cx = site_context(action, vec![node]);
    cx.node = Some(cx.design.nodes[0].clone());
    cx
}
