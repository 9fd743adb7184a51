//! Boot-action contexts and what machines report.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use drydock_model::boot::{BootContext, BootEntry, BootStatus};
use drydock_model::id::{BootActionId, ClaimToken, Digest, TaskId};
use drydock_model::store::{BootStore, StoreError, StoreResult};
use drydock_model::task::Message;
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use super::events::{self, Event};
use super::{Backend, Conn, Db, Row, during, stamp};
use crate::column::{from_json, from_word, to_json};
use crate::fault::{Fault, duplicate};
use crate::reported;

#[async_trait]
impl BootStore for Backend {
    async fn open_boot_context(
        &self,
        step: TaskId,
        token: ClaimToken,
        context: &BootContext,
    ) -> StoreResult<()> {
        let work = open(self, step, token, context);
        during("opening a boot-action context", work).await
    }

    async fn boot_context(&self, node: &str) -> StoreResult<BootContext> {
        during("reading a boot-action context", read(self, node)).await
    }

    async fn boot_context_of(&self, action: BootActionId) -> StoreResult<BootContext> {
        during("reading a boot action's context", async {
            let node: Option<String> =
                sqlx::query_scalar("SELECT node FROM boot_entries WHERE action_id = $1")
                    .bind(action.to_string())
                    .fetch_optional(&self.readers)
                    .await?;
            let context = read(self, &node.ok_or(StoreError::NotFound)?).await?;
            // Voided between the two reads.
            if !context
                .entries
                .iter()
                .any(|entry| entry.action_id == action)
            {
                return Err(StoreError::NotFound.into());
            }
            Ok(context)
        })
        .await
    }

    async fn report_boot_action(
        &self,
        action: BootActionId,
        status: Option<BootStatus>,
        messages: &[Message],
    ) -> StoreResult<BootEntry> {
        during(
            "taking a boot action's report",
            report(self, action, status, messages),
        )
        .await
    }
}

async fn open(
    backend: &Backend,
    step: TaskId,
    token: ClaimToken,
    context: &BootContext,
) -> Result<(), Fault> {
    let mut tx = backend.write().await?;
    let now = backend.now(&mut tx).await?;
    sqlx::query(
        "INSERT INTO boot_contexts (node, task, digest, design_ref, key_hash, created)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (node) DO UPDATE SET task = excluded.task, digest = excluded.digest,
             design_ref = excluded.design_ref, key_hash = excluded.key_hash,
             created = excluded.created",
    )
    .bind(&context.node)
    .bind(context.task.0)
    .bind(&context.digest.0)
    .bind(&context.design_ref)
    .bind(&context.key_hash)
    .bind(stamp(now))
    .execute(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM boot_entries WHERE node = $1")
        .bind(&context.node)
        .execute(&mut *tx)
        .await?;
    if !context.entries.is_empty() {
        let mut sql = QueryBuilder::<Db>::new(
            "INSERT INTO boot_entries (action_id, node, ordinal, name, status) ",
        );
        sql.push_values(
            (0_i32..).zip(&context.entries),
            |mut row, (ordinal, entry)| {
                row.push_bind(entry.action_id.to_string())
                    .push_bind(context.node.clone())
                    .push_bind(ordinal)
                    .push_bind(entry.name.clone())
                    .push_bind(entry.status.as_str());
            },
        );
        let inserted = sql.build().persistent(false).execute(&mut *tx).await;
        duplicate(inserted, || {
            "a boot action with this id is there already".to_owned()
        })?;
    }
    fence(&mut tx, step, token).await?;
    Ok(tx.commit().await?)
}

/// Nobody takes the step over before the transaction ends. It comes last because steps are locked last.
pub(super) async fn fence(conn: &mut Conn, step: TaskId, token: ClaimToken) -> Result<(), Fault> {
    let held: Option<Uuid> = sqlx::query_scalar(concat!(
        "SELECT id FROM steps WHERE id = $1 AND token = $2",
        for_share!()
    ))
    .bind(step.0)
    .bind(token.0)
    .fetch_optional(conn)
    .await?;
    match held {
        Some(_) => Ok(()),
        None => Err(StoreError::StaleClaim.into()),
    }
}

async fn read(backend: &Backend, node: &str) -> Result<BootContext, Fault> {
    let mut tx = backend.read().await?;
    let row = sqlx::query("SELECT * FROM boot_contexts WHERE node = $1")
        .bind(node)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound)?;
    let entries = sqlx::query(
        "SELECT action_id, name, status FROM boot_entries WHERE node = $1 ORDER BY ordinal",
    )
    .bind(node)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(BootContext {
        node: row.try_get("node")?,
        task: TaskId(row.try_get("task")?),
        digest: Digest(row.try_get("digest")?),
        design_ref: row.try_get("design_ref")?,
        key_hash: row.try_get("key_hash")?,
        created: row.try_get("created")?,
        entries: entries.iter().map(entry).collect::<Result<_, _>>()?,
    })
}

fn entry(row: &Row) -> Result<BootEntry, Fault> {
    Ok(BootEntry {
        action_id: from_word("boot_entries.action_id", row.try_get("action_id")?)?,
        name: row.try_get("name")?,
        status: from_word("boot_entries.status", row.try_get("status")?)?,
    })
}

async fn report(
    backend: &Backend,
    action: BootActionId,
    status: Option<BootStatus>,
    messages: &[Message],
) -> Result<BootEntry, Fault> {
    if let Some(status @ (BootStatus::Incomplete | BootStatus::Unreported)) = status {
        return Err(StoreError::Conflict(format!(
            "{} is no result of a boot action; report success or failure",
            status.as_str()
        ))
        .into());
    }
    let mut tx = backend.write().await?;
    // Locked before the context is read: a fresh deployment deletes this row first.
    let row = sqlx::query(concat!(
        "SELECT action_id, node, name, status FROM boot_entries WHERE action_id = $1",
        for_update!()
    ))
    .bind(action.to_string())
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(StoreError::NotFound)?;
    let mut entry = entry(&row)?;
    let node: String = row.try_get("node")?;
    if matches!(entry.status, BootStatus::Success | BootStatus::Failure) {
        return Err(StoreError::Conflict(format!(
            "boot action {action} has reported {} already, which is final",
            entry.status.as_str()
        ))
        .into());
    }
    if let Some(status) = status {
        entry.status = status;
        sqlx::query("UPDATE boot_entries SET status = $2 WHERE action_id = $1")
            .bind(action.to_string())
            .bind(status.as_str())
            .execute(&mut *tx)
            .await?;
    }
    let task: Uuid = sqlx::query_scalar("SELECT task FROM boot_contexts WHERE node = $1")
        .bind(&node)
        .fetch_one(&mut *tx)
        .await?;
    tell(backend, &mut tx, task, &node, messages).await?;
    backend.commit_and_wake(tx).await?;
    Ok(entry)
}

/// Hands the messages to the step that waits for them and makes it due; where the task has no such
/// step, to the task.
async fn tell(
    backend: &Backend,
    conn: &mut Conn,
    task: Uuid,
    node: &str,
    messages: &[Message],
) -> Result<(), Fault> {
    let of_task = sqlx::query(concat!(
        "SELECT status, messages FROM tasks WHERE id = $1",
        for_update!()
    ))
    .bind(task)
    .fetch_one(&mut *conn)
    .await?;
    let step = sqlx::query(concat!(
        "SELECT id, status, attempt, messages FROM steps
         WHERE task = $1 AND node = $2 AND action = 'bootaction_report'
         ORDER BY stage, ordinal LIMIT 1",
        for_update!()
    ))
    .bind(task)
    .bind(node)
    .fetch_optional(&mut *conn)
    .await?;
    let now = backend.now(conn).await?;
    match step {
        Some(row) => {
            let said: Vec<Message> = from_json("steps.messages", row.try_get("messages")?)?;
            let before = said.len();
            let all = reported::keep(said, messages);
            let status: String = row.try_get("status")?;
            if all.len() > before {
                let event = Event {
                    step: Some((row.try_get("id")?, row.try_get("attempt")?)),
                    status: &status,
                    said: before..all.len(),
                    ..Event::default()
                };
                events::tell(conn, task, now, event).await?;
            }
            let all = to_json(&all)?;
            tell_step(conn, row.try_get("id")?, all, now).await
        }
        None => {
            let said: Vec<Message> = from_json("tasks.messages", of_task.try_get("messages")?)?;
            let before = said.len();
            let all = reported::keep(said, messages);
            let status: String = of_task.try_get("status")?;
            if all.len() > before {
                let event = Event {
                    status: &status,
                    said: before..all.len(),
                    ..Event::default()
                };
                events::tell(conn, task, now, event).await?;
            }
            let all = to_json(&all)?;
            sqlx::query("UPDATE tasks SET messages = $2, updated = $3 WHERE id = $1")
                .bind(task)
                .bind(all)
                .bind(stamp(now))
                .execute(conn)
                .await?;
            Ok(())
        }
    }
}

/// A running step is marked, so that it does not sleep over a report that came while it looked.
async fn tell_step(
    conn: &mut Conn,
    step: Uuid,
    messages: String,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE steps SET messages = $2, updated = $3, poked = (status = 'running'),
             not_before = CASE WHEN status = 'waiting' THEN $3 ELSE not_before END
         WHERE id = $1",
    )
    .bind(step)
    .bind(messages)
    .bind(stamp(now))
    .execute(conn)
    .await?;
    Ok(())
}
