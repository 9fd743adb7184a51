//! The journal of changes.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use drydock_model::change::{ChangeOutcome, JournalEntry};
use drydock_model::id::{ChangeId, ClaimToken, Epoch, InstanceId, TaskId};
use drydock_model::store::{JournalStore, StoreError, StoreResult};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use sqlx::Row as _;
use uuid::Uuid;

use super::{Backend, Conn, Row, Tx, during, stamp};
use crate::column::{from_json, from_word, hex, to_json};
use crate::fault::Fault;

/// An intent under a claim.
pub(crate) struct Intent {
    token: ClaimToken,
    entry: JournalEntry,
}

/// An outcome under a claim.
pub(crate) struct Conclusion {
    token: ClaimToken,
    change: ChangeId,
    outcome: ChangeOutcome,
    evidence: String,
    latency_ms: i64,
}

#[async_trait]
impl JournalStore for Backend {
    async fn record_intent(&self, token: ClaimToken, entry: &JournalEntry) -> StoreResult<()> {
        let job = Intent {
            token,
            entry: entry.clone(),
        };
        let what = "writing intents to the journal";
        let begin = || during(what, self.write());
        let together =
            async |tx, jobs: Vec<Intent>| during(what, intend_all(self, tx, &jobs)).await;
        self.together.intents.done(job, begin, together).await
    }

    async fn record_outcome(
        &self,
        token: ClaimToken,
        change: ChangeId,
        outcome: ChangeOutcome,
        evidence: &str,
        latency: Duration,
    ) -> StoreResult<()> {
        let job = Conclusion {
            token,
            change,
            outcome,
            evidence: evidence.to_owned(),
            latency_ms: i64::try_from(latency.as_millis()).unwrap_or(i64::MAX),
        };
        let what = "writing outcomes to the journal";
        let begin = || during(what, self.write());
        let together =
            async |tx, jobs: Vec<Conclusion>| during(what, conclude_all(self, tx, &jobs)).await;
        self.together.outcomes.done(job, begin, together).await
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
            // Row by row: of ten thousand nodes these are many.
            sqlx::query("SELECT * FROM journal WHERE task = $1 ORDER BY seq")
                .bind(task.0)
                .fetch(&self.readers)
                .map(|row| entry(&row?))
                .try_collect()
                .await
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

/// Writes intents; the verdict on each. The share lock lets nobody take a step over until its intent is there: whoever claims it next
/// finds the intent in the journal.
async fn intend_all(
    backend: &Backend,
    mut tx: Tx,
    jobs: &[Intent],
) -> Result<Vec<StoreResult<()>>, Fault> {
    let now = backend.now(&mut tx).await?;
    let mut list = Vec::with_capacity(jobs.len());
    for (place, Intent { token, entry }) in jobs.iter().enumerate() {
        list.push(json!({
            "place": place,
            "id": hex(entry.id.0),
            "step": hex(entry.step.0),
            "token": hex(token.0),
            "node": entry.node,
            "attempt": entry.attempt,
            "instance": hex(entry.instance.0),
            "epoch": entry.epoch.0,
            "change": to_json(&entry.change)?,
        }));
    }
    let written = sqlx::query(concat!(
        "WITH held AS MATERIALIZED (
             SELECT e.place, e.id, s.task, e.step, e.node, e.attempt, e.instance, e.epoch, e.token,
                 e.change
             FROM ",
        intents!("$1"),
        " JOIN steps s ON s.id = e.step AND s.token = e.token",
        for_share_of_steps!(),
        ")
         INSERT INTO journal
            (id, task, step, node, attempt, instance, epoch, token, change, intended)
         SELECT id, task, step, node, attempt, instance, epoch, token, change, $2
         FROM held WHERE TRUE ORDER BY place
         ON CONFLICT (id) DO NOTHING RETURNING id"
    ))
    .bind(to_json(&list)?)
    .bind(stamp(now))
    .fetch_all(&mut *tx)
    .await?;
    let written = ids(&written)?;
    let mut verdicts = Vec::with_capacity(jobs.len());
    for job in jobs {
        verdicts.push(if written.contains(&job.entry.id.0) {
            Ok(())
        } else {
            not_written(&mut tx, job).await?
        });
    }
    backend.commit(tx).await?;
    Ok(verdicts)
}

/// Why an intent was not written. Repeated because the answer was lost is fine; anything else is not.
async fn not_written(conn: &mut Conn, job: &Intent) -> Result<StoreResult<()>, Fault> {
    let held: Option<Uuid> =
        sqlx::query_scalar("SELECT id FROM steps WHERE id = $1 AND token = $2")
            .bind(job.entry.step.0)
            .bind(job.token.0)
            .fetch_optional(&mut *conn)
            .await?;
    if held.is_none() {
        return Ok(Err(StoreError::StaleClaim));
    }
    let same: Option<Uuid> =
        sqlx::query_scalar("SELECT id FROM journal WHERE id = $1 AND token = $2")
            .bind(job.entry.id.0)
            .bind(job.token.0)
            .fetch_optional(conn)
            .await?;
    Ok(match same {
        Some(_) => Ok(()),
        None => Err(StoreError::Conflict(format!(
            "the journal has an entry {} of another claim already",
            job.entry.id
        ))),
    })
}

/// Writes outcomes; the verdict on each.
async fn conclude_all(
    backend: &Backend,
    mut tx: Tx,
    jobs: &[Conclusion],
) -> Result<Vec<StoreResult<()>>, Fault> {
    let mut list = Vec::with_capacity(jobs.len());
    for job in jobs {
        list.push(json!({
            "id": hex(job.change.0),
            "token": hex(job.token.0),
            "outcome": job.outcome.as_str(),
            "evidence": to_json(&job.evidence)?,
            "latency_ms": job.latency_ms,
        }));
    }
    let written = sqlx::query(concat!(
        "WITH held AS MATERIALIZED (
             SELECT e.id, s.id AS step, e.token, e.outcome, e.evidence, e.latency_ms
             FROM ",
        outcomes!("$1"),
        " JOIN steps s ON s.token = e.token",
        for_share_of_steps!(),
        ")
         UPDATE journal SET outcome = held.outcome, evidence = held.evidence,
             latency_ms = held.latency_ms
         FROM held
         WHERE journal.id = held.id AND journal.step = held.step AND journal.token = held.token
             AND journal.outcome IS NULL
         RETURNING journal.id"
    ))
    .bind(to_json(&list)?)
    .fetch_all(&mut *tx)
    .await?;
    let mut written = ids(&written)?;
    let mut verdicts = Vec::with_capacity(jobs.len());
    for job in jobs {
        // Of two outcomes of one change in a list nobody knows which was written.
        verdicts.push(if written.remove(&job.change.0) {
            Ok(())
        } else {
            not_concluded(&mut tx, job).await?
        });
    }
    backend.commit(tx).await?;
    Ok(verdicts)
}

/// Why an outcome was not written.
async fn not_concluded(conn: &mut Conn, job: &Conclusion) -> Result<StoreResult<()>, Fault> {
    let held: Option<Uuid> = sqlx::query_scalar("SELECT id FROM steps WHERE token = $1")
        .bind(job.token.0)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(step) = held else {
        return Ok(Err(StoreError::StaleClaim));
    };
    let row = sqlx::query("SELECT token, outcome FROM journal WHERE id = $1 AND step = $2")
        .bind(job.change.0)
        .bind(step)
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else {
        return Ok(Err(StoreError::NotFound));
    };
    if row.try_get::<Uuid, _>("token")? != job.token.0 {
        return Ok(Err(StoreError::StaleClaim));
    }
    Ok(match row.try_get::<Option<String>, _>("outcome")? {
        // Repeated because the answer was lost.
        Some(stands) if stands == job.outcome.as_str() => Ok(()),
        Some(stands) => Err(StoreError::Conflict(format!(
            "change {} has the outcome {stands} already, {} came after it",
            job.change,
            job.outcome.as_str()
        ))),
        None => Err(StoreError::Internal(format!(
            "the outcome of change {} was not written and nothing stands against it",
            job.change
        ))),
    })
}

fn ids(rows: &[Row]) -> Result<HashSet<Uuid>, Fault> {
    let ids = rows.iter().map(|row| row.try_get("id"));
    Ok(ids.collect::<Result<_, _>>()?)
}
