//! How many requests a service bears.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What is used in place of no time at all.
const RESTART: Duration = Duration::from_secs(5);

/// The requests of the last second, and whether they were too many.
#[derive(Debug, Default)]
pub(super) struct Pace {
    recent: VecDeque<Instant>,
    away: Option<Instant>,
    /// How often it fell over.
    pub(super) crashes: u64,
}

impl Pace {
    /// Whether it is restarting.
    pub(super) fn away(&mut self) -> bool {
        self.away = self.away.filter(|until| Instant::now() < *until);
        self.away.is_some()
    }

    /// Takes one request; whether the service falls over by it, for `restart` (5 s where that is zero).
    pub(super) fn one_too_many(&mut self, limit: Option<u32>, restart: Duration) -> bool {
        let Some(limit) = limit else {
            self.recent.clear();
            return false;
        };
        let now = Instant::now();
        let old = |at: &Instant| now.duration_since(*at) >= Duration::from_secs(1);
        while self.recent.front().is_some_and(old) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        if self.recent.len() <= usize::try_from(limit).unwrap_or(usize::MAX) {
            return false;
        }
        self.recent.clear();
        self.crashes += 1;
        let restart = if restart.is_zero() { RESTART } else { restart };
        self.away = now.checked_add(restart);
        true
    }
}
