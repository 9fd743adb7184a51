//! LISTEN: one connection for all subscribers of this process, which comes back by itself.

use std::time::Duration;

use drydock_model::store::Wake;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;

use crate::fault::Fault;
use crate::wake::{self, Subscriber};

/// The channel all servers of a database share.
pub(super) const CHANNEL: &str = "drydock";

/// After so long a silence the connection is asked whether it still is one.
const SILENCE: Duration = Duration::from_secs(30);
/// How long it has to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The listening connection; there is none until the first subscriber comes.
pub(super) struct Listener {
    options: PgConnectOptions,
    connect_timeout: Duration,
    changes: watch::Sender<u64>,
    task: Mutex<Option<Guard>>,
}

/// Ends the task with the store.
struct Guard(AbortHandle);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Listener {
    pub(super) fn new(options: PgConnectOptions, connect_timeout: Duration) -> Self {
        Self {
            options,
            connect_timeout,
            changes: watch::Sender::new(0),
            task: Mutex::default(),
        }
    }

    /// A subscriber that misses nothing from the moment this returns.
    pub(super) async fn subscribe(&self) -> Result<Box<dyn Wake>, Fault> {
        let mut task = self.task.lock().await;
        if task.as_ref().is_none_or(|guard| guard.0.is_finished()) {
            let connection = connect(&self.options, self.connect_timeout).await?;
            let forward = forward(
                connection,
                self.options.clone(),
                self.connect_timeout,
                self.changes.clone(),
            );
            *task = Some(Guard(tokio::spawn(forward).abort_handle()));
        }
        Ok(Box::new(Subscriber(self.changes.subscribe())))
    }
}

async fn connect(options: &PgConnectOptions, limit: Duration) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(limit)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Passes notifications on. After each new connection one call more: something may have been missed.
async fn forward(
    mut listener: PgListener,
    options: PgConnectOptions,
    limit: Duration,
    changes: watch::Sender<u64>,
) {
    loop {
        let lost = match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            // `None`: it was lost, is back, and listens again.
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_silence) => {
                let asked = sqlx::query("SELECT 1").execute(&mut listener);
                match tokio::time::timeout(ANSWER, asked).await {
                    Ok(Ok(_)) => continue,
                    Ok(Err(error)) => Some(error.to_string()),
                    Err(_elapsed) => Some("no answer".to_owned()),
                }
            }
        };
        if let Some(error) = lost {
            tracing::warn!(error, "the listening connection was lost; connecting again");
            listener = connect_again(&options, limit).await;
        }
        wake::call(&changes);
    }
}

async fn connect_again(options: &PgConnectOptions, limit: Duration) -> PgListener {
    let mut pause = Duration::from_millis(100);
    loop {
        match connect(options, limit).await {
            Ok(listener) => return listener,
            Err(error) => tracing::warn!(%error, "cannot listen for changes; trying again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
