//! The worker: claims steps and executes each in a task of its own, as many as the settings allow.

use std::collections::HashMap;
use std::time::Duration;

use drydock_model::id::ClaimToken;
use drydock_model::step::ClaimedStep;
use drydock_model::store::Wake;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::engine::Engine;
use crate::step;

/// Steps claimed with one query.
const BATCH: usize = 256;

pub(crate) async fn run(engine: Engine, mut wake: Box<dyn Wake>, shutdown: CancellationToken) {
    let mut flying = Flying::default();
    let mut beats = engine.pulse.beats();
    while !shutdown.is_cancelled() {
        // A commit that wakes us ends many steps at once. Each gets its answer only after us: their places are to be free before we count.
        tokio::task::yield_now().await;
        while let Some(ended) = flying.set.try_join_next_with_id() {
            flying.note(ended);
        }
        engine.counts.flies(flying.set.len());
        // Before the look: a claim is good for as long as nothing has lapsed since.
        let lapses = engine.pulse.lapses();
        let fresh = engine.pulse.is_fresh();
        let free = engine
            .settings
            .workers
            .saturating_sub(flying.set.len())
            .min(BATCH);
        let claimed = if fresh && free > 0 {
            flying.claim(&engine, free).await
        } else {
            Vec::new()
        };
        if claimed.is_empty() {
            let pause = if fresh && free > 0 {
                pause(&engine).await
            } else {
                engine.settings.poll_interval
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = wake.changed() => {}
                Some(ended) = flying.set.join_next_with_id(), if !flying.set.is_empty() => flying.note(ended),
                // Nothing may be claimed before a heartbeat is written.
                beat = beats.changed(), if !fresh => if beat.is_err() { break },
                () = engine.clock.sleep(pause) => {}
            }
        }
        for step in claimed {
            flying.start(&engine, step, lapses, &shutdown);
        }
        engine.counts.flies(flying.set.len());
    }
    // No new work; what is in flight ends its current call and returns its claim.
    while let Some(ended) = flying.set.join_next_with_id().await {
        flying.note(ended);
        engine.counts.flies(flying.set.len());
    }
}

/// The steps in flight, and what is known of their claims.
#[derive(Default)]
struct Flying {
    set: JoinSet<bool>,
    tokens: HashMap<Id, ClaimToken>,
    /// The store may hold claims for this instance that it does not know of: an answer was lost, or an end could not be written. A living
    /// instance's claims never lapse, so they have to be given back.
    astray: bool,
}

impl Flying {
    async fn claim(&mut self, engine: &Engine, free: usize) -> Vec<ClaimedStep> {
        if self.astray {
            let known: Vec<ClaimToken> = self.tokens.values().copied().collect();
            match engine.store.return_unknown(engine.instance, &known).await {
                Ok(count) => {
                    if count > 0 {
                        warn!(count, "gave back claims whose answers were lost");
                    }
                    self.astray = false;
                }
                Err(error) => {
                    warn!(%error, "claims gone astray could not be given back yet");
                    return Vec::new();
                }
            }
        }
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        engine
            .store
            .claim_steps_within(engine.instance, limit, engine.settings.nodes_in_flight)
            .await
            .unwrap_or_else(|error| {
                warn!(%error, "no steps could be claimed");
                self.astray = true;
                Vec::new()
            })
    }

    fn start(
        &mut self,
        engine: &Engine,
        step: ClaimedStep,
        lapses: u64,
        shutdown: &CancellationToken,
    ) {
        let token = step.token;
        let handle = self.set.spawn(step::execute(
            engine.clone(),
            step,
            lapses,
            shutdown.clone(),
        ));
        self.tokens.insert(handle.id(), token);
    }

    fn note(&mut self, ended: Result<(Id, bool), JoinError>) {
        let (id, settled) = match ended {
            Ok(ended) => ended,
            Err(stopped) => {
                error!(%stopped, "a step ended outside of its guard");
                (stopped.id(), false)
            }
        };
        self.tokens.remove(&id);
        self.astray |= !settled;
    }
}

/// How long nothing can be due. The slow poll is the net under the wake-ups.
async fn pause(engine: &Engine) -> Duration {
    let net = engine.settings.poll_interval;
    let within = engine.settings.nodes_in_flight;
    match engine.store.next_due_within(within).await {
        // A step that is due but could not be claimed waits for another on its node: its end will wake us.
        Ok(Some(due)) if !due.is_zero() => due.min(net),
        _ => net,
    }
}
