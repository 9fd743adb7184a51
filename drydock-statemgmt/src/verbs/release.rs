//! Steps given back by their holder, or taken from one that fell silent.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use drydock_model::id::{ClaimToken, InstanceId, TaskId};
use drydock_model::store::{Leadership, StoreError};
use sqlx::Row as _;
use uuid::Uuid;

use super::events::{self, Event};
use super::{Backend, Conn, Row, advance, id_list, leadership, stamp};
use crate::column::before;
use crate::fault::Fault;

/// Gives back one step.
pub(super) async fn one(backend: &Backend, step: TaskId, token: ClaimToken) -> Result<(), Fault> {
    let mut tx = backend.write().await?;
    let held = sqlx::query("SELECT task, token FROM steps WHERE id = $1 AND token = $2")
        .bind(step.0)
        .bind(token.0)
        .fetch_all(&mut *tx)
        .await?;
    if release(backend, &mut tx, &held).await? == 0 {
        return Err(StoreError::StaleClaim.into());
    }
    backend.commit_and_wake(tx).await
}

/// Gives back all steps of an instance.
pub(super) async fn all_of(backend: &Backend, instance: InstanceId) -> Result<u64, Fault> {
    let mut tx = backend.write().await?;
    let held = sqlx::query("SELECT task, token FROM steps WHERE holder = $1")
        .bind(instance.0)
        .fetch_all(&mut *tx)
        .await?;
    let count = release(backend, &mut tx, &held).await?;
    backend.commit_and_wake(tx).await?;
    Ok(count)
}

/// Gives back the steps that an instance holds under other tokens than these.
///
/// Its last claim may be under way still, after the caller has given it up; the turn waits for that to be
/// over. It is not kept while tasks are waited for: all claimers would wait along.
pub(super) async fn unknown(
    backend: &Backend,
    instance: InstanceId,
    keep: &[ClaimToken],
) -> Result<u64, Fault> {
    let mut tx = backend.write().await?;
    backend.claim_turn(&mut tx).await?;
    let held = sqlx::query(concat!(
        "SELECT task, token FROM steps WHERE holder = $1 AND NOT token ",
        in_ids!("$2")
    ))
    .bind(instance.0)
    .bind(id_list(keep.iter().map(|token| token.0)))
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    if held.is_empty() {
        return Ok(0);
    }
    let mut tx = backend.write().await?;
    let count = release(backend, &mut tx, &held).await?;
    backend.commit_and_wake(tx).await?;
    Ok(count)
}

/// Takes back the steps of instances that have been silent for longer than `grace`, and forgets those.
/// They are forgotten first: a heartbeat that comes late waits for the end of this, and a claim with it. Who
/// has no heartbeat at all is as silent as who has an old one.
pub(super) async fn silent(
    backend: &Backend,
    leader: Leadership,
    grace: Duration,
) -> Result<u64, Fault> {
    let mut tx = backend.write().await?;
    leadership::reign(&mut tx, leader).await?;
    let now = backend.now(&mut tx).await?;
    let limit = before(now, grace);
    sqlx::query("DELETE FROM instances WHERE beat < $1")
        .bind(stamp(limit))
        .execute(&mut *tx)
        .await?;
    let held = sqlx::query(
        "SELECT task, token FROM steps s WHERE s.holder IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = s.holder)",
    )
    .fetch_all(&mut *tx)
    .await?;
    let count = release(backend, &mut tx, &held).await?;
    if count == 0 {
        tx.commit().await?;
    } else {
        backend.commit_and_wake(tx).await?;
    }
    Ok(count)
}

/// Makes held steps ready again, or terminated where the task was asked to stop. Those whose token has
/// changed since they were looked at stay as they are.
async fn release(backend: &Backend, conn: &mut Conn, held: &[Row]) -> Result<u64, Fault> {
    let mut tasks = BTreeSet::new();
    let mut tokens = Vec::with_capacity(held.len());
    for row in held {
        tasks.insert(row.try_get::<Uuid, _>("task")?);
        tokens.push(row.try_get::<Uuid, _>("token")?);
    }
    if tokens.is_empty() {
        return Ok(0);
    }
    let locked = sqlx::query(concat!(
        "SELECT id, terminate FROM tasks WHERE id ",
        in_ids!("$1"),
        "ORDER BY id",
        for_update!()
    ))
    .bind(id_list(tasks))
    .fetch_all(&mut *conn)
    .await?;
    let now = backend.now(conn).await?;
    let (mut going_on, mut stopping) = (Vec::new(), Vec::new());
    for row in &locked {
        let id: Uuid = row.try_get("id")?;
        if row.try_get("terminate")? {
            stopping.push(id)
        } else {
            going_on.push(id)
        }
    }
    let mut count = ready(conn, &tokens, &going_on, now).await?;
    if !stopping.is_empty() {
        count += terminated(conn, &tokens, &stopping, now).await?;
        for task in stopping {
            advance::close_if_over(conn, task, now).await?;
        }
    }
    Ok(count)
}

async fn ready(
    conn: &mut Conn,
    tokens: &[Uuid],
    tasks: &[Uuid],
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    let released = sqlx::query(concat!(
        "UPDATE steps SET status = 'ready', holder = NULL, token = NULL, updated = $3
         WHERE token ",
        in_ids!("$1"),
        "AND task ",
        in_ids!("$2"),
        "RETURNING id, task, attempt, status"
    ))
    .bind(id_list(tokens.iter().copied()))
    .bind(id_list(tasks.iter().copied()))
    .bind(stamp(now))
    .fetch_all(&mut *conn)
    .await?;
    tell(conn, &released, now).await
}

/// Tells what became of steps; how many there were.
async fn tell(conn: &mut Conn, released: &[Row], now: DateTime<Utc>) -> Result<u64, Fault> {
    for row in released {
        let status: String = row.try_get("status")?;
        let event = Event {
            step: Some((row.try_get("id")?, row.try_get("attempt")?)),
            status: &status,
            ..Event::default()
        };
        events::tell(conn, row.try_get("task")?, now, event).await?;
    }
    Ok(released.len() as u64)
}

/// As [`ready`], but where the task was asked to stop.
async fn terminated(
    conn: &mut Conn,
    tokens: &[Uuid],
    tasks: &[Uuid],
    now: DateTime<Utc>,
) -> Result<u64, Fault> {
    let released = sqlx::query(concat!(
        "UPDATE steps SET holder = NULL, token = NULL, updated = $3,
             status = CASE WHEN ",
        power_is_half_changed!(),
        " THEN 'ready' ELSE 'terminated' END,
             ended = CASE WHEN ",
        power_is_half_changed!(),
        " THEN ended ELSE $3 END
         WHERE token ",
        in_ids!("$1"),
        "AND task ",
        in_ids!("$2"),
        "RETURNING id, task, attempt, status"
    ))
    .bind(id_list(tokens.iter().copied()))
    .bind(id_list(tasks.iter().copied()))
    .bind(stamp(now))
    .fetch_all(&mut *conn)
    .await?;
    tell(conn, &released, now).await
}
