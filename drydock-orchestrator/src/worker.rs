//! The worker: claims steps and executes each in a task of its own, as many as the settings allow.

use std::time::Duration;

use drydock_model::store::Wake;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::engine::Engine;
use crate::step;

/// Steps claimed with one query.
const BATCH: usize = 64;

pub(crate) async fn run(engine: Engine, mut wake: Box<dyn Wake>, shutdown: CancellationToken) {
    let mut flying: JoinSet<()> = JoinSet::new();
    let mut beats = engine.pulse.beats();
    while !shutdown.is_cancelled() {
        while let Some(ended) = flying.try_join_next() {
            note(ended);
        }
        let free = engine
            .settings
            .workers
            .saturating_sub(flying.len())
            .min(BATCH);
        let claimed = if free > 0 && engine.pulse.is_fresh() {
            engine
                .store
                .claim_steps(engine.instance, free as i64)
                .await
                .unwrap_or_else(|error| {
                    warn!(%error, "no steps could be claimed");
                    Vec::new()
                })
        } else {
            Vec::new()
        };
        if claimed.is_empty() {
            let fresh = engine.pulse.is_fresh();
            let pause = if fresh && free > 0 {
                pause(&engine).await
            } else {
                engine.settings.poll_interval
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = wake.changed() => {}
                Some(ended) = flying.join_next(), if !flying.is_empty() => note(ended),
                // Nothing may be claimed before a heartbeat is written.
                beat = beats.changed(), if !fresh => if beat.is_err() { break },
                () = engine.clock.sleep(pause) => {}
            }
        }
        for step in claimed {
            flying.spawn(step::execute(engine.clone(), step, shutdown.clone()));
        }
    }
    // No new work; what is in flight ends its current call and returns its claim.
    while let Some(ended) = flying.join_next().await {
        note(ended);
    }
}

/// How long nothing can be due. The slow poll is the net under the wake-ups.
async fn pause(engine: &Engine) -> Duration {
    let net = engine.settings.poll_interval;
    match engine.store.next_due().await {
        // A step that is due but could not be claimed waits for another on its node: its end will wake us.
        Ok(Some(due)) if !due.is_zero() => due.min(net),
        _ => net,
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(stopped) = ended
        && stopped.is_panic()
    {
        error!(%stopped, "a step ended outside of its guard");
    }
}
