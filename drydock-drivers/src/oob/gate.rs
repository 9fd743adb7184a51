//! What every command to a controller passes: refused credentials stop it, so does a controller that is left alone, and it waits
//! until the gap since the last command has passed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drydock_model::driver::{DriverError, ErrorClass};

use tokio::sync::OwnedSemaphorePermit;

use super::account::Account;
use super::budget::Budget;
use super::meter::{FailureClass, Meter};
use super::pace::{Breaker, Limits, Pace};

/// Refused credentials are not tried again for this long, unless they change.
const REFUSAL_HOLDS: Duration = Duration::from_secs(600);

/// So many refused accounts are remembered; the oldest is forgotten first.
const REFUSALS: usize = 8;

/// Why a command was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// These credentials were refused a short while ago.
    RefusedBefore {
        /// The user.
        user: String,
    },
    /// The controller did not answer several times in a row and is left alone for so long.
    LeftAlone(Duration),
    /// The controller asked not to be asked anything for so long.
    AskedToWait(Duration),
}

impl Held {
    /// As the driver tells it.
    pub(crate) fn into_error(self, tried: &str, target: &str) -> DriverError {
        match self {
            Held::RefusedBefore { user } => DriverError::auth(
                tried,
                target,
                format!(
                    "user {user:?} was refused a short while ago with this very password, so it was not tried again"
                ),
                "correct oob.account or oob.credential; BMCs lock accounts that fail too often",
            ),
            Held::LeftAlone(rest) => {
                let mut result = DriverError::new(
                    ErrorClass::Transient,
                    tried,
                    target,
                    "it did not answer several times in a row, so it is left alone for a while",
                    "check that the BMC is up and reachable",
                );
                result.retry_after = Some(rest);
                result
            }
            Held::AskedToWait(rest) => {
                let mut result = DriverError::transient(
                    tried,
                    target,
                    "it asked a short while ago to be left alone for some time, so nothing was sent",
                    "",
                );
                result.retry_after = Some(rest);
                result
            }
        }
    }
}

/// How a command ended, as far as it tells how the controller bears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lesson {
    /// It answered, whatever it said.
    Answered,
    /// It answered that it is too much, or lost its session.
    Busy,
    /// No answer, or no way to it.
    Silent,
}

/// The memory of one controller.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Whose credentials it refused, and when, the newest last. Nodes that share a controller may each have their own.
    refused: Vec<(Account, Instant)>,
    /// When the last command ended.
    last: Option<Instant>,
    /// Until when it asked to be left alone.
    until: Option<Instant>,
    pace: Pace,
    breaker: Breaker,
    budget: Budget,
    meter: Arc<Meter>,
    /// When the command under way was sent.
    begun: Option<Instant>,
}

/// A command's place among those that are under way to all controllers. Held until the command has ended.
#[derive(Debug)]
#[must_use = "the place is given back when this is dropped"]
pub(crate) struct Passage {
    _place: Option<OwnedSemaphorePermit>,
}

impl Gate {
    /// One that shares this budget and counts here.
    pub(crate) fn new(budget: Budget, meter: Arc<Meter>) -> Self {
        Gate {
            budget,
            meter,
            ..Gate::default()
        }
    }

    /// Waits until a command may be sent.
    ///
    /// # Errors
    /// Why it must not be sent.
    pub(crate) async fn pass(
        &mut self,
        limits: Limits,
        account: &Account,
    ) -> Result<Passage, Held> {
        if let Err(held) = self.may_pass(account) {
            self.meter.failed(FailureClass::Held);
            return Err(held);
        }
        let gap = self.pace.gap(limits);
        if let Some(rest) = self.last.and_then(|last| gap.checked_sub(last.elapsed())) {
            tokio::time::sleep(rest).await;
        }
        let place = self.budget.place().await;
        self.begun = Some(Instant::now());
        Ok(Passage { _place: place })
    }

    fn may_pass(&self, account: &Account) -> Result<(), Held> {
        let holds = |(refused, since): &(Account, Instant)| {
            refused.is(account) && since.elapsed() < REFUSAL_HOLDS
        };
        if self.refused.iter().any(holds) {
            return Err(Held::RefusedBefore {
                user: account.user.clone(),
            });
        }
        let now = Instant::now();
        if let Some(rest) = self.breaker.rest(now) {
            return Err(Held::LeftAlone(rest));
        }
        let rest = self.until.map(|until| until.saturating_duration_since(now));
        if let Some(rest) = rest.filter(|rest| !rest.is_zero()) {
            return Err(Held::AskedToWait(rest));
        }
        Ok(())
    }

    /// The gap between the requests that make up one command.
    pub(crate) fn within(&self, limits: Limits) -> Duration {
        self.pace.within(limits)
    }

    /// Draws the lesson from how a command ended. Tells whether the controller is left alone from now on.
    pub(crate) fn learn(&mut self, limits: Limits, lesson: Lesson) -> bool {
        let now = Instant::now();
        self.last = Some(now);
        if let Some(begun) = self.begun.take() {
            self.meter.ended(now.saturating_duration_since(begun));
        }
        let mut left_alone = false;
        match lesson {
            Lesson::Silent => {
                self.meter.failed(FailureClass::Silent);
                self.pace.troubled(limits, now);
                left_alone = self.breaker.failed(now);
            }
            Lesson::Busy => {
                self.meter.failed(FailureClass::Busy);
                self.pace.troubled(limits, now);
                self.breaker.answered();
            }
            Lesson::Answered => {
                self.pace.answered(limits, now);
                self.breaker.answered();
            }
        }
        let gap = self.pace.settled(limits);
        self.meter.keeps(gap, self.breaker.rest(now));
        left_alone
    }

    /// The controller asked not to be asked anything for so long.
    pub(crate) fn asked_to_wait(&mut self, pause: Duration) {
        self.until = Some(Instant::now() + pause);
    }

    /// The controller refused these credentials.
    pub(crate) fn refused(&mut self, account: &Account) {
        self.meter.failed(FailureClass::Auth);
        self.not_refused(account);
        if self.refused.len() >= REFUSALS {
            self.refused.remove(0);
        }
        self.refused.push((account.clone(), Instant::now()));
    }

    /// The controller took these credentials. That says nothing of any others.
    pub(crate) fn not_refused(&mut self, account: &Account) {
        self.refused.retain(|(refused, _)| !refused.is(account));
    }

    /// How long nothing was sent; `None`: never was anything.
    pub(crate) fn idle(&self) -> Option<Duration> {
        self.last.map(|last| last.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        floor: Duration::from_millis(100),
        ceiling: Duration::from_secs(5),
    };

    fn account(password: &str) -> Account {
        Account {
            user: "admin".into(),
            password: password.to_owned().into(),
        }
    }

    #[tokio::test]
    async fn only_silence_opens_the_breaker() {
        let mut gate = Gate::default();
        for _ in 0..20 {
            assert!(!gate.learn(LIMITS, Lesson::Busy));
        }
        assert_eq!(gate.breaker.rest(Instant::now()), None);
        assert!(gate.pace.gap(LIMITS) >= LIMITS.ceiling);
        for _ in 0..20 {
            gate.learn(LIMITS, Lesson::Silent);
        }
        let held = gate.pass(LIMITS, &account("a")).await;
        assert!(matches!(held, Err(Held::LeftAlone(_))), "{held:?}");
        gate.learn(LIMITS, Lesson::Answered);
        assert_eq!(gate.breaker.rest(Instant::now()), None);
    }

    #[tokio::test]
    async fn refused_credentials_stop_a_command_and_others_do_not() {
        let mut gate = Gate::default();
        gate.refused(&account("wrong"));
        let held = gate.pass(LIMITS, &account("wrong")).await;
        let Err(held) = held else {
            panic!("it would be sent again")
        };
        let error = held.into_error("power on", "BMC 127.0.0.9:443 of n1");
        assert_eq!(error.class, ErrorClass::Auth);
        assert!(!error.to_string().contains("wrong"), "{error}");
        assert!(gate.pass(LIMITS, &account("right")).await.is_ok());
        gate.not_refused(&account("wrong"));
        assert!(gate.pass(LIMITS, &account("wrong")).await.is_ok());
        let reading = gate.meter.reading(String::new());
        assert_eq!(reading.failures, [1, 0, 0, 1]);
    }

    #[tokio::test]
    async fn each_account_is_remembered_for_itself_and_not_too_many_are() {
        let mut gate = Gate::default();
        let is_held = |gate: &Gate, password: &str| gate.may_pass(&account(password)).is_err();
        gate.refused(&account("one"));
        gate.refused(&account("two"));
        assert!(is_held(&gate, "one") && is_held(&gate, "two"));
        gate.not_refused(&account("right"));
        gate.not_refused(&account("two"));
        assert!(is_held(&gate, "one") && !is_held(&gate, "two"));
        for refusal in 0..REFUSALS {
            // Twice refused counts once.
            gate.refused(&account(&refusal.to_string()));
            gate.refused(&account(&refusal.to_string()));
        }
        assert_eq!(gate.refused.len(), REFUSALS);
        assert!(is_held(&gate, "0") && !is_held(&gate, "one"));
    }

    /// Two controllers share a budget of one command: the second waits for the first, and no longer than that.
    #[tokio::test]
    async fn a_command_waits_for_its_place() {
        let budget = Budget::of(1);
        let gate = || Gate::new(budget.clone(), Arc::default());
        let (mut first, mut second) = (gate(), gate());
        let held = first.pass(LIMITS, &account("a")).await;
        let other = account("b");
        let mut waiting = std::pin::pin!(second.pass(LIMITS, &other));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        drop(held);
        assert!(waiting.await.is_ok());
        first.learn(LIMITS, Lesson::Answered);
        assert_eq!(first.meter.reading(String::new()).commands, 1);
    }
}
