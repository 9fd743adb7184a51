//! What a claim of a step comes to: done, failed, to be looked at again.

use std::time::Duration;

use drydock_model::change::Change;
use drydock_model::driver::{DriverError, DriverKind, Report, Then};
use drydock_model::step::{Condition, FACT_KNOWN, FACT_PROTECTED};
use drydock_model::store::StepEnd;
use drydock_model::task::Message;
use serde_json::{Map, Value, json};
use tracing::{debug, warn};

use super::Run;

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

impl Run<'_> {
    /// Why the step has nothing to do, if so.
    pub(super) fn not_needed(&self) -> Option<String> {
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

    pub(super) fn done(&self, report: Report) -> Verdict {
        self.end(true, report.message, report.facts, report.messages)
    }

    pub(super) fn wait(&self, reason: String, poll: Duration) -> Verdict {
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
    pub(super) fn after_error(&self, error: DriverError) -> Verdict {
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
        // Who says "at once" while failing gets the back-off all the same.
        let delay = self
            .back_off(step.failures)
            .max(error.retry_after.unwrap_or_default())
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

    /// The database is away: nothing was found out about the target.
    pub(super) fn wait_for_the_database(&self, reason: String) -> Verdict {
        let failures = self.claimed.step.failures;
        Verdict::Wait {
            delay: self.back_off(failures),
            reason: format!("the database: {reason}"),
            failures,
            messages: Vec::new(),
        }
    }

    /// Why a dry run can say nothing more about the step, if so: what follows from a machine that nobody has seen yet.
    pub(super) fn not_rehearsable(&self) -> Option<String> {
        let (step, facts) = (&self.claimed.step, &self.claimed.facts);
        let unknown = facts.get(FACT_KNOWN).and_then(Value::as_bool) == Some(false);
        let of_provisioner = step.action.driver_kind() == Some(DriverKind::Node);
        (self.claimed.task.dry_run && unknown && of_provisioner).then(|| {
            let node = step.node.as_deref().unwrap_or("the site");
            format!(
                "would do {} once the provisioner has found {node}",
                step.action
            )
        })
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
    pub(super) fn rehearsed(&self, changes: &[Change], then: Then) -> Verdict {
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

    pub(super) fn end(
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

    pub(super) fn is_overdue(&self) -> bool {
        self.until_deadline().is_zero()
    }

    pub(super) fn until_deadline(&self) -> Duration {
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
