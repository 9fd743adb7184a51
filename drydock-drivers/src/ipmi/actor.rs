//! One BMC: one session, one command in flight, a gap between commands, and a memory for refused credentials, for the cipher
//! suite that worked and for how much the BMC stands.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use drydock_ipmi::{
    BootDevice, BootMode, BootOptions, CipherSuite, Client, Control, DeviceId, Error, FruInventory,
    LanConfiguration, Persistence, SdrBody, SdrRecord, SelEntry, Sensor, Session, Target,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::IpmiSettings;
use super::inventory::EVENTS;
use super::pace::{Breaker, Limits, Pace};

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
    /// The inventory of the machine itself.
    Inventory,
    /// All sensors.
    Sensors,
    /// The end of the event log.
    Events,
    /// The BMC's own network settings.
    Lan,
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
            Command::Inventory => "read the inventory",
            Command::Sensors => "read the sensors",
            Command::Events => "read the event log",
            Command::Lan => "read the network settings",
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
    Inventory(Box<FruInventory>),
    Sensors(Vec<Sensor>),
    Events(Vec<SelEntry>),
    Lan(LanConfiguration),
    /// The BMC is well, but does not have it or refuses it: why.
    Unread(String),
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
    /// It did not answer several times in a row and is left alone for so long: nothing was sent.
    LeftAlone(Duration),
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
    pace: Pace,
    breaker: Breaker,
    /// The suite that worked last.
    suite: Option<CipherSuite>,
    /// What it last said that it is, and the records of its own sensors, once read: they change with hardware and firmware only.
    device: Option<DeviceId>,
    records: Option<Vec<SdrRecord>>,
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
        if let Some(rest) = state.breaker.rest(Instant::now()) {
            return Err(Failure::LeftAlone(rest));
        }
        state.pause(settings).await;
        let outcome = match state.session.take() {
            Some((mut session, owner)) if owner.is(&account) => {
                session.set_gap(state.pace.within(settings.into()));
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
        state.learn(settings, outcome.as_ref().err());
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
        target.suites = state.suites(&settings.cipher_suites);
        target.gap = state.pace.within(settings.into());
        target.timeout = settings.timeout;
        target.retries = settings.retries;
        let outcome = match Client::connect(target).await {
            Ok(session) => {
                state.suite = Some(session.suite());
                state.attempt(session, account, command).await
            }
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
        let gap = self.pace.gap(settings.into());
        if let Some(rest) = self.last.and_then(|last| gap.checked_sub(last.elapsed())) {
            tokio::time::sleep(rest).await;
        }
    }

    /// Draws the lesson from how a command ended.
    fn learn(&mut self, settings: &IpmiSettings, error: Option<&Error>) {
        let now = Instant::now();
        self.last = Some(now);
        match error {
            Some(error @ (Error::Timeout { .. } | Error::Unreachable { .. })) => {
                self.pace.troubled(settings.into(), now);
                if self.breaker.failed(now) {
                    tracing::warn!(%error, "the BMC is left alone for a while");
                }
            }
            Some(Error::Busy { .. } | Error::SessionLost { .. }) => {
                self.pace.troubled(settings.into(), now);
                self.breaker.answered();
            }
            // Whatever else it says, it answers.
            _ => {
                self.pace.answered(settings.into(), now);
                self.breaker.answered();
            }
        }
    }

    /// The suites to offer, the one that worked last first: the others would only be refused again.
    fn suites(&self, configured: &[CipherSuite]) -> Vec<CipherSuite> {
        let mut suites = configured.to_vec();
        suites.sort_by_key(|suite| Some(*suite) != self.suite);
        suites
    }

    /// The readings of all sensors. Their records, hundreds of requests, are read once and kept.
    async fn sensors(&mut self, session: &mut Session) -> Result<Answer, Error> {
        let records = match self.records.take() {
            Some(records) => records,
            None => match session.sdr_records().await {
                Ok(all) => all.into_iter().filter(is_own_sensor).collect(),
                Err(error) => return or_unread(Err(error)),
            },
        };
        let outcome = session.sensors(&records).await.map(Answer::Sensors);
        self.records = Some(records);
        or_unread(outcome)
    }

    /// Keeps the session when the command went through it. A session whose command failed is not used again: a late
    /// answer or a forgetful BMC would only confuse the next command.
    async fn attempt(
        &mut self,
        mut session: Session,
        account: &Account,
        command: Command,
    ) -> Result<Answer, Error> {
        let outcome = match command {
            Command::Sensors => self.sensors(&mut session).await,
            _ => execute(&mut session, command).await,
        };
        if let Ok(Answer::Device(device)) = &outcome
            && self.device.as_ref() != Some(device)
        {
            self.device = Some(device.clone());
            self.records = None;
        }
        if outcome.is_ok() {
            self.session = Some((session, account.clone()));
        } else {
            let _ = session.close().await;
        }
        outcome
    }
}

/// A BMC that answers but does not have it: that is an answer, too. Whatever else went wrong did.
fn or_unread(outcome: Result<Answer, Error>) -> Result<Answer, Error> {
    match outcome {
        Err(error) if !error.is_transient() => Ok(Answer::Unread(error.to_string())),
        other => other,
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
        Command::Inventory => {
            let fru = session.fru(0).await;
            or_unread(fru.map(|fru| Answer::Inventory(Box::new(fru))))?
        }
        Command::Events => or_unread(session.sel_tail(EVENTS).await.map(Answer::Events))?,
        Command::Lan => or_unread(session.lan_configuration().await.map(Answer::Lan))?,
        // Not without the records that are kept of this BMC.
        Command::Sensors => Answer::Unread("the records of the sensors are not known".into()),
    })
}

fn is_own_sensor(record: &SdrRecord) -> bool {
    matches!(&record.body, SdrBody::Sensor(sensor) if sensor.is_of_bmc())
}

impl From<&IpmiSettings> for Limits {
    fn from(settings: &IpmiSettings) -> Self {
        Limits {
            floor: settings.gap_floor,
            ceiling: settings.gap_ceiling.max(settings.gap_floor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_that_worked_is_offered_first() {
        let mut state = State::default();
        let (newer, older) = (CipherSuite::Suite17, CipherSuite::Suite3);
        assert_eq!(state.suites(&CipherSuite::ALL), [newer, older]);
        state.suite = Some(older);
        assert_eq!(state.suites(&CipherSuite::ALL), [older, newer]);
        assert_eq!(state.suites(&[newer]), [newer], "only what is configured");
    }

    #[test]
    fn only_silence_opens_the_breaker() {
        let settings = IpmiSettings::default();
        let addr = SocketAddr::from(([127, 0, 0, 1], 623));
        let silent = Error::Timeout {
            addr,
            attempted: "x".into(),
            sent: 1,
            waited: Duration::ZERO,
        };
        let busy = Error::Busy {
            addr,
            attempted: "x".into(),
            code: drydock_ipmi::CompletionCode::NODE_BUSY,
        };
        let mut state = State::default();
        for _ in 0..20 {
            state.learn(&settings, Some(&busy));
        }
        assert_eq!(state.breaker.rest(Instant::now()), None);
        assert!(state.pace.gap((&settings).into()) >= settings.gap_ceiling);
        for _ in 0..20 {
            state.learn(&settings, Some(&silent));
        }
        assert!(state.breaker.rest(Instant::now()).is_some());
        state.learn(&settings, None);
        assert_eq!(state.breaker.rest(Instant::now()), None);
    }
}
