//! What a claim of a step comes to: done, failed, to be looked at again.

use std::time::Duration;

use drydock_model::driver::{DriverError, Report};
use drydock_model::operator::WAITS_FOR;
use drydock_model::store::StepEnd;
use drydock_model::task::Message;
use serde_json::{Map, Value};
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

    /// The request is open; the first time it is also a message, for whoever reads the task.
    pub(super) fn wait_for_operator(&self, request: &str) -> Verdict {
        let step = &self.claimed.step;
        let waited = self.wait(format!("{WAITS_FOR}{request}"), Duration::MAX);
        let text = format!(
            "an operator is asked: {request} (answer with drydock task confirm {} --node {})",
            step.task,
            step.node.as_deref().unwrap_or_default()
        );
        match waited {
            Verdict::Wait {
                delay,
                reason,
                failures,
                ..
            } if !step.messages.iter().any(|said| said.message == text) => Verdict::Wait {
                delay,
                reason,
                failures,
                messages: vec![Message::about(
                    step.node.as_deref(),
                    false,
                    text,
                    self.engine.clock.now(),
                )],
            },
            waited => waited,
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
