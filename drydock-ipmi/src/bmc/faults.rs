//! What a bad network or a bad BMC does to datagrams, as data: the same faults give the same run.

use std::time::Duration;

/// Faults between a BMC and its consoles. The default is none.
///
/// `..._every: Some(n)` hits the n-th, 2n-th, ... datagram, counted from 1 over the life of the loop; `Some(0)` is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Nothing is answered and nothing is carried out: the BMC is off the network.
    pub silent: bool,
    /// Requests that are lost before the BMC sees them.
    pub drop_request_every: Option<u32>,
    /// Requests that reach the BMC twice.
    pub duplicate_request_every: Option<u32>,
    /// Answers that are lost after the BMC has acted.
    pub drop_every: Option<u32>,
    /// Answers that are sent twice.
    pub duplicate_every: Option<u32>,
    /// Answers in front of which the answer before is sent once more.
    pub stale_every: Option<u32>,
    /// How long every answer takes.
    pub delay: Duration,
}

impl Faults {
    /// Whether the `count`-th datagram is hit by a fault that comes `every` so often.
    pub(crate) fn hits(every: Option<u32>, count: u64) -> bool {
        every.is_some_and(|every| every != 0 && count.is_multiple_of(u64::from(every)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_third_is_hit() {
        let hit: Vec<u64> = (1..10)
            .filter(|count| Faults::hits(Some(3), *count))
            .collect();
        assert_eq!(hit, [3, 6, 9]);
        assert!(!(1..10).any(|count| Faults::hits(Some(0), count) || Faults::hits(None, count)));
    }
}
