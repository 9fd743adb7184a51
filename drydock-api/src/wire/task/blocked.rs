//! Whom a task waits for before it can begin on a node, or on the site.

use std::collections::BTreeMap;

use drydock_model::id::TaskId;
use drydock_model::operator::WAITS_FOR;
use drydock_model::step::{Step, StepStatus};
use drydock_model::task::{Message, Task};

/// Most nodes named in one sentence.
const NAMED: usize = 5;

/// For what a step waits right now, for people.
pub(super) fn reason(task: &Task, step: &Step) -> Option<String> {
    match (step.status, step.blocked_by) {
        (StepStatus::Waiting, _) => step.waiting_for.clone(),
        (StepStatus::Ready, Some(other)) => Some(format!(
            "task {other}, which has begun on {} and not ended there",
            place(step)
        )),
        (StepStatus::Pending, _)
            if step.ordinal == 0 && step.node.is_some() && task.strategy.is_some() =>
        {
            Some("its turn, by the task's strategy".into())
        }
        _ => None,
    }
}

/// Whether it goes on only when somebody answers.
pub(super) fn asks_operator(step: &Step) -> bool {
    let reason = step.waiting_for.as_deref().unwrap_or_default();
    step.status == StepStatus::Waiting && reason.starts_with(WAITS_FOR)
}

fn place(step: &Step) -> String {
    match &step.node {
        Some(node) => format!("node {node}"),
        None => "the site".into(),
    }
}

/// One message for each task in the way of these steps, naming it and where.
pub(super) fn messages<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Vec<Message> {
    let mut by_task: BTreeMap<TaskId, Vec<&Step>> = BTreeMap::new();
    for step in steps {
        if let Some(other) = step.blocked_by {
            by_task.entry(other).or_default().push(step);
        }
    }
    by_task
        .into_iter()
        .filter_map(|(other, steps)| {
            let first = steps.first()?;
            let mut places: Vec<_> = steps.iter().take(NAMED).map(|step| place(step)).collect();
            if steps.len() > NAMED {
                places.push(format!("{} more", steps.len() - NAMED));
            }
            let text = format!(
                "waits for task {other}, which has begun on {} and not ended there",
                places.join(", ")
            );
            let node = match &steps[..] {
                [only] => only.node.as_deref(),
                _ => None,
            };
            Some(match node {
                Some(_) => Message::about(node, false, text, first.updated),
                None => Message::task(false, text, first.updated),
            })
        })
        .collect()
}
