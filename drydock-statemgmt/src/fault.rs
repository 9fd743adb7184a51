//! What can go wrong inside a verb, and what the caller is told of it.

use std::future::Future;
use std::time::Duration;

use drydock_model::store::{StoreError, StoreResult};
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// An error on its way out of a verb.
#[derive(Debug)]
pub(crate) enum Fault {
    /// From the database or the way to it.
    Sql(sqlx::Error),
    /// A verdict of the verb itself.
    Store(StoreError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Fault::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::Store(error)
    }
}

/// Turns the inside of a verb into its outside; `what` says what was attempted.
pub(crate) fn settle<T>(what: &str, outcome: Result<T, Fault>) -> StoreResult<T> {
    outcome.map_err(|fault| match fault {
        Fault::Store(error) => error,
        Fault::Sql(error) => classify(what, &error),
    })
}

/// As [`settle`], but the inside is given up after `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, Fault>>,
) -> StoreResult<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => settle(what, outcome),
        Err(_elapsed) => Err(StoreError::Unavailable(format!(
            "{what}: no answer within {} s; whether it was done is not known",
            limit.as_secs()
        ))),
    }
}

/// Makes a refused duplicate the conflict that it means here.
pub(crate) fn duplicate<T>(
    outcome: Result<T, sqlx::Error>,
    text: impl FnOnce() -> String,
) -> Result<T, Fault> {
    outcome.map_err(|error| match &error {
        sqlx::Error::Database(db) if db.is_unique_violation() => {
            Fault::Store(StoreError::Conflict(text()))
        }
        _ => Fault::Sql(error),
    })
}

/// What an error of the database means to the caller.
pub(crate) fn classify(what: &str, error: &sqlx::Error) -> StoreError {
    use sqlx::Error as E;
    let text = format!("{what}: {error}");
    match error {
        E::PoolTimedOut => StoreError::Unavailable(format!(
            "{what}: no connection became free in time; check that the database answers, \
             or raise database.pool_size"
        )),
        E::Io(_)
        | E::Tls(_)
        | E::Protocol(_)
        | E::PoolClosed
        | E::WorkerCrashed
        | E::BeginFailed => StoreError::Unavailable(text),
        E::RowNotFound => StoreError::NotFound,
        E::Database(db) => of_database(db.as_ref(), text),
        E::Migrate(error) => of_migration(error),
        _ => StoreError::Internal(text),
    }
}

fn of_database(db: &dyn DatabaseError, text: String) -> StoreError {
    if db.is_unique_violation() {
        return StoreError::Conflict(text);
    }
    if let Some(pg) = db.try_downcast_ref::<PgDatabaseError>() {
        return of_sqlstate(pg.code(), text);
    }
    match sqlite_code(db) {
        // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN
        Some(5..=10 | 13 | 14) => StoreError::Unavailable(text),
        _ => StoreError::Internal(text),
    }
}

/// The primary result code: the lowest byte of the extended one, https://www.sqlite.org/rescode.html
fn sqlite_code(db: &dyn DatabaseError) -> Option<i32> {
    let sqlite = db.try_downcast_ref::<SqliteError>()?;
    let extended: i32 = DatabaseError::code(sqlite)?.parse().ok()?;
    Some(extended & 0xff)
}

/// Whether SQLite says that somebody else has the file (SQLITE_BUSY).
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlite_code) == Some(5)
}

/// The classes of PostgreSQL's appendix A, "PostgreSQL Error Codes".
fn of_sqlstate(code: &str, text: String) -> StoreError {
    match code {
        // A text with U+0000, which no column of text can hold; a key too long for an index.
        "22021" | "54000" => StoreError::Conflict(text),
        // lock_not_available, read_only_sql_transaction (a standby), invalid_catalog_name
        "55P03" | "25006" | "3D000" | "25P03" => StoreError::Unavailable(text),
        _ => match code.get(..2) {
            // Connection, authorization, rollback (serialization, deadlock), resources, operator
            // intervention, system error
            Some("08" | "28" | "40" | "53" | "57" | "58") => StoreError::Unavailable(text),
            _ => StoreError::Internal(text),
        },
    }
}

/// What a failed migration means to whoever starts the server.
pub(crate) fn of_migration(error: &MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Conflict(format!(
            "the database has schema version {version}, which this program does not know: a newer \
             drydock has used it; start that version or a later one"
        )),
        MigrateError::VersionMismatch(version) => StoreError::Conflict(format!(
            "the database's schema version {version} was made by another text than the one this \
             program holds; start the release that made it, or restore a backup"
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            classify("bringing the schema up to date", error)
        }
        other => StoreError::Internal(format!("bringing the schema up to date: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_tell_what_may_be_tried_again() {
        for (code, again) in [
            ("40001", true),
            ("40P01", true),
            ("57P01", true),
            ("53300", true),
            ("08006", true),
            ("55P03", true),
            ("42601", false),
            ("23503", false),
            ("22021", false),
        ] {
            let error = of_sqlstate(code, "x".to_owned());
            assert_eq!(matches!(error, StoreError::Unavailable(_)), again, "{code}");
        }
    }

    #[test]
    fn an_exhausted_pool_is_unavailable_and_names_the_verb() {
        let StoreError::Unavailable(text) = classify("claiming steps", &sqlx::Error::PoolTimedOut)
        else {
            panic!("must be unavailable");
        };
        assert!(text.starts_with("claiming steps: "), "{text}");
    }
}
