//! What came of a task, of a node's share of it, or of one step: a pure function of the steps.

use std::collections::{BTreeMap, HashSet};

use drydock_model::id::TaskId;
use drydock_model::step::{Step, StepStatus};
use drydock_model::store::TaskTree;
use drydock_model::task::{ResultStatus, TaskStatus};

/// Status and result of one level of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where it stands.
    pub status: TaskStatus,
    /// What came of it.
    pub result: ResultStatus,
    /// Nodes that came through.
    pub successes: Vec<String>,
    /// Nodes that did not.
    pub failures: Vec<String>,
}

/// How a pipeline stands: ended well, ended badly, or not ended.
fn verdict<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Option<bool> {
    let mut good = true;
    for step in steps {
        if !step.status.is_final() {
            return None;
        }
        good &= step.status == StepStatus::Done;
    }
    Some(good)
}

/// The outcome of one step.
#[must_use]
pub fn of_step(step: &Step) -> Outcome {
    let status = match step.status {
        StepStatus::Pending | StepStatus::Ready => TaskStatus::Queued,
        StepStatus::Running | StepStatus::Waiting => TaskStatus::Running,
        StepStatus::Done | StepStatus::Failed | StepStatus::Skipped => TaskStatus::Complete,
        StepStatus::Terminated => TaskStatus::Terminated,
    };
    let result = match step.status {
        StepStatus::Done => ResultStatus::Success,
        StepStatus::Failed | StepStatus::Skipped | StepStatus::Terminated => ResultStatus::Failure,
        _ => ResultStatus::Incomplete,
    };
    let named = |wanted: bool| match (&step.node, result) {
        (Some(node), ResultStatus::Success) if wanted => vec![node.clone()],
        (Some(node), ResultStatus::Failure) if !wanted => vec![node.clone()],
        _ => Vec::new(),
    };
    Outcome {
        status,
        result,
        successes: named(true),
        failures: named(false),
    }
}

/// The outcome of one node's pipeline.
#[must_use]
pub fn of_pipeline(steps: &[&Step]) -> Outcome {
    let node = steps.first().and_then(|step| step.node.clone());
    let (status, result) = match verdict(steps.iter().copied()) {
        Some(true) => (TaskStatus::Complete, ResultStatus::Success),
        Some(false)
            if steps
                .iter()
                .any(|step| step.status == StepStatus::Terminated) =>
        {
            (TaskStatus::Terminated, ResultStatus::Failure)
        }
        Some(false) => (TaskStatus::Complete, ResultStatus::Failure),
        None if steps
            .iter()
            .all(|step| matches!(step.status, StepStatus::Pending | StepStatus::Ready)) =>
        {
            (TaskStatus::Queued, ResultStatus::Incomplete)
        }
        None => (TaskStatus::Running, ResultStatus::Incomplete),
    };
    let named = |wanted: ResultStatus| {
        if result == wanted {
            node.iter().cloned().collect()
        } else {
            Vec::new()
        }
    };
    Outcome {
        status,
        result,
        successes: named(ResultStatus::Success),
        failures: named(ResultStatus::Failure),
    }
}

/// The outcome of a whole tree. A node counts once: it is a failure when any of its pipelines failed.
#[must_use]
pub fn of_tree(tree: &TaskTree) -> Outcome {
    let mut order: Vec<&str> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut pipelines: BTreeMap<TaskId, Vec<&Step>> = BTreeMap::new();
    for step in &tree.steps {
        if let Some(node) = step.node.as_deref()
            && seen.insert(node)
        {
            order.push(node);
        }
        pipelines.entry(step.pipeline).or_default().push(step);
    }
    let mut nodes: BTreeMap<&str, Option<bool>> = BTreeMap::new();
    let mut site_failed = false;
    let mut anything_failed = false;
    for steps in pipelines.values() {
        let verdict = verdict(steps.iter().copied());
        anything_failed |= verdict == Some(false);
        match steps.first().and_then(|step| step.node.as_deref()) {
            None => site_failed |= verdict == Some(false),
            Some(node) => {
                let so_far = nodes.entry(node).or_insert(Some(true));
                *so_far = match (*so_far, verdict) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (None, _) | (_, None) => None,
                    (Some(true), Some(true)) => Some(true),
                };
            }
        }
    }
    let pick = |wanted: bool| -> Vec<String> {
        order
            .iter()
            .filter(|node| nodes.get(**node) == Some(&Some(wanted)))
            .map(|node| (*node).to_owned())
            .collect()
    };
    let (successes, failures) = (pick(true), pick(false));
    let result = if let Some(verdict) = tree.task.verdict {
        verdict
    } else if !tree.task.status.is_final() {
        ResultStatus::Incomplete
    } else if site_failed || (anything_failed && successes.is_empty()) {
        ResultStatus::Failure
    } else if anything_failed || !failures.is_empty() {
        ResultStatus::PartialSuccess
    } else if tree.task.status == TaskStatus::Terminated && tree.steps.is_empty() {
        ResultStatus::Failure
    } else {
        ResultStatus::Success
    };
    Outcome {
        status: tree.task.status,
        result,
        successes,
        failures,
    }
}
