//! One BMC: one session, one command in flight, and a memory for the cipher suite that worked and the records of the sensors.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drydock_ipmi::{
    BootMode, BootOptions, CipherSuite, Client, Control, DeviceId, Error, FruInventory,
    LanConfiguration, Persistence, SdrBody, SdrRecord, SelEntry, SelInfo, Sensor, Session,
    SessionInfo, Target, Traffic,
};
use tokio::sync::Mutex;

use super::IpmiSettings;
use super::inventory::EVENTS;
use crate::oob::BootDevice;
use crate::oob::account::Account;
use crate::oob::actors::Actor;
use crate::oob::budget::Budget;
use crate::oob::gate::{Gate, Held, Lesson};
use crate::oob::meter::{Meter, Reading};

/// What a BMC is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    Device,
    Power,
    Boot,
    SetBoot(BootDevice, BootMode, Persistence),
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
    /// This very session: suite, privilege, how many there may be.
    Login,
    /// Room and clock of the event log.
    Log,
}

impl Command {
    /// As errors name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Command::Device => "get device id",
            Command::Power => "get power state",
            Command::Boot => "get boot device",
            Command::SetBoot(BootDevice::Network, ..) => "set network boot",
            Command::SetBoot(BootDevice::Disk, ..) => "set boot from disk",
            Command::SetBoot(BootDevice::Cdrom, ..) => "set boot from CD",
            Command::SetBoot(BootDevice::Setup, ..) => "set boot into the firmware's set-up",
            Command::On => "power on",
            Command::Off => "power off",
            Command::Inventory => "read the inventory",
            Command::Sensors => "read the sensors",
            Command::Events => "read the event log",
            Command::Lan => "read the network settings",
            Command::Login => "read what the session is",
            Command::Log => "read the state of the event log",
        }
    }

    /// Whether it changes something.
    fn changes(self) -> bool {
        matches!(self, Command::SetBoot(..) | Command::On | Command::Off)
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
    Login(CipherSuite, SessionInfo),
    /// The log, and its clock, where it has one.
    Log(SelInfo, Option<u32>),
    /// The BMC is well, but does not have it or refuses it: why.
    Unread(String),
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The BMC or the way to it.
    Bmc(Error),
    /// Nothing was sent.
    Held(Held),
}

/// The actor.
pub(super) struct Bmc {
    address: SocketAddr,
    state: Mutex<State>,
    meter: Arc<Meter>,
    traffic: Arc<Traffic>,
}

#[derive(Default)]
struct State {
    session: Option<(Session, Account)>,
    gate: Gate,
    /// The suite that worked last.
    suite: Option<CipherSuite>,
    /// What it last said that it is, and the records of its own sensors, once read: they change with hardware and firmware only.
    device: Option<DeviceId>,
    records: Option<Vec<SdrRecord>>,
}

impl Bmc {
    pub(super) fn new(address: SocketAddr, budget: Budget) -> Self {
        let meter = Arc::<Meter>::default();
        let state = State {
            gate: Gate::new(budget, Arc::clone(&meter)),
            ..State::default()
        };
        Bmc {
            address,
            state: Mutex::new(state),
            meter,
            traffic: Arc::default(),
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
        let limits = settings.limits();
        let _place = state
            .gate
            .pass(limits, &account)
            .await
            .map_err(Failure::Held)?;
        let mut lost = None;
        let outcome = match state.session.take() {
            Some((mut session, owner)) if owner.is(&account) => {
                session.set_gap(state.gate.within(limits));
                match state.attempt(session, &account, command).await {
                    Err(error) if !is_final(&error) => {
                        lost = Some(error);
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
        let error = outcome.as_ref().err();
        if state.gate.learn(limits, lesson(error))
            && let Some(error) = error
        {
            tracing::warn!(%error, "the BMC is left alone for a while");
        }
        unless_left_open(command, lost, outcome).map_err(Failure::Bmc)
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
        target.gap = state.gate.within(settings.limits());
        target.timeout = settings.timeout;
        target.retries = settings.retries;
        target.kg.clone_from(&settings.kg);
        target.traffic = Arc::clone(&self.traffic);
        match Client::connect(target).await {
            Ok(session) => {
                state.gate.not_refused(account);
                state.suite = Some(session.suite());
                state.attempt(session, account, command).await
            }
            Err(error) => {
                // Only of a login: an account that lacks the privilege for one command is good for others.
                if error.is_auth() {
                    state.gate.refused(account);
                }
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Actor for Bmc {
    fn reading(&self) -> Option<Reading> {
        let traffic = self.traffic.snapshot();
        Some(Reading {
            requests: Some(traffic.requests),
            retransmissions: Some(traffic.retransmissions),
            ..self.meter.reading(self.address.to_string())
        })
    }

    async fn close(&self) {
        if let Some((session, _)) = self.state.lock().await.session.take()
            && let Err(error) = session.close().await
        {
            tracing::debug!(bmc = %self.address, %error, "session could not be closed");
        }
    }

    async fn close_if_idle(&self, idle: Duration) {
        let stale = match self.state.try_lock() {
            Ok(mut state) if state.gate.idle().is_none_or(|rest| rest >= idle) => {
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

    /// Keeps the session when the command went through it, though the BMC may have said no. A session whose command failed
    /// otherwise is not used again: a late answer or a forgetful BMC would only confuse the next command.
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
        match &outcome {
            Ok(_) | Err(Error::CompletionCode { .. } | Error::Unsupported { .. }) => {
                self.session = Some((session, account.clone()));
            }
            // Who did not answer is told once, and not waited for again.
            Err(Error::Timeout { .. } | Error::Unreachable { .. }) => drop(session),
            Err(_) => {
                let _ = session.close().await;
            }
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
        Command::SetBoot(device, mode, persistence) => {
            session
                .set_boot_device(wire(device), mode, persistence)
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
        Command::Login => {
            let suite = session.suite();
            let info = session.session_info().await;
            or_unread(info.map(|info| Answer::Login(suite, info)))?
        }
        Command::Log => {
            match or_unread(session.sel_info().await.map(|log| Answer::Log(log, None)))? {
                Answer::Log(log, _) => match session.sel_time().await {
                    Ok(time) => Answer::Log(log, Some(time)),
                    Err(error) if error.is_transient() => return Err(error),
                    Err(_) => Answer::Log(log, None),
                },
                unread => unread,
            }
        }
        Command::Lan => or_unread(session.lan_configuration().await.map(Answer::Lan))?,
        // Not without the records that are kept of this BMC.
        Command::Sensors => Answer::Unread("the records of the sensors are not known".into()),
    })
}

fn is_own_sensor(record: &SdrRecord) -> bool {
    matches!(&record.body, SdrBody::Sensor(sensor) if sensor.is_of_bmc())
}

fn wire(device: BootDevice) -> drydock_ipmi::BootDevice {
    use drydock_ipmi::BootDevice as Wire;
    match device {
        BootDevice::Network => Wire::Pxe,
        BootDevice::Disk => Wire::Disk,
        BootDevice::Cdrom => Wire::Cd,
        BootDevice::Setup => Wire::Bios,
    }
}

/// Whether there is nothing to gain from a fresh session: the BMC answered that it does not do this.
fn is_final(error: &Error) -> bool {
    matches!(
        error,
        Error::Auth { .. } | Error::CompletionCode { .. } | Error::Unsupported { .. }
    )
}

/// The outcome of a command that was tried again after `lost`. A change that may have been carried out the first time is not
/// refused by whatever hinders the second try.
fn unless_left_open(
    command: Command,
    lost: Option<Error>,
    outcome: Result<Answer, Error>,
) -> Result<Answer, Error> {
    match (lost, outcome) {
        (Some(lost), Err(error))
            if command.changes() && lost.is_transient() && !error.is_transient() =>
        {
            tracing::warn!(%error, "what was tried again, since its answer was lost, was refused");
            Err(lost)
        }
        (_, outcome) => outcome,
    }
}

/// What the end of a command tells of the BMC. Whatever else it says, it answers.
fn lesson(error: Option<&Error>) -> Lesson {
    match error {
        Some(Error::Timeout { .. } | Error::Unreachable { .. }) => Lesson::Silent,
        Some(Error::Busy { .. } | Error::SessionLost { .. }) => Lesson::Busy,
        _ => Lesson::Answered,
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

    fn addr() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 623))
    }

    fn silent() -> Error {
        Error::Timeout {
            addr: addr(),
            attempted: "x".into(),
            sent: 1,
            waited: Duration::ZERO,
        }
    }

    fn busy() -> Error {
        Error::Busy {
            addr: addr(),
            attempted: "x".into(),
            code: drydock_ipmi::CompletionCode::NODE_BUSY,
        }
    }

    fn refused() -> Error {
        Error::Auth {
            addr: addr(),
            attempted: "x".into(),
            username: "admin".into(),
            refusal: drydock_ipmi::AuthRefusal::Password,
        }
    }

    #[test]
    fn silence_trouble_and_answers_are_told_apart() {
        assert_eq!(lesson(Some(&silent())), Lesson::Silent);
        assert_eq!(lesson(Some(&busy())), Lesson::Busy);
        assert_eq!(lesson(None), Lesson::Answered);
    }

    /// The change may have been made: the journal must not say that it was refused.
    #[test]
    fn a_refused_second_try_does_not_hide_that_the_first_was_lost() {
        let of = |command, lost, outcome| unless_left_open(command, lost, outcome);
        for command in [Command::On, Command::Off] {
            let left_open = of(command, Some(silent()), Err(refused()));
            assert!(
                matches!(left_open, Err(Error::Timeout { .. })),
                "{left_open:?}"
            );
            let at_once = of(command, None, Err(refused()));
            assert!(matches!(at_once, Err(Error::Auth { .. })), "{at_once:?}");
            assert!(of(command, Some(silent()), Ok(Answer::Done)).is_ok());
            let later = of(command, Some(silent()), Err(busy()));
            assert!(matches!(later, Err(Error::Busy { .. })), "{later:?}");
        }
        let read = of(Command::Power, Some(silent()), Err(refused()));
        assert!(matches!(read, Err(Error::Auth { .. })), "{read:?}");
    }
}
