//! What only the leader does to a queued task: give it a plan, or end it.

use std::ops::Range;
use std::time::Duration;

use chrono::{DateTime, Utc};
use drydock_model::id::{Digest, TaskId};
use drydock_model::step::{StepPlanned, TaskPlan};
use drydock_model::store::{Leadership, StoreError};
use drydock_model::strategy::Strategy;
use drydock_model::task::{Message, ResultStatus};
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use super::events::{self, Event};
use super::{Backend, Conn, Db, advance, leadership, stamp};
use crate::column::{from_json, to_json};
use crate::fault::{Fault, duplicate};

/// Rows of one INSERT: thirteen parameters each, of which SQLite takes 32766 in all.
const CHUNK: usize = 500;

/// The longest a step may take, so that its deadline is a date.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

struct Planned<'a> {
    pipeline: Uuid,
    node: Option<&'a str>,
    stage: i32,
    pipeline_ordinal: i32,
    ordinal: i32,
    step: &'a StepPlanned,
}

pub(super) async fn plan(
    backend: &Backend,
    leader: Leadership,
    task: TaskId,
    digest: &Digest,
    plan: &TaskPlan,
    messages: &[Message],
) -> Result<(), Fault> {
    let steps = flatten(task, plan)?;
    let mut tx = backend.write().await?;
    leadership::reign(&mut tx, leader).await?;
    let queued = queued(&mut tx, task, messages).await?;
    let now = backend.now(&mut tx).await?;
    sqlx::query(
        "UPDATE tasks SET status = 'running', digest = $2, messages = $3, updated = $4
         WHERE id = $1",
    )
    .bind(task.0)
    .bind(&digest.0)
    .bind(&queued.messages)
    .bind(stamp(now))
    .execute(&mut *tx)
    .await?;
    for chunk in steps.chunks(CHUNK) {
        insert(&mut tx, task, chunk, now).await?;
    }
    advance::open_stage_after(&mut tx, task.0, -1, queued.strategy.as_ref(), now).await?;
    queued.tell(&mut tx, task, "running", now).await?;
    advance::close_if_over(&mut tx, task.0, now).await?;
    backend.commit_and_wake(tx).await
}

pub(super) async fn end(
    backend: &Backend,
    leader: Leadership,
    task: TaskId,
    verdict: ResultStatus,
    digest: Option<&Digest>,
    messages: &[Message],
) -> Result<(), Fault> {
    let mut tx = backend.write().await?;
    leadership::reign(&mut tx, leader).await?;
    let queued = queued(&mut tx, task, messages).await?;
    let now = backend.now(&mut tx).await?;
    sqlx::query(
        "UPDATE tasks SET status = 'complete', verdict = $2, digest = $3, messages = $4,
             updated = $5
         WHERE id = $1",
    )
    .bind(task.0)
    .bind(verdict.as_str())
    .bind(digest.map(|digest| digest.0.as_str()))
    .bind(&queued.messages)
    .bind(stamp(now))
    .execute(&mut *tx)
    .await?;
    queued.tell(&mut tx, task, "complete", now).await?;
    backend.commit_and_wake(tx).await
}

/// A task that is queued and locked.
struct Queued {
    /// What was said before and what is said now, as JSON.
    messages: String,
    /// Which of them are said now.
    said: Range<usize>,
    strategy: Option<Strategy>,
}

impl Queued {
    async fn tell(
        &self,
        conn: &mut Conn,
        task: TaskId,
        status: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Fault> {
        let event = Event {
            status,
            said: self.said.clone(),
            ..Event::default()
        };
        events::tell(conn, task.0, now, event).await
    }
}

/// Locks a task that must still be queued, and has it say something more.
async fn queued(conn: &mut Conn, task: TaskId, more: &[Message]) -> Result<Queued, Fault> {
    let row = sqlx::query(concat!(
        "SELECT status, messages, strategy FROM tasks WHERE id = $1",
        for_update!()
    ))
    .bind(task.0)
    .fetch_optional(conn)
    .await?
    .ok_or(StoreError::NotFound)?;
    let status: String = row.try_get("status")?;
    if status != "queued" {
        return Err(StoreError::Conflict(format!(
            "task {task} is not queued any more: it is {status}"
        ))
        .into());
    }
    let mut messages: Vec<Message> = from_json("tasks.messages", row.try_get("messages")?)?;
    let before = messages.len();
    messages.extend_from_slice(more);
    let strategy: Option<String> = row.try_get("strategy")?;
    Ok(Queued {
        messages: to_json(&messages)?,
        said: before..messages.len(),
        strategy: strategy
            .map(|text| from_json("tasks.strategy", &text))
            .transpose()?,
    })
}

/// The plan as rows. A pipeline without steps would be a node without a result, which must not be.
fn flatten(task: TaskId, plan: &TaskPlan) -> Result<Vec<Planned<'_>>, Fault> {
    let mut rows = Vec::new();
    for (stage, pipelines) in (0_i32..).zip(&plan.stages) {
        for (pipeline_ordinal, pipeline) in (0_i32..).zip(pipelines) {
            if pipeline.steps.is_empty() {
                return Err(StoreError::Internal(format!(
                    "the plan for task {task} has no step for {}; report this as a defect of the \
                     planner",
                    pipeline.node.as_deref().unwrap_or("the site")
                ))
                .into());
            }
            rows.extend(
                (0_i32..)
                    .zip(&pipeline.steps)
                    .map(|(ordinal, step)| Planned {
                        pipeline: pipeline.id.0,
                        node: pipeline.node.as_deref(),
                        stage,
                        pipeline_ordinal,
                        ordinal,
                        step,
                    }),
            );
        }
    }
    Ok(rows)
}

async fn insert(
    conn: &mut Conn,
    task: TaskId,
    rows: &[Planned<'_>],
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let mut sql = QueryBuilder::<Db>::new(
        "INSERT INTO steps (id, task, pipeline, stage, pipeline_ordinal, ordinal, node, action,
             condition, status, timeout_s, updated) ",
    );
    sql.push_values(rows, |mut row, planned| {
        row.push_bind(planned.step.id.0)
            .push_bind(task.0)
            .push_bind(planned.pipeline)
            .push_bind(planned.stage)
            .push_bind(planned.pipeline_ordinal)
            .push_bind(planned.ordinal)
            .push_bind(planned.node.map(str::to_owned))
            .push_bind(planned.step.action.as_str())
            .push_bind(planned.step.condition.as_str())
            .push_bind("pending")
            .push_bind(planned.step.timeout.min(CENTURY).as_secs_f64())
            .push_bind(stamp(now));
    });
    let inserted = sql.build().persistent(false).execute(conn).await;
    duplicate(inserted, || {
        format!("the plan for task {task} uses an id that is taken")
    })?;
    Ok(())
}
