//! The PostgreSQL back end: its connections, the server's clock, and its words of SQL.
//!
//! Transactions are READ COMMITTED. Whatever must not move while a verb decides is locked by row, always
//! in this order: leadership, boot action, tasks (by id), steps.

mod listen;
pub(crate) mod upkeep;
mod version;

use std::future::Future;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use drydock_model::store::{Advance, Store, StoreError, StoreResult, Wake};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, Postgres, Transaction};
use uuid::Uuid;

use crate::Options;
use crate::column::moment;
use crate::fault::{self, Fault};
use crate::turns::Turns;
use crate::vitals::Vitals;
use listen::Listener;

/// Not FOR UPDATE: a row that another only refers to by a foreign key need not wait.
macro_rules! for_update {
    () => {
        " FOR NO KEY UPDATE"
    };
}
macro_rules! for_share {
    () => {
        " FOR SHARE"
    };
}
/// Conflicts with a new reign, which changes the unique `epoch`, but not with the renewal of the present one.
macro_rules! for_key_share {
    () => {
        " FOR KEY SHARE"
    };
}
macro_rules! for_key_update_or_skip {
    () => {
        " FOR UPDATE SKIP LOCKED"
    };
}
macro_rules! skip_locked {
    () => {
        " FOR NO KEY UPDATE OF s SKIP LOCKED"
    };
}
macro_rules! in_ids {
    ($list:literal) => {
        concat!(" = ANY(", $list, ") ")
    };
}
/// Tasks `t`, each with the first of its steps that are due at $1, at most so many, as `s`.
macro_rules! tasks_with_due_steps {
    ($most:literal) => {
        concat!(
            "tasks t CROSS JOIN LATERAL (
                 SELECT d.id, d.task, d.stage, d.pipeline_ordinal FROM steps d
                 WHERE d.task = t.id AND d.status IN ('ready', 'waiting')
                     AND (d.not_before IS NULL OR d.not_before <= $1)
                 ORDER BY d.stage, d.pipeline_ordinal LIMIT ",
            $most,
            ") s"
        )
    };
}
/// A text as it stands in JSON.
macro_rules! json_text {
    ($value:literal) => {
        concat!("to_json(", $value, ")::text")
    };
}
/// The rows of a list that came as JSON; each macro one kind of list, as `e`.
macro_rules! ended_steps {
    ($list:literal) => {
        concat!(
            "json_to_recordset(",
            $list,
            "::json) AS e(id uuid, status text, messages text, facts text)"
        )
    };
}
macro_rules! events_of_steps {
    ($list:literal) => {
        concat!(
            "json_to_recordset(",
            $list,
            "::json) AS e(task uuid, seq bigint, step uuid, status text, attempt integer,
                 said_from integer, said_to integer)"
        )
    };
}
macro_rules! intents {
    ($list:literal) => {
        concat!(
            "json_to_recordset(",
            $list,
            "::json) AS e(place integer, id uuid, step uuid, token uuid, node text, attempt integer,
                 instance uuid, epoch bigint, change text)"
        )
    };
}
macro_rules! outcomes {
    ($list:literal) => {
        concat!(
            "json_to_recordset(",
            $list,
            "::json) AS e(id uuid, token uuid, outcome text, evidence text, latency_ms bigint)"
        )
    };
}
macro_rules! for_share_of_steps {
    () => {
        " FOR SHARE OF s"
    };
}
macro_rules! fresh_token {
    () => {
        "gen_random_uuid()"
    };
}
macro_rules! plus_seconds {
    ($at:literal, $seconds:literal) => {
        concat!("(", $at, " + make_interval(secs => ", $seconds, "))")
    };
}

#[path = "verbs/advance.rs"]
mod advance;
#[path = "verbs/boot.rs"]
mod boot;
#[path = "verbs/build_data.rs"]
mod build_data;
#[path = "verbs/claims.rs"]
mod claims;
#[path = "verbs/designs.rs"]
mod designs;
#[path = "verbs/events.rs"]
mod events;
#[path = "verbs/finish.rs"]
mod finish;
#[path = "verbs/journal.rs"]
mod journal;
#[path = "verbs/leadership.rs"]
mod leadership;
#[path = "verbs/operator.rs"]
mod operator;
#[path = "verbs/planning.rs"]
mod planning;
#[path = "verbs/purge.rs"]
mod purge;
#[path = "verbs/release.rs"]
mod release;
#[path = "verbs/rows.rs"]
mod rows;
#[path = "verbs/tasks.rs"]
mod tasks;
#[path = "verbs/waves.rs"]
mod waves;

type Db = Postgres;
type Conn = sqlx::PgConnection;
type Row = sqlx::postgres::PgRow;
type Tx = Transaction<'static, Postgres>;

/// After this a verb is given up: a server that vanished without a word would else hold it for as long
/// as TCP tries, a quarter of an hour.
const PATIENCE: Duration = Duration::from_secs(60);

/// One for the heartbeat, one for the leadership.
const PULSE_CONNECTIONS: u32 = 2;

/// How long a connection that is given back has to answer. The pool itself would wait for ever, with the
/// connection's place taken, when the server has vanished without a word.
const RETURN: Duration = Duration::from_secs(2);

/// Key of the advisory lock under which steps are claimed: one claimer at a time, so that each sees
/// what the one before has taken.
const CLAIM_TURN: i64 = 0x6472_7964_6f63_6b31;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/postgres");

/// A store in a PostgreSQL database, shared by any number of servers.
pub(crate) struct Backend {
    readers: PgPool,
    /// For heartbeats and leadership alone: all other connections may be taken for longer than an instance may be silent.
    pulse: PgPool,
    listener: Listener,
    together: Together,
    vitals: Vitals,
}

/// Writes that are done together when many ask at a time.
#[derive(Default)]
struct Together {
    ends: Turns<finish::Finish, Advance>,
    intents: Turns<journal::Intent, ()>,
    outcomes: Turns<journal::Conclusion, ()>,
}

impl Backend {
    /// Connects and migrates.
    pub(crate) async fn open(url: &str, options: Options) -> StoreResult<Self> {
        let base = PgConnectOptions::from_str(url)
            .map_err(|error| {
                StoreError::Conflict(format!("the PostgreSQL URL is not understood: {error}"))
            })?
            .application_name("drydock");
        migrate(&base, options.connect_timeout).await?;
        // A process that is stopped in the middle of a transaction would hold its locks against all
        // others; the server ends such a session.
        // Every statement finds its rows by an index, list item by list item (tests/statements.rs), and what the planner knows of a queue is old as
        // soon as it is gathered: without statistics it reads whole tables for a list of a hundred ids, or sorts all that is ready instead of
        // reading the first of it. A plan that is kept would be the one for the tables as they were when they were nearly empty.
        let working = base.clone().options([
            ("enable_seqscan", "off"),
            ("enable_bitmapscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("enable_material", "off"),
            ("plan_cache_mode", "force_custom_plan"),
            ("jit", "off"),
            ("idle_in_transaction_session_timeout", "10s"),
            ("lock_timeout", "15s"),
        ]);
        let readers = pool_of(options.pool_size.max(1), options.connect_timeout)
            .connect_with(working)
            .await
            .map_err(|error| fault::classify("connecting to PostgreSQL", &error))?;
        let vital = base.clone().options([
            ("idle_in_transaction_session_timeout", "3s"),
            ("lock_timeout", "2s"),
        ]);
        let pulse = pool_of(PULSE_CONNECTIONS, options.connect_timeout).connect_lazy_with(vital);
        Ok(Self {
            readers,
            pulse,
            listener: Listener::new(base, options.connect_timeout),
            together: Together::default(),
            vitals: Vitals::default(),
        })
    }

    /// Makes a write last.
    async fn commit(&self, tx: Tx) -> Result<(), Fault> {
        tx.commit().await?;
        crate::count_commit();
        Ok(())
    }

    /// Begins to write.
    async fn write(&self) -> Result<Tx, Fault> {
        Ok(self.readers.begin().await?)
    }

    /// Begins to write a sign of life.
    async fn write_pulse(&self) -> Result<Tx, Fault> {
        Ok(self.pulse.begin().await?)
    }

    /// Begins to read one state of the whole.
    async fn read(&self) -> Result<Tx, Fault> {
        Ok(self
            .readers
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?)
    }

    /// The time that decides: the server's, at this moment. To be asked after the locks are taken.
    async fn now(&self, conn: &mut Conn) -> Result<DateTime<Utc>, Fault> {
        let now = sqlx::query_scalar("SELECT clock_timestamp()")
            .fetch_one(conn)
            .await?;
        Ok(moment(now))
    }

    /// Waits until no other claimer is at it; held until the transaction ends.
    async fn claim_turn(&self, conn: &mut Conn) -> Result<(), Fault> {
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(CLAIM_TURN)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Commits and, by the same commit, calls whoever waits for a change, in any process.
    async fn commit_and_wake(&self, mut tx: Tx) -> Result<(), Fault> {
        sqlx::query("SELECT pg_notify($1, '')")
            .bind(listen::CHANNEL)
            .execute(&mut *tx)
            .await?;
        self.commit(tx).await
    }
}

#[async_trait]
impl Store for Backend {
    async fn ping(&self) -> StoreResult<()> {
        during("asking whether the database answers", async {
            sqlx::query("SELECT 1").execute(&self.readers).await?;
            Ok(self.vitals.check()?)
        })
        .await
    }

    async fn subscribe(&self) -> StoreResult<Box<dyn Wake>> {
        during("listening for changes", self.listener.subscribe()).await
    }
}

/// Runs the inside of a verb, not for ever.
async fn during<T>(what: &str, work: impl Future<Output = Result<T, Fault>>) -> StoreResult<T> {
    fault::within(PATIENCE, what, work).await
}

/// A pool that gives a connection up which does not answer.
fn pool_of(connections: u32, acquire_timeout: Duration) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(acquire_timeout)
        .after_release(|conn, _about| {
            Box::pin(async move {
                match tokio::time::timeout(RETURN, conn.ping()).await {
                    Ok(answer) => answer.map(|()| true),
                    Err(_elapsed) => Err(sqlx::Error::PoolTimedOut),
                }
            })
        })
}

/// A time as it is bound.
fn stamp(at: DateTime<Utc>) -> DateTime<Utc> {
    moment(at)
}

/// A list of ids as `in_ids!` takes it.
fn id_list(ids: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    ids.into_iter().collect()
}

/// Migrates on a connection of its own. The migrator holds an advisory lock on the database meanwhile;
/// it goes with the connection whatever happens.
async fn migrate(options: &PgConnectOptions, limit: Duration) -> StoreResult<()> {
    let mut conn = connect_alone(options, limit).await?;
    upkeep::check_whole(&mut conn).await?;
    let outcome = MIGRATOR.run_direct(None, &mut conn, false).await;
    if let Err(error) = conn.close().await {
        tracing::debug!(%error, "the migrating connection was not closed in order");
    }
    outcome.map_err(|error| fault::of_migration(&error))
}

/// A connection of its own, to a server that is new enough.
async fn connect_alone(options: &PgConnectOptions, limit: Duration) -> StoreResult<Conn> {
    let connecting = Conn::connect_with(options);
    let mut conn = tokio::time::timeout(limit, connecting)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .map_err(|error| fault::classify("connecting to PostgreSQL", &error))?;
    upkeep::check_version(&mut conn).await?;
    Ok(conn)
}
