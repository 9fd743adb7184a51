//! A clock that stands still while anything happens, and is moved on to the next moment that somebody waits for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use drydock_model::clock::Clock;
use tokio::sync::oneshot;

#[derive(Default)]
struct State {
    now: Duration,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    next: u64,
}

/// The clock; all copies are the same.
#[derive(Clone, Default)]
pub struct SimulatedClock(Arc<Mutex<State>>);

/// A sleeper leaves the list when it wakes or is given up.
struct Place<'a> {
    clock: &'a SimulatedClock,
    key: (Duration, u64),
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.clock.0.lock().unwrap().sleepers.remove(&self.key);
    }
}

impl SimulatedClock {
    /// Moves on to the next moment somebody waits for, and wakes who does; false: nobody waits for anything.
    pub fn advance(&self) -> bool {
        let mut state = self.0.lock().unwrap();
        let Some((&(at, _), _)) = state.sleepers.first_key_value() else {
            return false;
        };
        state.now = state.now.max(at);
        while let Some(entry) = state.sleepers.first_entry() {
            if entry.key().0 > at {
                break;
            }
            // Err: given up in this very moment.
            let _ = entry.remove().send(());
        }
        true
    }
}

#[async_trait]
impl Clock for SimulatedClock {
    fn now(&self) -> DateTime<Utc> {
        let since = TimeDelta::from_std(self.monotonic()).unwrap();
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + since
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().now
    }

    async fn sleep(&self, duration: Duration) {
        let (sender, woken) = oneshot::channel();
        let place = {
            let mut state = self.0.lock().unwrap();
            let key = (state.now.saturating_add(duration), state.next);
            state.next += 1;
            state.sleepers.insert(key, sender);
            Place { clock: self, key }
        };
        woken.await.unwrap();
        drop(place);
    }
}
