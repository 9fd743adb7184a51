//! One claimed step: observe, plan, journal, apply, until it is done, waits or has failed.

mod foresight;
mod secret;
mod verdict;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use drydock_model::build_data::BuildData;
use drydock_model::change::{Change, ChangeOutcome, JournalEntry};
use drydock_model::driver::{Driver, DriverError, Report, StepContext, StepPlan, Then};
use drydock_model::effective::Node;
use drydock_model::id::ChangeId;
use drydock_model::oob::{BootDevice, OobCommand};
use drydock_model::step::{ClaimedStep, StepAction};
use drydock_model::store::{StoreError, StoreResult};
use futures::FutureExt;
use serde_json::Map;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

use crate::boot::keys::StoredKeys;
use crate::boot::report;
use crate::engine::Engine;
use crate::operator::StoredAnswers;
pub(crate) use foresight::Elsewhere;
use verdict::Verdict;

/// Rounds of observe and apply in one claim. A plan that is not met after so many never will be.
const ROUNDS: usize = 16;

/// Executes a claimed step to the end of its claim; `lapses`: of the pulse, before it was claimed. Never panics. False: the end could not be written, so that the store may still hold
/// the claim.
pub(crate) async fn execute(
    engine: Engine,
    claimed: ClaimedStep,
    lapses: u64,
    shutdown: CancellationToken,
) -> bool {
    let step = &claimed.step;
    let span = info_span!("step", task = %step.task, step = %step.id, action = %step.action, node = step.node.as_deref().unwrap_or("-"), attempt = step.attempt);
    async {
        let run = Run { engine: &engine, claimed: &claimed, lapses, shutdown: &shutdown };
        let verdict = match AssertUnwindSafe(run.judge()).catch_unwind().await {
            Ok(verdict) => verdict,
            Err(_) => {
                error!("the step panicked");
                let text = format!("{}: a defect of the server stopped this step; see its log", step.action);
                run.end(false, text, Map::new(), Vec::new())
            }
        };
        match run.write(verdict).await {
            Ok(()) => true,
            Err(StoreError::StaleClaim) => {
                warn!("the claim was lost; what this instance found out is dropped");
                true
            }
            Err(error) => {
                warn!(%error, "the result could not be written; the step is given back and runs again");
                false
            }
        }
    }
    .instrument(span)
    .await
}

struct Run<'a> {
    engine: &'a Engine,
    claimed: &'a ClaimedStep,
    lapses: u64,
    shutdown: &'a CancellationToken,
}

impl Run<'_> {
    /// Writes what came of this claim; waits out a store that is away, as long as the claim can still be ours.
    async fn write(&self, verdict: Verdict) -> StoreResult<()> {
        let (store, id, token) = (&self.engine.store, self.claimed.step.id, self.claimed.token);
        loop {
            let written = match &verdict {
                Verdict::End(end) => store.finish_step(id, token, end).await.map(drop),
                Verdict::Wait {
                    delay,
                    reason,
                    failures,
                    messages,
                } => {
                    store
                        .wait_step(id, token, *delay, reason, *failures, messages)
                        .await
                }
                Verdict::Return => store.return_step(id, token).await,
                Verdict::Lost => Ok(()),
            };
            match written {
                // Nothing accepted may be lost to a store that restarts. A token that has become worthless meanwhile is refused.
                Err(StoreError::Unavailable(reason)) if !self.shutdown.is_cancelled() => {
                    warn!(reason, "the result waits for the database");
                    self.engine
                        .clock
                        .sleep(self.engine.settings.retry_base)
                        .await;
                }
                other => return other,
            }
        }
    }

    async fn judge(&self) -> Verdict {
        match self.work().await {
            Ok(verdict) => verdict,
            Err(Stop::Driver(error)) => self.after_error(error),
            Err(Stop::Store(StoreError::StaleClaim)) => Verdict::Lost,
            Err(Stop::Store(StoreError::Unavailable(reason))) => {
                warn!(reason, "the step waits for the database");
                self.wait_for_the_database(reason)
            }
            // Whatever else the store says may stay so for ever: it is tried again like a target that is busy, under the deadline.
            Err(Stop::Store(error)) => self.after_error(DriverError::transient(
                "reading what is known of the step",
                "the database",
                error.to_string(),
                "see the server's log",
            )),
            Err(Stop::Asleep) => {
                warn!(
                    "this instance was silent for too long; it begins nothing more under its old claims"
                );
                Verdict::Return
            }
        }
    }

    async fn work(&self) -> Result<Verdict, Stop> {
        let step = &self.claimed.step;
        if self.claimed.task.dry_run
            && let Some((text, forecast)) = self.subject().without_looking()
        {
            return Ok(self.foretold(text, &forecast));
        }
        if let Some(reason) = self.subject().not_needed() {
            self.refuse_to_leave_out(&reason).await?;
            return Ok(self.end(true, reason, Map::new(), Vec::new()));
        }
        let digest = self.claimed.task.digest.as_ref().ok_or_else(|| {
            Stop::Store(StoreError::Internal(format!(
                "task {} runs without a pinned design",
                step.task
            )))
        })?;
        let site = self
            .engine
            .designs
            .pinned(digest)
            .await
            .map_err(|error| match error {
                crate::designs::DesignError::Store(error) => Stop::Store(error),
                other => Stop::Driver(DriverError::permanent(
                    "reading the pinned design",
                    digest.to_string(),
                    other.to_string(),
                    "",
                )),
            })?;
        let node = match &step.node {
            None => None,
            Some(name) => Some(Arc::clone(site.node(name).ok_or_else(|| {
                Stop::Driver(DriverError::permanent(
                    step.action.as_str(),
                    format!("node {name}"),
                    "the pinned design does not hold this node",
                    "report this as a defect of the planner",
                ))
            })?)),
        };
        match step.action {
            StepAction::Noop => {
                let name = step.node.as_deref().unwrap_or("the site");
                Ok(self.end(
                    true,
                    format!("{name} was visited and left as it is"),
                    Map::new(),
                    Vec::new(),
                ))
            }
            StepAction::BootactionReport => self.boot_actions().await,
            _ => {
                let cx = StepContext {
                    task: step.task,
                    step: step.id,
                    action: step.action,
                    design: Arc::clone(&site.design),
                    node: node.clone(),
                    boot_device: self.boot_device(),
                    facts: foresight::facts_for_driver(&self.claimed.facts),
                    boot_keys: Arc::new(StoredKeys {
                        store: Arc::clone(&self.engine.store),
                        clock: Arc::clone(&self.engine.clock),
                        ids: Arc::clone(&self.engine.ids),
                        task: self.claimed.task.clone(),
                        step: step.id,
                        token: self.claimed.token,
                        digest: digest.clone(),
                        node: node.clone(),
                        design: Arc::clone(&site.design),
                    }),
                    time_left: self.until_deadline(),
                    operator: Arc::new(StoredAnswers {
                        store: Arc::clone(&self.engine.store),
                        step: step.id,
                    }),
                };
                let driver = self.driver_of(step.action, node.as_deref())?;
                self.drive(&*driver, &cx).await
            }
        }
    }

    /// From what a node is to start: what the task says, else the network, which is how nodes are installed.
    fn boot_device(&self) -> BootDevice {
        match self.claimed.task.oob {
            Some(OobCommand::Boot(device)) => device,
            _ => BootDevice::Network,
        }
    }

    fn driver_of(&self, action: StepAction, node: Option<&Node>) -> Result<Arc<dyn Driver>, Stop> {
        self.engine
            .drivers
            .select(action, node)
            .map_err(Stop::Driver)?
            .ok_or_else(|| {
                Stop::Driver(DriverError::permanent(
                    action.as_str(),
                    "the engine",
                    "nobody does this action",
                    "report this as a defect",
                ))
            })
    }

    /// Observe, plan, apply, round by round.
    async fn drive(&self, driver: &dyn Driver, cx: &StepContext) -> Result<Verdict, Stop> {
        let step = &self.claimed.step;
        let mut journal = if step.attempt > 1 {
            self.engine.store.step_journal(step.id).await?
        } else {
            Vec::new()
        };
        let held = self.held_to().await?;
        if let Some(held) = &held {
            self.look_ahead(held, cx, &journal).await?;
        }
        for _ in 0..ROUNDS {
            let observed = driver.observe(cx).await?;
            let StepPlan { changes, then } = driver.plan(cx, &observed, &journal);
            if self.claimed.task.dry_run {
                return Ok(self.rehearsed(&changes, then));
            }
            if let Some(held) = &held {
                self.check(held, &changes, &then, &journal).await?;
            }
            for change in changes {
                self.make(driver, cx, change, &mut journal).await?;
            }
            match then {
                Then::Observe if self.shutdown.is_cancelled() => return Ok(Verdict::Return),
                Then::Observe => {}
                Then::Done(report) => {
                    self.keep(&report).await?;
                    return Ok(self.done(report));
                }
                Then::Fail(error) => return Err(Stop::Driver(error)),
                Then::Wait { reason, poll } => return Ok(self.wait(reason, poll)),
                Then::Ask { request } => return self.ask(request).await,
            }
        }
        Err(Stop::Driver(DriverError::permanent(
            step.action.as_str(),
            step.node.clone().unwrap_or_else(|| "the site".into()),
            format!("after {ROUNDS} rounds of changes the state is still not as designed"),
            "see the task's journal for what was tried",
        )))
    }

    /// Keeps the build data of a report, before the step ends: a step that runs again replaces its own.
    async fn keep(&self, report: &Report) -> Result<(), Stop> {
        let step = &self.claimed.step;
        let (Some(node), false) = (&step.node, report.build_data.is_empty()) else {
            return Ok(());
        };
        let now = self.engine.clock.now();
        let data: Vec<BuildData> = report
            .build_data
            .iter()
            .map(|collected| {
                let (data_format, data_element) = collected.element.clone().into_parts();
                BuildData {
                    node_name: node.clone(),
                    generator: collected.generator.clone(),
                    collected_date: now,
                    task_id: step.id,
                    data_format,
                    data_element,
                }
            })
            .collect();
        let (store, token) = (&self.engine.store, self.claimed.token);
        Ok(store.record_build_data(step.id, token, &data).await?)
    }

    /// Asks an operator; the answer makes the step due.
    async fn ask(&self, request: String) -> Result<Verdict, Stop> {
        if !self.is_overdue() {
            let (store, step) = (&self.engine.store, &self.claimed.step);
            store
                .ask_operator(step.id, self.claimed.token, &request)
                .await?;
        }
        Ok(self.wait_for_operator(&request))
    }

    /// Whether nobody can have taken this claim yet.
    fn is_still_ours(&self) -> bool {
        let pulse = &self.engine.pulse;
        // In this order: a lapse is counted before it ends.
        pulse.is_fresh() && pulse.lapses() == self.lapses
    }

    /// One change: intent, act, outcome.
    async fn make(
        &self,
        driver: &dyn Driver,
        cx: &StepContext,
        change: Change,
        journal: &mut Vec<JournalEntry>,
    ) -> Result<(), Stop> {
        let (engine, step, token) = (self.engine, &self.claimed.step, self.claimed.token);
        if !self.is_still_ours() {
            return Err(Stop::Asleep);
        }
        let id = ChangeId(engine.ids.uuid());
        let written = secret::without_secrets(&change);
        let mut entry = JournalEntry {
            id,
            task: step.task,
            step: step.id,
            node: step.node.clone(),
            attempt: step.attempt,
            instance: engine.instance,
            epoch: engine.pulse.epoch(),
            change: written,
            intended: engine.clock.now(),
            outcome: None,
            evidence: None,
            latency_ms: None,
        };
        engine.store.record_intent(token, &entry).await?;
        engine.counts.intended();
        // The intent may have waited for the database for longer than the claim is good for.
        if !self.is_still_ours() {
            return Err(Stop::Asleep);
        }
        let started = engine.clock.monotonic();
        let result = driver.apply(cx, &change).await;
        let latency = engine.clock.monotonic().saturating_sub(started);
        let (outcome, evidence) = match &result {
            Ok(evidence) => (ChangeOutcome::Done, evidence.clone()),
            Err(error) if error.is_transient() => (ChangeOutcome::Unknown, error.to_string()),
            Err(error) => (ChangeOutcome::Refused, error.to_string()),
        };
        info!(verb = %entry.change.verb, target = %entry.change.target, risk = %entry.change.risk, outcome = outcome.as_str(), "change");
        // What is known must not become a perhaps because the database restarts: to write it twice is no fault.
        loop {
            match engine
                .store
                .record_outcome(token, id, outcome, &evidence, latency)
                .await
            {
                Err(StoreError::Unavailable(reason)) if !self.shutdown.is_cancelled() => {
                    warn!(reason, "the outcome waits for the database");
                    engine.clock.sleep(engine.settings.retry_base).await;
                }
                written => {
                    written?;
                    engine.counts.concluded();
                    break;
                }
            }
        }
        entry.outcome = Some(outcome);
        entry.evidence = Some(evidence);
        entry.latency_ms = i64::try_from(latency.as_millis()).ok();
        journal.push(entry);
        result.map(drop).map_err(Stop::Driver)
    }

    /// The reports of the deployed machine; the engine's own step.
    async fn boot_actions(&self) -> Result<Verdict, Stop> {
        let step = &self.claimed.step;
        let node = step.node.as_deref().unwrap_or_default();
        let context = match self.engine.store.boot_context(node).await {
            Ok(context) => context,
            Err(StoreError::NotFound) => {
                let text =
                    format!("no deployment of {node} is known here, so no boot action reports");
                return Ok(self.end(true, text, Map::new(), Vec::new()));
            }
            Err(error) => return Err(error.into()),
        };
        // A node that an earlier task deployed is judged by that deployment's reports: to ask again does not make them better.
        let now = self.engine.clock.now();
        match report::judge(&context, self.is_overdue(), now) {
            report::Judgement::Done(text) => Ok(self.end(true, text, Map::new(), Vec::new())),
            report::Judgement::Failed(text, messages) => {
                Ok(self.end(false, text, Map::new(), messages))
            }
            report::Judgement::Wait(reason) => Ok(Verdict::Wait {
                delay: self.until_deadline().max(Duration::from_millis(10)),
                reason,
                failures: 0,
                messages: Vec::new(),
            }),
        }
    }
}

/// Why work on a step stopped.
enum Stop {
    Driver(DriverError),
    Store(StoreError),
    /// This instance's heartbeat is too old to begin anything.
    Asleep,
}

impl From<DriverError> for Stop {
    fn from(error: DriverError) -> Self {
        Stop::Driver(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Stop::Store(error)
    }
}
