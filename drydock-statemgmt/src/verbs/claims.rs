//! Claims: who works on what.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use drydock_model::id::{ClaimToken, InstanceId, TaskId};
use drydock_model::step::{ClaimedStep, Step};
use drydock_model::store::{Advance, Leadership, StepEnd, StepStore, StoreError, StoreResult};
use drydock_model::task::{Message, Task};
use serde_json::{Map, Value};
use sqlx::Row as _;
use uuid::Uuid;

use super::{
    Backend, Conn, Row, advance, during, finish, id_list, leadership, release, rows, stamp,
};
use crate::column::from_json;
use crate::fault::Fault;

/// Whether step `s` may run on its node: nothing runs there, and no other task has begun there and not ended. The site is such a place,
/// too, but for the steps of one task. A task that waits for its deployment keeps its node; whoever wants it for another has to terminate that task first. A first
/// step that was claimed and given back has begun: what it did to the machine may be half done. The list of states is
/// that of the index `steps_busy`.
macro_rules! place_is_free {
    () => {
        "NOT EXISTS (
             SELECT 1 FROM steps r
             WHERE r.node = s.node AND r.status IN ('ready', 'running', 'waiting')
                 AND (r.status = 'running' OR (r.task <> s.task AND (r.status = 'waiting'
                     OR (r.status = 'ready' AND (r.ordinal > 0 OR r.attempt > 0))))))
         AND (s.node IS NOT NULL OR NOT EXISTS (
             SELECT 1 FROM steps r
             WHERE r.node IS NULL AND r.status IN ('ready', 'running', 'waiting')
                 AND r.task <> s.task
                 AND (r.status <> 'ready' OR r.ordinal > 0 OR r.attempt > 0)))"
    };
}

/// Whether step `s` is the beginning on its node.
macro_rules! is_beginning {
    () => {
        "(s.node IS NOT NULL AND s.ordinal = 0 AND s.attempt = 0)"
    };
}

#[async_trait]
impl StepStore for Backend {
    async fn claim_steps_within(
        &self,
        instance: InstanceId,
        limit: i64,
        nodes: Option<u32>,
    ) -> StoreResult<Vec<ClaimedStep>> {
        during("claiming steps", claim(self, instance, limit, nodes)).await
    }

    async fn wait_step(
        &self,
        step: TaskId,
        token: ClaimToken,
        delay: Duration,
        reason: &str,
        failures: i32,
        messages: &[Message],
    ) -> StoreResult<()> {
        let work = advance::wait(self, step, token, delay, reason, failures, messages);
        during("putting a step to wait", work).await
    }

    async fn finish_step(
        &self,
        step: TaskId,
        token: ClaimToken,
        end: &StepEnd,
    ) -> StoreResult<Advance> {
        let job = finish::Finish {
            step,
            token,
            end: end.clone(),
        };
        let begin = || during("ending steps", self.write());
        let together = async |tx, jobs: Vec<finish::Finish>| {
            during("ending steps", finish::all(self, tx, &jobs)).await
        };
        self.together.ends.done(job, begin, together).await
    }

    async fn return_unknown(&self, instance: InstanceId, keep: &[ClaimToken]) -> StoreResult<u64> {
        let work = release::unknown(self, instance, keep);
        during("giving back steps held unknowingly", work).await
    }

    async fn return_claims(&self, instance: InstanceId) -> StoreResult<u64> {
        during("giving back all steps", release::all_of(self, instance)).await
    }

    async fn return_step(&self, step: TaskId, token: ClaimToken) -> StoreResult<()> {
        during("giving back a step", release::one(self, step, token)).await
    }

    async fn reclaim_silent(&self, leader: Leadership, grace: Duration) -> StoreResult<u64> {
        let work = release::silent(self, leader, grace);
        during("taking back the steps of silent instances", work).await
    }

    async fn next_due_within(&self, nodes: Option<u32>) -> StoreResult<Option<Duration>> {
        during("reading when the next step is due", next_due(self, nodes)).await
    }
}

async fn claim(
    backend: &Backend,
    instance: InstanceId,
    limit: i64,
    nodes: Option<u32>,
) -> Result<Vec<ClaimedStep>, Fault> {
    let mut tx = backend.write().await?;
    backend.claim_turn(&mut tx).await?;
    let room = match nodes {
        Some(nodes) => Some(room(&mut tx, nodes).await?),
        None => None,
    };
    let now = backend.now(&mut tx).await?;
    let rows = take(&mut tx, instance, limit, room, now).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    // To claim is to live: an instance that claims before its first heartbeat is not a silent one.
    leadership::beat(&mut tx, instance, now).await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in &rows {
        claimed.push((rows::step(row)?, ClaimToken(row.try_get("token")?)));
    }
    let tasks = tasks_of(&mut tx, claimed.iter().map(|(step, _)| step.task.0)).await?;
    let facts = facts_of(&mut tx, claimed.iter().map(|(step, _)| step.pipeline.0)).await?;
    let claims = claimed
        .into_iter()
        .map(|(step, token)| {
            let task = tasks
                .get(&step.task)
                .cloned()
                .ok_or_else(|| StoreError::Internal(format!("step {} has no task", step.id)))?;
            Ok(ClaimedStep {
                facts: earlier(&facts, &step),
                step,
                token,
                task,
            })
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    backend.commit(tx).await?;
    Ok(in_order(claims))
}

/// On how many nodes more something may begin, when it may be under way on so many. Asked in a claim's turn: until it ends,
/// nobody else begins.
async fn room(conn: &mut Conn, nodes: u32) -> Result<i64, Fault> {
    let begun: i64 = sqlx::query_scalar(concat!(
        "SELECT COUNT(*) FROM steps s
         WHERE s.node IS NOT NULL AND s.status IN ('ready', 'running', 'waiting')
             AND NOT (s.status = 'ready' AND ",
        is_beginning!(),
        ")"
    ))
    .fetch_one(conn)
    .await?;
    Ok(i64::from(nodes) - begun)
}

/// The steps that are due, whether their place is free or not: the best, at most so many. Of ten thousand that are ready a claim looks at a few
/// hundred, and the index gives it these in their order: to sort the ten thousand took longer than all the rest of the claim.
macro_rules! best_due {
    ($most:literal) => {
        concat!(
            "SELECT s.id AS due_id FROM ",
            tasks_with_due_steps!($most),
            " WHERE t.status IN ('running', 'terminating')
             ORDER BY t.priority DESC, t.created, s.task, s.stage, s.pipeline_ordinal
             LIMIT ",
            $most
        )
    };
}
/// The beginning of [`TAKE`]: the claimable steps with their place on their node.
macro_rules! candidates {
    () => {
        concat!(
            "WITH due AS MATERIALIZED (",
            best_due!("$4"),
            "),
         candidates AS (
             SELECT s.id, s.node, s.task, t.priority, t.created,
                 ROW_NUMBER() OVER best_there AS place,
                 FIRST_VALUE(s.task) OVER best_there AS foremost"
        )
    };
}
/// Where the candidates come from, and which of them are taken. The state is asked for again, by the lock; so that PostgreSQL reads no index of
/// all that is due for that, it is a state that is put together.
macro_rules! picked {
    () => {
        concat!(
            " FROM due JOIN steps s ON s.id = due.due_id JOIN tasks t ON t.id = s.task
             WHERE ",
            place_is_free!(),
            " WINDOW best_there AS (
                 PARTITION BY s.node
                 ORDER BY t.priority DESC, t.created, s.task, s.stage, s.pipeline_ordinal
             )
         ),
         picked AS MATERIALIZED (
             SELECT s.id AS picked_id
             FROM steps s JOIN candidates c ON c.id = s.id
             WHERE (c.place = 1 OR (c.node IS NULL AND c.task = c.foremost))
                 AND s.status || '' IN ('ready', 'waiting')"
        )
    };
}
/// The end: they are set running.
macro_rules! set_running {
    () => {
        concat!(
            " ORDER BY c.priority DESC, c.created, s.task, s.stage, s.pipeline_ordinal
             LIMIT $2",
            skip_locked!(),
            ")
         UPDATE steps SET status = 'running', holder = $3, token = ",
            fresh_token!(),
            ", attempt = attempt + 1, poked = FALSE, not_before = NULL, waiting_for = NULL,
             started = COALESCE(started, $1), updated = $1,
             deadline = COALESCE(deadline, ",
            plus_seconds!("$1", "timeout_s"),
            ")
         FROM picked WHERE steps.id = picked.picked_id
         RETURNING *"
        )
    };
}

/// Sets the best claimable steps running: at ($1), at most ($2), for ($3), of the best ($4) that are due. Of the steps that wait for one
/// node only the first is taken, and none while another runs there; the index `steps_one_per_node` stands
/// behind that. Of the tasks that wait for the site, the first.
pub(super) const TAKE: &str = concat!(candidates!(), picked!(), set_running!());

/// As [`TAKE`], but with beginnings on so many nodes ($5) at most.
const TAKE_WITHIN: &str = concat!(
    candidates!(),
    ", ROW_NUMBER() OVER (
         PARTITION BY ",
    is_beginning!(),
    " ORDER BY t.priority DESC, t.created, s.task, s.stage, s.pipeline_ordinal
     ) AS turn, ",
    is_beginning!(),
    " AS begins",
    picked!(),
    " AND (NOT c.begins OR c.turn <= $5)",
    set_running!()
);

/// Whether more steps are due than a claim has looked at ($2).
const MORE_DUE: &str = concat!(
    "SELECT COUNT(*) > $2 AS more FROM (",
    best_due!("$2 + 1"),
    ") AS due"
);

/// Looks at the best that are due, and at all of them when too few of the best have a free place.
async fn take(
    conn: &mut Conn,
    instance: InstanceId,
    limit: i64,
    room: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Vec<Row>, Fault> {
    let limit = limit.max(0);
    let at_first = limit.saturating_mul(4).saturating_add(64);
    let mut taken = take_of(conn, instance, limit, room, at_first, now).await?;
    let found = i64::try_from(taken.len()).unwrap_or(i64::MAX);
    if found < limit {
        let more: bool = sqlx::query_scalar(MORE_DUE)
            .bind(stamp(now))
            .bind(at_first)
            .fetch_one(&mut *conn)
            .await?;
        if more {
            let room = match room {
                Some(room) => Some(room - begun_by(&taken)?),
                None => None,
            };
            taken.extend(take_of(conn, instance, limit - found, room, i64::MAX, now).await?);
        }
    }
    Ok(taken)
}

/// How many of the steps just taken are beginnings on their node.
fn begun_by(taken: &[Row]) -> Result<i64, Fault> {
    let mut begun = 0;
    for row in taken {
        let step = rows::step(row)?;
        if step.node.is_some() && step.ordinal == 0 && step.attempt == 1 {
            begun += 1;
        }
    }
    Ok(begun)
}

async fn take_of(
    conn: &mut Conn,
    instance: InstanceId,
    limit: i64,
    room: Option<i64>,
    most: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Row>, Fault> {
    let query = sqlx::query(room.map_or(TAKE, |_| TAKE_WITHIN))
        .bind(stamp(now))
        .bind(limit)
        .bind(instance.0)
        .bind(most);
    let query = match room {
        Some(room) => query.bind(room),
        None => query,
    };
    Ok(query.fetch_all(conn).await?)
}

/// RETURNING has no order of its own.
fn in_order(mut claims: Vec<ClaimedStep>) -> Vec<ClaimedStep> {
    claims.sort_by(|a, b| {
        (b.task.priority.cmp(&a.task.priority))
            .then(a.task.created.cmp(&b.task.created))
            .then(a.task.id.cmp(&b.task.id))
            .then(a.step.stage.cmp(&b.step.stage))
            .then(a.step.pipeline_ordinal.cmp(&b.step.pipeline_ordinal))
    });
    claims
}

async fn tasks_of(
    conn: &mut Conn,
    ids: impl Iterator<Item = Uuid>,
) -> Result<HashMap<TaskId, Task>, Fault> {
    let rows = sqlx::query(concat!("SELECT * FROM tasks WHERE id ", in_ids!("$1")))
        .bind(id_list(ids))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| rows::task(row).map(|task| (task.id, task)))
        .collect()
}

/// By pipeline: place and facts of its steps, in order.
type PipelineFacts = HashMap<Uuid, Vec<(i32, Map<String, Value>)>>;

async fn facts_of(
    conn: &mut Conn,
    pipelines: impl Iterator<Item = Uuid>,
) -> Result<PipelineFacts, Fault> {
    let rows = sqlx::query(concat!(
        "SELECT pipeline, ordinal, facts FROM steps WHERE facts <> '{}' AND pipeline ",
        in_ids!("$1"),
        "ORDER BY pipeline, ordinal"
    ))
    .bind(id_list(pipelines))
    .fetch_all(conn)
    .await?;
    let mut facts = PipelineFacts::new();
    for row in &rows {
        let found = from_json("steps.facts", row.try_get("facts")?)?;
        facts
            .entry(row.try_get("pipeline")?)
            .or_default()
            .push((row.try_get("ordinal")?, found));
    }
    Ok(facts)
}

fn earlier(facts: &PipelineFacts, step: &Step) -> Map<String, Value> {
    let of_pipeline = facts.get(&step.pipeline.0).into_iter().flatten();
    let before = of_pipeline.filter(|(ordinal, _)| *ordinal < step.ordinal);
    before.flat_map(|(_, facts)| facts.clone()).collect()
}

/// A step whose node is busy does not count, nor does a beginning for which there is no room: the end of what is under way is a
/// wake-up call of its own, and until then looking again would be idle.
async fn next_due(backend: &Backend, nodes: Option<u32>) -> Result<Option<Duration>, Fault> {
    let mut tx = backend.read().await?;
    let may_begin = match nodes {
        Some(nodes) => room(&mut tx, nodes).await? > 0,
        None => true,
    };
    let now = backend.now(&mut tx).await?;
    let due: Option<DateTime<Utc>> = sqlx::query_scalar(concat!(
        "SELECT MIN(COALESCE(s.not_before, $1)) FROM steps s JOIN tasks t ON t.id = s.task
         WHERE s.status IN ('ready', 'waiting') AND t.status IN ('running', 'terminating') AND ($2 OR NOT ",
        is_beginning!(),
        ") AND ",
        place_is_free!()
    ))
    .bind(stamp(now))
    .bind(may_begin)
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(due.map(|due| (due - now).to_std().unwrap_or(Duration::ZERO)))
}
