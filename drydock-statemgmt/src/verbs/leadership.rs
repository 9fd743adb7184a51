//! Heartbeats and the king of the hill.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use drydock_model::id::{Epoch, InstanceId};
use drydock_model::store::{LeaderStore, Leadership, StoreError, StoreResult};
use sqlx::Row as _;
use uuid::Uuid;

use super::{Backend, Conn, during, stamp};
use crate::column::before;
use crate::fault::Fault;

#[async_trait]
impl LeaderStore for Backend {
    async fn heartbeat(&self, instance: InstanceId) -> StoreResult<()> {
        during("writing the heartbeat", async {
            let mut tx = self.write().await?;
            let now = self.now(&mut tx).await?;
            beat(&mut tx, instance, now).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    async fn farewell(&self, instance: InstanceId) -> StoreResult<()> {
        during("removing the heartbeat", async {
            let mut tx = self.write().await?;
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
        during("claiming the leadership", claim(self, instance, grace)).await
    }

    async fn renew_leadership(&self, leader: Leadership) -> StoreResult<bool> {
        during("renewing the leadership", async {
            let mut tx = self.write().await?;
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
        during("giving up the leadership", async {
            let mut tx = self.write().await?;
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
        during("reading who leads", async {
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

/// Holds the reign until the transaction ends: no other can become leader before it has committed.
pub(super) async fn reign(conn: &mut Conn, leader: Leadership) -> Result<(), Fault> {
    let epoch: Option<i64> = sqlx::query_scalar(concat!(
        "SELECT epoch FROM leadership WHERE instance = $1 AND epoch = $2",
        for_share!()
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
    let mut tx = backend.write().await?;
    let row = sqlx::query(concat!(
        "SELECT instance, epoch, pinged FROM leadership WHERE hill = 1",
        for_update!()
    ))
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| StoreError::Internal("the table leadership has lost its row".to_owned()))?;
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
