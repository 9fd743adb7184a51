//! What operators are asked, and what they answer.

use async_trait::async_trait;
use drydock_model::id::{ClaimToken, TaskId};
use drydock_model::operator::{OperatorAnswer, OperatorRequest};
use drydock_model::step::StepStatus;
use drydock_model::store::{OperatorStore, StoreError, StoreResult};
use sqlx::Row as _;

use super::boot::fence;
use super::{Backend, Conn, Row, during, stamp};
use crate::column::{from_json, from_word, to_json};
use crate::fault::Fault;

#[async_trait]
impl OperatorStore for Backend {
    async fn ask_operator(
        &self,
        step: TaskId,
        token: ClaimToken,
        request: &str,
    ) -> StoreResult<()> {
        during("asking an operator", ask(self, step, token, request)).await
    }

    async fn operator_request(&self, step: TaskId) -> StoreResult<Option<OperatorRequest>> {
        during("reading what an operator was asked", async {
            let mut tx = self.read().await?;
            let found = read(&mut tx, step).await?;
            tx.commit().await?;
            Ok(found)
        })
        .await
    }

    async fn operator_requests(&self, task: TaskId) -> StoreResult<Vec<OperatorRequest>> {
        during("listing what operators were asked", async {
            let rows = sqlx::query(
                "SELECT o.*, s.task, s.node, s.action
                 FROM steps s JOIN operator_requests o ON o.step = s.id
                 WHERE s.task = $1 ORDER BY o.opened, s.stage, s.pipeline_ordinal, s.ordinal",
            )
            .bind(task.0)
            .fetch_all(&self.readers)
            .await?;
            rows.iter().map(request).collect()
        })
        .await
    }

    async fn answer_operator(
        &self,
        step: TaskId,
        answer: &OperatorAnswer,
    ) -> StoreResult<OperatorRequest> {
        during("taking an operator's answer", take(self, step, answer)).await
    }
}

/// Steps are locked before requests, here and in [`take`]: whoever deletes a step deletes its request after it.
async fn ask(
    backend: &Backend,
    step: TaskId,
    token: ClaimToken,
    request: &str,
) -> Result<(), Fault> {
    let mut tx = backend.write().await?;
    fence(&mut tx, step, token).await?;
    let now = backend.now(&mut tx).await?;
    sqlx::query(
        "INSERT INTO operator_requests (step, request, opened) VALUES ($1, $2, $3)
         ON CONFLICT (step) DO NOTHING",
    )
    .bind(step.0)
    .bind(to_json(request)?)
    .bind(stamp(now))
    .execute(&mut *tx)
    .await?;
    backend.commit(tx).await
}

async fn take(
    backend: &Backend,
    step: TaskId,
    answer: &OperatorAnswer,
) -> Result<OperatorRequest, Fault> {
    let mut tx = backend.write().await?;
    let status: String = sqlx::query_scalar(concat!(
        "SELECT status FROM steps WHERE id = $1",
        for_update!()
    ))
    .bind(step.0)
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(StoreError::NotFound)?;
    let asked = read(&mut tx, step).await?.ok_or(StoreError::NotFound)?;
    if let Some(given) = &asked.answer {
        if given.says_as(answer) {
            return Ok(asked);
        }
        let said = if given.done { "done" } else { "not done" };
        return Err(StoreError::Conflict(format!(
            "{} on {} was answered already: {said}, by {}",
            asked.action, asked.node, given.by
        ))
        .into());
    }
    let status: StepStatus = from_word("steps.status", &status)?;
    if status.is_final() {
        return Err(StoreError::Conflict(format!(
            "{} on {} waits for nobody any more: it is {status}",
            asked.action, asked.node
        ))
        .into());
    }
    let now = backend.now(&mut tx).await?;
    sqlx::query("UPDATE operator_requests SET answer = $2, answered = $3 WHERE step = $1")
        .bind(step.0)
        .bind(to_json(answer)?)
        .bind(stamp(now))
        .execute(&mut *tx)
        .await?;
    // A running step is marked, so that it does not sleep over an answer that came while it looked.
    sqlx::query(
        "UPDATE steps SET poked = (status = 'running'),
             not_before = CASE WHEN status = 'waiting' THEN $2 ELSE not_before END
         WHERE id = $1",
    )
    .bind(step.0)
    .bind(stamp(now))
    .execute(&mut *tx)
    .await?;
    let answered = read(&mut tx, step).await?.ok_or(StoreError::NotFound)?;
    backend.commit_and_wake(tx).await?;
    Ok(answered)
}

async fn read(conn: &mut Conn, step: TaskId) -> Result<Option<OperatorRequest>, Fault> {
    let row = sqlx::query(
        "SELECT o.*, s.task, s.node, s.action
         FROM operator_requests o JOIN steps s ON s.id = o.step WHERE o.step = $1",
    )
    .bind(step.0)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(request).transpose()
}

fn request(row: &Row) -> Result<OperatorRequest, Fault> {
    let answer: Option<String> = row.try_get("answer")?;
    let node: Option<String> = row.try_get("node")?;
    Ok(OperatorRequest {
        task: TaskId(row.try_get("task")?),
        step: TaskId(row.try_get("step")?),
        node: node.unwrap_or_default(),
        action: from_word("steps.action", row.try_get("action")?)?,
        request: from_json("operator_requests.request", row.try_get("request")?)?,
        opened: row.try_get("opened")?,
        answer: answer
            .map(|text| from_json("operator_requests.answer", &text))
            .transpose()?,
        answered: row.try_get("answered")?,
    })
}
