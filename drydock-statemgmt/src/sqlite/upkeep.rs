//! What the upkeep of a SQLite database needs to say in its own words.

use std::str::FromStr as _;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use drydock_model::clock::Clock;
use drydock_model::store::{StoreError, StoreResult};
use sqlx::Connection as _;
use sqlx::migrate::Migrate as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::{Conn, Db, MIGRATOR, Row, TURN, stamp};
use crate::fault::{self, Fault, settle};
use crate::upkeep::registry::Table;
use crate::upkeep::{Access, BackEnd, half_copied, told};

#[path = "../verbs/upkeep.rs"]
mod alike;

const BACK_END: BackEnd = BackEnd::Sqlite;

/// How a write begins.
const WRITE: &str = "BEGIN IMMEDIATE";

/// How one state of the whole begins to be seen: with the first read.
const FREEZE: &str = "BEGIN";

/// Texts are compared by their bytes.
const KEY_ORDER: &str = "";

/// A number that is given counts for the numbering.
const NUMBER_GIVEN: &str = "";

const DECLARED: &str = "SELECT m.name AS in_table, c.name AS is_called, c.type AS declared_as
     FROM sqlite_schema m JOIN pragma_table_info(m.name) c
     WHERE m.type = 'table' AND substr(m.name, 1, 7) <> 'sqlite_'
     ORDER BY m.name, c.cid";

/// One connection, without a pool.
pub(crate) struct Upkeep {
    conn: Conn,
    place: String,
    clock: Arc<dyn Clock>,
}

impl Upkeep {
    /// Opens the file; makes it only to write.
    pub(crate) async fn connect(
        url: &str,
        access: Access,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        let options = SqliteConnectOptions::from_str(url).map_err(|error| {
            StoreError::Conflict(format!("the SQLite URL is not understood: {error}"))
        })?;
        let file = options.get_filename().to_owned();
        let shown = file.display();
        if access == Access::Read && !file.exists() {
            return Err(StoreError::Unavailable(format!(
                "there is no file {shown}; drydock db migrate makes it"
            )));
        }
        let options = options.foreign_keys(true).busy_timeout(TURN);
        let options = match access {
            Access::Read => options.create_if_missing(false).pragma("query_only", "ON"),
            Access::Write => options
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full),
        };
        let conn = Conn::connect_with(&options)
            .await
            .map_err(told(&format!("opening {shown}")))?;
        let whole = file.canonicalize().unwrap_or(file);
        Ok(Self {
            conn,
            place: format!("sqlite://{}", whole.display()),
            clock,
        })
    }

    async fn now(&mut self) -> Result<DateTime<Utc>, Fault> {
        Ok(self.clock.now())
    }

    /// Under the write lock.
    async fn migrate_alone(&mut self) -> StoreResult<Vec<i64>> {
        let what = "bringing the schema up to date";
        let migration = |error| fault::of_migration(&error);
        let mut tx = self.conn.begin_with(WRITE).await.map_err(told(what))?;
        tx.ensure_migrations_table(&MIGRATOR.table_name)
            .await
            .map_err(migration)?;
        let before = settle(what, alike::applied(&mut tx).await)?;
        MIGRATOR
            .run_direct(None, &mut *tx, false)
            .await
            .map_err(migration)?;
        let mut now = settle(what, alike::applied(&mut tx).await)?;
        tx.commit().await.map_err(told(what))?;
        now.retain(|version| !before.contains(version));
        Ok(now)
    }
}

/// Refuses a database into which a copy has not ended.
pub(super) async fn check_whole(conn: &mut Conn) -> StoreResult<()> {
    let half: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'drydock_copy')",
    )
    .fetch_one(conn)
    .await
    .map_err(told("looking for a copy that has not ended"))?;
    if half { Err(half_copied()) } else { Ok(()) }
}

async fn server_version(conn: &mut Conn) -> Result<String, Fault> {
    Ok(sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(conn)
        .await?)
}

async fn size(conn: &mut Conn) -> Result<i64, Fault> {
    Ok(sqlx::query_scalar(
        "SELECT c.page_count * s.page_size FROM pragma_page_count() c, pragma_page_size() s",
    )
    .fetch_one(conn)
    .await?)
}

/// It goes on by itself: AUTOINCREMENT counts from the highest number that was ever there.
#[allow(clippy::unused_async)]
async fn go_on_numbering(_conn: &mut Conn, _table: &Table) -> Result<(), Fault> {
    Ok(())
}
