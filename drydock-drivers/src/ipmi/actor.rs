//! One BMC: one session, one command in flight, a gap between commands, and a memory for refused credentials.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use drydock_ipmi::{
    BootDevice, BootMode, BootOptions, Client, Control, DeviceId, Error, Persistence, Session,
    Target,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::IpmiSettings;

/// Refused credentials are not tried again for this long, unless they change.
const REFUSAL_HOLDS: Duration = Duration::from_secs(600);

/// What a BMC is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    Device,
    Power,
    Boot,
    SetPxe(BootMode),
    On,
    Off,
}

impl Command {
    /// As errors name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Command::Device => "get device id",
            Command::Power => "get power state",
            Command::Boot => "get boot device",
            Command::SetPxe(_) => "set network boot",
            Command::On => "power on",
            Command::Off => "power off",
        }
    }
}

/// What it answers.
#[derive(Debug)]
pub(super) enum Answer {
    Device(DeviceId),
    Power(bool),
    Boot(BootOptions),
    Done,
}

/// Who asks.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) user: String,
    pub(super) password: SecretString,
}

impl Account {
    fn is(&self, other: &Account) -> bool {
        self.user == other.user && self.password.expose_secret() == other.password.expose_secret()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The BMC or the way to it.
    Bmc(Error),
    /// These credentials were refused a short while ago: nothing was sent.
    RefusedBefore {
        /// The user.
        user: String,
    },
}

/// The actor.
pub(super) struct Bmc {
    address: SocketAddr,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<(Session, Account)>,
    refused: Option<(Account, Instant)>,
    /// When the last command ended.
    last: Option<Instant>,
    gap: Duration,
}

impl Bmc {
    pub(super) fn new(address: SocketAddr) -> Self {
        Bmc {
            address,
            state: Mutex::default(),
        }
    }

    /// Runs one command. All commands here may be sent twice: a session that the BMC has dropped meanwhile costs one
    /// more try with a fresh one.
    pub(super) async fn run(
        &self,
        settings: &IpmiSettings,
        account: Account,
        command: Command,
    ) -> Result<Answer, Failure> {
        let mut state = self.state.lock().await;
        if let Some((refused, since)) = &state.refused
            && refused.is(&account)
            && since.elapsed() < REFUSAL_HOLDS
        {
            return Err(Failure::RefusedBefore { user: account.user });
        }
        state.pause(settings).await;
        let outcome = match state.session.take() {
            Some((session, owner)) if owner.is(&account) => {
                match state.attempt(session, &account, command).await {
                    // Nothing to gain from a fresh session when the account lacks a privilege.
                    Err(error) if !error.is_auth() => {
                        self.with_fresh(&mut state, settings, &account, command)
                            .await
                    }
                    outcome => outcome,
                }
            }
            other => {
                if let Some((session, _)) = other {
                    // The credentials changed; whether the old session is closed in time does not matter.
                    let _ = session.close().await;
                }
                self.with_fresh(&mut state, settings, &account, command)
                    .await
            }
        };
        state.last = Some(Instant::now());
        state.adapt(settings, outcome.as_ref().err());
        outcome.map_err(Failure::Bmc)
    }

    async fn with_fresh(
        &self,
        state: &mut State,
        settings: &IpmiSettings,
        account: &Account,
        command: Command,
    ) -> Result<Answer, Error> {
        let mut target = Target::new(self.address, account.user.clone(), account.password.clone());
        target.privilege = settings.privilege;
        target.suites.clone_from(&settings.cipher_suites);
        target.timeout = settings.timeout;
        target.retries = settings.retries;
        let outcome = match Client::connect(target).await {
            Ok(session) => state.attempt(session, account, command).await,
            Err(error) => Err(error),
        };
        match &outcome {
            Err(error) if error.is_auth() => {
                state.refused = Some((account.clone(), Instant::now()))
            }
            _ => state.refused = None,
        }
        outcome
    }

    /// Closes the session, once the command under way has ended.
    pub(super) async fn close(&self) {
        if let Some((session, _)) = self.state.lock().await.session.take()
            && let Err(error) = session.close().await
        {
            tracing::debug!(bmc = %self.address, %error, "session could not be closed");
        }
    }

    /// Closes the session if nobody used it for a while.
    pub(super) async fn close_if_idle(&self, idle: Duration) {
        let stale = match self.state.try_lock() {
            Ok(mut state) if state.last.is_none_or(|last| last.elapsed() >= idle) => {
                state.session.take()
            }
            _ => None,
        };
        if let Some((session, _)) = stale
            && let Err(error) = session.close().await
        {
            tracing::debug!(bmc = %self.address, %error, "idle session could not be closed");
        }
    }
}

impl State {
    /// Waits until the gap since the last command has passed.
    async fn pause(&mut self, settings: &IpmiSettings) {
        let gap = self.gap.clamp(
            settings.gap_floor,
            settings.gap_ceiling.max(settings.gap_floor),
        );
        if let Some(rest) = self.last.and_then(|last| gap.checked_sub(last.elapsed())) {
            tokio::time::sleep(rest).await;
        }
    }

    /// A BMC in trouble gets twice the gap, one that answers half of it.
    fn adapt(&mut self, settings: &IpmiSettings, error: Option<&Error>) {
        let gap = self.gap.max(settings.gap_floor);
        self.gap = match error {
            Some(error) if error.is_transient() => (gap * 2)
                .max(Duration::from_millis(50))
                .min(settings.gap_ceiling.max(settings.gap_floor)),
            _ => (gap / 2).max(settings.gap_floor),
        };
    }

    /// Keeps the session when the command went through it. A session whose command failed is not used again: a late
    /// answer or a forgetful BMC would only confuse the next command.
    async fn attempt(
        &mut self,
        mut session: Session,
        account: &Account,
        command: Command,
    ) -> Result<Answer, Error> {
        let outcome = execute(&mut session, command).await;
        if outcome.is_ok() {
            self.session = Some((session, account.clone()));
        } else {
            let _ = session.close().await;
        }
        outcome
    }
}

async fn execute(session: &mut Session, command: Command) -> Result<Answer, Error> {
    Ok(match command {
        Command::Device => Answer::Device(session.device_id().await?),
        Command::Power => Answer::Power(session.chassis_status().await?.power_on),
        Command::Boot => Answer::Boot(session.boot_options().await?),
        Command::SetPxe(mode) => {
            session
                .set_boot_device(BootDevice::Pxe, mode, Persistence::Once)
                .await?;
            Answer::Done
        }
        Command::On => {
            session.chassis_control(Control::On).await?;
            Answer::Done
        }
        Command::Off => {
            session.chassis_control(Control::Off).await?;
            Answer::Done
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_adapts_between_floor_and_ceiling() {
        let settings = IpmiSettings {
            gap_floor: Duration::from_millis(100),
            gap_ceiling: Duration::from_secs(1),
            ..IpmiSettings::default()
        };
        let lost = || Error::Timeout {
            addr: SocketAddr::from(([127, 0, 0, 1], 623)),
            attempted: "x".into(),
            sent: 1,
            waited: Duration::ZERO,
        };
        let mut state = State::default();
        let mut gaps = Vec::new();
        for _ in 0..5 {
            state.adapt(&settings, Some(&lost()));
            gaps.push(state.gap.as_millis());
        }
        assert_eq!(gaps, [200, 400, 800, 1000, 1000]);
        for _ in 0..8 {
            state.adapt(&settings, None);
        }
        assert_eq!(state.gap, settings.gap_floor);
    }
}
