//! Trying again: while a failure may pass, with growing pauses, under one deadline.

use std::fmt::Display;
use std::time::Duration;

use drydock_model::reference::{ReferenceError, ReferenceFault};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::settings::ReferenceSettings;

/// A server that asks for more patience than this gets another attempt all the same.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// An attempt that failed, with what the server said about the next one.
#[derive(Clone)]
pub(crate) struct Failure {
    pub(crate) error: ReferenceError,
    pub(crate) retry_after: Option<Duration>,
}

impl From<ReferenceError> for Failure {
    fn from(error: ReferenceError) -> Failure {
        Failure {
            error,
            retry_after: None,
        }
    }
}

/// The attempts at one reference.
pub(crate) struct Attempts<'a> {
    settings: &'a ReferenceSettings,
    /// What messages call it.
    named: &'a (dyn Display + Sync),
    deadline: Instant,
    back_off: Duration,
    begun: u32,
    last: Option<ReferenceError>,
}

impl<'a> Attempts<'a> {
    /// From now on.
    pub(crate) fn new(
        settings: &'a ReferenceSettings,
        named: &'a (dyn Display + Sync),
    ) -> Attempts<'a> {
        Attempts {
            settings,
            named,
            deadline: Instant::now() + settings.deadline,
            back_off: settings.back_off,
            begun: 0,
            last: None,
        }
    }

    /// One attempt. `None`: it failed, the pause is over, and there may be another one.
    ///
    /// # Errors
    /// It failed for good, or the settings' attempts or deadline are used up.
    pub(crate) async fn attempt<T>(
        &mut self,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Option<T>, ReferenceError> {
        self.begun += 1;
        let failure = match timeout_at(self.deadline, attempt).await {
            Ok(Ok(value)) => return Ok(Some(value)),
            Ok(Err(failure)) => failure,
            Err(_) => return Err(self.overdue()),
        };
        if failure.error.fault != ReferenceFault::Unavailable
            || self.begun >= self.settings.attempts
        {
            return Err(failure.error);
        }
        // Jitter: a thousand nodes that failed together must not come back together.
        let jittered = self.back_off.mul_f64(rand::random_range(0.5..=1.0));
        let asked = failure
            .retry_after
            .unwrap_or_default()
            .min(LONGEST_RETRY_AFTER);
        let next = Instant::now() + jittered.max(asked);
        tracing::debug!(attempt = self.begun, error = %failure.error, "a reference could not be fetched");
        self.last = Some(failure.error);
        if next >= self.deadline {
            return Err(self.overdue());
        }
        sleep_until(next).await;
        self.back_off = self.back_off.saturating_mul(2);
        Ok(None)
    }

    fn overdue(&self) -> ReferenceError {
        let (named, deadline) = (self.named, self.settings.deadline);
        let message = match &self.last {
            None => {
                format!("{named} took longer than {deadline:?}; try again when the server is well")
            }
            Some(last) => format!(
                "{named} was given up, for it may take {deadline:?} in all: {}",
                last.message
            ),
        };
        ReferenceError::new(ReferenceFault::Unavailable, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ReferenceSettings {
        ReferenceSettings {
            back_off: Duration::from_millis(1),
            attempts: 4,
            ..ReferenceSettings::default()
        }
    }

    fn failed(fault: ReferenceFault, retry_after: Option<u64>) -> Failure {
        Failure {
            error: ReferenceError::new(fault, "it failed"),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    /// What comes of attempts that fail like this until the given one, and how many there were.
    async fn outcome(
        settings: &ReferenceSettings,
        failure: &Failure,
        succeeds_at: u32,
    ) -> (Result<(), ReferenceError>, u32) {
        let mut attempts = Attempts::new(settings, &"it");
        loop {
            let attempt = match attempts.begun + 1 {
                number if number == succeeds_at => Ok(()),
                _ => Err(failure.clone()),
            };
            match attempts.attempt(async { attempt }).await {
                Ok(None) => {}
                Ok(Some(())) => return (Ok(()), attempts.begun),
                Err(error) => return (Err(error), attempts.begun),
            }
        }
    }

    #[tokio::test]
    async fn what_fails_for_good_is_tried_once() {
        for fault in [
            ReferenceFault::Malformed,
            ReferenceFault::NotAllowed,
            ReferenceFault::NotFound,
            ReferenceFault::TooLarge,
            ReferenceFault::Refused,
        ] {
            let (outcome, tried) = outcome(&settings(), &failed(fault, None), 2).await;
            assert_eq!((outcome.unwrap_err().fault, tried), (fault, 1));
        }
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_until_it_has_or_the_attempts_end() {
        let failure = failed(ReferenceFault::Unavailable, None);
        let (passed, tried) = outcome(&settings(), &failure, 4).await;
        assert!(passed.is_ok());
        assert_eq!(tried, 4);
        let (failed, tried) = outcome(&settings(), &failure, 5).await;
        assert_eq!(failed.unwrap_err().message, "it failed");
        assert_eq!(tried, 4);
    }

    #[tokio::test]
    async fn a_pause_beyond_the_deadline_is_not_begun() {
        let settings = ReferenceSettings {
            deadline: Duration::from_secs(20),
            ..settings()
        };
        let begin = Instant::now();
        let failure = failed(ReferenceFault::Unavailable, Some(25));
        let (outcome, tried) = outcome(&settings, &failure, 2).await;
        assert!(begin.elapsed() < Duration::from_secs(10));
        let error = outcome.unwrap_err();
        assert!(
            error.message.contains("20s") && error.message.contains("it failed"),
            "{error}"
        );
        assert_eq!(tried, 1);
    }
}
