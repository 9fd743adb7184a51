//! How long things take in the simulated world.

use std::time::Duration;

/// Scale of simulated time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// 0: no simulated delay; 1: real time; between: a fraction of it.
    pub scale: f64,
}

/// Things a machine takes time for. The base durations are those of ordinary servers and a small image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The BMC switches the power: 2 s.
    Power,
    /// Network boot and enlistment: 20 s.
    Enlist,
    /// A machine that enlisted stays on until it switches itself off: 5 s, and never less than [`Timing::LINGER_FLOOR`].
    Linger,
    /// Commissioning scripts: 60 s.
    Commission,
    /// Installation: 120 s.
    Deploy,
    /// Start of the installed system up to its call-back: 30 s.
    Boot,
    /// Disk erasure: 20 s.
    Erase,
}

impl Timing {
    /// Shortest time an enlisted machine stays on, whatever the scale. Without it a machine at scale 0 would be off
    /// again before whoever switched it on could see it on.
    pub const LINGER_FLOOR: Duration = Duration::from_secs(3);

    /// Nothing takes time.
    pub const INSTANT: Timing = Timing { scale: 0.0 };

    /// How long `wait` takes at this scale.
    pub fn of(self, wait: Wait) -> Duration {
        let base = match wait {
            Wait::Power => 2,
            Wait::Linger => 5,
            Wait::Enlist | Wait::Erase => 20,
            Wait::Boot => 30,
            Wait::Commission => 60,
            Wait::Deploy => 120,
        };
        let scaled = self.scaled(Duration::from_secs(base));
        if wait == Wait::Linger {
            scaled.max(Self::LINGER_FLOOR)
        } else {
            scaled
        }
    }

    /// `base` at this scale. A scale that is no number or negative counts as 0.
    pub fn scaled(self, base: Duration) -> Duration {
        Duration::try_from_secs_f64(base.as_secs_f64() * self.scale).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_applies_to_all_but_the_floor() {
        let half = Timing { scale: 0.5 };
        assert_eq!(half.of(Wait::Deploy), Duration::from_secs(60));
        assert_eq!(Timing::INSTANT.of(Wait::Deploy), Duration::ZERO);
        assert_eq!(Timing::INSTANT.of(Wait::Linger), Timing::LINGER_FLOOR);
        assert_eq!(Timing { scale: -1.0 }.of(Wait::Power), Duration::ZERO);
    }
}
