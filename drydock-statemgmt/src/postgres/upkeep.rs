//! What the upkeep of a PostgreSQL database needs to say in its own words.

use std::str::FromStr as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use drydock_model::store::{StoreError, StoreResult};
use sqlx::AssertSqlSafe;
use sqlx::migrate::Migrate as _;
use sqlx::postgres::PgConnectOptions;

use super::{Conn, Db, MIGRATOR, Row, stamp, version};
use crate::fault::{self, Fault, settle};
use crate::upkeep::registry::Table;
use crate::upkeep::{BackEnd, MARKER, half_copied, told};

#[path = "../verbs/upkeep.rs"]
mod alike;

const BACK_END: BackEnd = BackEnd::Postgres;

/// How a write begins.
const WRITE: &str = "BEGIN";

/// How one state of the whole begins to be seen.
const FREEZE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The order of texts by their bytes, which is SQLite's, whatever the database's own is.
const KEY_ORDER: &str = " COLLATE \"C\"";

/// The database numbers, but these have their numbers.
const NUMBER_GIVEN: &str = " OVERRIDING SYSTEM VALUE";

const DECLARED: &str = "SELECT c.relname::text AS in_table, a.attname::text AS is_called,
         format_type(a.atttypid, a.atttypmod) AS declared_as
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = current_schema())
         AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY c.relname, a.attnum";

/// One connection, without a pool.
pub(crate) struct Upkeep {
    conn: Conn,
    place: String,
}

impl Upkeep {
    /// Connects, to a server that is new enough.
    pub(crate) async fn connect(url: &str, limit: Duration) -> StoreResult<Self> {
        // A copy reads in one transaction for as long as the other side takes.
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| {
                StoreError::Conflict(format!("the PostgreSQL URL is not understood: {error}"))
            })?
            .application_name("drydock db")
            .options([("idle_in_transaction_session_timeout", "0")]);
        let conn = super::connect_alone(&options, limit).await?;
        let database = options.get_database().unwrap_or(options.get_username());
        let place = match options.get_socket() {
            Some(socket) => format!("postgres://{}/{database}", socket.display()),
            None => format!(
                "postgres://{}:{}/{database}",
                options.get_host(),
                options.get_port()
            ),
        };
        Ok(Self { conn, place })
    }

    async fn now(&mut self) -> Result<DateTime<Utc>, Fault> {
        Ok(sqlx::query_scalar("SELECT clock_timestamp()")
            .fetch_one(&mut self.conn)
            .await?)
    }

    /// The lock is the migrator's own; a session may take it twice.
    async fn migrate_alone(&mut self) -> StoreResult<Vec<i64>> {
        let conn = &mut self.conn;
        let migration = |error| fault::of_migration(&error);
        conn.lock().await.map_err(migration)?;
        conn.ensure_migrations_table(&MIGRATOR.table_name)
            .await
            .map_err(migration)?;
        let what = "reading which migrations were applied";
        let before = settle(what, alike::applied(conn).await)?;
        MIGRATOR
            .run_direct(None, conn, false)
            .await
            .map_err(migration)?;
        let mut now = settle(what, alike::applied(conn).await)?;
        conn.unlock().await.map_err(migration)?;
        now.retain(|version| !before.contains(version));
        Ok(now)
    }
}

/// Refuses a server that is too old.
pub(super) async fn check_version(conn: &mut Conn) -> StoreResult<()> {
    let what = "asking PostgreSQL what it is";
    let number: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::integer")
        .fetch_one(&mut *conn)
        .await
        .map_err(told(what))?;
    version::check(number)
}

/// Refuses a database into which a copy has not ended.
pub(super) async fn check_whole(conn: &mut Conn) -> StoreResult<()> {
    let half: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(MARKER)
        .fetch_one(conn)
        .await
        .map_err(told("looking for a copy that has not ended"))?;
    if half { Err(half_copied()) } else { Ok(()) }
}

async fn server_version(conn: &mut Conn) -> Result<String, Fault> {
    Ok(
        sqlx::query_scalar("SELECT current_setting('server_version')")
            .fetch_one(conn)
            .await?,
    )
}

async fn size(conn: &mut Conn) -> Result<i64, Fault> {
    Ok(
        sqlx::query_scalar("SELECT pg_database_size(current_database())")
            .fetch_one(conn)
            .await?,
    )
}

async fn go_on_numbering(conn: &mut Conn, table: &Table) -> Result<(), Fault> {
    let Some((column, _)) = table.columns.first() else {
        return Ok(());
    };
    let sql = format!(
        "SELECT setval(pg_get_serial_sequence($1, $2), COALESCE(MAX({column}), 0) + 1, FALSE) FROM {}",
        table.name
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(table.name)
        .bind(*column)
        .execute(conn)
        .await?;
    Ok(())
}
