//! The upkeep of the database that the settings name, and copies between two.

use std::sync::Arc;

use anyhow::{Context, Result};
use drydock_model::clock::Clock;
use drydock_orchestrator::system::SystemClock;
use drydock_statemgmt::upkeep::{self, Copied, CopyOptions, Migrated, Status};
use secrecy::{ExposeSecret, SecretString};

use super::{open_store, secret};
use crate::exit::{Exit, Failure};
use crate::settings::{self, Settings};

/// Rows that a copy commits at a time.
const BATCH: usize = 500;

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

/// What state the database is in; `digests`: with a digest of each table.
///
/// # Errors
/// Why it cannot be looked at.
pub async fn status(settings: &Settings, digests: bool) -> Result<Status> {
    let url = secret("database.url", settings.database.url.written()).await?;
    let limit = settings.database.connect_timeout.into();
    upkeep::status(url.expose_secret(), digests, limit, clock())
        .await
        .context("database.url")
}

/// Brings the schema up to date.
///
/// # Errors
/// Why that cannot be done.
pub async fn migrate(settings: &Settings) -> Result<Migrated> {
    let url = secret("database.url", settings.database.url.written()).await?;
    let limit = settings.database.connect_timeout.into();
    upkeep::migrate(url.expose_secret(), limit, clock())
        .await
        .context("database.url")
}

/// Deletes the tasks that ended more than so many days ago; how many went.
///
/// # Errors
/// The schema is not up to date, which is not changed in passing; or why it cannot be done.
pub async fn purge(settings: &Settings, days: u32) -> Result<u64> {
    let state = status(settings, false).await?;
    if !state.pending.is_empty() {
        return Err(Failure::error(
            Exit::Failed,
            format!(
                "the schema of {} is older than this program; run drydock db migrate first",
                state.place
            ),
        ));
    }
    let store = open_store(settings, clock()).await?;
    Ok(store.purge_tasks(days).await?)
}

/// Copies everything from one database to another; the URLs, or where they stand.
///
/// # Errors
/// Why it was refused, or what differs in the end.
pub async fn copy(from: String, to: String, force: bool) -> Result<Copied> {
    let from = secret("--from", &SecretString::from(from)).await?;
    let to = secret("--to", &SecretString::from(to)).await?;
    let options = CopyOptions {
        connect_timeout: settings::Database::default().connect_timeout.into(),
        force,
        batch: BATCH,
        clock: clock(),
    };
    Ok(upkeep::copy(from.expose_secret(), to.expose_secret(), options).await?)
}
