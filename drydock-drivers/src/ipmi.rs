//! The IPMI driver: power and boot device of a node through its BMC.
//!
//! One actor per BMC: one session, one command in flight, a gap between commands. A power cycle is off, wait until off,
//! boot device, on - never the chassis command `cycle`, which many BMCs refuse when the machine is off.

mod actor;
mod inventory;
mod pace;
mod plan;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use drydock_ipmi::{BootMode, CipherSuite, DeviceId, Error, Privilege};
use drydock_model::change::{Change, JournalEntry};
use drydock_model::driver::{
    Driver, DriverError, DriverKind, ErrorClass, Observation, StepContext, StepPlan,
};
use drydock_model::effective::{FirmwareMode, Node};
use drydock_model::step::StepAction;
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;

use self::actor::{Account, Answer, Bmc, Command, Failure};
use self::plan::{Boot, POWER_OFF, POWER_ON, SET_BOOT, Seen};
use crate::allow::AllowNetworks;
use crate::credential;

/// A session that was idle this long is closed. BMCs end idle sessions after 60 s (IPMI v2.0 section 6.12.15).
const IDLE: Duration = Duration::from_secs(20);
/// How long a BMC without a free session is left alone.
const SLOTS_PAUSE: Duration = Duration::from_secs(15);

/// Settings of the IPMI driver (`oob.ipmi.*`, `oob.settle_after_reset`, `oob.state_timeout`).
#[derive(Clone, Debug)]
pub struct IpmiSettings {
    /// UDP port of BMCs whose node gives none.
    pub port: u16,
    /// Shortest pause between two commands to one BMC.
    pub gap_floor: Duration,
    /// Longest such pause; a BMC that is busy or silent gets towards it.
    pub gap_ceiling: Duration,
    /// How long one try waits for an answer.
    pub timeout: Duration,
    /// How often a request is sent again.
    pub retries: u32,
    /// Cipher suites to offer, best first.
    pub cipher_suites: Vec<CipherSuite>,
    /// Privilege level to ask for.
    pub privilege: Privilege,
    /// A power state that contradicts an acknowledged command is not believed for this long.
    pub settle_after_reset: Duration,
    /// After this the BMC counts as having not honoured the command.
    pub state_timeout: Duration,
    /// How often to look while a power state is awaited.
    pub poll: Duration,
}

impl Default for IpmiSettings {
    fn default() -> Self {
        IpmiSettings {
            port: 623,
            gap_floor: Duration::from_millis(100),
            gap_ceiling: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            retries: 3,
            cipher_suites: CipherSuite::ALL.to_vec(),
            privilege: Privilege::Administrator,
            settle_after_reset: Duration::from_secs(15),
            state_timeout: Duration::from_secs(60),
            poll: Duration::from_secs(1),
        }
    }
}

type Actors = Mutex<HashMap<SocketAddr, Arc<Bmc>>>;

/// The driver for `oob.type: ipmi`. One for a process, so that a BMC has one actor.
pub struct IpmiDriver {
    settings: IpmiSettings,
    allow: AllowNetworks,
    actors: Arc<Actors>,
    /// Closes idle sessions; ends with the driver.
    sweeper: Mutex<JoinSet<()>>,
}

impl IpmiDriver {
    /// The driver. Nothing is sent yet.
    #[must_use]
    pub fn new(settings: IpmiSettings, allow: AllowNetworks) -> Self {
        IpmiDriver {
            settings,
            allow,
            actors: Arc::default(),
            sweeper: Mutex::default(),
        }
    }

    /// Closes all sessions; commands under way end first. Later calls open new ones.
    pub async fn shutdown(&self) {
        let mut sweeper = std::mem::take(&mut *lock(&self.sweeper));
        sweeper.shutdown().await;
        let actors: Vec<Arc<Bmc>> = lock(&self.actors).drain().map(|(_, actor)| actor).collect();
        let mut closing = JoinSet::new();
        for actor in actors {
            closing.spawn(async move { actor.close().await });
        }
        while closing.join_next().await.is_some() {}
    }

    /// Where the node's BMC is, if it may be contacted.
    fn bmc_address(&self, node: &Node, tried: &str) -> Result<SocketAddr, DriverError> {
        let address = node.oob.address.ok_or_else(|| {
            DriverError::permanent(
                tried,
                node.name.as_str(),
                "the design gives no address for its controller",
                format!(
                    "give {} an address on the network that oob.network names",
                    node.name
                ),
            )
        })?;
        self.allow.check(address).map_err(|refused| {
            DriverError::permanent(
                format!("{tried} of {}", node.name),
                format!("BMC {address} of {}", node.name),
                refused.to_string(),
                "change the node's address in the design or the setting drivers.allow_networks",
            )
        })?;
        Ok(SocketAddr::new(
            address,
            node.oob.port.unwrap_or(self.settings.port),
        ))
    }

    /// Sends one command to the node's BMC.
    async fn send(&self, node: &Node, command: Command) -> Result<Answer, DriverError> {
        let address = self.bmc_address(node, command.name())?;
        let absent = |what: &str| {
            DriverError::permanent(
                command.name(),
                format!("BMC {address} of {}", node.name),
                format!("the design gives no oob.{what} for it"),
                format!("write oob.{what} of {}", node.name),
            )
        };
        let user = node.oob.account.clone().ok_or_else(|| absent("account"))?;
        let password = credential::resolve(node)
            .await?
            .ok_or_else(|| absent("credential"))?;
        let account = Account { user, password };
        self.actor(address)
            .run(&self.settings, account, command)
            .await
            .map_err(|failure| {
                let target = format!("BMC {address} of {}", node.name);
                failed(command.name(), target, &failure)
            })
    }

    fn actor(&self, address: SocketAddr) -> Arc<Bmc> {
        self.start_sweeper();
        let mut actors = lock(&self.actors);
        Arc::clone(
            actors
                .entry(address)
                .or_insert_with(|| Arc::new(Bmc::new(address))),
        )
    }

    fn start_sweeper(&self) {
        let mut sweeper = lock(&self.sweeper);
        if sweeper.is_empty() {
            sweeper.spawn(sweep(Arc::downgrade(&self.actors)));
        }
    }

    async fn power(&self, node: &Node) -> Result<bool, DriverError> {
        match self.send(node, Command::Power).await? {
            Answer::Power(on) => Ok(on),
            other => Err(mixed_up(node, &other)),
        }
    }

    async fn boot(&self, node: &Node) -> Result<Boot, DriverError> {
        match self.send(node, Command::Boot).await? {
            Answer::Boot(options) => Ok(Boot::of(&options)),
            other => Err(mixed_up(node, &other)),
        }
    }

    async fn device(&self, node: &Node) -> Result<DeviceId, DriverError> {
        match self.send(node, Command::Device).await? {
            Answer::Device(device) => Ok(device),
            other => Err(mixed_up(node, &other)),
        }
    }

    /// Some BMCs refuse what is so already ("not possible in the present state", IPMI v2.0 table 5-2: D5h, CCh), as it
    /// is after an answer was lost. Then that is no fault.
    async fn unless_so_already(
        &self,
        node: &Node,
        wanted: bool,
        error: DriverError,
    ) -> Result<String, DriverError> {
        if error.class == ErrorClass::Permanent && self.power(node).await.ok() == Some(wanted) {
            return Ok(plan::SO_ALREADY.to_owned());
        }
        Err(error)
    }

    /// Sets network boot and reads it back: some BMCs say yes and keep the old value.
    async fn set_network_boot(
        &self,
        node: &Node,
        tried: &str,
        target: &str,
    ) -> Result<String, DriverError> {
        self.send(node, Command::SetPxe(mode_of(node))).await?;
        let now = self.boot(node).await?;
        if now.is_network() {
            return Ok(format!("read back {now}"));
        }
        Err(DriverError::permanent(
            tried,
            target,
            format!("the BMC of {} said yes, read back {now}", node.name),
            "set network boot by hand or update the BMC's firmware",
        ))
    }
}

#[async_trait]
impl Driver for IpmiDriver {
    fn name(&self) -> &'static str {
        "ipmi"
    }

    fn kind(&self) -> DriverKind {
        DriverKind::Oob
    }

    async fn observe(&self, cx: &StepContext) -> Result<Observation, DriverError> {
        use StepAction as A;
        let mut seen = Seen {
            at: Utc::now(),
            bmc: String::new(),
            power_on: None,
            boot: None,
            device: None,
            inventory: None,
        };
        match cx.action {
            // Each controller is asked by its own steps; there is no service in between.
            A::ValidateOobServices | A::ConfigNodePxe => {}
            A::SetNodeBoot
            | A::PowerOffNode
            | A::PowerOnNode
            | A::PowerCycleNode
            | A::InterrogateOob => {
                let node = cx.node()?;
                seen.bmc = self.bmc_address(node, cx.action.as_str())?.to_string();
                let power_on = self.power(node).await?;
                seen.power_on = Some(power_on);
                if matches!(cx.action, A::SetNodeBoot | A::PowerCycleNode) {
                    seen.boot = Some(self.boot(node).await?);
                }
                if cx.action == A::InterrogateOob {
                    let device = self.device(node).await?;
                    seen.device = Some(format!(
                        "device {:#04x}, firmware {}, manufacturer {}, product {}",
                        device.id,
                        inventory::firmware(&device),
                        device.manufacturer,
                        device.product
                    ));
                    seen.inventory =
                        Some(self.inventory(node, power_on, &device, cx.time_left).await);
                }
                seen.at = Utc::now();
            }
            _ => return Err(foreign(cx)),
        }
        serde_json::to_value(seen)
            .map(Observation)
            .map_err(|error| unreadable(cx, &error))
    }

    fn plan(&self, cx: &StepContext, observed: &Observation, journal: &[JournalEntry]) -> StepPlan {
        match Seen::deserialize(&observed.0) {
            Ok(seen) => {
                plan::plan(cx, &self.settings, &seen, journal).unwrap_or_else(StepPlan::fail)
            }
            Err(error) => StepPlan::fail(unreadable(cx, &error)),
        }
    }

    async fn apply(&self, cx: &StepContext, change: &Change) -> Result<String, DriverError> {
        let node = cx.node()?;
        match change.verb.as_str() {
            POWER_OFF => {
                if let Err(error) = self.send(node, Command::Off).await {
                    return self.unless_so_already(node, false, error).await;
                }
                Ok("acknowledged".to_owned())
            }
            POWER_ON => {
                if let Err(error) = self.send(node, Command::On).await {
                    return self.unless_so_already(node, true, error).await;
                }
                // A machine may switch itself off again before the next look, so what is seen now is kept. Failing to
                // see it is no failure of the command.
                Ok(plan::power_evidence(self.power(node).await.ok()))
            }
            SET_BOOT => {
                self.set_network_boot(node, &change.verb, &change.target)
                    .await
            }
            _ => Err(DriverError::permanent(
                change.verb.clone(),
                change.target.clone(),
                "no action of this driver plans such a change",
                "report this as a defect",
            )),
        }
    }
}

async fn sweep(actors: Weak<Actors>) {
    let mut tick = tokio::time::interval(IDLE / 2);
    loop {
        tick.tick().await;
        let Some(actors) = actors.upgrade() else {
            return;
        };
        let all: Vec<Arc<Bmc>> = lock(&actors).values().cloned().collect();
        drop(actors);
        for actor in all {
            actor.close_if_idle(IDLE).await;
        }
    }
}

fn mode_of(node: &Node) -> BootMode {
    match node.hardware.as_ref().map(|hardware| hardware.boot_mode) {
        Some(FirmwareMode::Uefi) => BootMode::Uefi,
        Some(FirmwareMode::Bios) | None => BootMode::Bios,
    }
}

fn failed(tried: &str, target: String, failure: &Failure) -> DriverError {
    match failure {
        Failure::RefusedBefore { user } => DriverError::auth(
            tried,
            target,
            format!(
                "user {user:?} was refused a short while ago with this very password, so it was not tried again"
            ),
            "correct oob.account or oob.credential; BMCs lock accounts that fail too often",
        ),
        Failure::LeftAlone(rest) => {
            let mut result = DriverError::new(
                ErrorClass::Transient,
                tried,
                target,
                "it did not answer several times in a row, so it is left alone for a while",
                "check that the BMC is up and reachable",
            );
            result.retry_after = Some(*rest);
            result
        }
        Failure::Bmc(error) => {
            let class = if error.is_auth() {
                ErrorClass::Auth
            } else if error.is_transient() {
                ErrorClass::Transient
            } else {
                ErrorClass::Permanent
            };
            let advice = match class {
                ErrorClass::Auth => "correct oob.account or oob.credential; it is not tried again",
                ErrorClass::Transient => "",
                ErrorClass::Permanent => "see what the BMC says",
            };
            let mut result = DriverError::new(class, tried, target, error.to_string(), advice);
            if matches!(error, Error::SessionSlotsUsedUp { .. }) {
                result.retry_after = Some(SLOTS_PAUSE);
            }
            result
        }
    }
}

fn mixed_up(node: &Node, answer: &Answer) -> DriverError {
    DriverError::permanent(
        "reading an answer",
        node.name.as_str(),
        format!("{answer:?}"),
        "report this as a defect",
    )
}

fn foreign(cx: &StepContext) -> DriverError {
    DriverError::permanent(
        cx.action.as_str(),
        "the ipmi driver",
        "an out-of-band driver has no such action",
        "report this as a defect",
    )
}

fn unreadable(cx: &StepContext, error: &serde_json::Error) -> DriverError {
    let got = Value::String(error.to_string());
    DriverError::permanent(
        cx.action.as_str(),
        "an observation",
        format!("it is not of the shape that this driver observes: {got}"),
        "report this as a defect",
    )
}

/// A poisoned lock holds plain data that is still good.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
