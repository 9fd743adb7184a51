//! How fast a BMC is asked, learned from how it stands it, and when it is left alone.
//!
//! BMCs fall over when they are asked too fast, each at a rate of its own that nobody writes down. The gap between two requests
//! grows by doubling when there is trouble and shrinks in small steps when there is none (AIMD of the rate, as TCP has it). What
//! once brought trouble is remembered: the gap stays a little above, and is tried again only once in an hour.

use std::time::{Duration, Instant};

/// Trouble makes the gap at least this long.
const FIRST: Duration = Duration::from_millis(50);
/// How far above a gap that brought trouble one is kept, in hundredths.
const MARGIN: u32 = 110;
/// How much shorter the gap becomes with an answer, at most, in hundredths of it.
const STEP: u32 = 5;
/// After this long without trouble the remembered gap is made shorter by a step.
const FORGIVES: Duration = Duration::from_secs(3600);
/// The gap is made longer by chance by up to this much, in hundredths, so that BMCs are not asked in lockstep.
const JITTER: u32 = 5;
/// Longest gap between the requests of one command: a login takes five.
const LONGEST_WITHIN: Duration = Duration::from_secs(1);

/// Between what a gap stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Shortest.
    pub(crate) floor: Duration,
    /// Longest; not less than the shortest.
    pub(crate) ceiling: Duration,
}

impl Limits {
    fn keep(self, gap: Duration) -> Duration {
        gap.clamp(self.floor, self.ceiling)
    }
}

fn hundredths(gap: Duration, parts: u32) -> Duration {
    gap * parts / 100
}

/// The gap between two requests to one BMC.
#[derive(Debug)]
pub(crate) struct Pace {
    gap: Duration,
    /// A little above the longest gap that brought trouble.
    safe: Duration,
    /// Whether the last request brought trouble: what follows at once is the same trouble.
    troubled: bool,
    /// Since when there was none, or since when the remembered gap was last made shorter.
    calm: Option<Instant>,
    chance: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            gap: Duration::ZERO,
            safe: Duration::ZERO,
            troubled: false,
            calm: None,
            // Different in each process and for each BMC.
            chance: std::hash::BuildHasher::hash_one(
                &std::collections::hash_map::RandomState::new(),
                0,
            ),
        }
    }
}

impl Pace {
    /// The gap without the part that is left to chance.
    pub(super) fn settled(&self, limits: Limits) -> Duration {
        limits.keep(self.gap)
    }

    /// The gap to keep now.
    pub(crate) fn gap(&mut self, limits: Limits) -> Duration {
        let gap = limits.keep(self.gap);
        // A linear congruential generator; its upper bits are as random as this needs.
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let parts = u32::try_from(self.chance >> 40).unwrap_or(0) % (JITTER * 100 + 1);
        gap + gap * parts / 10_000
    }

    /// The gap between the requests that make up one command: none for a BMC that never had trouble.
    pub(crate) fn within(&self, limits: Limits) -> Duration {
        let gap = limits.keep(self.gap);
        if gap > limits.floor {
            gap.min(LONGEST_WITHIN)
        } else {
            Duration::ZERO
        }
    }

    /// The BMC answered.
    pub(crate) fn answered(&mut self, limits: Limits, now: Instant) {
        self.troubled = false;
        let calm = *self.calm.get_or_insert(now);
        if now.saturating_duration_since(calm) >= FORGIVES {
            self.safe = hundredths(self.safe, 100 - STEP);
            self.calm = Some(now);
        }
        let (gap, safe) = (limits.keep(self.gap), limits.keep(self.safe));
        let step = (limits.ceiling / 100).min(hundredths(gap, STEP));
        // Far above what is known to bring trouble there is nothing to learn: back in large steps.
        let shorter = if gap > safe * 2 {
            (gap / 2).max(safe * 2)
        } else {
            gap.saturating_sub(step)
        };
        self.gap = limits.keep(shorter.max(safe));
    }

    /// The BMC did not answer, or said that it is too much.
    pub(crate) fn troubled(&mut self, limits: Limits, now: Instant) {
        let gap = limits.keep(self.gap);
        if !self.troubled {
            self.safe = self.safe.max(limits.keep(hundredths(gap, MARGIN)));
        }
        self.troubled = true;
        self.calm = Some(now);
        self.gap = limits.keep((gap * 2).max(FIRST));
    }
}

/// So many failures in a row, and a BMC is left alone.
const FAILURES: u32 = 5;
/// For how long at first, and at most.
const PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Keeps commands from a BMC that does not answer anyway, each of which would take its whole time-out.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    until: Option<Instant>,
    pause: Duration,
}

impl Breaker {
    /// How long the BMC is still left alone; `None` when it may be asked. After a pause one command goes through and
    /// decides.
    pub(crate) fn rest(&self, now: Instant) -> Option<Duration> {
        self.until
            .map(|until| until.saturating_duration_since(now))
            .filter(|rest| !rest.is_zero())
    }

    /// The BMC answered.
    pub(crate) fn answered(&mut self) {
        *self = Self::default();
    }

    /// The BMC did not answer. Tells whether it is left alone now.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES {
            return false;
        }
        self.pause = (self.pause * 2).clamp(PAUSE, LONGEST_PAUSE);
        self.until = Some(now + self.pause);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        floor: Duration::from_millis(100),
        ceiling: Duration::from_secs(5),
    };

    #[test]
    fn the_gap_stays_between_floor_and_ceiling_with_some_chance() {
        let mut pace = Pace::default();
        let now = Instant::now();
        let gaps: Vec<Duration> = (0..50).map(|_| pace.gap(LIMITS)).collect();
        assert!(
            gaps.iter()
                .all(|gap| *gap >= LIMITS.floor && *gap <= LIMITS.floor * 105 / 100)
        );
        assert!(gaps.windows(2).any(|pair| pair[0] != pair[1]), "{gaps:?}");
        assert_eq!(pace.within(LIMITS), Duration::ZERO);
        for _ in 0..20 {
            pace.troubled(LIMITS, now);
        }
        assert_eq!(pace.gap, LIMITS.ceiling);
        assert_eq!(pace.within(LIMITS), LONGEST_WITHIN);
        for _ in 0..200 {
            pace.answered(LIMITS, now);
        }
        // The first trouble came at the floor, so it stays a little above.
        assert_eq!(pace.gap, LIMITS.floor * 110 / 100);
        for hour in 1..=10 {
            pace.answered(LIMITS, now + FORGIVES * hour);
        }
        for _ in 0..200 {
            pace.answered(LIMITS, now + FORGIVES * 10);
        }
        assert_eq!(pace.gap, LIMITS.floor, "in time all is forgiven");
    }

    #[test]
    fn without_limits_there_is_no_gap() {
        let none = Limits {
            floor: Duration::ZERO,
            ceiling: Duration::ZERO,
        };
        let mut pace = Pace::default();
        pace.troubled(none, Instant::now());
        assert_eq!(pace.gap(none), Duration::ZERO);
        assert_eq!(pace.within(none), Duration::ZERO);
    }

    /// A day with a BMC that falls over when two requests come closer than its limit, and is away for 30 seconds then. It is
    /// asked as often as the pace allows.
    fn day(limit: Duration) -> (Vec<u64>, f64) {
        let start = Instant::now();
        let (mut now, mut pace) = (start, Pace::default());
        let (mut last, mut away): (Option<Instant>, Option<Instant>) = (None, None);
        let (mut crashes, mut answers) = (Vec::new(), 0u32);
        let learnt = Duration::from_secs(3600);
        while now.duration_since(start) < Duration::from_secs(24 * 3600) {
            now += pace.gap(LIMITS);
            if away.is_none_or(|until| now >= until)
                && last.is_some_and(|last| now.duration_since(last) < limit)
            {
                crashes.push(now.duration_since(start).as_secs());
                away = Some(now + Duration::from_secs(30));
            }
            last = Some(now);
            if away.is_some_and(|until| now < until) {
                pace.troubled(LIMITS, now);
                // Three tries of two seconds.
                now += Duration::from_secs(6);
            } else {
                pace.answered(LIMITS, now);
                answers += u32::from(now.duration_since(start) >= learnt);
            }
        }
        let possible = (23.0 * 3600.0) / limit.as_secs_f64();
        let late = crashes.iter().filter(|at| **at >= 3600).copied().collect();
        (late, f64::from(answers) / possible)
    }

    /// Issue 5: at most one crash an hour after learning, and at least 80 % of the possible rate.
    #[test]
    fn a_bmc_that_falls_over_is_learned() {
        for millis in [130, 170, 250, 333, 500, 720, 1000, 1600, 2500, 4000] {
            let limit = Duration::from_millis(millis);
            let (crashes, rate) = day(limit);
            let close = crashes.windows(2).filter(|pair| pair[1] - pair[0] < 3600);
            assert_eq!(close.count(), 0, "limit {limit:?}: crashes at {crashes:?}");
            assert!(rate >= 0.8, "limit {limit:?}: {:.0} %", rate * 100.0);
        }
    }

    #[test]
    fn silence_opens_the_breaker_and_one_answer_closes_it() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        for failure in 1..=FAILURES {
            assert_eq!(breaker.rest(now), None);
            assert_eq!(breaker.failed(now), failure == FAILURES);
        }
        assert_eq!(breaker.rest(now), Some(PAUSE));
        let later = now + PAUSE;
        assert_eq!(breaker.rest(later), None, "one may try");
        assert!(breaker.failed(later));
        assert_eq!(breaker.rest(later), Some(PAUSE * 2));
        for _ in 0..20 {
            breaker.failed(later);
        }
        assert_eq!(breaker.rest(later), Some(LONGEST_PAUSE));
        breaker.answered();
        assert_eq!(breaker.rest(later), None);
        assert!(!breaker.failed(later));
    }
}
