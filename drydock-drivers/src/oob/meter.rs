//! Counters of one controller, readable while commands are under way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Upper ends of the classes into which the time of commands is counted, in milliseconds; what takes longer is in a class of its own.
pub const LATENCY_CLASSES: [u64; 9] = [10, 25, 50, 100, 250, 500, 1000, 5000, 15_000];

/// Why a command did not come to a good end, as far as it tells of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureClass {
    /// It refused the credentials.
    Auth,
    /// It answered that it is too much just now, or lost its session.
    Busy,
    /// It did not answer, or nothing leads there.
    Silent,
    /// The command was not sent: the controller is left alone for a while, or refused these credentials before.
    Held,
}

impl FailureClass {
    /// All of them.
    pub const ALL: [FailureClass; 4] = [
        FailureClass::Auth,
        FailureClass::Busy,
        FailureClass::Silent,
        FailureClass::Held,
    ];

    /// As metrics name it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            FailureClass::Auth => "auth",
            FailureClass::Busy => "busy",
            FailureClass::Silent => "silent",
            FailureClass::Held => "held",
        }
    }
}

/// The counts at one moment, each read for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The controller: its address, as an operator reads it.
    pub controller: String,
    /// Commands that were sent, to whatever end.
    pub commands: u64,
    /// Those that failed, and those that were not sent, in the order of [`FailureClass::ALL`].
    pub failures: [u64; FailureClass::ALL.len()],
    /// Datagrams or requests that were sent for the first time; `None`: the protocol below keeps no count.
    pub requests: Option<u64>,
    /// Those that were sent again.
    pub retransmissions: Option<u64>,
    /// The gap that is kept between two commands.
    pub gap: Duration,
    /// Whether it is left alone, since it did not answer several times in a row.
    pub left_alone: bool,
    /// How many commands took how long: as [`LATENCY_CLASSES`], then the longer ones.
    pub latency: [u64; LATENCY_CLASSES.len() + 1],
    /// All of that time together.
    pub latency_sum: Duration,
}

/// The counters.
#[derive(Debug)]
pub(crate) struct Meter {
    since: Instant,
    commands: AtomicU64,
    failures: [AtomicU64; FailureClass::ALL.len()],
    gap_us: AtomicU64,
    /// Milliseconds after `since` until which the controller is left alone.
    until_ms: AtomicU64,
    latency: [AtomicU64; LATENCY_CLASSES.len() + 1],
    latency_us: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        Meter {
            since: Instant::now(),
            commands: AtomicU64::default(),
            failures: Default::default(),
            gap_us: AtomicU64::default(),
            until_ms: AtomicU64::default(),
            latency: Default::default(),
            latency_us: AtomicU64::default(),
        }
    }
}

impl Meter {
    /// A command has ended, so long after it was sent.
    pub(super) fn ended(&self, took: Duration) {
        let millis = took.as_millis();
        let class = LATENCY_CLASSES
            .iter()
            .position(|upper| millis <= u128::from(*upper))
            .unwrap_or(LATENCY_CLASSES.len());
        add(&self.commands, 1);
        add(&self.latency[class], 1);
        add(&self.latency_us, whole(took.as_micros()));
    }

    /// It failed, or was not sent at all.
    pub(super) fn failed(&self, class: FailureClass) {
        add(&self.failures[class as usize], 1);
    }

    /// The gap from now on, and how long the controller is left alone.
    pub(super) fn keeps(&self, gap: Duration, rest: Option<Duration>) {
        self.gap_us.store(whole(gap.as_micros()), Ordering::Relaxed);
        let until = rest.map_or(0, |rest| whole((self.since.elapsed() + rest).as_millis()));
        self.until_ms.store(until, Ordering::Relaxed);
    }

    /// The counts now; what is below the commands is for the caller to add.
    pub(crate) fn reading(&self, controller: String) -> Reading {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Reading {
            controller,
            commands: read(&self.commands),
            failures: self.failures.each_ref().map(read),
            requests: None,
            retransmissions: None,
            gap: Duration::from_micros(read(&self.gap_us)),
            left_alone: u128::from(read(&self.until_ms)) > self.since.elapsed().as_millis(),
            latency: self.latency.each_ref().map(read),
            latency_sum: Duration::from_micros(read(&self.latency_us)),
        }
    }
}

fn add(count: &AtomicU64, by: u64) {
    count.fetch_add(by, Ordering::Relaxed);
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_in_one_class() {
        let meter = Meter::default();
        for millis in [0, 10, 11, 15_000, 15_001, 3_600_000] {
            meter.ended(Duration::from_millis(millis));
        }
        meter.failed(FailureClass::Silent);
        meter.keeps(Duration::from_millis(250), Some(Duration::from_secs(10)));
        let reading = meter.reading("127.0.0.9:623".into());
        assert_eq!(reading.commands, 6);
        assert_eq!(reading.latency, [2, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(reading.failures, [0, 0, 1, 0]);
        assert_eq!(reading.gap, Duration::from_millis(250));
        assert!(reading.left_alone);
        meter.keeps(Duration::ZERO, None);
        assert!(!meter.reading(String::new()).left_alone);
    }
}
