//! Heartbeats and the king of the hill.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use drydock_model::id::{Epoch, InstanceId};
use drydock_model::store::{LeaderStore, Leadership, StoreError, StoreResult};
use sqlx::Row as _;
use uuid::Uuid;

use super::{Backend, Conn, stamp};
use crate::column::before;
use crate::fault::{Fault, within};

/// After this a verb here is given up: an instance that learns late that it could not say that it lives has been taken
/// for dead meanwhile. Less than the least sensible grace period.
const PROMPT: Duration = Duration::from_secs(3);

#[async_trait]
impl LeaderStore for Backend {
    async fn heartbeat(&self, instance: InstanceId) -> StoreResult<()> {
        let written = promptly("writing the heartbeat", async {
            let mut tx = self.write_pulse().await?;
            let now = self.now(&mut tx).await?;
            beat(&mut tx, instance, now).await?;
            Ok(tx.commit().await?)
        })
        .await;
        self.vitals.note(&written);
        written
    }

    async fn farewell(&self, instance: InstanceId) -> StoreResult<()> {
        promptly("removing the heartbeat", async {
            let mut tx = self.write_pulse().await?;
            sqlx::query("DELETE FROM instances WHERE id = $1")
                .bind(instance.0)
                .execute(&mut *tx)
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn claim_leadership(
        &self,
        instance: InstanceId,
        grace: Duration,
    ) -> StoreResult<Option<Leadership>> {
        promptly("claiming the leadership", claim(self, instance, grace)).await
    }

    async fn renew_leadership(&self, leader: Leadership) -> StoreResult<bool> {
        promptly("renewing the leadership", async {
            let mut tx = self.write_pulse().await?;
            // The row first, the time after: waiting for it must not make the ping older.
            let reigns: Option<i64> = sqlx::query_scalar(concat!(
                "SELECT epoch FROM leadership WHERE instance = $1 AND epoch = $2",
                for_update!()
            ))
            .bind(leader.instance.0)
            .bind(leader.epoch.0)
            .fetch_optional(&mut *tx)
            .await?;
            if reigns.is_none() {
                return Ok(false);
            }
            let now = self.now(&mut tx).await?;
            sqlx::query("UPDATE leadership SET pinged = $1 WHERE hill = 1")
                .bind(stamp(now))
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn abdicate(&self, leader: Leadership) -> StoreResult<()> {
        promptly("giving up the leadership", async {
            let mut tx = self.write_pulse().await?;
            sqlx::query(
                "UPDATE leadership SET instance = NULL, pinged = NULL
                 WHERE instance = $1 AND epoch = $2",
            )
            .bind(leader.instance.0)
            .bind(leader.epoch.0)
            .execute(&mut *tx)
            .await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn leader(&self) -> StoreResult<Option<Leadership>> {
        promptly("reading who leads", async {
            let row =
                sqlx::query("SELECT instance, epoch FROM leadership WHERE instance IS NOT NULL")
                    .fetch_optional(&self.readers)
                    .await?;
            row.map(|row| {
                Ok(Leadership {
                    instance: InstanceId(row.try_get("instance")?),
                    epoch: Epoch(row.try_get("epoch")?),
                })
            })
            .transpose()
        })
        .await
    }
}

async fn promptly<T>(what: &str, work: impl Future<Output = Result<T, Fault>>) -> StoreResult<T> {
    within(PROMPT, what, work).await
}

/// This instance lives, as of now.
pub(super) async fn beat(
    conn: &mut Conn,
    instance: InstanceId,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO instances (id, beat) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET beat = excluded.beat",
    )
    .bind(instance.0)
    .bind(stamp(now))
    .execute(conn)
    .await?;
    Ok(())
}

/// Holds the reign until the transaction ends: no other can become leader before it has committed. The leader itself
/// goes on renewing it meanwhile.
pub(super) async fn reign(conn: &mut Conn, leader: Leadership) -> Result<(), Fault> {
    let epoch: Option<i64> = sqlx::query_scalar(concat!(
        "SELECT epoch FROM leadership WHERE instance = $1 AND epoch = $2",
        for_key_share!()
    ))
    .bind(leader.instance.0)
    .bind(leader.epoch.0)
    .fetch_optional(conn)
    .await?;
    match epoch {
        Some(_) => Ok(()),
        None => Err(StoreError::Deposed.into()),
    }
}

async fn claim(
    backend: &Backend,
    instance: InstanceId,
    grace: Duration,
) -> Result<Option<Leadership>, Fault> {
    let mut tx = backend.write_pulse().await?;
    let row = sqlx::query(concat!(
        "SELECT instance, epoch, pinged FROM leadership WHERE hill = 1",
        for_key_update_or_skip!()
    ))
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else {
        return held_by_another(&mut tx).await;
    };
    let now = backend.now(&mut tx).await?;
    let king: Option<Uuid> = row.try_get("instance")?;
    let pinged: Option<DateTime<Utc>> = row.try_get("pinged")?;
    let reigns = king.is_some() && pinged.is_some_and(|pinged| pinged >= before(now, grace));
    if reigns {
        return Ok(None);
    }
    let epoch = row.try_get::<i64, _>("epoch")? + 1;
    sqlx::query("UPDATE leadership SET instance = $1, epoch = $2, pinged = $3 WHERE hill = 1")
        .bind(instance.0)
        .bind(epoch)
        .bind(stamp(now))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some(Leadership {
        instance,
        epoch: Epoch(epoch),
    }))
}

/// The row is locked: by a leader at its work, or by a contender who was faster.
async fn held_by_another(conn: &mut Conn) -> Result<Option<Leadership>, Fault> {
    let there: Option<i64> = sqlx::query_scalar("SELECT epoch FROM leadership WHERE hill = 1")
        .fetch_optional(conn)
        .await?;
    match there {
        Some(_) => Ok(None),
        None => {
            Err(StoreError::Internal("the table leadership has lost its row".to_owned()).into())
        }
    }
}
