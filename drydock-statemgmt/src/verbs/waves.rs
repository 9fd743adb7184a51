//! A task's strategy, held in the queue: a pipeline that may not begin yet is pending, and nobody can claim it.
//!
//! All of this runs under the lock of the task's row. Of a task with a limit so many pipelines are begun or may begin as the limit says;
//! each that ends makes way for one, so nothing has to be counted.

use chrono::{DateTime, Utc};
use drydock_model::step::Step;
use drydock_model::strategy::Strategy;
use drydock_model::task::Message;
use uuid::Uuid;

use super::events::{self, Event};
use super::{Conn, stamp};
use crate::column::{from_json, to_json};
use crate::fault::Fault;

/// Stands in a message where the name of the node comes, as JSON.
const NODE_HERE: &str = "\"context\":\"@\"";

/// Lets the next pipeline of a stage begin, if the strategy holds any back, after one has ended.
pub(super) async fn make_way(
    conn: &mut Conn,
    strategy: &Strategy,
    task: Uuid,
    stage: i32,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    match strategy.max_in_flight {
        None => Ok(0),
        Some(_) => begin(conn, task, stage, 1, now).await,
    }
}

/// Lets the next so many pipelines of a stage begin.
pub(super) async fn begin(
    conn: &mut Conn,
    task: Uuid,
    stage: i32,
    count: u32,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    let begun = sqlx::query(
        "UPDATE steps SET status = 'ready', updated = $3 WHERE id IN
             (SELECT f.id FROM steps f
              WHERE f.task = $1 AND f.stage = $2 AND f.ordinal = 0 AND f.status = 'pending'
              ORDER BY f.pipeline_ordinal LIMIT $4)",
    )
    .bind(task)
    .bind(stage)
    .bind(stamp(now))
    .bind(i64::from(count))
    .execute(conn)
    .await?;
    Ok(begun.rows_affected())
}

/// After a step has failed: if that is one too many, no further node is begun. Those that have not been become skipped, and say why.
pub(super) async fn stop_if_due(
    conn: &mut Conn,
    strategy: &Strategy,
    failed: &Step,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let Some(node) = &failed.node else {
        return Ok(());
    };
    let task = failed.task.0;
    let reason = if strategy.canary.is_some() && failed.stage == 0 {
        format!("the canary {node} failed")
    } else if let Some(percent) = strategy.stop_at_failures_percent {
        let failures: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM steps WHERE task = $1 AND status = 'failed' AND node IS NOT NULL",
        )
        .bind(task)
        .fetch_one(&mut *conn)
        .await?;
        let nodes: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM steps WHERE task = $1 AND ordinal = 0")
                .bind(task)
                .fetch_one(&mut *conn)
                .await?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        if !strategy.stops_at(count(failures), count(nodes)) {
            return Ok(());
        }
        format!(
            "{failures} of {nodes} nodes have failed, and the task's strategy stops at {percent} %"
        )
    } else {
        return Ok(());
    };
    let held_back = skip_what_has_not_begun(conn, task, &reason, now).await?;
    if held_back > 0 {
        let text = format!(
            "no further node is begun: {reason}. {held_back} node(s) were left as they are; retry the task when the cause is mended"
        );
        say(conn, task, &text, now).await?;
    }
    Ok(())
}

/// A pipeline has not begun when its first step was never claimed. One that is being claimed at this moment is locked, and has begun.
async fn skip_what_has_not_begun(
    conn: &mut Conn,
    task: Uuid,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    let message = Message::about(Some("@"), true, format!("not begun: {reason}"), now);
    let skipped = sqlx::query(concat!(
        "UPDATE steps SET status = 'skipped', ended = $2, updated = $2,
             messages = replace($3, $4, '\"context\":' || ",
        json_text!("node"),
        ")
         WHERE task = $1 AND ordinal = 0 AND node IS NOT NULL
             AND (status = 'pending' OR (status = 'ready' AND attempt = 0))"
    ))
    .bind(task)
    .bind(stamp(now))
    .bind(to_json(&[message])?)
    .bind(NODE_HERE)
    .execute(&mut *conn)
    .await?
    .rows_affected();
    sqlx::query(
        "UPDATE steps SET status = 'skipped', ended = $2, updated = $2
         WHERE task = $1 AND ordinal > 0 AND status = 'pending' AND pipeline IN
             (SELECT f.pipeline FROM steps f
              WHERE f.task = $1 AND f.ordinal = 0 AND f.status = 'skipped')",
    )
    .bind(task)
    .bind(stamp(now))
    .execute(conn)
    .await?;
    Ok(skipped)
}

/// A message of the task as a whole.
async fn say(conn: &mut Conn, task: Uuid, text: &str, now: DateTime<Utc>) -> Result<(), Fault> {
    let said: String = sqlx::query_scalar("SELECT messages FROM tasks WHERE id = $1")
        .bind(task)
        .fetch_one(&mut *conn)
        .await?;
    let mut messages: Vec<Message> = from_json("tasks.messages", &said)?;
    let before = messages.len();
    messages.push(Message::task(true, text, now));
    let status: String = sqlx::query_scalar(
        "UPDATE tasks SET messages = $2, updated = $3 WHERE id = $1 RETURNING status",
    )
    .bind(task)
    .bind(to_json(&messages)?)
    .bind(stamp(now))
    .fetch_one(&mut *conn)
    .await?;
    let event = Event {
        status: &status,
        said: before..messages.len(),
        ..Event::default()
    };
    events::tell(conn, task, now, event).await
}
