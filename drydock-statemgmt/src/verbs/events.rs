//! What happened to a task, numbered.
//!
//! Whoever tells of a task holds its row until the commit, so that the numbers are given in the order of the commits: a reader who
//! has seen one has missed none before it. A claim holds no task, and so tells nothing.

use std::ops::Range;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use drydock_model::event::{Happened, TaskEvent};
use drydock_model::id::TaskId;
use drydock_model::store::{EventStore, StoreError, StoreResult};
use drydock_model::task::Message;
use sqlx::Row as _;
use uuid::Uuid;

use super::{Backend, Conn, Row, during, stamp};
use crate::column::{from_json, from_word, to_json};
use crate::fault::Fault;

/// An event to be written.
#[derive(Default)]
pub(super) struct Event<'a> {
    /// The step and its attempt; none: the task as a whole.
    pub(super) step: Option<(Uuid, i32)>,
    /// What it came to.
    pub(super) status: &'a str,
    /// For what it waits.
    pub(super) waiting_for: Option<&'a str>,
    /// Which of the messages, of the step or of the task, came with it.
    pub(super) said: Range<usize>,
}

#[async_trait]
impl EventStore for Backend {
    async fn task_events(
        &self,
        task: TaskId,
        after: i64,
        limit: i64,
    ) -> StoreResult<Vec<TaskEvent>> {
        during(
            "reading what happened to a task",
            read(self, task, after, limit),
        )
        .await
    }
}

/// Writes an event of a task whose row this transaction holds.
pub(super) async fn tell(
    conn: &mut Conn,
    task: Uuid,
    now: DateTime<Utc>,
    event: Event<'_>,
) -> Result<(), Fault> {
    let place = |index: usize| i32::try_from(index).unwrap_or(i32::MAX);
    sqlx::query(
        "INSERT INTO task_events
            (task, seq, at, step, status, attempt, waiting_for, said_from, said_to)
         VALUES ($1, (SELECT COALESCE(MAX(e.seq), 0) + 1 FROM task_events e WHERE e.task = $1),
             $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(task)
    .bind(stamp(now))
    .bind(event.step.map(|(id, _)| id))
    .bind(event.status)
    .bind(event.step.map_or(0, |(_, attempt)| attempt))
    .bind(event.waiting_for.map(to_json).transpose()?)
    .bind(place(event.said.start))
    .bind(place(event.said.end))
    .execute(conn)
    .await?;
    Ok(())
}

async fn read(
    backend: &Backend,
    task: TaskId,
    after: i64,
    limit: i64,
) -> Result<Vec<TaskEvent>, Fault> {
    let mut tx = backend.read().await?;
    let rows = sqlx::query(
        "SELECT e.seq, e.at, e.step, e.status, e.attempt, e.waiting_for, e.said_from, e.said_to,
             s.node, s.action,
             CASE WHEN e.said_to <= e.said_from THEN '[]'
                  WHEN e.step IS NULL THEN t.messages ELSE s.messages END AS messages
         FROM task_events e JOIN tasks t ON t.id = e.task LEFT JOIN steps s ON s.id = e.step
         WHERE e.task = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3",
    )
    .bind(task.0)
    .bind(after)
    .bind(limit.max(0))
    .fetch_all(&mut *tx)
    .await?;
    if rows.is_empty() {
        let known: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM tasks WHERE id = $1) AS known")
                .bind(task.0)
                .fetch_one(&mut *tx)
                .await?;
        if !known {
            return Err(StoreError::NotFound.into());
        }
    }
    tx.commit().await?;
    rows.iter().map(event).collect()
}

fn event(row: &Row) -> Result<TaskEvent, Fault> {
    let status: String = row.try_get("status")?;
    let waiting_for: Option<String> = row.try_get("waiting_for")?;
    let what = match row.try_get::<Option<Uuid>, _>("step")? {
        None => Happened::Task(from_word("task_events.status", &status)?),
        Some(id) => Happened::Step {
            id: TaskId(id),
            node: row.try_get("node")?,
            action: from_word("steps.action", row.try_get("action")?)?,
            status: from_word("task_events.status", &status)?,
            attempt: row.try_get("attempt")?,
            waiting_for: waiting_for
                .map(|text| from_json("task_events.waiting_for", &text))
                .transpose()?,
        },
    };
    let index = |column| -> Result<usize, Fault> {
        Ok(usize::try_from(row.try_get::<i32, _>(column)?).unwrap_or(0))
    };
    let (from, to) = (index("said_from")?, index("said_to")?);
    let said: Vec<Message> = from_json("messages", row.try_get("messages")?)?;
    Ok(TaskEvent {
        seq: row.try_get("seq")?,
        at: row.try_get("at")?,
        what,
        messages: said
            .into_iter()
            .skip(from)
            .take(to.saturating_sub(from))
            .collect(),
    })
}
