//! One claimed step: observe, plan, journal, apply, until it is done, waits or has failed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use drydock_model::change::{Change, ChangeOutcome, JournalEntry};
use drydock_model::driver::{Driver, DriverError, Report, StepContext, StepPlan, Then};
use drydock_model::effective::Node;
use drydock_model::id::ChangeId;
use drydock_model::step::{ClaimedStep, Condition, FACT_KNOWN, FACT_PROTECTED, StepAction};
use drydock_model::store::{StepEnd, StoreError, StoreResult};
use drydock_model::task::Message;
use futures::FutureExt;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::boot::keys::StoredKeys;
use crate::boot::report;
use crate::engine::Engine;

/// Rounds of observe and apply in one claim. A plan that is not met after so many never will be.
const ROUNDS: usize = 16;

/// What is to be written about the step when this claim ends.
pub(crate) enum Verdict {
    /// Done or failed.
    End(StepEnd),
    /// Look again later; how many transient errors in a row so far.
    Wait {
        delay: Duration,
        reason: String,
        failures: i32,
        messages: Vec<Message>,
    },
    /// Give it back as it is.
    Return,
    /// It is not ours any more.
    Lost,
}

/// Executes a claimed step to the end of its claim. Never panics, never leaves a claim behind while the store answers.
pub(crate) async fn execute(engine: Engine, claimed: ClaimedStep, shutdown: CancellationToken) {
    let step = &claimed.step;
    let span = info_span!("step", task = %step.task, step = %step.id, action = %step.action, node = step.node.as_deref().unwrap_or("-"), attempt = step.attempt);
    async {
        let run = Run { engine: &engine, claimed: &claimed, shutdown: &shutdown };
        let verdict = match AssertUnwindSafe(run.judge()).catch_unwind().await {
            Ok(verdict) => verdict,
            Err(_) => {
                error!("the step panicked");
                let text = format!("{}: a defect of the server stopped this step; see its log", step.action);
                run.end(false, text, Map::new(), Vec::new())
            }
        };
        if let Err(error) = run.write(verdict).await {
            match error {
                StoreError::StaleClaim => warn!("the claim was lost; what this instance found out is dropped"),
                other => warn!(error = %other, "the result could not be written; the step runs again when its claim lapses"),
            }
        }
    }
    .instrument(span)
    .await;
}

struct Run<'a> {
    engine: &'a Engine,
    claimed: &'a ClaimedStep,
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
            Err(Stop::Store(error)) => {
                warn!(%error, "the step stops here for the database's sake");
                Verdict::Return
            }
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
        if let Some(reason) = self.not_needed() {
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
            Some(name) => Some(Arc::clone(site.design.node(name).ok_or_else(|| {
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
                    facts: self.claimed.facts.clone(),
                    boot_keys: Arc::new(StoredKeys {
                        store: Arc::clone(&self.engine.store),
                        clock: Arc::clone(&self.engine.clock),
                        ids: Arc::clone(&self.engine.ids),
                        task: self.claimed.task.clone(),
                        digest: digest.clone(),
                        node: node.clone(),
                        design: Arc::clone(&site.design),
                    }),
                };
                let driver = self.driver(node.as_deref())?;
                self.drive(&*driver, &cx).await
            }
        }
    }

    fn driver(&self, node: Option<&Node>) -> Result<Arc<dyn Driver>, Stop> {
        let action = self.claimed.step.action;
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
        for _ in 0..ROUNDS {
            let observed = driver.observe(cx).await?;
            let StepPlan { changes, then } = driver.plan(cx, &observed, &journal);
            if self.claimed.task.dry_run {
                return Ok(self.rehearsed(&changes, then));
            }
            for change in changes {
                self.make(driver, cx, change, &mut journal).await?;
            }
            match then {
                Then::Observe if self.shutdown.is_cancelled() => return Ok(Verdict::Return),
                Then::Observe => {}
                Then::Done(report) => return Ok(self.done(report)),
                Then::Fail(error) => return Err(Stop::Driver(error)),
                Then::Wait { reason, poll } => return Ok(self.wait(reason, poll)),
            }
        }
        Err(Stop::Driver(DriverError::permanent(
            step.action.as_str(),
            step.node.clone().unwrap_or_else(|| "the site".into()),
            format!("after {ROUNDS} rounds of changes the state is still not as designed"),
            "see the task's journal for what was tried",
        )))
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
        if !engine.pulse.is_fresh() {
            return Err(Stop::Asleep);
        }
        let id = ChangeId(engine.ids.uuid());
        let mut entry = JournalEntry {
            id,
            task: step.task,
            step: step.id,
            node: step.node.clone(),
            attempt: step.attempt,
            instance: engine.instance,
            epoch: engine.pulse.epoch(),
            change,
            intended: engine.clock.now(),
            outcome: None,
            evidence: None,
            latency_ms: None,
        };
        engine.store.record_intent(token, &entry).await?;
        // The intent may have waited for the database for longer than the claim is good for.
        if !engine.pulse.is_fresh() {
            return Err(Stop::Asleep);
        }
        let started = engine.clock.monotonic();
        let result = driver.apply(cx, &entry.change).await;
        let latency = engine.clock.monotonic().saturating_sub(started);
        let (outcome, evidence) = match &result {
            Ok(evidence) => (ChangeOutcome::Done, evidence.clone()),
            Err(error) if error.is_transient() => (ChangeOutcome::Unknown, error.to_string()),
            Err(error) => (ChangeOutcome::Refused, error.to_string()),
        };
        info!(verb = %entry.change.verb, target = %entry.change.target, risk = %entry.change.risk, outcome = outcome.as_str(), "change");
        engine
            .store
            .record_outcome(token, id, outcome, &evidence, latency)
            .await?;
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
            Ok(context) if context.task == step.task => context,
            Ok(_) | Err(StoreError::NotFound) => {
                return Ok(self.end(
                    true,
                    format!("{node} was not deployed by this task, so no boot action reports"),
                    Map::new(),
                    Vec::new(),
                ));
            }
            Err(error) => return Err(error.into()),
        };
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

    /// Why the step has nothing to do, if so.
    fn not_needed(&self) -> Option<String> {
        let (step, facts) = (&self.claimed.step, &self.claimed.facts);
        let node = step.node.as_deref().unwrap_or("the site");
        let is = |fact: &str| facts.get(fact).and_then(Value::as_bool);
        if is(FACT_PROTECTED) == Some(true) {
            return Some(format!(
                "{node} is one of the provisioner's own controllers and was left alone"
            ));
        }
        match step.condition {
            Condition::Always => None,
            Condition::NodeUnknown if is(FACT_KNOWN) == Some(true) => Some(format!(
                "{node} is known to the provisioner already, so {} was not needed",
                step.action
            )),
            Condition::NodeUnknown => None,
        }
    }

    fn done(&self, report: Report) -> Verdict {
        self.end(true, report.message, report.facts, report.messages)
    }

    fn wait(&self, reason: String, poll: Duration) -> Verdict {
        if self.is_overdue() {
            let text = format!(
                "the deadline of {} passed while waiting for: {reason}",
                seconds(self.claimed.step.timeout_s)
            );
            return self.end(false, text, Map::new(), Vec::new());
        }
        debug!(reason, "waits");
        Verdict::Wait {
            delay: poll.min(self.until_deadline()),
            reason,
            failures: 0,
            messages: Vec::new(),
        }
    }

    /// Transient errors are tried again under the deadline, all others end the step.
    fn after_error(&self, error: DriverError) -> Verdict {
        let step = &self.claimed.step;
        let about = step
            .node
            .as_ref()
            .map_or_else(String::new, |node| format!("node {node}: "));
        if !error.is_transient() {
            warn!(%error, "failed");
            return self.end(false, format!("{about}{error}"), Map::new(), Vec::new());
        }
        let failures = step.failures + 1;
        if self.is_overdue() {
            warn!(%error, failures, "gave up");
            let text = format!(
                "{about}{error} (tried {failures} times, the deadline of {} has passed)",
                seconds(step.timeout_s)
            );
            return self.end(false, text, Map::new(), Vec::new());
        }
        let delay = error
            .retry_after
            .unwrap_or_else(|| self.back_off(step.failures))
            .min(self.until_deadline());
        warn!(%error, failures, delay_ms = delay.as_millis() as u64, "tries again");
        // The first failure is worth a line in the task; a thousand repetitions of it are not.
        let messages = if failures == 1 {
            vec![Message::about(
                step.node.as_deref(),
                false,
                format!("{about}{error}; trying again"),
                self.engine.clock.now(),
            )]
        } else {
            Vec::new()
        };
        Verdict::Wait {
            delay,
            reason: error.to_string(),
            failures,
            messages,
        }
    }

    /// Exponential with full jitter on the upper half.
    fn back_off(&self, failures: i32) -> Duration {
        let settings = &self.engine.settings;
        let exponent = u32::try_from(failures).unwrap_or(0).min(16);
        let ceiling = settings
            .retry_base
            .saturating_mul(1 << exponent)
            .min(settings.retry_cap);
        ceiling.mul_f64(0.5 + 0.5 * rand::random::<f64>())
    }

    /// What a dry run has to say of a step: the changes it would make.
    fn rehearsed(&self, changes: &[Change], then: Then) -> Verdict {
        let step = &self.claimed.step;
        let now = self.engine.clock.now();
        let mut messages: Vec<Message> = changes
            .iter()
            .map(|change| {
                let text = format!(
                    "would {} {} ({}): {}",
                    change.verb, change.target, change.risk, change.why
                );
                let mut message = Message::about(step.node.as_deref(), false, text, now);
                message.extra.insert("change".into(), json!(change));
                message
            })
            .collect();
        match then {
            Then::Fail(error) => self.end(false, error.to_string(), Map::new(), messages),
            Then::Done(report) => {
                messages.extend(report.messages);
                self.end(true, report.message, report.facts, messages)
            }
            Then::Wait { reason, .. } => self.end(
                true,
                format!("would wait for: {reason}"),
                Map::new(),
                messages,
            ),
            Then::Observe => self.end(
                true,
                format!(
                    "{}: {} change(s) planned, none made",
                    step.action,
                    changes.len()
                ),
                Map::new(),
                messages,
            ),
        }
    }

    fn end(
        &self,
        success: bool,
        text: String,
        facts: Map<String, Value>,
        mut messages: Vec<Message>,
    ) -> Verdict {
        if !text.is_empty() {
            messages.push(Message::about(
                self.claimed.step.node.as_deref(),
                !success,
                text,
                self.engine.clock.now(),
            ));
        }
        Verdict::End(StepEnd {
            success,
            messages,
            facts,
        })
    }

    fn is_overdue(&self) -> bool {
        self.until_deadline().is_zero()
    }

    fn until_deadline(&self) -> Duration {
        match self.claimed.step.deadline {
            Some(deadline) => (deadline - self.engine.clock.now())
                .to_std()
                .unwrap_or(Duration::ZERO),
            None => Duration::MAX,
        }
    }
}

fn seconds(seconds: f64) -> String {
    if seconds >= 120.0 {
        format!("{:.0} minutes", seconds / 60.0)
    } else {
        format!("{seconds} seconds")
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
