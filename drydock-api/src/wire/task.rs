//! A task, a node's share of it, or one driver action, as the API shows each: a Task object.

mod blocked;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use drydock_model::filter::NodeFilter;
use drydock_model::id::TaskId;
use drydock_model::oob::OobCommand;
use drydock_model::step::Step;
use drydock_model::store::TaskTree;
use drydock_model::strategy::Strategy;
use drydock_model::task::{Message, ResultStatus, Task, TaskStatus};
use drydock_orchestrator::outcome::{self, Outcome};
use drydock_orchestrator::progress::{self, Progress};
use serde::Serialize;
use serde_json::{Value, json};

/// A Task object.
#[derive(Clone, Debug, Serialize)]
pub struct TaskAnswer {
    kind: &'static str,
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    /// Id.
    pub task_id: TaskId,
    action: String,
    /// Id of the level above.
    pub parent_task_id: Option<TaskId>,
    design_ref: String,
    status: TaskStatus,
    /// What came of it.
    pub result: Value,
    node_filter: Option<NodeFilter>,
    /// Ids of the level below, in order.
    pub subtask_id_list: Vec<TaskId>,
    created: DateTime<Utc>,
    created_by: String,
    updated: DateTime<Utc>,
    terminated: Option<DateTime<Utc>>,
    terminated_by: Option<String>,
    terminate: bool,
    retry: i32,
    priority: i32,
    dry_run: bool,
    strategy: Option<Strategy>,
    /// What `oob_nodes` does.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<OobCommand>,
    /// The dry run whose plan it carries out.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_task_id: Option<TaskId>,
    progress: Progress,
    /// For what the action waits right now.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<String>,
}

/// All levels of a tree: the task itself first, then each node's share followed by its actions.
#[must_use]
pub fn answers(tree: &TaskTree, now: DateTime<Utc>) -> Vec<TaskAnswer> {
    let task = &tree.task;
    let in_the_way = blocked::messages(&tree.steps);
    let mut pipelines: Vec<(TaskId, Vec<&Step>)> = Vec::new();
    for step in &tree.steps {
        match pipelines.last_mut() {
            Some((id, steps)) if *id == step.pipeline => steps.push(step),
            _ => pipelines.push((step.pipeline, vec![step])),
        }
    }
    let children = pipelines
        .iter()
        .flat_map(
            |(id, steps)| match steps.first().and_then(|step| step.node.as_ref()) {
                Some(_) => vec![*id],
                // The site's pipeline is not shown: its steps are the task's own children.
                None => steps.iter().map(|step| step.id).collect(),
            },
        )
        .collect();
    let mut all = Vec::with_capacity(1 + pipelines.len() + tree.steps.len());
    let messages: Vec<&Message> = task
        .messages
        .iter()
        .chain(tree.steps.iter().flat_map(|step| &step.messages))
        .chain(&in_the_way)
        .collect();
    all.push(answer(
        task,
        Level {
            id: task.id,
            parent: None,
            action: task.action.as_str(),
            filter: task.node_filter.clone(),
            children,
            outcome: outcome::of_tree(tree),
            messages: &messages,
            progress: progress::of_tree(tree, now),
            updated: tree
                .steps
                .iter()
                .map(|step| step.updated)
                .max()
                .unwrap_or(task.updated)
                .max(task.updated),
            waiting_for: tree
                .steps
                .iter()
                .filter(|step| step.blocked_by.is_some() || blocked::asks_operator(step))
                .find_map(|step| blocked::reason(task, step)),
        },
    ));
    for (id, steps) in &pipelines {
        let node = steps.first().and_then(|step| step.node.as_deref());
        let mut parent = task.id;
        if let Some(node) = node {
            parent = *id;
            let in_the_way = blocked::messages(steps.iter().copied());
            let messages: Vec<&Message> = steps
                .iter()
                .flat_map(|step| &step.messages)
                .chain(&in_the_way)
                .collect();
            all.push(answer(
                task,
                Level {
                    id: *id,
                    parent: Some(task.id),
                    action: task.action.as_str(),
                    filter: Some(NodeFilter::one(node)),
                    children: steps.iter().map(|step| step.id).collect(),
                    outcome: outcome::of_pipeline(steps),
                    messages: &messages,
                    progress: progress::count(steps.iter().copied()),
                    updated: steps
                        .iter()
                        .map(|step| step.updated)
                        .max()
                        .unwrap_or(task.updated),
                    waiting_for: steps.iter().find_map(|step| blocked::reason(task, step)),
                },
            ));
        }
        for step in steps {
            all.push(answer(
                task,
                Level {
                    id: step.id,
                    parent: Some(parent),
                    action: step.action.as_str(),
                    filter: node.map(NodeFilter::one),
                    children: Vec::new(),
                    outcome: outcome::of_step(step),
                    messages: &step.messages.iter().collect::<Vec<_>>(),
                    progress: progress::count([*step]),
                    updated: step.updated,
                    waiting_for: blocked::reason(task, step),
                },
            ));
        }
    }
    all
}

/// The answer for one id of a tree.
#[must_use]
pub fn answer_for(tree: &TaskTree, id: TaskId, now: DateTime<Utc>) -> Option<TaskAnswer> {
    answers(tree, now)
        .into_iter()
        .find(|answer| answer.task_id == id)
}

/// A node's share of a tree; of several the last.
#[must_use]
pub fn share_of(tree: &TaskTree, node: &str, now: DateTime<Utc>) -> Option<TaskAnswer> {
    let pipeline = tree
        .steps
        .iter()
        .rev()
        .find(|step| step.node.as_deref() == Some(node))?
        .pipeline;
    answer_for(tree, pipeline, now)
}

/// The tasks below `root`, `layers` deep (the root is layer 1; -1: all), by id.
#[must_use]
pub fn layers(all: &[TaskAnswer], root: TaskId, layers: i64) -> BTreeMap<String, TaskAnswer> {
    let mut kept = BTreeMap::new();
    let mut level = vec![root];
    let mut depth = 0;
    while !level.is_empty() && (layers < 0 || depth < layers) {
        let mut next = Vec::new();
        for answer in all.iter().filter(|answer| level.contains(&answer.task_id)) {
            next.extend_from_slice(&answer.subtask_id_list);
            kept.insert(answer.task_id.to_string(), answer.clone());
        }
        level = next;
        depth += 1;
    }
    kept
}

/// Results of the subtasks below `root` that tell of errors, by id.
#[must_use]
pub fn subtask_errors(all: &[TaskAnswer], root: TaskId) -> BTreeMap<String, Value> {
    let below = layers(all, root, -1);
    below
        .values()
        .filter(|answer| {
            answer.task_id != root
                && answer.result["details"]["errorCount"].as_u64().unwrap_or(0) > 0
        })
        .map(|answer| {
            let mut result = answer.result.clone();
            result["task_id"] = json!(answer.task_id);
            (answer.task_id.to_string(), result)
        })
        .collect()
}

/// What differs between the levels of a tree.
struct Level<'a> {
    id: TaskId,
    parent: Option<TaskId>,
    action: &'a str,
    filter: Option<NodeFilter>,
    children: Vec<TaskId>,
    outcome: Outcome,
    messages: &'a [&'a Message],
    progress: Progress,
    updated: DateTime<Utc>,
    waiting_for: Option<String>,
}

fn answer(task: &Task, level: Level<'_>) -> TaskAnswer {
    let failures = level
        .messages
        .iter()
        .filter(|message| message.error)
        .count();
    let (message, reason) = summary(&level.outcome, task);
    let result = json!({
        "kind": "Status",
        "apiVersion": "v1.0",
        "metadata": {},
        "message": message,
        "reason": reason,
        "status": level.outcome.result,
        "successes": level.outcome.successes,
        "failures": level.outcome.failures,
        "links": [],
        "details": { "errorCount": failures, "messageList": level.messages },
    });
    TaskAnswer {
        kind: "Task",
        api_version: "v1",
        task_id: level.id,
        action: level.action.to_owned(),
        parent_task_id: level.parent,
        design_ref: task.design_ref.clone(),
        status: level.outcome.status,
        result,
        node_filter: level.filter,
        subtask_id_list: level.children,
        created: task.created,
        created_by: task.created_by.clone(),
        updated: level.updated,
        terminated: task.terminated,
        terminated_by: task.terminated_by.clone(),
        terminate: task.terminate,
        retry: task.retry,
        priority: task.priority,
        dry_run: task.dry_run,
        strategy: task.strategy.clone(),
        parameters: task.oob,
        plan_task_id: task.plan,
        progress: level.progress,
        waiting_for: level.waiting_for,
    }
}

fn summary(outcome: &Outcome, task: &Task) -> (&'static str, Option<&'static str>) {
    match (outcome.result, outcome.status) {
        (ResultStatus::Success, _) => ("Action completed", Some("Action completed")),
        (ResultStatus::PartialSuccess, _) => (
            "Action completed on some nodes and failed on others",
            Some("Partial success"),
        ),
        (ResultStatus::Failure, TaskStatus::Terminated) => {
            ("Action was terminated", Some("Terminated"))
        }
        (ResultStatus::Failure, _) => ("Action failed", Some("Action failed")),
        (
            ResultStatus::Incomplete | ResultStatus::Unreported,
            TaskStatus::Queued | TaskStatus::Requested,
        ) => ("Waits to begin", None),
        _ if task.terminate => ("Is being terminated", None),
        _ => ("In progress", None),
    }
}
