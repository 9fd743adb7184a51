//! What a BMC has seen, readable while it runs.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one BMC.
#[derive(Debug, Default)]
pub struct Counters {
    sessions: AtomicU64,
    login_attempts: AtomicU64,
    logins: AtomicU64,
    logins_refused: AtomicU64,
    slots_refused: AtomicU64,
    suites_refused: AtomicU64,
    closed: AtomicU64,
    reaped: AtomicU64,
    crashes: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CountersSnapshot {
    /// Slots taken now, by begun and by active sessions.
    pub sessions: u64,
    /// User names that were put forward (RAKP message 1); repeated datagrams count once.
    pub login_attempts: u64,
    /// Sessions that became active.
    pub logins: u64,
    /// Logins that failed: unknown name, wrong proof, level too high, or given up by the console.
    pub logins_refused: u64,
    /// Open-session requests that found no free slot.
    pub slots_refused: u64,
    /// Open-session requests for a suite the BMC does not take.
    pub suites_refused: u64,
    /// Sessions ended by Close Session.
    pub closed: u64,
    /// Sessions ended because they were idle.
    pub reaped: u64,
    /// How often it fell over because of [`Faults::crashes_above`](crate::bmc::Faults::crashes_above).
    pub crashes: u64,
}

fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(u64::try_from(n).unwrap_or(u64::MAX), Ordering::SeqCst);
}

impl Counters {
    /// All counters, each read for itself.
    pub fn snapshot(&self) -> CountersSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        CountersSnapshot {
            sessions: read(&self.sessions),
            login_attempts: read(&self.login_attempts),
            logins: read(&self.logins),
            logins_refused: read(&self.logins_refused),
            slots_refused: read(&self.slots_refused),
            suites_refused: read(&self.suites_refused),
            closed: read(&self.closed),
            reaped: read(&self.reaped),
            crashes: read(&self.crashes),
        }
    }

    pub(crate) fn set_sessions(&self, n: usize) {
        self.sessions
            .store(u64::try_from(n).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    pub(crate) fn add_login_attempt(&self) {
        add(&self.login_attempts, 1);
    }

    pub(crate) fn add_login(&self) {
        add(&self.logins, 1);
    }

    pub(crate) fn add_login_refused(&self) {
        add(&self.logins_refused, 1);
    }

    pub(crate) fn add_slot_refused(&self) {
        add(&self.slots_refused, 1);
    }

    pub(crate) fn add_suite_refused(&self) {
        add(&self.suites_refused, 1);
    }

    pub(crate) fn add_closed(&self) {
        add(&self.closed, 1);
    }

    pub(crate) fn add_crash(&self) {
        add(&self.crashes, 1);
    }

    pub(crate) fn add_reaped(&self, n: usize) {
        add(&self.reaped, n);
    }
}
