//! What a step that waits, and the end of a stage or of a task, moves on.
//!
//! Whoever moves a task on holds its row: of two pipelines that end at the same moment the second sees
//! the end of the first, and one of them opens the next stage.

use std::time::Duration;

use chrono::{DateTime, Utc};
use drydock_model::id::{ClaimToken, TaskId};
use drydock_model::step::Step;
use drydock_model::store::StoreError;
use drydock_model::strategy::Strategy;
use drydock_model::task::Message;
use sqlx::Row as _;
use uuid::Uuid;

use super::events::{self, Event};
use super::{Backend, Conn, rows, stamp, waves};
use crate::column::{after, to_json};
use crate::fault::Fault;

/// A step under the current token, its task's row and its own locked.
struct Held {
    step: Step,
    /// Its task was asked to stop.
    terminate: bool,
    /// Something arrived for it since it was claimed.
    poked: bool,
    /// For what it was last said to wait.
    told: Option<String>,
}

async fn hold(conn: &mut Conn, step: TaskId, token: ClaimToken) -> Result<Held, Fault> {
    let task: Option<Uuid> =
        sqlx::query_scalar("SELECT task FROM steps WHERE id = $1 AND token = $2")
            .bind(step.0)
            .bind(token.0)
            .fetch_optional(&mut *conn)
            .await?;
    let task = task.ok_or(StoreError::StaleClaim)?;
    let terminate = sqlx::query_scalar(concat!(
        "SELECT terminate FROM tasks WHERE id = $1",
        for_update!()
    ))
    .bind(task)
    .fetch_one(&mut *conn)
    .await?;
    let row = sqlx::query(concat!(
        "SELECT * FROM steps WHERE id = $1 AND token = $2 AND status = 'running'",
        for_update!()
    ))
    .bind(step.0)
    .bind(token.0)
    .fetch_optional(conn)
    .await?
    .ok_or(StoreError::StaleClaim)?;
    Ok(Held {
        step: rows::step(&row)?,
        terminate,
        poked: row.try_get("poked")?,
        told: row.try_get("told")?,
    })
}

pub(super) async fn wait(
    backend: &Backend,
    step: TaskId,
    token: ClaimToken,
    delay: Duration,
    reason: &str,
    failures: i32,
    messages: &[Message],
) -> Result<(), Fault> {
    let mut tx = backend.write().await?;
    let held = hold(&mut tx, step, token).await?;
    let now = backend.now(&mut tx).await?;
    let before = held.step.messages.len();
    let said = before..before + messages.len();
    let messages = with_messages(&held.step.messages, messages)?;
    let task = held.step.task.0;
    let of_step = Some((step.0, held.step.attempt));
    if held.terminate && !is_half_changed(&mut tx, step).await? {
        sqlx::query(
            "UPDATE steps SET status = 'terminated', messages = $2, ended = $3, updated = $3,
                 failures = $4, holder = NULL, token = NULL
             WHERE id = $1",
        )
        .bind(step.0)
        .bind(messages)
        .bind(stamp(now))
        .bind(failures)
        .execute(&mut *tx)
        .await?;
        let event = Event {
            step: of_step,
            status: "terminated",
            said,
            ..Event::default()
        };
        events::tell(&mut tx, task, now, event).await?;
        close_if_over(&mut tx, task, now).await?;
    } else {
        let told = to_json(reason)?;
        // A step that polls says the same for an hour; once is enough.
        if !said.is_empty() || held.told.as_ref() != Some(&told) {
            let event = Event {
                step: of_step,
                status: "waiting",
                waiting_for: Some(reason),
                said,
            };
            events::tell(&mut tx, task, now, event).await?;
        }
        let due = if held.poked { now } else { after(now, delay) };
        sqlx::query(
            "UPDATE steps SET status = 'waiting', messages = $2, not_before = $3,
                 waiting_for = $4, told = $4, failures = $5, updated = $6, poked = FALSE, holder = NULL,
                 token = NULL
             WHERE id = $1",
        )
        .bind(step.0)
        .bind(messages)
        .bind(stamp(due))
        .bind(told)
        .bind(failures)
        .bind(stamp(now))
        .execute(&mut *tx)
        .await?;
    }
    backend.commit_and_wake(tx).await
}

async fn is_half_changed(conn: &mut Conn, step: TaskId) -> Result<bool, Fault> {
    let query = concat!(
        "SELECT COUNT(*) FROM steps WHERE id = $1 AND ",
        power_is_half_changed!()
    );
    let count: i64 = sqlx::query_scalar(query)
        .bind(step.0)
        .fetch_one(conn)
        .await?;
    Ok(count > 0)
}

/// Ends a task of which no step is open: complete, or terminated when that was asked for.
pub(super) async fn close_if_over(
    conn: &mut Conn,
    task: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    if is_open(conn, task, None).await? {
        return Ok(false);
    }
    let status: String = sqlx::query_scalar(
        "UPDATE tasks SET updated = $2,
             status = CASE WHEN terminate THEN 'terminated' ELSE 'complete' END
         WHERE id = $1 RETURNING status",
    )
    .bind(task)
    .bind(stamp(now))
    .fetch_one(&mut *conn)
    .await?;
    let event = Event {
        status: &status,
        ..Event::default()
    };
    events::tell(conn, task, now, event).await?;
    Ok(true)
}

/// The first steps of the next stage that has any become ready, of as many as the strategy lets begin.
pub(super) async fn open_stage_after(
    conn: &mut Conn,
    task: Uuid,
    stage: i32,
    strategy: Option<&Strategy>,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    if let Some(limit) = strategy.and_then(|strategy| strategy.max_in_flight) {
        let next: Option<i32> = sqlx::query_scalar(
            "SELECT MIN(stage) FROM steps WHERE task = $1 AND stage > $2 AND status = 'pending'",
        )
        .bind(task)
        .bind(stage)
        .fetch_one(&mut *conn)
        .await?;
        return match next {
            Some(next) => waves::begin(conn, task, next, limit, now).await,
            None => Ok(0),
        };
    }
    let opened = sqlx::query(
        "UPDATE steps SET status = 'ready', updated = $3
         WHERE task = $1 AND ordinal = 0 AND status = 'pending' AND stage =
             (SELECT MIN(n.stage) FROM steps n
              WHERE n.task = $1 AND n.stage > $2 AND n.status = 'pending')",
    )
    .bind(task)
    .bind(stage)
    .bind(stamp(now))
    .execute(conn)
    .await?;
    Ok(opened.rows_affected())
}

/// Whether anything may still happen in a stage, or in the task as a whole.
pub(super) async fn is_open(
    conn: &mut Conn,
    task: Uuid,
    stage: Option<i32>,
) -> Result<bool, Fault> {
    let query = match stage {
        Some(_) => {
            "SELECT EXISTS (SELECT 1 FROM steps WHERE task = $1 AND stage = $2
             AND status IN ('pending', 'ready', 'running', 'waiting'))"
        }
        None => {
            "SELECT EXISTS (SELECT 1 FROM steps WHERE task = $1
             AND status IN ('pending', 'ready', 'running', 'waiting'))"
        }
    };
    let query = sqlx::query_scalar(query).bind(task);
    let query = match stage {
        Some(stage) => query.bind(stage),
        None => query,
    };
    Ok(query.fetch_one(conn).await?)
}

/// What is left of a pipeline after a failure is skipped.
pub(super) async fn skip_rest(
    conn: &mut Conn,
    pipeline: Uuid,
    ordinal: i32,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE steps SET status = 'skipped', ended = $3, updated = $3
         WHERE pipeline = $1 AND ordinal > $2 AND status = 'pending'",
    )
    .bind(pipeline)
    .bind(ordinal)
    .bind(stamp(now))
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a step of the site has failed in a stage.
pub(super) async fn site_failed(conn: &mut Conn, task: Uuid, stage: i32) -> Result<bool, Fault> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM steps
         WHERE task = $1 AND stage = $2 AND node IS NULL AND status = 'failed')",
    )
    .bind(task)
    .bind(stage)
    .fetch_one(conn)
    .await?)
}

/// What comes after a stage is skipped.
pub(super) async fn skip_stages_after(
    conn: &mut Conn,
    task: Uuid,
    stage: i32,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE steps SET status = 'skipped', ended = $3, updated = $3
         WHERE task = $1 AND stage > $2 AND status = 'pending'",
    )
    .bind(task)
    .bind(stage)
    .bind(stamp(now))
    .execute(conn)
    .await?;
    Ok(())
}

/// Messages said before, then these.
fn with_messages(said: &[Message], more: &[Message]) -> Result<String, Fault> {
    to_json(&[said, more].concat())
}
