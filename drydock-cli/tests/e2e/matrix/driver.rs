//! A real driver with somebody beside it, who sees what it does to the world, stops it, and loses its answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use drydock_model::change::{Change, JournalEntry, Risk};
use drydock_model::driver::{
    Driver, DriverError, DriverKind, Machine, NodeProvisioner, Observation, StepContext, StepPlan,
};
use drydock_sim::{Call, CallLog, Entry, Origin};

use super::script::Script;
use super::seams::{APPLY, Point, Way};

/// Which of the calls that the simulators log interrupt a machine or wipe it, as the changes say that made them.
#[derive(Default)]
pub struct Dangerous(Mutex<BTreeSet<String>>);

impl Dangerous {
    pub fn calls(&self) -> BTreeSet<String> {
        self.0.lock().expect("a lock").clone()
    }
}

/// A call that altered something, as text; the id that MaaS gave the machine is another in every world.
pub fn altering(entry: &Entry, ids: &BTreeSet<String>) -> Option<String> {
    match &entry.call {
        Call::Bmc {
            origin: Origin::Bmc,
            command,
            ..
        } => Some(format!("bmc {command}")),
        Call::Maas {
            method,
            path,
            op,
            status,
            ..
        } if method != "GET" && *status < 300 => {
            let path: Vec<&str> = path
                .split('/')
                .map(|part| if ids.contains(part) { "ID" } else { part })
                .collect();
            let op = op.as_deref().unwrap_or_default();
            Some(format!("{method} {} {op}", path.join("/")))
        }
        _ => None,
    }
}

/// The ids that MaaS has given to machines.
pub fn ids(entries: &[Entry]) -> BTreeSet<String> {
    let ids = entries.iter().filter_map(|entry| match &entry.call {
        Call::NodeStatus { system_id, .. } => Some(system_id.clone()),
        _ => None,
    });
    ids.collect()
}

/// How often each altering call was made, and how often the machine came to each phase in which something is done to it.
pub fn witness(log: &CallLog) -> BTreeMap<String, usize> {
    use drydock_sim::Phase as P;
    let entries = log.since(0);
    let ids = ids(&entries);
    let mut counts = BTreeMap::new();
    for entry in &entries {
        let seen = match &entry.call {
            Call::Machine {
                to: to @ (P::Enlisting | P::Commissioning | P::Installing | P::Erasing),
                ..
            } => Some(format!("phase {to:?}")),
            _ => altering(entry, &ids),
        };
        if let Some(seen) = seen {
            *counts.entry(seen).or_default() += 1;
        }
    }
    counts
}

/// The driver of one instance.
pub struct Attended<D: ?Sized> {
    pub inner: Arc<D>,
    pub way: Arc<Way>,
    pub script: Arc<Script>,
    pub log: CallLog,
    pub dangerous: Arc<Dangerous>,
    /// Sabotage: the journal is read as if no intent were written before its call.
    pub forgets_intents: bool,
}

#[async_trait]
impl<D: Driver + ?Sized> Driver for Attended<D> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn kind(&self) -> DriverKind {
        self.inner.kind()
    }

    async fn observe(&self, cx: &StepContext) -> Result<Observation, DriverError> {
        self.way.is_awake().await;
        let observed = self.inner.observe(cx).await;
        self.way.is_awake().await;
        observed
    }

    fn plan(&self, cx: &StepContext, observed: &Observation, journal: &[JournalEntry]) -> StepPlan {
        let journal: Vec<JournalEntry> = journal
            .iter()
            .filter(|entry| !self.forgets_intents || entry.outcome.is_some())
            .cloned()
            .collect();
        let plan = self.inner.plan(cx, observed, &journal);
        self.script.planned(cx.step, &plan.changes);
        plan
    }

    async fn apply(&self, cx: &StepContext, change: &Change) -> Result<String, DriverError> {
        self.way.is_awake().await;
        let since = self.log.last_seq();
        let result = self.inner.apply(cx, change).await;
        if change.risk > Risk::Reversible {
            let ids = ids(&self.log.since(0));
            let done = self.log.since(since);
            let calls = done.iter().filter_map(|entry| altering(entry, &ids));
            self.dangerous.0.lock().expect("a lock").extend(calls);
        }
        let point = Point {
            after: true,
            verb: APPLY,
        };
        match self.way.pass(point).await {
            Ok(()) => result,
            Err(error) => Err(DriverError::transient(
                change.verb.as_str(),
                change.target.as_str(),
                error.to_string(),
                "",
            )),
        }
    }
}

#[async_trait]
impl NodeProvisioner for Attended<dyn NodeProvisioner> {
    async fn machines(&self) -> Result<Vec<Machine>, DriverError> {
        self.inner.machines().await
    }

    async fn health(&self) -> Result<(), DriverError> {
        self.inner.health().await
    }

    async fn images(&self) -> Result<BTreeMap<String, BTreeSet<String>>, DriverError> {
        self.inner.images().await
    }
}
