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
            self.end(state.open.take()).await;
        }
        let reused = state.open.is_some();
        let mut outcome = self
            .attempt(&mut state, settings, &account, named, command)
            .await;
        if reused && matches!(outcome, Err(Trouble::SessionLost)) {
            outcome = self
                .attempt(&mut state, settings, &account, named, command)
                .await;
        }
        self.learn(&mut state, settings, &account, &outcome);
        outcome.map_err(Failure::Bmc)
    }

    /// One try. A session that is known to be lost is forgotten, any other is kept: it occupies a slot.
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
                let requests = Arc::clone(&self.requests);
                let wire = Wire::new(self.http.clone(), self.address, requests)?;
                wire.set_gap(gap);
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
        let outcome = open.perform(settings, named, command).await;
        match &outcome {
            // Without a slot there is nothing to keep, and a session is better.
            Err(trouble) if trouble.is_about_slots() => state.open = None,
            Err(Trouble::SessionLost | Trouble::Credentials(_)) => state.open = None,
            Err(Trouble::SessionsOnly) => {
                state.open = None;
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
            Some(Trouble::Unreachable(_) | Trouble::Silent(_) | Trouble::Certificate(_)) => {}
            _ => state.gate.not_refused(),
        }
        if let Some(pause) = error.and_then(Trouble::retry_after) {
            state.gate.asked_to_wait(pause);
        }
    }

    async fn end(&self, open: Option<Open>) {
        if let Some(open) = open
            && let Err(error) = open.service.close().await
        {
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
        let open = self.state.lock().await.open.take();
        self.end(open).await;
    }

    async fn close_if_idle(&self, idle: Duration) {
        let stale = match self.state.try_lock() {
            Ok(mut state) if state.gate.idle().is_none_or(|rest| rest >= idle) => state.open.take(),
            _ => None,
        };
        self.end(stale).await;
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
