//! What went over the wire to one BMC, readable while it goes on.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of datagrams. A [`Target`](crate::Target) carries one, so that a caller who keeps it sees all sessions with a
/// BMC together, failed logins too.
#[derive(Debug, Default)]
pub struct Traffic {
    requests: AtomicU64,
    retransmissions: AtomicU64,
    dropped: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrafficSnapshot {
    /// Requests of handshakes and commands, each counted once.
    pub requests: u64,
    /// How often one of them was sent again.
    pub retransmissions: u64,
    /// Datagrams that were no awaited answer: late, doubled, damaged or foreign.
    pub dropped: u64,
}

impl Traffic {
    /// All counts, each read for itself.
    pub fn snapshot(&self) -> TrafficSnapshot {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        TrafficSnapshot {
            requests: read(&self.requests),
            retransmissions: read(&self.retransmissions),
            dropped: read(&self.dropped),
        }
    }

    pub(crate) fn sent(&self, first: bool) {
        let count = if first {
            &self.requests
        } else {
            &self.retransmissions
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}
