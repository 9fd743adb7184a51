//! Tasks: taken, read, listed, asked to stop.

use std::collections::HashMap;

use async_trait::async_trait;
use drydock_model::id::{Digest, TaskId};
use drydock_model::step::{Step, TaskPlan};
use drydock_model::store::{Leadership, StoreError, StoreResult, TaskQuery, TaskStore, TaskTree};
use drydock_model::task::{Message, NewTask, ResultStatus, Task, TaskStatus};
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use super::events::{self, Event};
use super::{Backend, Db, advance, during, id_list, planning, purge, rows, stamp};
use crate::column::{from_word, to_json};
use crate::fault::{Fault, duplicate};

/// The columns of `steps s` with the task that keeps a ready step from beginning: one that has begun on its node, or on the site, and not ended
/// there. See `place_is_free!`.
macro_rules! with_what_blocks {
    () => {
        "s.*, CASE
             WHEN s.status <> 'ready' THEN NULL
             WHEN s.node IS NULL THEN
                 (SELECT r.task FROM steps r WHERE r.node IS NULL AND r.task <> s.task
                      AND r.status IN ('ready', 'running', 'waiting')
                      AND (r.status <> 'ready' OR r.ordinal > 0 OR r.attempt > 0) LIMIT 1)
             ELSE
                 (SELECT r.task FROM steps r WHERE r.node = s.node AND r.task <> s.task
                      AND r.status IN ('ready', 'running', 'waiting')
                      AND (r.status <> 'ready' OR r.ordinal > 0 OR r.attempt > 0) LIMIT 1)
         END AS blocked_by"
    };
}

#[async_trait]
impl TaskStore for Backend {
    async fn create_task(&self, task: &NewTask) -> StoreResult<Task> {
        during("taking a task", create(self, task)).await
    }

    async fn tree(&self, id: TaskId) -> StoreResult<TaskTree> {
        during("reading a task", tree(self, id)).await
    }

    async fn steps_about(&self, task: TaskId, node: Option<&str>) -> StoreResult<Vec<Step>> {
        during("reading steps of a task", about(self, task, node)).await
    }

    async fn node_tree(&self, node: &str) -> StoreResult<TaskTree> {
        during("reading a node's newest task", newest_of(self, node)).await
    }

    async fn trees(&self, query: &TaskQuery) -> StoreResult<Vec<TaskTree>> {
        during("listing the tasks", trees(self, query)).await
    }

    async fn count_tasks(&self) -> StoreResult<Vec<(TaskStatus, u64)>> {
        during("counting the tasks", async {
            let rows = sqlx::query("SELECT status, COUNT(*) AS count FROM tasks GROUP BY status")
                .fetch_all(&self.readers)
                .await?;
            rows.iter()
                .map(|row| {
                    let status = from_word("tasks.status", row.try_get("status")?)?;
                    let count: i64 = row.try_get("count")?;
                    Ok((status, count.unsigned_abs()))
                })
                .collect()
        })
        .await
    }

    async fn queued(&self, limit: i64) -> StoreResult<Vec<Task>> {
        during("reading the queue", async {
            let rows = sqlx::query(
                "SELECT * FROM tasks WHERE status = 'queued'
                 ORDER BY priority DESC, created, id LIMIT $1",
            )
            .bind(limit.max(0))
            .fetch_all(&self.readers)
            .await?;
            rows.iter().map(rows::task).collect()
        })
        .await
    }

    async fn plan_task(
        &self,
        leader: Leadership,
        task: TaskId,
        digest: &Digest,
        plan: &TaskPlan,
        messages: &[Message],
    ) -> StoreResult<()> {
        let work = planning::plan(self, leader, task, digest, plan, messages);
        during("taking a task's plan", work).await
    }

    async fn end_task(
        &self,
        leader: Leadership,
        task: TaskId,
        verdict: ResultStatus,
        digest: Option<&Digest>,
        messages: &[Message],
    ) -> StoreResult<()> {
        let work = planning::end(self, leader, task, verdict, digest, messages);
        during("ending a task", work).await
    }

    async fn terminate_task(&self, task: TaskId, by: &str) -> StoreResult<Task> {
        during("terminating a task", terminate(self, task, by)).await
    }

    async fn purge_tasks(&self, older_than_days: u32) -> StoreResult<u64> {
        during("deleting old tasks", purge::tasks(self, older_than_days)).await
    }
}

async fn create(backend: &Backend, task: &NewTask) -> Result<Task, Fault> {
    let mut tx = backend.write().await?;
    let now = backend.now(&mut tx).await?;
    let inserted = sqlx::query(
        "INSERT INTO tasks (id, action, design_ref, node_filter, priority, dry_run, created_by,
             context_marker, idempotency_key, created, updated, status, retry, strategy, plan,
             parameters)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, 'queued', $11, $12, $13, $14)
         ON CONFLICT (idempotency_key) DO NOTHING",
    )
    .bind(task.id.0)
    .bind(task.action.as_str())
    .bind(&task.design_ref)
    .bind(task.node_filter.as_ref().map(to_json).transpose()?)
    .bind(task.priority)
    .bind(task.dry_run)
    .bind(&task.created_by)
    .bind(task.context_marker)
    .bind(&task.idempotency_key)
    .bind(stamp(now))
    .bind(task.retry)
    .bind(task.strategy.as_ref().map(to_json).transpose()?)
    .bind(task.plan.map(|plan| plan.0))
    .bind(task.oob.as_ref().map(to_json).transpose()?)
    .execute(&mut *tx)
    .await;
    let inserted = duplicate(inserted, || format!("there is a task {} already", task.id))?;
    if inserted.rows_affected() == 1 {
        let row = sqlx::query("SELECT * FROM tasks WHERE id = $1")
            .bind(task.id.0)
            .fetch_one(&mut *tx)
            .await?;
        let created = rows::task(&row)?;
        let event = Event {
            status: "queued",
            ..Event::default()
        };
        events::tell(&mut tx, task.id.0, now, event).await?;
        backend.commit_and_wake(tx).await?;
        return Ok(created);
    }
    let row = sqlx::query("SELECT * FROM tasks WHERE idempotency_key = $1")
        .bind(&task.idempotency_key)
        .fetch_one(&mut *tx)
        .await?;
    rows::task(&row)
}

async fn tree(backend: &Backend, id: TaskId) -> Result<TaskTree, Fault> {
    let mut tx = backend.read().await?;
    let row = sqlx::query(
        "SELECT * FROM tasks WHERE id =
             (SELECT id FROM tasks WHERE id = $1
              UNION SELECT task FROM steps WHERE id = $1
              UNION SELECT task FROM steps WHERE pipeline = $1)",
    )
    .bind(id.0)
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(StoreError::NotFound)?;
    let task = rows::task(&row)?;
    // Row by row: those of fifty thousand steps take several times what the steps do.
    let steps = sqlx::query(concat!(
        "SELECT ",
        with_what_blocks!(),
        " FROM steps s WHERE s.task = $1 ORDER BY s.stage, s.pipeline_ordinal, s.ordinal"
    ))
    .bind(task.id.0)
    .fetch(&mut *tx)
    .map(|row| rows::step_of_tree(&row?))
    .try_collect()
    .await?;
    tx.commit().await?;
    Ok(TaskTree { task, steps })
}

async fn about(backend: &Backend, task: TaskId, node: Option<&str>) -> Result<Vec<Step>, Fault> {
    let rows = match node {
        Some(node) => {
            sqlx::query(
                "SELECT * FROM steps WHERE node = $2 AND task = $1
                 ORDER BY stage, pipeline_ordinal, ordinal",
            )
            .bind(task.0)
            .bind(node)
            .fetch_all(&backend.readers)
            .await?
        }
        None => {
            sqlx::query(
                "SELECT * FROM steps WHERE task = $1 AND node IS NULL
                 ORDER BY stage, pipeline_ordinal, ordinal",
            )
            .bind(task.0)
            .fetch_all(&backend.readers)
            .await?
        }
    };
    rows.iter().map(rows::step).collect()
}

async fn newest_of(backend: &Backend, node: &str) -> Result<TaskTree, Fault> {
    let newest: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM tasks WHERE id IN (SELECT task FROM steps WHERE node = $1)
         ORDER BY created DESC, id DESC LIMIT 1",
    )
    .bind(node)
    .fetch_optional(&backend.readers)
    .await?;
    tree(backend, TaskId(newest.ok_or(StoreError::NotFound)?)).await
}

async fn trees(backend: &Backend, query: &TaskQuery) -> Result<Vec<TaskTree>, Fault> {
    let mut sql = QueryBuilder::<Db>::new("SELECT * FROM tasks WHERE TRUE");
    if let Some(status) = query.status {
        sql.push(" AND status = ").push_bind(status.as_str());
    }
    if let Some(action) = query.action {
        sql.push(" AND action = ").push_bind(action.as_str());
    }
    if let Some(reference) = &query.design_ref {
        // The first condition for the index, the second for the truth.
        let head: String = reference.chars().take(64).collect();
        sql.push(" AND lower(substr(design_ref, 1, 64)) = lower(")
            .push_bind(head);
        sql.push(") AND design_ref = ").push_bind(reference.clone());
    }
    if let Some(after) = query.created_after {
        sql.push(" AND created >= ").push_bind(stamp(after));
    }
    if let Some(from) = query.from {
        sql.push(" AND (created, id) ")
            .push(if query.newest_first { "<=" } else { ">=" })
            .push(" (SELECT f.created, f.id FROM tasks f WHERE f.id = ")
            .push_bind(from.0)
            .push(")");
    }
    sql.push(if query.newest_first {
        " ORDER BY created DESC, id DESC"
    } else {
        " ORDER BY created, id"
    });
    if let Some(limit) = query.limit {
        sql.push(" LIMIT ").push_bind(limit.max(0));
    }
    let mut tx = backend.read().await?;
    let rows = sql.build().fetch_all(&mut *tx).await?;
    let tasks: Vec<Task> = rows.iter().map(rows::task).collect::<Result<_, _>>()?;
    let mut found = sqlx::query(concat!(
        "SELECT ",
        with_what_blocks!(),
        " FROM steps s WHERE s.task ",
        in_ids!("$1"),
        "ORDER BY s.task, s.stage, s.pipeline_ordinal, s.ordinal"
    ))
    .bind(id_list(tasks.iter().map(|task| task.id.0)))
    .fetch(&mut *tx);
    let mut steps: HashMap<TaskId, Vec<Step>> = HashMap::new();
    while let Some(row) = found.try_next().await? {
        let step = rows::step_of_tree(&row)?;
        steps.entry(step.task).or_default().push(step);
    }
    drop(found);
    tx.commit().await?;
    let tree = |task: Task| TaskTree {
        steps: steps.remove(&task.id).unwrap_or_default(),
        task,
    };
    Ok(tasks.into_iter().map(tree).collect())
}

async fn terminate(backend: &Backend, task: TaskId, by: &str) -> Result<Task, Fault> {
    let mut tx = backend.write().await?;
    let row = sqlx::query(concat!(
        "SELECT status FROM tasks WHERE id = $1",
        for_update!()
    ))
    .bind(task.0)
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(StoreError::NotFound)?;
    let status: String = row.try_get("status")?;
    if matches!(status.as_str(), "complete" | "terminated") {
        return Err(StoreError::Conflict(format!("task {task} has ended: it is {status}")).into());
    }
    let now = backend.now(&mut tx).await?;
    // Asked twice, the first one stands.
    sqlx::query(
        "UPDATE tasks SET status = 'terminating', terminate = TRUE, updated = $2,
             terminated = COALESCE(terminated, $2), terminated_by = COALESCE(terminated_by, $3)
         WHERE id = $1",
    )
    .bind(task.0)
    .bind(stamp(now))
    .bind(by)
    .execute(&mut *tx)
    .await?;
    sqlx::query(concat!(
        "UPDATE steps SET status = 'terminated', ended = $2, updated = $2,
             not_before = NULL, waiting_for = NULL
         WHERE task = $1 AND status IN ('pending', 'ready', 'waiting') AND NOT ",
        power_is_half_changed!()
    ))
    .bind(task.0)
    .bind(stamp(now))
    .execute(&mut *tx)
    .await?;
    let event = Event {
        status: "terminating",
        ..Event::default()
    };
    events::tell(&mut tx, task.0, now, event).await?;
    advance::close_if_over(&mut tx, task.0, now).await?;
    let row = sqlx::query("SELECT * FROM tasks WHERE id = $1")
        .bind::<Uuid>(task.0)
        .fetch_one(&mut *tx)
        .await?;
    let task = rows::task(&row)?;
    backend.commit_and_wake(tx).await?;
    Ok(task)
}
