//! How an engine is: numbers for whoever watches over the process.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// An engine at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Steps that this process has in flight.
    pub in_flight: usize,
    /// Whether it is the leader.
    pub leads: bool,
    /// Changes that it has written to the journal before making them.
    pub intents: u64,
    /// Changes of which it has written what came of them.
    pub outcomes: u64,
}

/// What is counted as it happens.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    in_flight: AtomicUsize,
    intents: AtomicU64,
    outcomes: AtomicU64,
}

impl Counts {
    pub(crate) fn flies(&self, steps: usize) {
        self.in_flight.store(steps, Ordering::Relaxed);
    }

    pub(crate) fn intended(&self) {
        self.intents.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn concluded(&self) {
        self.outcomes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn now(&self, leads: bool) -> Vitals {
        Vitals {
            in_flight: self.in_flight.load(Ordering::Relaxed),
            leads,
            intents: self.intents.load(Ordering::Relaxed),
            outcomes: self.outcomes.load(Ordering::Relaxed),
        }
    }
}
