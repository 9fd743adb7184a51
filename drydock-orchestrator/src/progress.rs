//! How far a task is, and how long it may still take: a pure function of its steps and the time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use drydock_model::id::TaskId;
use drydock_model::step::{Step, StepStatus};
use drydock_model::store::TaskTree;
use serde::Serialize;

/// Steps counted by how they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// All.
    pub total: usize,
    /// Ended well.
    pub done: usize,
    /// Ended badly, skipped and terminated ones included.
    pub failed: usize,
    /// Claimed, or waiting for a condition.
    pub running: usize,
    /// Seconds until the end, estimated from the nodes of the task that came through; `None` until there is one, and when nothing is left.
    pub eta_seconds: Option<u64>,
}

/// Counts steps; no estimate.
#[must_use]
pub fn count<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Progress {
    let mut progress = Progress::default();
    for step in steps {
        progress.total += 1;
        match step.status {
            StepStatus::Done => progress.done += 1,
            StepStatus::Failed | StepStatus::Skipped | StepStatus::Terminated => {
                progress.failed += 1;
            }
            StepStatus::Running | StepStatus::Waiting => progress.running += 1,
            StepStatus::Pending | StepStatus::Ready => {}
        }
    }
    progress
}

/// Progress of a whole task.
#[must_use]
pub fn of_tree(tree: &TaskTree, now: DateTime<Utc>) -> Progress {
    Progress {
        eta_seconds: estimate(tree, now),
        ..count(&tree.steps)
    }
}

/// One node's share, as far as it matters here.
struct Share {
    begun: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    good: bool,
}

/// The mean time of the nodes that came through is what each of the others takes from its beginning. Those under way go on side by side,
/// and as many as they are go on being under way: the strategy, the limits and the workers are in that number.
fn estimate(tree: &TaskTree, now: DateTime<Utc>) -> Option<u64> {
    if tree.task.status.is_final() {
        return None;
    }
    let mut pipelines: BTreeMap<TaskId, Vec<&Step>> = BTreeMap::new();
    for step in tree.steps.iter().filter(|step| step.node.is_some()) {
        pipelines.entry(step.pipeline).or_default().push(step);
    }
    let shares: Vec<Share> = pipelines.values().map(|steps| share(steps)).collect();
    let times: Vec<f64> = shares
        .iter()
        .filter(|share| share.good)
        .filter_map(|share| Some(seconds(share.begun?, share.ended?)))
        .collect();
    if times.is_empty() {
        return None;
    }
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    let open = || shares.iter().filter(|share| share.ended.is_none());
    let under_way: Vec<f64> = open()
        .filter_map(|share| Some((mean - seconds(share.begun?, now)).max(0.0)))
        .collect();
    let to_begin = open().count() - under_way.len();
    let width = match tree.task.strategy.as_ref().and_then(|it| it.max_in_flight) {
        // Between two nodes nothing may be under way at the moment of asking.
        Some(most) if under_way.is_empty() => most as usize,
        _ => under_way.len(),
    }
    .max(1) as f64;
    let longest = under_way.iter().copied().fold(0.0, f64::max);
    let all = (under_way.iter().sum::<f64>() + mean * to_begin as f64) / width;
    Some(longest.max(all).ceil() as u64)
}

fn share(steps: &[&Step]) -> Share {
    let over = steps.iter().all(|step| step.status.is_final());
    Share {
        begun: steps.iter().filter_map(|step| step.started).min(),
        ended: steps
            .iter()
            .filter_map(|step| step.ended)
            .max()
            .filter(|_| over),
        good: steps.iter().all(|step| step.status == StepStatus::Done),
    }
}

fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).to_std().map_or(0.0, |span| span.as_secs_f64())
}
