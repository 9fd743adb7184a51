//! What ended long ago is deleted; the journal of it stays.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Backend, id_list, stamp};
use crate::column::before;
use crate::fault::Fault;

/// Trees deleted in one transaction: nobody waits for long, and whatever was deleted before a failure is.
const BATCH: i64 = 100;

const DAY_S: u64 = 24 * 60 * 60;

/// Deletes trees that ended more than so many days ago, then the pins that nothing refers to any more.
pub(super) async fn tasks(backend: &Backend, older_than_days: u32) -> Result<u64, Fault> {
    let age = Duration::from_secs(u64::from(older_than_days) * DAY_S);
    let mut tx = backend.write().await?;
    let limit = before(backend.now(&mut tx).await?, age);
    tx.commit().await?;
    let mut purged = 0;
    loop {
        match batch(backend, limit).await? {
            0 => break,
            some => purged += some,
        }
    }
    pins(backend, limit).await?;
    Ok(purged)
}

/// One batch. What has ended never begins again, so that what is found here need not be locked to stay as it is. The order is that of
/// all verbs: boot actions, tasks, steps.
async fn batch(backend: &Backend, limit: DateTime<Utc>) -> Result<u64, Fault> {
    let mut tx = backend.write().await?;
    let old: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM tasks WHERE status IN ('complete', 'terminated') AND updated < $1
             AND NOT EXISTS (SELECT 1 FROM tasks a WHERE a.plan = tasks.id
                 AND a.status NOT IN ('complete', 'terminated'))
         ORDER BY updated LIMIT $2",
    )
    .bind(stamp(limit))
    .bind(BATCH)
    .fetch_all(&mut *tx)
    .await?;
    if old.is_empty() {
        return Ok(0);
    }
    sqlx::query(concat!(
        "DELETE FROM boot_contexts WHERE task ",
        in_ids!("$1")
    ))
    .bind(id_list(old.iter().copied()))
    .execute(&mut *tx)
    .await?;
    sqlx::query(concat!("DELETE FROM steps WHERE task ", in_ids!("$1")))
        .bind(id_list(old.iter().copied()))
        .execute(&mut *tx)
        .await?;
    let purged = sqlx::query(concat!("DELETE FROM tasks WHERE id ", in_ids!("$1")))
        .bind(id_list(old.iter().copied()))
        .execute(&mut *tx)
        .await?
        .rows_affected();
    tx.commit().await?;
    Ok(purged)
}

/// A content that was pinned again lately is about to be referred to, so its age counts from then.
async fn pins(backend: &Backend, limit: DateTime<Utc>) -> Result<(), Fault> {
    let mut tx = backend.write().await?;
    sqlx::query(
        "DELETE FROM pins WHERE created < $1
             AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.digest = pins.digest)
             AND NOT EXISTS (SELECT 1 FROM boot_contexts b WHERE b.digest = pins.digest)",
    )
    .bind(stamp(limit))
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}
