//! The stores behind the model's port: PostgreSQL for several servers, SQLite for one machine.
//!
//! Purpose: designs, tasks, steps, leadership, the journal and boot-action contexts, each verb one
//! transaction. This is the only crate that names sqlx, and no transaction leaves it.
//!
//! Non-goals: no policy. What a plan is made of, when to retry and what a result means is decided
//! elsewhere; here it is kept, ordered and fenced.
//!
//! [`upkeep`] is for the operator: the state of a database, its schema, and moving it to another back end.
//!
//! The verbs stand once, in `verbs/`, and are compiled for each back end; what differs between the
//! two (clock, locks, wake-up calls, a few words of SQL) stands in `postgres.rs` and `sqlite.rs`.

// The files of `verbs/` are compiled twice on purpose: once as children of each back end.
#![allow(clippy::duplicate_mod)]

/// Whether a row of `steps` is in the middle of a change of power: it has begun to cycle a machine and not ended. Such a
/// step goes on although its task is to stop, so that no machine is left off by half.
macro_rules! power_is_half_changed {
    () => {
        "(steps.action = 'power_cycle_node' AND EXISTS (SELECT 1 FROM journal j WHERE j.step = steps.id))"
    };
}

mod column;
mod fault;
mod postgres;
mod reported;
mod sqlite;
mod turns;
pub mod upkeep;
mod vitals;
mod wake;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use drydock_model::clock::Clock;
use drydock_model::store::{Store, StoreError, StoreResult};

use upkeep::BackEnd;

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// Most connections to hold at a time; at least one is taken. On SQLite these are the readers,
    /// there is always exactly one writer. PostgreSQL takes one more for its wake-up calls and up to
    /// two for heartbeats and leadership, which wait for nobody else's work.
    pub pool_size: u32,
    /// How long to wait for a connection before a verb is given up as unavailable.
    pub connect_timeout: Duration,
    /// The time of a SQLite store. PostgreSQL goes by the server's clock.
    pub clock: Arc<dyn Clock>,
}

/// Opens a store and brings its schema up to date.
///
/// `sqlite://path` and `sqlite::memory:` give SQLite (the file is made when it is missing, its folder
/// is not), `postgres://user:password@host:port/database` gives PostgreSQL. Any number of servers may
/// do this at a time: one migrates, the others wait for it.
///
/// # Errors
/// [`StoreError::Unavailable`] when it cannot be reached; [`StoreError::Conflict`] when the URL is none
/// of these, the server is older than PostgreSQL 13, the schema is newer than this program knows, or a copy
/// into the database has not ended. The text never holds the URL.
pub async fn open(url: &str, options: Options) -> StoreResult<Arc<dyn Store>> {
    match back_end_of(url)? {
        BackEnd::Sqlite => Ok(Arc::new(sqlite::Backend::open(url, options).await?)),
        BackEnd::Postgres => Ok(Arc::new(postgres::Backend::open(url, options).await?)),
    }
}

/// Which kind of database a URL names.
fn back_end_of(url: &str) -> StoreResult<BackEnd> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    match scheme {
        "sqlite" => Ok(BackEnd::Sqlite),
        "postgres" | "postgresql" => Ok(BackEnd::Postgres),
        _ => Err(StoreError::Conflict(
            "the database URL is not understood: it must begin with sqlite: or postgres:; \
             correct the setting database.url"
                .to_owned(),
        )),
    }
}

static COMMITS: AtomicU64 = AtomicU64::new(0);

/// Writing transactions that this process has committed to its stores since it began. For measurements.
#[must_use]
pub fn commits() -> u64 {
    COMMITS.load(Ordering::Relaxed)
}

fn count_commit() {
    COMMITS.fetch_add(1, Ordering::Relaxed);
}
