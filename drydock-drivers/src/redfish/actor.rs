//! One BMC: one session, one command in flight, and a memory for which of its systems is the node's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Mutex;

use super::RedfishSettings;
use super::inventory::{self, Part};
use super::service::Service;
use super::trouble::Trouble;
use super::wire::Wire;
use super::{boot, media, system};
use crate::oob::account::Account;
use crate::oob::actors::Actor;
use crate::oob::gate::{Gate, Held, Lesson};
use crate::oob::meter::Meter;
use crate::oob::{Boot, BootDevice, Budget, Override, Reading, Switched};

/// What a BMC is asked.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Power,
    Boot,
    Switch(bool),
    SetBoot(Boot),
    /// Who made the machine.
    Identity,
    Read(Part),
    /// Which image is in the virtual drive.
    Media,
    Insert(String),
    Eject,
}

impl Command {
    /// As errors name it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Command::Power => "get power state",
            Command::Boot => "get boot device",
            Command::Switch(true) => "power on",
            Command::Switch(false) => "power off",
            Command::SetBoot(boot) => match boot.device {
                Override::To(BootDevice::Network) => "set network boot",
                Override::To(BootDevice::Disk) => "set boot from disk",
                Override::To(BootDevice::Cdrom) => "set boot from CD",
                Override::To(BootDevice::Setup) => "set boot into the firmware's set-up",
                Override::None | Override::Another => "set boot device",
            },
            Command::Identity => "read the system",
            Command::Read(Part::Manager) => "read the manager",
            Command::Read(Part::Cards) => "read the network cards",
            Command::Read(Part::Sensors) => "read the sensors",
            Command::Read(Part::Events) => "read the event log",
            Command::Media => "read the virtual drive",
            Command::Insert(_) => "insert virtual media",
            Command::Eject => "eject virtual media",
        }
    }
}

/// What it answers.
#[derive(Debug)]
pub(super) enum Answer {
    Power(bool),
    Boot(Boot),
    Switched(Switched),
    Identity(Value),
    Part(Value),
    Media(Option<String>),
    Done,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The BMC or the way to it.
    Bmc(Trouble),
    /// Nothing was sent.
    Held(Held),
}

/// The actor.
pub(super) struct Bmc {
    address: SocketAddr,
    http: reqwest::Client,
    state: Mutex<State>,
    meter: Arc<Meter>,
    requests: Arc<AtomicU64>,
}

struct State {
    gate: Gate,
    open: Option<Open>,
    /// The way on which a session is being opened. It stays here when the caller gives up meanwhile, so that the session can be ended.
    opening: Option<Arc<Wire>>,
    /// Whose credentials it refused without a session: they are not shown to it in that way again.
    sessions_only: Option<Account>,
}

/// A session, whose it is, and the system that it was used for.
struct Open {
    service: Service,
    account: Account,
    /// The design's name for the system, and its path.
    system: Option<(Option<String>, String)>,
}

impl Bmc {
    pub(super) fn new(address: SocketAddr, http: reqwest::Client, budget: Budget) -> Self {
        let meter = Arc::<Meter>::default();
        let state = State {
            gate: Gate::new(budget, Arc::clone(&meter)),
            open: None,
            opening: None,
            sessions_only: None,
        };
        Bmc {
            address,
            http,
            state: Mutex::new(state),
            meter,
            requests: Arc::default(),
        }
    }

    /// Runs one command on the system that the design names. All commands here may be sent twice: a session that the BMC has
    /// dropped meanwhile costs one more try with a fresh one.
    pub(super) async fn run(
        &self,
        settings: &RedfishSettings,
        account: Account,
        named: Option<&str>,
        command: &Command,
    ) -> Result<Answer, Failure> {
        let mut state = self.state.lock().await;
        let limits = settings.limits();
        let _place = state
            .gate
            .pass(limits, &account)
            .await
            .map_err(Failure::Held)?;
        if state
            .open
            .as_ref()
            .is_some_and(|open| !open.account.is(&account))
        {
            // The credentials changed; whether the old session is closed in time does not matter.
            self.leave(&mut state).await;
        }
        let mut outcome = self
            .attempt(&mut state, settings, &account, named, command)
            .await;
        if matches!(outcome, Err(Trouble::SessionLost)) {
            outcome = self
                .attempt(&mut state, settings, &account, named, command)
                .await;
            // This one was opened for the command.
            if matches!(outcome, Err(Trouble::SessionLost)) {
                outcome = Err(Trouble::SessionUseless);
            }
        }
        self.learn(&mut state, settings, &account, &outcome);
        outcome.map_err(Failure::Bmc)
    }

    /// One try. A session that is lost is ended all the same, since it may still occupy a slot; any other is kept.
    async fn attempt(
        &self,
        state: &mut State,
        settings: &RedfishSettings,
        account: &Account,
        named: Option<&str>,
        command: &Command,
    ) -> Result<Answer, Trouble> {
        let gap = state.gate.within(settings.limits());
        let open = match state.open.take() {
            Some(open) => open,
            None => {
                // A caller that gave up may have left one.
                self.leave(state).await;
                let requests = Arc::clone(&self.requests);
                let wire = Arc::new(Wire::new(self.http.clone(), self.address, requests)?);
                wire.set_gap(gap);
                state.opening = Some(Arc::clone(&wire));
                let refused = state.sessions_only.as_ref();
                let slotless = !refused.is_some_and(|refused| refused.is(account));
                let patience = settings.state_timeout;
                Open {
                    service: Service::open(wire, account, slotless, patience).await?,
                    account: account.clone(),
                    system: None,
                }
            }
        };
        open.service.set_gap(gap);
        // From here on the session is in the state, so that a caller that gives up does not lose it.
        let open = state.open.insert(open);
        state.opening = None;
        let outcome = open.perform(settings, named, command).await;
        match &outcome {
            // Without a slot there is nothing to keep, and a session is better.
            Err(trouble) if trouble.is_about_slots() => self.leave(state).await,
            Err(Trouble::SessionLost | Trouble::Credentials(_)) => self.leave(state).await,
            Err(Trouble::SessionsOnly) => {
                self.leave(state).await;
                state.sessions_only = Some(account.clone());
            }
            // The system may have been given another path.
            Err(trouble) if trouble.status() == Some(404) => open.system = None,
            _ => {}
        }
        outcome
    }

    fn learn(
        &self,
        state: &mut State,
        settings: &RedfishSettings,
        account: &Account,
        outcome: &Result<Answer, Trouble>,
    ) {
        let error = outcome.as_ref().err();
        let busy = state
            .open
            .as_ref()
            .is_some_and(|open| open.service.was_busy());
        let lesson = match error.map_or(Lesson::Answered, Trouble::lesson) {
            Lesson::Answered if busy => Lesson::Busy,
            other => other,
        };
        if state.gate.learn(settings.limits(), lesson)
            && let Some(error) = error
        {
            tracing::warn!(bmc = %self.address, %error, "the BMC is left alone for a while");
        }
        match error {
            Some(Trouble::Credentials(_)) => state.gate.refused(account),
            None => state.gate.not_refused(account),
            Some(_) => {}
        }
        if let Some(pause) = error.and_then(Trouble::retry_after) {
            state.gate.asked_to_wait(pause);
        }
    }

    /// Ends the session, and one that was being opened. Each stays in the state until then, so that a caller that gives up leaves it
    /// to the next.
    async fn leave(&self, state: &mut State) {
        if let Some(open) = &state.open {
            self.note(open.service.close().await);
        }
        state.open = None;
        if let Some(wire) = &state.opening {
            self.note(wire.log_out().await);
        }
        state.opening = None;
    }

    fn note(&self, ended: Result<(), Trouble>) {
        if let Err(error) = ended {
            tracing::debug!(bmc = %self.address, %error, "session could not be closed");
        }
    }
}

#[async_trait]
impl Actor for Bmc {
    fn reading(&self) -> Option<Reading> {
        Some(Reading {
            requests: Some(self.requests.load(Ordering::Relaxed)),
            ..self.meter.reading(self.address.to_string())
        })
    }

    async fn close(&self) {
        let mut state = self.state.lock().await;
        self.leave(&mut state).await;
    }

    async fn close_if_idle(&self, idle: Duration) {
        // Held until the session has ended: a command that comes meanwhile waits, and opens another.
        if let Ok(mut state) = self.state.try_lock()
            && state.gate.idle().is_none_or(|rest| rest >= idle)
        {
            self.leave(&mut state).await;
        }
    }
}

impl Open {
    async fn perform(
        &mut self,
        settings: &RedfishSettings,
        named: Option<&str>,
        command: &Command,
    ) -> Result<Answer, Trouble> {
        let path = self.system(named).await?;
        let service = &self.service;
        let patience = settings.state_timeout;
        Ok(match command {
            Command::Power => Answer::Power(system::read(service, &path).await?.power()?),
            Command::Boot => Answer::Boot(boot::read(service, &path).await?),
            Command::Switch(on) => Answer::Switched(
                system::switch(service, &path, *on, settings.settle_after_reset).await?,
            ),
            Command::SetBoot(wanted) => {
                if let Some(image) = &wanted.media {
                    media::insert(service, &path, image, patience).await?;
                }
                boot::write(service, &path, wanted).await?;
                Answer::Done
            }
            Command::Identity => {
                let system = system::read(service, &path).await?;
                Answer::Identity(inventory::identity(&system.raw, service.root()))
            }
            Command::Read(part) => {
                let system = system::read(service, &path).await?;
                Answer::Part(inventory::read(service, &system.raw, *part).await?)
            }
            Command::Media => Answer::Media(media::inserted(service, &path).await?),
            Command::Insert(image) => {
                media::insert(service, &path, image, patience).await?;
                Answer::Done
            }
            Command::Eject => {
                media::eject(service, &path, patience).await?;
                Answer::Done
            }
        })
    }

    /// The path of the node's system, looked for once a session.
    async fn system(&mut self, named: Option<&str>) -> Result<String, Trouble> {
        if let Some((known, path)) = &self.system
            && known.as_deref() == named
        {
            return Ok(path.clone());
        }
        let path = system::find(&self.service, named).await?;
        self.system = Some((named.map(str::to_owned), path.clone()));
        Ok(path)
    }
}
