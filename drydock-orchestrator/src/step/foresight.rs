//! What a step would do, told by a dry run; and a step held to what such a dry run has told.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use drydock_model::change::{Change, ChangeOutcome, JournalEntry};
use drydock_model::driver::{DriverError, DriverKind, StepContext, StepPlan, Then};
use drydock_model::forecast::{FACT_FORECAST, Forecast};
use drydock_model::id::TaskId;
use drydock_model::step::{Condition, FACT_KNOWN, FACT_PROTECTED, Step, StepAction};
use drydock_model::task::Message;
use serde_json::{Map, Value, json};

use super::verdict::Verdict;
use super::{Run, Stop, secret};
use crate::forecast::{compare_first, compare_later, is_same_act};

/// A step as far as a forecast of it goes.
pub(super) struct Subject<'a> {
    pub(super) node: Option<&'a str>,
    pub(super) action: StepAction,
    pub(super) condition: Condition,
    pub(super) facts: &'a Map<String, Value>,
}

impl<'a> Subject<'a> {
    pub(super) fn of(step: &'a Step, facts: &'a Map<String, Value>) -> Self {
        Subject {
            node: step.node.as_deref(),
            action: step.action,
            condition: step.condition,
            facts,
        }
    }

    fn name(&self) -> &str {
        self.node.unwrap_or("the site")
    }

    fn fact(&self, name: &str) -> Option<bool> {
        self.facts.get(name).and_then(Value::as_bool)
    }

    /// Why the step has nothing to do, if so.
    pub(super) fn not_needed(&self) -> Option<String> {
        let node = self.name();
        if self.fact(FACT_PROTECTED) == Some(true) {
            return Some(format!(
                "{node} is one of the provisioner's own controllers and was left alone"
            ));
        }
        match self.condition {
            Condition::Always => None,
            Condition::NodeUnknown if self.fact(FACT_KNOWN) == Some(true) => Some(format!(
                "{node} is known to the provisioner already, so {} was not needed",
                self.action
            )),
            Condition::NodeUnknown => None,
        }
    }

    /// What can be said of the step without looking at the world, if that is all: what is not needed, what follows from a machine that
    /// nobody has seen yet, and what changes nothing.
    pub(super) fn without_looking(&self) -> Option<(String, Forecast)> {
        if let Some(reason) = self.not_needed() {
            return Some((reason, Forecast::nothing()));
        }
        let node = self.name();
        let of_provisioner = self.action.driver_kind() == Some(DriverKind::Node);
        if of_provisioner && self.fact(FACT_KNOWN) == Some(false) {
            let text = format!(
                "would do {} once the provisioner has found {node}",
                self.action
            );
            let because = format!("the provisioner has not found {node} yet");
            return Some((text, Forecast::and_more(self.action, Vec::new(), because)));
        }
        let text = match self.action {
            StepAction::Noop => format!("{node} would be visited and left as it is"),
            StepAction::BootactionReport => {
                format!("would wait for the reports of the boot actions of {node}")
            }
            _ => return None,
        };
        Some((text, Forecast::nothing()))
    }
}

/// What a plan of a driver comes to as a forecast.
fn forecast(action: StepAction, changes: &[Change], then: &Then) -> Forecast {
    let changes: Vec<Change> = changes.iter().map(secret::without_secrets).collect();
    match then {
        Then::Done(_) | Then::Fail(_) => Forecast {
            changes,
            further: None,
        },
        Then::Observe => Forecast::and_more(
            action,
            changes,
            "looks again once these are made, and does what is left then",
        ),
        Then::Wait { reason, .. } => {
            Forecast::and_more(action, changes, format!("waits for: {reason}"))
        }
        Then::Ask { request } => {
            Forecast::and_more(action, changes, format!("asks an operator: {request}"))
        }
    }
}

impl Run<'_> {
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject::of(&self.claimed.step, &self.claimed.facts)
    }

    /// What a dry run has to say of a step: the changes it would make.
    pub(super) fn rehearsed(&self, changes: &[Change], then: Then) -> Verdict {
        let step = &self.claimed.step;
        let forecast = forecast(step.action, changes, &then);
        let now = self.engine.clock.now();
        let mut messages: Vec<Message> = forecast
            .changes
            .iter()
            .map(|change| {
                let text = format!(
                    "would {} {} ({}): {}",
                    change.verb, change.target, change.risk, change.why
                );
                Message::about(step.node.as_deref(), false, text, now)
            })
            .collect();
        let mut facts = Map::new();
        let (success, text) = match then {
            Then::Fail(error) => return self.end(false, error.to_string(), facts, messages),
            Then::Done(report) => {
                messages.extend(report.messages);
                facts = report.facts;
                (true, report.message)
            }
            Then::Wait { reason, .. } => (true, format!("would wait for: {reason}")),
            Then::Ask { request } => (true, format!("would ask an operator: {request}")),
            Then::Observe => (
                true,
                format!(
                    "{}: {} change(s) planned, none made",
                    step.action,
                    changes.len()
                ),
            ),
        };
        facts.insert(FACT_FORECAST.to_owned(), json!(forecast));
        self.end(success, text, facts, messages)
    }

    /// The end of a step of a dry run of which there is nothing to look at.
    pub(super) fn foretold(&self, text: String, forecast: &Forecast) -> Verdict {
        let mut facts = Map::new();
        facts.insert(FACT_FORECAST.to_owned(), json!(forecast));
        self.end(true, text, facts, Vec::new())
    }

    /// The plan that this task carries out, as far as it is about this node; `None`: it does what is to be done.
    pub(super) async fn held_to(&self) -> Result<Option<Held>, Stop> {
        let Some(plan) = self.claimed.task.plan else {
            return Ok(None);
        };
        let node = self.claimed.step.node.as_deref();
        let steps = self.engine.store.steps_about(plan, node).await?;
        let held = Held { plan, steps };
        held.forecast(&self.claimed.step)?;
        Ok(Some(held))
    }

    /// Refuses to leave out what was planned.
    pub(super) async fn refuse_to_leave_out(&self, reason: &str) -> Result<(), Stop> {
        if let Some(held) = self.held_to().await?
            && let step = &self.claimed.step
            && let Some(first) = held.forecast(step)?.changes.first()
        {
            let text = format!(
                "the plan would {} {} ({}); now {reason}",
                first.verb, first.target, first.risk
            );
            return Err(held.refusal(step, text));
        }
        Ok(())
    }

    /// Looks at everything that the plan holds for this node once more, before anything is changed on it.
    pub(super) async fn look_ahead(
        &self,
        held: &Held,
        cx: &StepContext,
        journal: &[JournalEntry],
    ) -> Result<(), Stop> {
        let step = &self.claimed.step;
        let waits = held.forecast(step)?.changes.is_empty();
        // A step that waited has let the world move on, as the plan says that it does.
        let first_look = step.attempt == 1 || step.failures > 0 || !waits;
        if step.ordinal != 0 || !journal.is_empty() || !first_look {
            return Ok(());
        }
        let mut facts = cx.facts.clone();
        for planned in &held.steps {
            let subject = Subject::of(planned, &facts);
            let (now, said) = match subject.without_looking() {
                Some((text, forecast)) => (forecast.changes, text),
                None => {
                    let driver = self.driver_of(planned.action, cx.node.as_deref())?;
                    let cx = StepContext {
                        action: planned.action,
                        facts: facts.clone(),
                        ..cx.clone()
                    };
                    let observed = driver.observe(&cx).await?;
                    let StepPlan { changes, then } = driver.plan(&cx, &observed, &[]);
                    let said = told(&then);
                    match then {
                        Then::Fail(error) => {
                            let text = format!("it could be planned, and now it cannot: {error}");
                            return Err(held.refusal(planned, text));
                        }
                        Then::Done(report) => facts.extend(report.facts),
                        Then::Observe | Then::Wait { .. } | Then::Ask { .. } => {}
                    }
                    let now = changes.iter().map(secret::without_secrets).collect();
                    (now, said)
                }
            };
            self.compare(held, planned, &now, &said).await?;
        }
        Ok(())
    }

    /// Holds what a step is about to do against its plan.
    pub(super) async fn check(
        &self,
        held: &Held,
        changes: &[Change],
        then: &Then,
        journal: &[JournalEntry],
    ) -> Result<(), Stop> {
        let step = &self.claimed.step;
        let now: Vec<Change> = changes.iter().map(secret::without_secrets).collect();
        let mut own = begun(journal);
        if own.is_empty() {
            return self.compare(held, step, &now, &told(then)).await;
        }
        let forecast = held.forecast(step)?;
        if compare_later(&forecast, &now, &own).is_ok() {
            return Ok(());
        }
        own.extend(begun(&self.engine.store.task_journal(step.task).await?));
        compare_later(&forecast, &now, &own).map_err(|text| held.refusal(step, text))
    }

    /// The first round. What this task has done itself is looked up only when there is a difference.
    async fn compare(
        &self,
        held: &Held,
        step: &Step,
        now: &[Change],
        said: &str,
    ) -> Result<(), Stop> {
        let forecast = held.forecast(step)?;
        if compare_first(&forecast, now, &[]).is_ok() {
            return Ok(());
        }
        let (engine, task) = (self.engine, self.claimed.step.task);
        let mut made = engine.elsewhere.of(task);
        if let Some(node) = &self.claimed.step.node {
            let mut journal = engine.store.node_journal(node, LATEST).await?;
            journal.retain(|entry| entry.task == task);
            made.extend(begun(&journal));
        }
        if compare_first(&forecast, now, &made).is_ok() {
            return Ok(());
        }
        let made = begun(&engine.store.task_journal(task).await?);
        engine.elsewhere.keep(task, &forecast, &made);
        compare_first(&forecast, now, &made).map_err(|text| match now {
            [] if !said.is_empty() => held.refusal(step, format!("{text} ({said})")),
            _ => held.refusal(step, text),
        })
    }
}

/// What a driver has to say where it changes nothing.
fn told(then: &Then) -> String {
    match then {
        Then::Done(report) => report.message.clone(),
        Then::Wait { reason, .. } => format!("waits for: {reason}"),
        Then::Ask { request } => format!("asks an operator: {request}"),
        Then::Fail(error) => error.to_string(),
        Then::Observe => String::new(),
    }
}

/// More changes than one task makes on one node.
const LATEST: i64 = 1000;

/// The changes that were made, or may have been.
fn begun(journal: &[JournalEntry]) -> Vec<Change> {
    journal
        .iter()
        .filter(|entry| entry.outcome != Some(ChangeOutcome::Refused))
        .map(|entry| entry.change.clone())
        .collect()
}

/// What a plan holds for one node, or for the site.
pub(super) struct Held {
    plan: TaskId,
    /// The steps of the dry run.
    steps: Vec<Step>,
}

impl Held {
    /// What was foreseen of this step.
    fn forecast(&self, step: &Step) -> Result<Forecast, Stop> {
        self.steps
            .iter()
            .find(|planned| planned.ordinal == step.ordinal && planned.action == step.action)
            .and_then(|planned| planned.facts.get(FACT_FORECAST))
            .and_then(|value| serde_json::from_value(value.clone()).ok())
            .ok_or_else(|| self.refusal(step, "the plan holds no such step".to_owned()))
    }

    fn refusal(&self, step: &Step, text: String) -> Stop {
        Stop::Driver(DriverError::permanent(
            format!("carrying out the plan of {}", self.plan),
            step.action.as_str(),
            text,
            "nothing more is done here; look at what has changed and make a new plan",
        ))
    }
}

/// What tasks that carry out a plan were found to have changed for several nodes at once, such as a tag: so that a journal of many nodes is
/// not read again for each of them. What is missing here is looked up.
#[derive(Default)]
pub(crate) struct Elsewhere(Mutex<VecDeque<(TaskId, Vec<Change>)>>);

/// Tasks remembered; more than carry out a plan at once.
const TASKS: usize = 16;

impl Elsewhere {
    fn of(&self, task: TaskId) -> Vec<Change> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(of, _)| *of == task);
        found.map_or_else(Vec::new, |(_, changes)| changes.clone())
    }

    /// Keeps those of the changes made that a forecast holds, too.
    fn keep(&self, task: TaskId, forecast: &Forecast, made: &[Change]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|(of, _)| *of == task) {
            known.truncate(TASKS - 1);
            known.push_front((task, Vec::new()));
        }
        let Some((_, kept)) = known.iter_mut().find(|(of, _)| *of == task) else {
            return;
        };
        for planned in &forecast.changes {
            let done = made.iter().find(|made| is_same_act(planned, made));
            if let Some(done) = done
                && !kept.contains(done)
            {
                kept.push(done.clone());
            }
        }
    }
}

/// Facts for a driver: what only the engine reads is not among them.
pub(super) fn facts_for_driver(facts: &Map<String, Value>) -> Map<String, Value> {
    let mut facts = facts.clone();
    facts.shift_remove(FACT_FORECAST);
    facts
}
