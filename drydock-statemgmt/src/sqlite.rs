//! The SQLite back end: its connections, its clock, and its words of SQL.
//!
//! One connection writes, the others read. Every write begins with `BEGIN IMMEDIATE`, so that it waits
//! for its turn at the beginning, where waiting is possible, and never loses a race in the middle.

pub(crate) mod upkeep;

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use drydock_model::clock::Clock;
use drydock_model::store::{Advance, Store, StoreError, StoreResult, Wake};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Sqlite, Transaction};
use tokio::sync::watch;
use uuid::Uuid;

use crate::Options;
use crate::column::moment;
use crate::fault::{self, Fault, settle};
use crate::turns::Turns;
use crate::vitals::Vitals;
use crate::wake::{self, Subscriber};

// SQLite locks the whole database, not rows.
macro_rules! for_update {
    () => {
        ""
    };
}
macro_rules! for_share {
    () => {
        ""
    };
}
macro_rules! for_key_share {
    () => {
        ""
    };
}
macro_rules! for_key_update_or_skip {
    () => {
        ""
    };
}
macro_rules! skip_locked {
    () => {
        ""
    };
}
macro_rules! in_ids {
    ($list:literal) => {
        concat!(" IN (SELECT unhex(value) FROM json_each(", $list, ")) ")
    };
}
/// Tasks `t`, each with the first of its steps that are due at $1, at most so many, as `s`. SQLite has no lateral join.
macro_rules! tasks_with_due_steps {
    ($most:literal) => {
        concat!(
            "tasks t CROSS JOIN steps s ON s.id IN (
                 SELECT d.id FROM steps d
                 WHERE d.task = t.id AND d.status IN ('ready', 'waiting')
                     AND (d.not_before IS NULL OR d.not_before <= $1)
                 ORDER BY d.stage, d.pipeline_ordinal LIMIT ",
            $most,
            ")"
        )
    };
}
/// A text as it stands in JSON.
macro_rules! json_text {
    ($value:literal) => {
        concat!("json_quote(", $value, ")")
    };
}
/// The rows of a list that came as JSON; each macro one kind of list, as `e`.
macro_rules! ended_steps {
    ($list:literal) => {
        concat!(
            "(SELECT unhex(value ->> 'id') AS id, value ->> 'status' AS status,
                  value ->> 'messages' AS messages, value ->> 'facts' AS facts
              FROM json_each(",
            $list,
            ")) AS e"
        )
    };
}
macro_rules! events_of_steps {
    ($list:literal) => {
        concat!(
            "(SELECT unhex(value ->> 'task') AS task, value ->> 'seq' AS seq,
                  unhex(value ->> 'step') AS step, value ->> 'status' AS status,
                  value ->> 'attempt' AS attempt, value ->> 'said_from' AS said_from,
                  value ->> 'said_to' AS said_to
              FROM json_each(",
            $list,
            ")) AS e"
        )
    };
}
macro_rules! intents {
    ($list:literal) => {
        concat!(
            "(SELECT key AS place, unhex(value ->> 'id') AS id, unhex(value ->> 'step') AS step,
                  unhex(value ->> 'token') AS token, value ->> 'node' AS node,
                  value ->> 'attempt' AS attempt, unhex(value ->> 'instance') AS instance,
                  value ->> 'epoch' AS epoch, value ->> 'change' AS change
              FROM json_each(",
            $list,
            ")) AS e"
        )
    };
}
macro_rules! outcomes {
    ($list:literal) => {
        concat!(
            "(SELECT unhex(value ->> 'id') AS id, unhex(value ->> 'token') AS token,
                  value ->> 'outcome' AS outcome, value ->> 'evidence' AS evidence,
                  value ->> 'latency_ms' AS latency_ms
              FROM json_each(",
            $list,
            ")) AS e"
        )
    };
}
/// All writes wait for one another here.
macro_rules! for_share_of_steps {
    () => {
        ""
    };
}
macro_rules! fresh_token {
    () => {
        "randomblob(16)"
    };
}
/// To the millisecond, rounded by SQLite; three zeros make it the width of all other times.
macro_rules! plus_seconds {
    ($at:literal, $seconds:literal) => {
        concat!(
            "(strftime('%Y-%m-%dT%H:%M:%f', ",
            $at,
            ", printf('%+.3f seconds', ",
            $seconds,
            ")) || '000Z')"
        )
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

type Db = Sqlite;
type Conn = sqlx::SqliteConnection;
type Row = sqlx::sqlite::SqliteRow;
type Tx = Transaction<'static, Sqlite>;

/// How long a write waits for a writer in another process, and for its turn in this one.
const TURN: Duration = Duration::from_secs(30);

/// Pages that the writing connection keeps, as kibibytes below zero (https://www.sqlite.org/pragma.html#pragma_cache_size). With SQLite's
/// own 2 MiB the indexes of a task of ten thousand nodes are read anew for each commit.
const WRITER_CACHE: &str = "-16384";

/// After so many pages, of 4 KiB each, the write-ahead log is brought into the file. A page of an index that many commits change is written
/// there once, instead of once for each thousand pages.
const CHECKPOINT: &str = "4000";

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations/sqlite");

/// A store in one file, or in memory.
pub(crate) struct Backend {
    writer: SqlitePool,
    readers: SqlitePool,
    clock: Arc<dyn Clock>,
    changes: watch::Sender<u64>,
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
    /// Opens, makes, migrates.
    pub(crate) async fn open(url: &str, options: Options) -> StoreResult<Self> {
        let in_memory = url.contains(":memory:") || url.contains("mode=memory");
        let base = SqliteConnectOptions::from_str(url)
            .map_err(|error| {
                StoreError::Conflict(format!("the SQLite URL is not understood: {error}"))
            })?
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(TURN)
            // As many rows as a claim has at most: with fewer, the thread that reads stops for the one that takes them.
            .row_buffer_size(256)
            // FULL: a commit is on the disk before it is answered. A crash of the process would lose
            // nothing with NORMAL either, but a loss of power would take back the last commits; and a
            // journal that forgot an intent would let a wipe be repeated. With FULL, power loss takes
            // only what was never answered (as far as the disk keeps its word on a flush).
            .synchronous(SqliteSynchronous::Full);
        let writer_options = if in_memory {
            base.clone()
        } else {
            base.clone()
                .journal_mode(SqliteJournalMode::Wal)
                .pragma("cache_size", WRITER_CACHE)
                .pragma("wal_autocheckpoint", CHECKPOINT)
        };
        let writer = connect(&writer_options, &options).await?;
        migrate(&writer).await?;
        let readers = if in_memory {
            // A database in memory lives in its one connection.
            writer.clone()
        } else {
            SqlitePoolOptions::new()
                .max_connections(options.pool_size.max(1))
                .acquire_timeout(options.connect_timeout)
                .connect_lazy_with(base.create_if_missing(false).pragma("query_only", "ON"))
        };
        Ok(Self {
            writer,
            readers,
            clock: options.clock,
            changes: watch::Sender::new(0),
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

    /// Begins to write; waits for its turn.
    async fn write(&self) -> Result<Tx, Fault> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Begins to write a sign of life: there is one writer, whose turns are short.
    async fn write_pulse(&self) -> Result<Tx, Fault> {
        self.write().await
    }

    /// Begins to read one state of the whole.
    async fn read(&self) -> Result<Tx, Fault> {
        Ok(self.readers.begin().await?)
    }

    /// The time that decides.
    async fn now(&self, _conn: &mut Conn) -> Result<DateTime<Utc>, Fault> {
        Ok(moment(self.clock.now()))
    }

    /// One claimer at a time: a write is alone already.
    async fn claim_turn(&self, _conn: &mut Conn) -> Result<(), Fault> {
        Ok(())
    }

    /// Commits, then calls whoever waits for a change.
    async fn commit_and_wake(&self, tx: Tx) -> Result<(), Fault> {
        self.commit(tx).await?;
        wake::call(&self.changes);
        Ok(())
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
        Ok(Box::new(Subscriber(self.changes.subscribe())))
    }
}

/// Runs the inside of a verb.
async fn during<T>(what: &str, work: impl Future<Output = Result<T, Fault>>) -> StoreResult<T> {
    settle(what, work.await)
}

/// A time as it is bound.
fn stamp(at: DateTime<Utc>) -> String {
    moment(at).to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A list of ids as `in_ids!` takes it.
fn id_list(ids: impl IntoIterator<Item = Uuid>) -> String {
    let quoted: Vec<_> = ids
        .into_iter()
        .map(|id| format!("\"{}\"", id.simple()))
        .collect();
    format!("[{}]", quoted.join(","))
}

/// Opens the writing connection. To switch a new file to WAL needs it alone, and SQLite does not wait
/// for that by itself (https://www.sqlite.org/wal.html, "Sometimes queries return SQLITE_BUSY").
async fn connect(connect: &SqliteConnectOptions, options: &Options) -> StoreResult<SqlitePool> {
    let begun = tokio::time::Instant::now();
    loop {
        let outcome = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // On a full disk SQLite itself takes a transaction back, and the pool, whose own attempt then fails, takes the connection to be in it
            // for ever (https://www.sqlite.org/lang_transaction.html, section 3). Such a connection is replaced.
            .before_acquire(|conn, _| {
                let usable = !conn.is_in_transaction();
                Box::pin(async move { Ok(usable) })
            })
            .acquire_timeout(options.connect_timeout.max(TURN))
            .connect_with(connect.clone())
            .await;
        let error = match outcome {
            Ok(pool) => return Ok(pool),
            Err(error) => error,
        };
        if !fault::is_busy(&error) || begun.elapsed() >= options.connect_timeout {
            let what = format!("opening {}", connect.get_filename().display());
            return Err(fault::classify(&what, &error));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Migrates under the write lock: whoever comes second finds it done.
async fn migrate(writer: &SqlitePool) -> StoreResult<()> {
    let what = "bringing the schema up to date";
    let mut tx = writer
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(|error| fault::classify(what, &error))?;
    upkeep::check_whole(&mut tx).await?;
    MIGRATOR
        .run_direct(None, &mut *tx, false)
        .await
        .map_err(|error: MigrateError| fault::of_migration(&error))?;
    tx.commit()
        .await
        .map_err(|error| fault::classify(what, &error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Row as _};

    use super::*;

    #[tokio::test]
    async fn a_claim_reads_of_a_node_only_what_is_open() {
        let mut conn = Conn::connect("sqlite::memory:").await.unwrap();
        MIGRATOR.run_direct(None, &mut conn, false).await.unwrap();
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", claims::TAKE));
        let query = sqlx::query(sql).bind("").bind(1).bind("").bind(100);
        let rows = query.fetch_all(&mut conn).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        assert!(
            plan.iter()
                .any(|line| line == "SEARCH r USING INDEX steps_busy (node=?)"),
            "{plan:#?}"
        );
    }
}
