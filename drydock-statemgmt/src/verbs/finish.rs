//! The ends of steps, and what they move on: as many as came in meanwhile in one transaction.
//!
//! Everything here goes by the same order as a single end would: a step ends, the next of its pipeline becomes ready or the rest is
//! skipped, the strategy lets another node begin, the stage opens the next one, the task closes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use drydock_model::id::{ClaimToken, TaskId};
use drydock_model::step::{Step, StepStatus};
use drydock_model::store::{Advance, StepEnd, StoreError, StoreResult};
use drydock_model::strategy::Strategy;
use drydock_model::task::Message;
use serde_json::json;
use sqlx::Row as _;
use uuid::Uuid;

use super::advance::{
    close_if_over, is_open, open_stage_after, site_failed, skip_rest, skip_stages_after,
};
use super::{Backend, Conn, Tx, id_list, rows, stamp, waves};
use crate::column::{from_json, hex, to_json};
use crate::fault::Fault;

/// A step that has ended.
pub(crate) struct Finish {
    pub(crate) step: TaskId,
    pub(crate) token: ClaimToken,
    pub(crate) end: StepEnd,
}

/// A step under the current token, its task's row and its own locked, with how it ended.
struct Ended<'a> {
    /// Place among the jobs.
    job: usize,
    step: Step,
    end: &'a StepEnd,
}

/// The tasks of the steps, locked, with their strategies.
type Strategies = HashMap<Uuid, Option<Strategy>>;

/// Ends steps; the verdict on each.
pub(super) async fn all(
    backend: &Backend,
    mut tx: Tx,
    jobs: &[Finish],
) -> Result<Vec<StoreResult<Advance>>, Fault> {
    let mut verdicts: Vec<StoreResult<Advance>> =
        jobs.iter().map(|_| Err(StoreError::StaleClaim)).collect();
    let (ended, strategies) = hold(&mut tx, jobs).await?;
    if ended.is_empty() {
        return Ok(verdicts);
    }
    let now = backend.now(&mut tx).await?;
    write(&mut tx, &ended, now).await?;
    tell(&mut tx, &ended, now).await?;
    let going_on = ready_next(&mut tx, &ended, now).await?;
    let mut over = Vec::new();
    for one in &ended {
        let goes_on = going_on.contains(&one.step.pipeline.0);
        verdicts[one.job] = Ok(Advance {
            ready: usize::from(goes_on),
            task_ended: false,
        });
        if !one.end.success {
            skip_rest(&mut tx, one.step.pipeline.0, one.step.ordinal, now).await?;
        }
        if !goes_on {
            over.push(one);
        }
    }
    make_way(&mut tx, &over, &strategies, &mut verdicts, now).await?;
    open_and_close(&mut tx, &over, &strategies, &mut verdicts, now).await?;
    backend.commit_and_wake(tx).await?;
    Ok(verdicts)
}

/// The steps that are held under the tokens given, in the order of the jobs. Tasks are locked before steps, each by id.
async fn hold<'a>(
    conn: &mut Conn,
    jobs: &'a [Finish],
) -> Result<(Vec<Ended<'a>>, Strategies), Fault> {
    let claims = sqlx::query(concat!("SELECT task FROM steps WHERE id", in_ids!("$1")))
        .bind(id_list(jobs.iter().map(|job| job.step.0)))
        .fetch_all(&mut *conn)
        .await?;
    let tasks: BTreeSet<Uuid> = claims
        .iter()
        .map(|row| row.try_get("task"))
        .collect::<Result<_, _>>()?;
    let of_tasks = sqlx::query(concat!(
        "SELECT id, strategy FROM tasks WHERE id",
        in_ids!("$1"),
        "ORDER BY id",
        for_update!()
    ))
    .bind(id_list(tasks))
    .fetch_all(&mut *conn)
    .await?;
    let mut strategies = HashMap::new();
    for row in &of_tasks {
        let strategy: Option<String> = row.try_get("strategy")?;
        let strategy = strategy
            .map(|text| from_json("tasks.strategy", &text))
            .transpose()?;
        strategies.insert(row.try_get("id")?, strategy);
    }
    let of_steps = sqlx::query(concat!(
        "SELECT * FROM steps WHERE id",
        in_ids!("$1"),
        "ORDER BY id",
        for_update!()
    ))
    .bind(id_list(jobs.iter().map(|job| job.step.0)))
    .fetch_all(conn)
    .await?;
    let mut held = HashMap::new();
    for row in &of_steps {
        let token: Option<Uuid> = row.try_get("token")?;
        held.insert(row.try_get::<Uuid, _>("id")?, (token, rows::step(row)?));
    }
    let mut ended = Vec::with_capacity(jobs.len());
    for (job, finish) in jobs.iter().enumerate() {
        // Whoever asks twice is told the second time that the claim is gone.
        let ours = |(token, step): &(Option<Uuid>, Step)| {
            *token == Some(finish.token.0) && step.status == StepStatus::Running
        };
        if held.get(&finish.step.0).is_some_and(ours)
            && let Some((_, step)) = held.remove(&finish.step.0)
        {
            ended.push(Ended {
                job,
                step,
                end: &finish.end,
            });
        }
    }
    Ok((ended, strategies))
}

fn status(end: &StepEnd) -> &'static str {
    if end.success { "done" } else { "failed" }
}

async fn write(conn: &mut Conn, ended: &[Ended<'_>], now: DateTime<Utc>) -> Result<(), Fault> {
    let mut list = Vec::with_capacity(ended.len());
    for Ended { step, end, .. } in ended {
        let said: Vec<&Message> = step.messages.iter().chain(&end.messages).collect();
        list.push(json!({
            "id": hex(step.id.0),
            "status": status(end),
            "messages": to_json(&said)?,
            "facts": to_json(&end.facts)?,
        }));
    }
    sqlx::query(concat!(
        "UPDATE steps SET status = e.status, messages = e.messages, facts = e.facts, ended = $2,
             updated = $2, holder = NULL, token = NULL
         FROM ",
        ended_steps!("$1"),
        " WHERE steps.id = e.id"
    ))
    .bind(to_json(&list)?)
    .bind(stamp(now))
    .execute(conn)
    .await?;
    Ok(())
}

/// One event for each step, numbered on after those that the task has.
async fn tell(conn: &mut Conn, ended: &[Ended<'_>], now: DateTime<Utc>) -> Result<(), Fault> {
    let mut numbers: HashMap<Uuid, i64> = HashMap::new();
    let mut list = Vec::with_capacity(ended.len());
    for Ended { step, end, .. } in ended {
        let task = step.task.0;
        let last = match numbers.get(&task) {
            Some(last) => *last,
            None => {
                sqlx::query_scalar(
                    "SELECT COALESCE(MAX(seq), 0) AS last FROM task_events WHERE task = $1",
                )
                .bind(task)
                .fetch_one(&mut *conn)
                .await?
            }
        };
        numbers.insert(task, last + 1);
        let from = step.messages.len();
        list.push(json!({
            "task": hex(task),
            "seq": last + 1,
            "step": hex(step.id.0),
            "status": status(end),
            "attempt": step.attempt,
            "said_from": from,
            "said_to": from + end.messages.len(),
        }));
    }
    sqlx::query(concat!(
        "INSERT INTO task_events (task, seq, at, step, status, attempt, said_from, said_to)
         SELECT e.task, e.seq, $2, e.step, e.status, e.attempt, e.said_from, e.said_to FROM ",
        events_of_steps!("$1")
    ))
    .bind(to_json(&list)?)
    .bind(stamp(now))
    .execute(conn)
    .await?;
    Ok(())
}

/// After a success the next step of the pipeline becomes ready; the pipelines that have one.
async fn ready_next(
    conn: &mut Conn,
    ended: &[Ended<'_>],
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>, Fault> {
    let next: HashMap<Uuid, i32> = ended
        .iter()
        .filter(|one| one.end.success)
        .map(|Ended { step, .. }| (step.pipeline.0, step.ordinal + 1))
        .collect();
    if next.is_empty() {
        return Ok(HashSet::new());
    }
    // Two simple statements: PostgreSQL knows nothing of how long a list is, and joins one with all that is pending. Nor does it hear of the
    // status: it would read an index of all that is open for that, of ten thousand nodes with each end.
    let steps = sqlx::query(concat!(
        "SELECT id, pipeline, ordinal, status FROM steps WHERE pipeline",
        in_ids!("$1")
    ))
    .bind(id_list(next.keys().copied()))
    .fetch_all(&mut *conn)
    .await?;
    let (mut going_on, mut ready) = (HashSet::new(), Vec::new());
    for row in &steps {
        let pipeline: Uuid = row.try_get("pipeline")?;
        let is_next = next.get(&pipeline) == Some(&row.try_get("ordinal")?);
        if is_next && row.try_get::<&str, _>("status")? == "pending" {
            going_on.insert(pipeline);
            ready.push(row.try_get("id")?);
        }
    }
    sqlx::query(concat!(
        "UPDATE steps SET status = 'ready', updated = $2 WHERE id",
        in_ids!("$1")
    ))
    .bind(id_list(ready))
    .bind(stamp(now))
    .execute(conn)
    .await?;
    Ok(going_on)
}

/// Where a pipeline is over, the strategy of its task lets another begin, unless there were too many failures. All failures count before anything
/// begins. In a task that is being terminated nothing is pending any more, so none of this finds a row.
async fn make_way(
    conn: &mut Conn,
    over: &[&Ended<'_>],
    strategies: &Strategies,
    verdicts: &mut [StoreResult<Advance>],
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let with_strategy = || {
        over.iter().filter_map(|one| {
            let strategy = strategies.get(&one.step.task.0)?.as_ref()?;
            Some((*one, strategy))
        })
    };
    for (one, strategy) in with_strategy().filter(|(one, _)| !one.end.success) {
        waves::stop_if_due(conn, strategy, &one.step, now).await?;
    }
    for (one, strategy) in with_strategy() {
        let begun = waves::make_way(conn, strategy, one.step.task.0, one.step.stage, now).await?;
        add_ready(verdicts, one, begun);
    }
    Ok(())
}

/// A stage in which nothing is open any more opens the next one, and a task without a next one is over.
async fn open_and_close(
    conn: &mut Conn,
    over: &[&Ended<'_>],
    strategies: &Strategies,
    verdicts: &mut [StoreResult<Advance>],
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    // The last of each stage stands for it.
    let stages: BTreeMap<(Uuid, i32), &Ended<'_>> = over
        .iter()
        .map(|one| ((one.step.task.0, one.step.stage), *one))
        .collect();
    for ((task, stage), one) in stages {
        if is_open(conn, task, Some(stage)).await? {
            continue;
        }
        let opened = if site_failed(conn, task, stage).await? {
            skip_stages_after(conn, task, stage, now).await?;
            0
        } else {
            let strategy = strategies.get(&task).and_then(Option::as_ref);
            open_stage_after(conn, task, stage, strategy, now).await?
        };
        add_ready(verdicts, one, opened);
        if opened == 0 {
            let task_ended = close_if_over(conn, task, now).await?;
            if let Ok(advance) = &mut verdicts[one.job] {
                advance.task_ended = task_ended;
            }
        }
    }
    Ok(())
}

fn add_ready(verdicts: &mut [StoreResult<Advance>], one: &Ended<'_>, count: u64) {
    if let Ok(advance) = &mut verdicts[one.job] {
        advance.ready += usize::try_from(count).unwrap_or(usize::MAX);
    }
}
