//! Rows to tasks and steps.

use chrono::{DateTime, Utc};
use drydock_model::id::{Digest, InstanceId, TaskId};
use drydock_model::step::Step;
use drydock_model::task::Task;
use sqlx::Row as _;
use uuid::Uuid;

use super::Row;
use crate::column::{from_json, from_word};
use crate::fault::Fault;

/// A row of `tasks`.
pub(super) fn task(row: &Row) -> Result<Task, Fault> {
    let node_filter: Option<String> = row.try_get("node_filter")?;
    let strategy: Option<String> = row.try_get("strategy")?;
    let parameters: Option<String> = row.try_get("parameters")?;
    let verdict: Option<String> = row.try_get("verdict")?;
    Ok(Task {
        id: TaskId(row.try_get("id")?),
        action: from_word("tasks.action", row.try_get("action")?)?,
        design_ref: row.try_get("design_ref")?,
        node_filter: node_filter
            .map(|text| from_json("tasks.node_filter", &text))
            .transpose()?,
        priority: row.try_get("priority")?,
        dry_run: row.try_get("dry_run")?,
        strategy: strategy
            .map(|text| from_json("tasks.strategy", &text))
            .transpose()?,
        oob: parameters
            .map(|text| from_json("tasks.parameters", &text))
            .transpose()?,
        plan: row.try_get::<Option<Uuid>, _>("plan")?.map(TaskId),
        created_by: row.try_get("created_by")?,
        context_marker: row.try_get("context_marker")?,
        created: row.try_get("created")?,
        updated: row.try_get("updated")?,
        terminated: row.try_get("terminated")?,
        terminated_by: row.try_get("terminated_by")?,
        terminate: row.try_get("terminate")?,
        retry: row.try_get("retry")?,
        status: from_word("tasks.status", row.try_get("status")?)?,
        digest: row.try_get::<Option<String>, _>("digest")?.map(Digest),
        verdict: verdict
            .map(|word| from_word("tasks.verdict", &word))
            .transpose()?,
        messages: from_json("tasks.messages", row.try_get("messages")?)?,
    })
}

/// A row of `steps` with the column `blocked_by`.
pub(super) fn step_of_tree(row: &Row) -> Result<Step, Fault> {
    let blocked_by: Option<Uuid> = row.try_get("blocked_by")?;
    Ok(Step {
        blocked_by: blocked_by.map(TaskId),
        ..step(row)?
    })
}

/// A row of `steps`.
pub(super) fn step(row: &Row) -> Result<Step, Fault> {
    let waiting_for: Option<String> = row.try_get("waiting_for")?;
    Ok(Step {
        id: TaskId(row.try_get("id")?),
        task: TaskId(row.try_get("task")?),
        pipeline: TaskId(row.try_get("pipeline")?),
        stage: row.try_get("stage")?,
        pipeline_ordinal: row.try_get("pipeline_ordinal")?,
        ordinal: row.try_get("ordinal")?,
        node: row.try_get("node")?,
        action: from_word("steps.action", row.try_get("action")?)?,
        condition: from_word("steps.condition", row.try_get("condition")?)?,
        status: from_word("steps.status", row.try_get("status")?)?,
        attempt: row.try_get("attempt")?,
        failures: row.try_get("failures")?,
        timeout_s: row.try_get("timeout_s")?,
        deadline: row.try_get("deadline")?,
        not_before: row.try_get("not_before")?,
        waiting_for: waiting_for
            .map(|text| from_json("steps.waiting_for", &text))
            .transpose()?,
        blocked_by: None,
        holder: row.try_get::<Option<Uuid>, _>("holder")?.map(InstanceId),
        started: row.try_get("started")?,
        updated: row.try_get::<DateTime<Utc>, _>("updated")?,
        ended: row.try_get("ended")?,
        messages: from_json("steps.messages", row.try_get("messages")?)?,
        facts: from_json("steps.facts", row.try_get("facts")?)?,
    })
}
