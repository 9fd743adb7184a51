//! The journal of changes.

use std::time::Duration;

use async_trait::async_trait;
use drydock_model::change::{ChangeOutcome, JournalEntry};
use drydock_model::id::{ChangeId, ClaimToken, Epoch, InstanceId, TaskId};
use drydock_model::store::{JournalStore, StoreError, StoreResult};
use sqlx::Row as _;
use uuid::Uuid;

use super::{Backend, Row, during, stamp};
use crate::column::{from_json, from_word, to_json};
use crate::fault::Fault;

#[async_trait]
impl JournalStore for Backend {
    async fn record_intent(&self, token: ClaimToken, entry: &JournalEntry) -> StoreResult<()> {
        during(
            "writing an intent to the journal",
            intend(self, token, entry),
        )
        .await
    }

    async fn record_outcome(
        &self,
        token: ClaimToken,
        change: ChangeId,
        outcome: ChangeOutcome,
        evidence: &str,
        latency: Duration,
    ) -> StoreResult<()> {
        let latency_ms = i64::try_from(latency.as_millis()).unwrap_or(i64::MAX);
        during(
            "writing an outcome to the journal",
            conclude(self, token, change, outcome, evidence, latency_ms),
        )
        .await
    }

    async fn step_journal(&self, step: TaskId) -> StoreResult<Vec<JournalEntry>> {
        during("reading a step's journal", async {
            let rows = sqlx::query("SELECT * FROM journal WHERE step = $1 ORDER BY seq")
                .bind(step.0)
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(entry).collect()
        })
        .await
    }

    async fn task_journal(&self, task: TaskId) -> StoreResult<Vec<JournalEntry>> {
        during("reading a task's journal", async {
            let rows = sqlx::query("SELECT * FROM journal WHERE task = $1 ORDER BY seq")
                .bind(task.0)
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(entry).collect()
        })
        .await
    }

    async fn node_journal(&self, node: &str, limit: i64) -> StoreResult<Vec<JournalEntry>> {
        during("reading a node's journal", async {
            let rows =
                sqlx::query("SELECT * FROM journal WHERE node = $1 ORDER BY seq DESC LIMIT $2")
                    .bind(node)
                    .bind(limit.max(0))
                    .fetch_all(&self.readers)
                    .await?;
            rows.iter().rev().map(entry).collect()
        })
        .await
    }
}

fn entry(row: &Row) -> Result<JournalEntry, Fault> {
    let outcome: Option<String> = row.try_get("outcome")?;
    let evidence: Option<String> = row.try_get("evidence")?;
    Ok(JournalEntry {
        id: ChangeId(row.try_get("id")?),
        task: TaskId(row.try_get("task")?),
        step: TaskId(row.try_get("step")?),
        node: row.try_get("node")?,
        attempt: row.try_get("attempt")?,
        instance: InstanceId(row.try_get("instance")?),
        epoch: Epoch(row.try_get("epoch")?),
        change: from_json("journal.change", row.try_get("change")?)?,
        intended: row.try_get("intended")?,
        outcome: outcome
            .map(|word| from_word("journal.outcome", &word))
            .transpose()?,
        evidence: evidence
            .map(|text| from_json("journal.evidence", &text))
            .transpose()?,
        latency_ms: row.try_get("latency_ms")?,
    })
}

/// The share lock lets nobody take the step over until the intent is there: whoever claims it next
/// finds the intent in the journal.
async fn intend(backend: &Backend, token: ClaimToken, entry: &JournalEntry) -> Result<(), Fault> {
    let mut tx = backend.write().await?;
    let held: Option<Uuid> = sqlx::query_scalar(concat!(
        "SELECT task FROM steps WHERE id = $1 AND token = $2",
        for_share!()
    ))
    .bind(entry.step.0)
    .bind(token.0)
    .fetch_optional(&mut *tx)
    .await?;
    let task = held.ok_or(StoreError::StaleClaim)?;
    let now = backend.now(&mut tx).await?;
    let written = sqlx::query(
        "INSERT INTO journal
            (id, task, step, node, attempt, instance, epoch, token, change, intended)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(entry.id.0)
    .bind(task)
    .bind(entry.step.0)
    .bind(&entry.node)
    .bind(entry.attempt)
    .bind(entry.instance.0)
    .bind(entry.epoch.0)
    .bind(token.0)
    .bind(to_json(&entry.change)?)
    .bind(stamp(now))
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if written == 0 {
        // Repeated because the answer was lost is fine; anything else is not.
        let same: Option<Uuid> =
            sqlx::query_scalar("SELECT id FROM journal WHERE id = $1 AND token = $2")
                .bind(entry.id.0)
                .bind(token.0)
                .fetch_optional(&mut *tx)
                .await?;
        if same.is_none() {
            return Err(StoreError::Conflict(format!(
                "the journal has an entry {} of another claim already",
                entry.id
            ))
            .into());
        }
    }
    Ok(tx.commit().await?)
}

async fn conclude(
    backend: &Backend,
    token: ClaimToken,
    change: ChangeId,
    outcome: ChangeOutcome,
    evidence: &str,
    latency_ms: i64,
) -> Result<(), Fault> {
    let mut tx = backend.write().await?;
    let held: Option<Uuid> = sqlx::query_scalar(concat!(
        "SELECT id FROM steps WHERE token = $1",
        for_share!()
    ))
    .bind(token.0)
    .fetch_optional(&mut *tx)
    .await?;
    let step = held.ok_or(StoreError::StaleClaim)?;
    let row = sqlx::query("SELECT token, outcome FROM journal WHERE id = $1 AND step = $2")
        .bind(change.0)
        .bind(step)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound)?;
    if row.try_get::<Uuid, _>("token")? != token.0 {
        return Err(StoreError::StaleClaim.into());
    }
    match row.try_get::<Option<String>, _>("outcome")? {
        // Repeated because the answer was lost.
        Some(stands) if stands == outcome.as_str() => return Ok(()),
        Some(stands) => {
            return Err(StoreError::Conflict(format!(
                "change {change} has the outcome {stands} already, {} came after it",
                outcome.as_str()
            ))
            .into());
        }
        None => {}
    }
    sqlx::query("UPDATE journal SET outcome = $2, evidence = $3, latency_ms = $4 WHERE id = $1")
        .bind(change.0)
        .bind(outcome.as_str())
        .bind(to_json(evidence)?)
        .bind(latency_ms)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}
