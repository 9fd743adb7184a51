//! A driver that does every action by the same script, one that cannot be got right by looking alone: a power cycle, which leaves things as they
//! were, then an erasure, then a wait. What was done is kept in order: the witness.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use drydock_model::change::{Change, JournalEntry, Remembered, Risk, remembered};
use drydock_model::clock::Clock;
use drydock_model::driver::{
    Driver, DriverError, DriverKind, Machine, NodeProvisioner, Observation, Report, StepContext,
    StepPlan, Then,
};
use drydock_model::id::TaskId;
use drydock_model::step::{FACT_KNOWN, StepAction};
use serde_json::{Value, json};

use super::clock::SimulatedClock;
use super::seams::{APPLY, Point, Way};

const ERASE: &str = "erase";
/// How long an erasure takes.
const TAKES: Duration = Duration::from_secs(2);

/// What one step acts upon; every step has a device of its own.
#[derive(Clone, Copy, Default)]
struct Device {
    is_off: bool,
    erased: Option<Duration>,
}

/// What all instances act upon.
#[derive(Default)]
pub struct World {
    devices: Mutex<BTreeMap<TaskId, Device>>,
    witness: Mutex<Vec<(TaskId, StepAction, String)>>,
}

impl World {
    /// Which changes were made, in order, whether they altered anything or not.
    pub fn witness(&self) -> Vec<(TaskId, StepAction, String)> {
        self.witness.lock().unwrap().clone()
    }
}

/// The driver of one instance.
pub struct Scripted {
    pub kind: DriverKind,
    pub world: Arc<World>,
    pub clock: SimulatedClock,
    pub way: Arc<Way>,
    /// Sabotage: the journal is read as if no intent were written before its call.
    pub forgets_intents: bool,
}

fn change(cx: &StepContext, verb: &str, risk: Risk) -> Change {
    let node = cx.node.as_ref().map_or("the site", |node| &node.name);
    Change {
        // The same in a dry run and in the task that carries out its plan.
        target: format!("device of {node} for {}", cx.action),
        verb: verb.into(),
        before: Value::Null,
        after: Value::Null,
        risk: risk.min(cx.action.worst()),
        why: "the script says so".into(),
    }
}

#[async_trait]
impl Driver for Scripted {
    /// The type of out-of-band controller that the simulated site's nodes have.
    fn name(&self) -> &'static str {
        "ipmi"
    }

    fn kind(&self) -> DriverKind {
        self.kind
    }

    async fn observe(&self, cx: &StepContext) -> Result<Observation, DriverError> {
        self.way.is_awake().await;
        let devices = self.world.devices.lock().unwrap();
        let device = devices.get(&cx.step).copied().unwrap_or_default();
        let now = self.clock.monotonic();
        Ok(Observation(json!({
            "off": device.is_off,
            "erased": device.erased.is_some(),
            "over": device.erased.is_some_and(|at| now >= at + TAKES),
        })))
    }

    fn plan(&self, cx: &StepContext, observed: &Observation, journal: &[JournalEntry]) -> StepPlan {
        let is = |fact: &str| observed.0[fact].as_bool().unwrap();
        let journal: Vec<JournalEntry> = journal
            .iter()
            .filter(|entry| !self.forgets_intents || entry.outcome.is_some())
            .cloned()
            .collect();
        let off = change(cx, "power_off", Risk::Reboots);
        let on = change(cx, "power_on", Risk::Reboots);
        if is("off") {
            return StepPlan::apply(vec![on]);
        }
        // It is on. Only if it may have been switched on has it been off.
        if remembered(&journal, &on.verb) == Remembered::Never {
            return StepPlan::apply(vec![off, on]);
        }
        if !is("erased") {
            return StepPlan::apply(vec![change(cx, ERASE, Risk::Wipes)]);
        }
        if !is("over") {
            return StepPlan::wait("the erasure to end", TAKES);
        }
        let report = Report::new(format!("{} is done", cx.action));
        // The first look does not find the node, the one after the power cycle does.
        let report = if cx.action == StepAction::IdentifyNode {
            let known = cx.facts.contains_key(FACT_KNOWN);
            report.fact(FACT_KNOWN, known)
        } else {
            report
        };
        StepPlan {
            changes: Vec::new(),
            then: Then::Done(report),
        }
    }

    async fn apply(&self, cx: &StepContext, change: &Change) -> Result<String, DriverError> {
        self.way.is_awake().await;
        if cx.action == StepAction::DeployNode && change.verb == ERASE {
            cx.boot_keys.mint().await?;
        }
        {
            let mut devices = self.world.devices.lock().unwrap();
            let device = devices.entry(cx.step).or_default();
            match change.verb.as_str() {
                "power_off" => device.is_off = true,
                "power_on" => device.is_off = false,
                _ => device.erased = Some(self.clock.monotonic()),
            }
        }
        self.world
            .witness
            .lock()
            .unwrap()
            .push((cx.step, cx.action, change.verb.clone()));
        let point = Point {
            after: true,
            verb: APPLY,
        };
        match self.way.pass(point).await {
            Ok(()) => Ok("done".into()),
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
impl NodeProvisioner for Scripted {
    async fn machines(&self) -> Result<Vec<Machine>, DriverError> {
        Ok(Vec::new())
    }

    async fn health(&self) -> Result<(), DriverError> {
        Ok(())
    }

    async fn images(&self) -> Result<BTreeMap<String, BTreeSet<String>>, DriverError> {
        Ok(BTreeMap::new())
    }
}
