//! The pulse: this instance's heartbeat and its claim on the hill.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drydock_model::clock::Clock;
use drydock_model::id::Epoch;
use drydock_model::store::Leadership;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::engine::Engine;
use crate::settings::trust;

/// What this instance knows of its own standing.
pub(crate) struct Pulse {
    clock: Arc<dyn Clock>,
    /// How long what the store was told last holds for us.
    fresh_for: Duration,
    last_beat: watch::Sender<Option<Duration>>,
    /// How often a heartbeat came so late that our claims may have been taken before it.
    lapses: AtomicU64,
    leadership: watch::Sender<Option<Leadership>>,
    /// When the reign was last confirmed by the store.
    last_renewal: watch::Sender<Option<Duration>>,
    last_epoch: Mutex<Epoch>,
}

impl Pulse {
    /// `grace`: how long others wait before they take from an instance what it holds; `skew`: how far clocks may differ.
    ///
    /// See [`trust`].
    pub(crate) fn new(clock: Arc<dyn Clock>, grace: Duration, skew: Duration) -> Self {
        Pulse {
            clock,
            fresh_for: trust(grace, skew),
            last_beat: watch::Sender::new(None),
            lapses: AtomicU64::new(0),
            leadership: watch::Sender::new(None),
            last_renewal: watch::Sender::new(None),
            last_epoch: Mutex::new(Epoch(0)),
        }
    }

    /// Whether the last heartbeat that the store took is so young that nobody can have taken our claims yet. By the monotonic
    /// clock, so that a process that was stopped and wakes finds out by itself.
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_young(*self.last_beat.borrow())
    }

    /// How often this instance has been silent for too long. What was claimed before the last time may be another's by now, however fresh we are
    /// again: whoever was stopped and wakes may beat before it looks.
    pub(crate) fn lapses(&self) -> u64 {
        self.lapses.load(Ordering::SeqCst)
    }

    fn is_young(&self, at: Option<Duration>) -> bool {
        at.is_some_and(|at| self.clock.monotonic().saturating_sub(at) < self.fresh_for)
    }

    /// Wakes with each heartbeat that the store took.
    pub(crate) fn beats(&self) -> watch::Receiver<Option<Duration>> {
        self.last_beat.subscribe()
    }

    /// Whether and since when we lead, as far as we know. A leader that could not renew its reign, or not say that it lives, stops by itself
    /// before the grace ends in which nobody else can take its place.
    pub(crate) fn leadership(&self) -> Option<Leadership> {
        if self.is_fresh() && self.is_young(*self.last_renewal.borrow()) {
            *self.leadership.borrow()
        } else {
            None
        }
    }

    /// Wakes when leadership came or went.
    pub(crate) fn leadership_changes(&self) -> watch::Receiver<Option<Leadership>> {
        self.leadership.subscribe()
    }

    /// The last reign we heard of, for the journal.
    pub(crate) fn epoch(&self) -> Epoch {
        *self
            .last_epoch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn beaten(&self, at: Duration) {
        // Counted before anybody can see that we are fresh again.
        if self.last_beat.borrow().is_some() && !self.is_fresh() {
            self.lapses.fetch_add(1, Ordering::SeqCst);
        }
        self.last_beat.send_replace(Some(at));
    }

    fn heard_of(&self, epoch: Epoch) {
        *self
            .last_epoch
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = epoch;
    }
}

/// Says that this instance lives, until `stop`; then farewell.
pub(crate) async fn beat(engine: Engine, stop: CancellationToken) {
    let mut well = true;
    loop {
        // Taken before the call: the store's row is at least this young.
        let at = engine.clock.monotonic();
        match engine.store.heartbeat(engine.instance).await {
            Ok(()) => {
                if !well {
                    info!("the database is back");
                }
                well = true;
                engine.pulse.beaten(at);
            }
            Err(error) => {
                if well {
                    warn!(%error, "no heartbeat could be written; nothing is begun until one is");
                }
                well = false;
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = engine.clock.sleep(engine.settings.heartbeat) => {}
        }
    }
    if let Err(error) = engine.store.farewell(engine.instance).await {
        debug!(%error, "could not remove the heartbeat");
    }
}

/// Competes for the hill until `stop`, then leaves it. Apart from the heartbeat, so that neither waits for the other's locks.
pub(crate) async fn compete(engine: Engine, stop: CancellationToken) {
    let pulse = &engine.pulse;
    loop {
        contend(&engine).await;
        tokio::select! {
            () = stop.cancelled() => break,
            () = engine.clock.sleep(engine.settings.claim_interval) => {}
        }
    }
    let leadership = *pulse.leadership.borrow();
    if let Some(leader) = leadership {
        match engine.store.abdicate(leader).await {
            Ok(()) => info!(epoch = %leader.epoch, "gave up leadership"),
            Err(error) => {
                warn!(%error, "could not give up leadership; it lapses after the grace period");
            }
        }
        pulse.leadership.send_replace(None);
    }
}

async fn contend(engine: &Engine) {
    let pulse = &engine.pulse;
    let held = *pulse.leadership.borrow();
    // Taken before the call: the store's ping is at least this young.
    let at = engine.clock.monotonic();
    let now = match held {
        Some(leader) => match engine.store.renew_leadership(leader).await {
            Ok(true) => Ok(Some(leader)),
            Ok(false) => {
                warn!(epoch = %leader.epoch, "another instance has taken the leadership");
                Ok(None)
            }
            Err(error) => Err(error),
        },
        None => {
            let grace = engine.settings.grace_period;
            let won = engine.store.claim_leadership(engine.instance, grace).await;
            if let Ok(Some(leader)) = &won {
                info!(epoch = %leader.epoch, "became the leader");
            }
            won
        }
    };
    match now {
        Ok(now) => {
            pulse.last_renewal.send_replace(now.map(|_| at));
            let reigning = match now {
                Some(leader) => Some(leader),
                None => engine.store.leader().await.ok().flatten(),
            };
            if let Some(leader) = reigning {
                pulse.heard_of(leader.epoch);
            }
            if held != now {
                pulse.leadership.send_replace(now);
            }
        }
        Err(error) => match held {
            Some(leader) if !pulse.is_young(*pulse.last_renewal.borrow()) => {
                warn!(%error, epoch = %leader.epoch, "the leadership could not be renewed in time; this instance leads no more until it is");
            }
            _ => debug!(%error, "leadership could neither be claimed nor renewed"),
        },
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use chrono::{DateTime, Utc};
    use drydock_model::id::InstanceId;
    use uuid::Uuid;

    use super::*;

    /// Seconds, told by hand.
    struct Seconds(AtomicU64);

    #[async_trait]
    impl Clock for Seconds {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH + self.monotonic()
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::SeqCst))
        }

        async fn sleep(&self, _: Duration) {}
    }

    #[test]
    fn a_leader_that_cannot_renew_stops_before_its_grace_ends() {
        let clock = Arc::new(Seconds(AtomicU64::new(100)));
        let grace = Duration::from_secs(5);
        let pulse = Pulse::new(
            Arc::clone(&clock) as Arc<dyn Clock>,
            grace,
            Duration::from_secs(1),
        );
        let leader = Leadership {
            instance: InstanceId(Uuid::nil()),
            epoch: Epoch(7),
        };
        pulse.leadership.send_replace(Some(leader));
        pulse.beaten(clock.monotonic());
        assert_eq!(pulse.leadership(), None, "never confirmed");
        pulse.last_renewal.send_replace(Some(clock.monotonic()));
        assert_eq!(pulse.leadership(), Some(leader));
        // Its heart goes on, its reign is not renewed.
        for second in 101..110 {
            clock.0.store(second, Ordering::SeqCst);
            pulse.beaten(clock.monotonic());
            assert!(pulse.is_fresh());
            // Four fifths of five seconds, less one.
            assert_eq!(pulse.leadership().is_some(), second < 103, "{second}");
        }
        // The other way round.
        pulse.last_renewal.send_replace(Some(clock.monotonic()));
        assert_eq!(pulse.leadership(), Some(leader));
        clock.0.store(120, Ordering::SeqCst);
        pulse.last_renewal.send_replace(Some(clock.monotonic()));
        assert_eq!(pulse.leadership(), None);
    }

    #[test]
    fn a_silence_is_remembered_when_it_is_over() {
        let clock = Arc::new(Seconds(AtomicU64::new(100)));
        let grace = Duration::from_secs(5);
        let pulse = Pulse::new(Arc::clone(&clock) as Arc<dyn Clock>, grace, Duration::ZERO);
        pulse.beaten(clock.monotonic());
        for second in [103, 106] {
            clock.0.store(second, Ordering::SeqCst);
            pulse.beaten(clock.monotonic());
            assert_eq!(pulse.lapses(), 0);
        }
        // Stopped for a while; what beats first makes it fresh, and what was claimed before is still not to be trusted.
        clock.0.store(110, Ordering::SeqCst);
        pulse.beaten(clock.monotonic());
        assert!(pulse.is_fresh());
        assert_eq!(pulse.lapses(), 1);
    }
}
