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
    /// Of a thousand datagrams, in each direction, how many are lost. Which ones follows from the BMC's seed.
    pub loss_per_mille: u16,
    /// Of a thousand datagrams, in each direction, how many come twice.
    pub duplicate_per_mille: u16,
    /// Of a thousand answers, how many are held back for [`Faults::reorder_by`], so that later ones overtake them.
    pub reorder_per_mille: u16,
    /// How long such answers are held back; 20 ms where it is zero.
    pub reorder_by: Duration,
    /// Commands that are put off with "node busy" (0xC0); nothing is carried out.
    pub busy_every: Option<u32>,
    /// No session can be opened: all slots are taken by somebody else.
    pub slots_taken: bool,
    /// More requests than this within a second make the BMC fall over: it answers nothing for [`Faults::crash_for`] and
    /// has lost all sessions then.
    pub crashes_above: Option<u32>,
    /// How long a restart takes; 5 s where it is zero.
    pub crash_for: Duration,
}

/// What is used in place of a zero [`Faults::reorder_by`].
const HELD_BACK: Duration = Duration::from_millis(20);
/// What is used in place of a zero [`Faults::crash_for`].
const RESTART: Duration = Duration::from_secs(5);

fn or(duration: Duration, default: Duration) -> Duration {
    if duration.is_zero() {
        default
    } else {
        duration
    }
}

/// Random decisions of a network, all from one seed (xorshift64*).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Whether something that happens `per_mille` times in a thousand happens now.
    pub(crate) fn fall(&mut self, per_mille: u16) -> bool {
        if per_mille == 0 {
            return false;
        }
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        drawn % 1000 < u64::from(per_mille)
    }
}

impl Faults {
    /// Whether the `count`-th datagram is hit by a fault that comes `every` so often.
    pub(crate) fn hits(every: Option<u32>, count: u64) -> bool {
        every.is_some_and(|every| every != 0 && count.is_multiple_of(u64::from(every)))
    }

    /// How long an answer that is to be overtaken is held back.
    pub(crate) fn held_back(&self) -> Duration {
        or(self.reorder_by, HELD_BACK)
    }

    /// How long the BMC is away after it fell over.
    pub(crate) fn restart(&self) -> Duration {
        or(self.crash_for, RESTART)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_keep_to_their_odds() {
        for per_mille in [0, 10, 500, 1000] {
            let mut dice = Dice::new(7);
            let hits = (0..20_000).filter(|_| dice.fall(per_mille)).count();
            let wanted = usize::from(per_mille) * 20;
            assert!(hits.abs_diff(wanted) <= 300, "{hits} of {wanted}");
        }
    }

    #[test]
    fn every_third_is_hit() {
        let hit: Vec<u64> = (1..10)
            .filter(|count| Faults::hits(Some(3), *count))
            .collect();
        assert_eq!(hit, [3, 6, 9]);
        assert!(!(1..10).any(|count| Faults::hits(Some(0), count) || Faults::hits(None, count)));
    }
}
