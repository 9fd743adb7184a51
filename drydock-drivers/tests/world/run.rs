//! What the engine does with a step, in little: observe, plan, journal and apply, wait, until it ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::Utc;
use drydock_model::boot::BootKeys;
use drydock_model::change::{ChangeOutcome, JournalEntry};
use drydock_model::driver::{Driver, DriverError, Report, StepContext, Then};
use drydock_model::effective::{EffectiveDesign, Node};
use drydock_model::id::Epoch;
use drydock_model::oob::BootDevice;
use drydock_model::operator::{Operator, OperatorAnswer};
use drydock_model::step::StepAction;
use secrecy::SecretString;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Longest that any step here may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Boot-action keys kept in memory.
#[derive(Default)]
pub struct Keys {
    pub minted: Mutex<Vec<String>>,
}

#[async_trait]
impl BootKeys for Keys {
    async fn mint(&self) -> Result<SecretString, DriverError> {
        let key = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.minted.lock().unwrap().push(key.clone());
        Ok(key.into())
    }

    async fn is_current(&self, key_hex: &str) -> Result<bool, DriverError> {
        Ok(self
            .minted
            .lock()
            .unwrap()
            .last()
            .is_some_and(|last| last == key_hex))
    }
}

/// No operator is asked here.
struct Nobody;

#[async_trait]
impl Operator for Nobody {
    async fn answer(&self) -> Result<Option<OperatorAnswer>, DriverError> {
        Ok(None)
    }
}

/// One step and its journal, which outlives any number of runs.
pub struct Step {
    pub cx: StepContext,
    pub journal: Vec<JournalEntry>,
    pub keys: Arc<Keys>,
    /// Transient errors that were met on the way.
    pub hiccups: usize,
    pub plans: usize,
}

impl Step {
    pub fn new(action: StepAction, design: &Arc<EffectiveDesign>, node: Option<&str>) -> Self {
        let keys = Arc::new(Keys::default());
        let node: Option<Arc<Node>> = node.map(|name| Arc::clone(design.node(name).unwrap()));
        let cx = StepContext {
            task: Uuid::new_v4().into(),
            step: Uuid::new_v4().into(),
            action,
            design: Arc::clone(design),
            node,
            boot_device: BootDevice::Network,
            facts: Map::new(),
            boot_keys: Arc::clone(&keys) as Arc<dyn BootKeys>,
            time_left: LIMIT,
            operator: Arc::new(Nobody),
        };
        Step {
            cx,
            journal: Vec::new(),
            keys,
            hiccups: 0,
            plans: 0,
        }
    }

    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.cx.facts.insert(name.to_owned(), value.into());
        self
    }

    /// Runs to its end.
    pub async fn run(&mut self, driver: &dyn Driver) -> Result<Report, DriverError> {
        self.run_until(driver, usize::MAX)
            .await
            .expect("no crash was asked for")
    }

    /// Runs to its end or until it "crashes": `None` after this many changes were applied whose outcome was never written.
    pub async fn run_until(
        &mut self,
        driver: &dyn Driver,
        crash_after: usize,
    ) -> Option<Result<Report, DriverError>> {
        let deadline = Instant::now() + LIMIT;
        let mut applied = 0;
        loop {
            assert!(
                Instant::now() < deadline,
                "{} did not end; journal {:#?}",
                self.cx.action,
                self.verbs()
            );
            let observed = match driver.observe(&self.cx).await {
                Ok(observed) => observed,
                Err(error) if error.is_transient() => {
                    self.hiccup().await;
                    continue;
                }
                Err(error) => return Some(Err(error)),
            };
            self.plans += 1;
            let plan = driver.plan(&self.cx, &observed, &self.journal);
            let again = driver.plan(&self.cx, &observed, &self.journal);
            assert_eq!(plan, again, "a plan is a pure function");
            let mut lost = false;
            for change in plan.changes {
                let at = self.journal.len();
                self.journal.push(entry(&self.cx, change));
                let began = Instant::now();
                let outcome = driver
                    .apply(&self.cx, &self.journal[at].change.clone())
                    .await;
                applied += 1;
                if applied >= crash_after {
                    return None;
                }
                let entry = &mut self.journal[at];
                entry.latency_ms = i64::try_from(began.elapsed().as_millis()).ok();
                match outcome {
                    Ok(evidence) => {
                        entry.outcome = Some(ChangeOutcome::Done);
                        entry.evidence = Some(evidence);
                    }
                    Err(error) if error.is_transient() => {
                        entry.outcome = Some(ChangeOutcome::Unknown);
                        lost = true;
                    }
                    Err(error) => {
                        entry.outcome = Some(ChangeOutcome::Refused);
                        return Some(Err(error));
                    }
                }
                if lost {
                    self.hiccup().await;
                    break;
                }
            }
            if lost {
                continue;
            }
            match plan.then {
                Then::Observe => {}
                Then::Wait { poll, .. } => tokio::time::sleep(poll).await,
                Then::Ask { request } => panic!("nobody is here to {request}"),
                Then::Done(report) => return Some(Ok(report)),
                Then::Fail(error) => return Some(Err(error)),
            }
        }
    }

    async fn hiccup(&mut self) {
        self.hiccups += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    /// The verbs of the journal, in order.
    pub fn verbs(&self) -> Vec<&str> {
        self.journal
            .iter()
            .map(|entry| entry.change.verb.as_str())
            .collect()
    }

    /// How often each verb was sent.
    pub fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for verb in self.verbs() {
            *counts.entry(verb).or_default() += 1;
        }
        counts
    }

    /// Everything that the engine would store, as text.
    pub fn stored(&self) -> String {
        serde_json::to_string(&self.journal).unwrap()
    }
}

fn entry(cx: &StepContext, change: drydock_model::change::Change) -> JournalEntry {
    JournalEntry {
        id: Uuid::new_v4().into(),
        task: cx.task,
        step: cx.step,
        node: cx.node.as_ref().map(|node| node.name.clone()),
        attempt: 1,
        instance: Uuid::nil().into(),
        epoch: Epoch(1),
        change,
        intended: Utc::now(),
        outcome: None,
        evidence: None,
        latency_ms: None,
    }
}
