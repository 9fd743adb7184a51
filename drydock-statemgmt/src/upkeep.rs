//! The upkeep of a database, for its operator: what state it is in, bringing it up to date, moving it to another back end.
//!
//! None of this needs a running server, and none of it opens the store: a database whose schema is old, or into which a
//! copy has not ended, is looked at as it is.

pub(crate) mod cell;
mod copy;
pub(crate) mod registry;
mod sum;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drydock_model::clock::Clock;
use drydock_model::store::{StoreError, StoreResult};
use futures::stream::BoxStream;

use crate::fault::{self, Fault, settle};
use crate::{postgres, sqlite};
use cell::Cells;
use registry::{Declared, TABLES, Table};

pub use copy::{Copied, CopiedTable, CopyOptions, copy};

/// The table in the target of a copy that tells how far it has come. While it is there no server opens the database.
pub(crate) const MARKER: &str = "drydock_copy";

/// Which kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackEnd {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl BackEnd {
    /// Its name, as URLs begin.
    pub fn as_str(self) -> &'static str {
        match self {
            BackEnd::Postgres => "postgres",
            BackEnd::Sqlite => "sqlite",
        }
    }
}

impl fmt::Display for BackEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BackEnd::Postgres => "PostgreSQL",
            BackEnd::Sqlite => "SQLite",
        })
    }
}

/// A version of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its number; each is higher than the one before.
    pub version: i64,
    /// What its file is called.
    pub description: String,
}

/// A table and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableState {
    /// Its name.
    pub name: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 over its rows in the order of their keys, the same on every back end, in hexadecimal; where it was asked for.
    pub digest: Option<String>,
}

/// What state a database is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which kind it is.
    pub back_end: BackEnd,
    /// Where it is: its URL without user and password.
    pub place: String,
    /// The version of PostgreSQL or SQLite.
    pub server_version: String,
    /// The version of its schema; none: it has no schema yet.
    pub schema: Option<i64>,
    /// The version of the schema that this program brings about.
    pub known: i64,
    /// What of it the database lacks, in order.
    pub pending: Vec<Migration>,
    /// Versions that the database has and this program does not know: a newer one has used it.
    pub unknown: Vec<i64>,
    /// A copy into this database has begun and not ended.
    pub copy_unfinished: bool,
    /// The tables that there are.
    pub tables: Vec<TableState>,
    /// What it takes, in bytes, indexes and all.
    pub size: u64,
}

/// What bringing a database up to date came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Where it is: its URL without user and password.
    pub place: String,
    /// The version before; none: there was no schema.
    pub before: Option<i64>,
    /// The version now.
    pub now: i64,
    /// What was applied by this call, in order.
    pub applied: Vec<Migration>,
}

/// What to do about a database that may not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It must be there, and is only read.
    Read,
    /// It may be written; a SQLite file is made when it is missing.
    Write,
}

/// One connection to a database that is looked after. All that the two back ends do differently is behind this.
#[async_trait]
pub(crate) trait Endpoint: Send {
    /// Which kind it is.
    fn back_end(&self) -> BackEnd;
    /// The URL without user and password.
    fn place(&self) -> &str;
    /// The migrations that this program holds.
    fn known(&self) -> Vec<Migration>;
    /// The version of the database itself.
    async fn server_version(&mut self) -> Result<String, Fault>;
    /// Its size in bytes.
    async fn size(&mut self) -> Result<i64, Fault>;
    /// Every column of every table.
    async fn declared(&mut self) -> Result<Vec<Declared>, Fault>;
    /// The versions that have been applied, in order; the list of migrations must be there.
    async fn applied(&mut self) -> Result<Vec<i64>, Fault>;
    /// Brings the schema up to date, under a lock; the versions that this very call has applied.
    async fn migrate(&mut self) -> StoreResult<Vec<i64>>;
    /// Sees one state of the whole from now on, until this connection ends.
    async fn freeze(&mut self) -> Result<(), Fault>;
    /// How long ago an instance was last heard of, as its heartbeat or as the leader.
    async fn last_heard(&mut self) -> Result<Option<Duration>, Fault>;
    /// How many rows a table has.
    async fn count(&mut self, table: &Table) -> Result<i64, Fault>;
    /// Whether a table has a row that a fresh database has not.
    async fn is_used(&mut self, table: &Table) -> Result<bool, Fault>;
    /// The rows in the order of their keys, from the first after this key on.
    fn rows<'a>(
        &'a mut self,
        table: &'static Table,
        after: Option<Cells>,
    ) -> BoxStream<'a, Result<Cells, Fault>>;
    /// Makes the marker: the beginning of a copy from `source`. What a fresh database has of rows goes.
    async fn begin_copy(&mut self, source: &str) -> Result<(), Fault>;
    /// What the marker says: the source, and each table's progress.
    async fn progress(&mut self) -> Result<Progress, Fault>;
    /// Takes rows and notes the progress, both or none; `false`: the progress was no longer at `from`, nothing was done.
    async fn take(
        &mut self,
        table: &'static Table,
        rows: &[Cells],
        from: &Step,
        to: &Step,
    ) -> Result<bool, Fault>;
    /// Lets the numbering of a table go on after the highest number in it.
    async fn go_on_numbering(&mut self, table: &Table) -> Result<(), Fault>;
    /// Removes the marker.
    async fn end_copy(&mut self) -> Result<(), Fault>;
}

/// How far the copy of one table has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// The key of the last row taken, as text; empty before the first.
    pub(crate) last: String,
    /// All rows were taken.
    pub(crate) ended: bool,
}

/// What the marker says.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    /// The place that is copied from.
    pub(crate) source: String,
    /// By table.
    pub(crate) tables: Vec<(String, Step)>,
}

/// Connects.
async fn reach(
    url: &str,
    access: Access,
    limit: Duration,
    clock: &Arc<dyn Clock>,
) -> StoreResult<Box<dyn Endpoint>> {
    match crate::back_end_of(url)? {
        BackEnd::Sqlite => Ok(Box::new(
            sqlite::upkeep::Upkeep::connect(url, access, Arc::clone(clock)).await?,
        )),
        BackEnd::Postgres => Ok(Box::new(
            postgres::upkeep::Upkeep::connect(url, limit).await?,
        )),
    }
}

/// Tells what state a database is in. Writes nothing, and makes no file.
///
/// `digests`: also the digest of each table, for which all of it is read. `limit` is for connecting.
///
/// # Errors
/// [`StoreError::Unavailable`] when it cannot be reached, [`StoreError::Conflict`] when the URL is not understood or the
/// server is too old.
pub async fn status(
    url: &str,
    digests: bool,
    limit: Duration,
    clock: Arc<dyn Clock>,
) -> StoreResult<Status> {
    let mut endpoint = reach(url, Access::Read, limit, &clock).await?;
    let what = format!("looking at {}", endpoint.place());
    settle(&what, look(endpoint.as_mut(), digests).await)
}

async fn look(endpoint: &mut dyn Endpoint, digests: bool) -> Result<Status, Fault> {
    endpoint.freeze().await?;
    let declared = endpoint.declared().await?;
    let has = |name: &str| declared.iter().any(|column| column.table == name);
    let applied = applied(endpoint, &declared).await?;
    let known = endpoint.known();
    let mut tables = Vec::new();
    for table in TABLES.iter().filter(|table| has(table.name)) {
        let rows = endpoint.count(table).await?;
        let digest =
            match digests && registry::differences(endpoint.back_end(), &declared).is_empty() {
                true => Some(sum::of(endpoint, table).await?.digest),
                false => None,
            };
        tables.push(TableState {
            name: table.name,
            rows: u64::try_from(rows).unwrap_or_default(),
            digest,
        });
    }
    let is_known = |version: &i64| known.iter().any(|one| one.version == *version);
    Ok(Status {
        back_end: endpoint.back_end(),
        place: endpoint.place().to_owned(),
        server_version: endpoint.server_version().await?,
        schema: applied.last().copied(),
        known: newest(&known),
        unknown: applied
            .iter()
            .copied()
            .filter(|one| !is_known(one))
            .collect(),
        pending: known
            .into_iter()
            .filter(|one| !applied.contains(&one.version))
            .collect(),
        copy_unfinished: has(MARKER),
        tables,
        size: u64::try_from(endpoint.size().await?).unwrap_or_default(),
    })
}

/// Brings a database's schema up to date; makes a SQLite file that is missing. Done already, it does nothing. Any number
/// of programs may do this at a time: one does it, and only that one tells so.
///
/// # Errors
/// [`StoreError::Unavailable`] when it cannot be reached, [`StoreError::Conflict`] when the URL is not understood, the
/// server is too old, or the schema is newer than this program knows.
pub async fn migrate(url: &str, limit: Duration, clock: Arc<dyn Clock>) -> StoreResult<Migrated> {
    let mut endpoint = reach(url, Access::Write, limit, &clock).await?;
    let versions = endpoint.migrate().await?;
    let known = endpoint.known();
    let now = newest(&known);
    let (applied, before): (Vec<_>, Vec<_>) = known
        .into_iter()
        .partition(|one| versions.contains(&one.version));
    Ok(Migrated {
        place: endpoint.place().to_owned(),
        before: before.last().map(|one| one.version),
        now,
        applied,
    })
}

/// The version that a program with these migrations brings about.
fn newest(known: &[Migration]) -> i64 {
    known.last().map_or(0, |one| one.version)
}

/// The versions that a database has, in order; none where it has no schema.
async fn applied(endpoint: &mut dyn Endpoint, declared: &[Declared]) -> Result<Vec<i64>, Fault> {
    match declared.iter().any(|one| one.table == registry::BESIDE[0]) {
        true => endpoint.applied().await,
        false => Ok(Vec::new()),
    }
}

/// The migrations of a migrator.
pub(crate) fn migrations_of(migrator: &sqlx::migrate::Migrator) -> Vec<Migration> {
    migrator
        .iter()
        .map(|one| Migration {
            version: one.version,
            description: one.description.clone().into_owned(),
        })
        .collect()
}

/// What is said to a server that opens a database into which a copy has not ended.
pub(crate) fn half_copied() -> StoreError {
    StoreError::Conflict(
        "a copy into this database has begun and not ended; run the same drydock db copy again, \
         which goes on, or take another database"
            .to_owned(),
    )
}

/// An error of sqlx on its way to the operator.
pub(crate) fn told(what: &str) -> impl FnOnce(sqlx::Error) -> StoreError {
    let what = what.to_owned();
    move |error| fault::classify(&what, &error)
}
