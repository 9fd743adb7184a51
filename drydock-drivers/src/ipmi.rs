//! The IPMI driver: power and boot device of a node through its BMC.
//!
//! One actor per BMC: one session, one command in flight, a gap between commands. The chassis command `cycle` is never sent.

mod actor;
mod inventory;

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use drydock_ipmi::{BootMode, BootOptions, CipherSuite, DeviceId, Error, Persistence, Privilege};
use drydock_model::driver::{DriverError, ErrorClass};
use drydock_model::effective::Node;
use secrecy::SecretString;

use self::actor::{Answer, Bmc, Command, Failure};
use crate::allow::AllowNetworks;
use crate::oob::account::{Account, bmc_address};
use crate::oob::actors::Actors;
use crate::oob::pace::Limits;
use crate::oob::{
    Boot, BootDevice, Budget, Controller, Interrogation, OobDriver, Override, Reading, Switched,
    Timing, Words,
};

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
    /// BMC key of BMCs that want two-key logins (IPMI v2.0 section 13.33), at most 20 bytes.
    pub kg: Option<SecretString>,
    /// How many commands may be under way to all controllers together.
    pub budget: Budget,
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
            kg: None,
            budget: Budget::default(),
            settle_after_reset: Duration::from_secs(15),
            state_timeout: Duration::from_secs(60),
            poll: Duration::from_secs(1),
        }
    }
}

impl IpmiSettings {
    fn limits(&self) -> Limits {
        Limits {
            floor: self.gap_floor,
            ceiling: self.gap_ceiling.max(self.gap_floor),
        }
    }

    fn timing(&self) -> Timing {
        Timing {
            settle_after_reset: self.settle_after_reset,
            state_timeout: self.state_timeout,
            poll: self.poll,
        }
    }
}

/// The driver for `oob.type: ipmi`. One for a process, so that a BMC has one actor.
pub type IpmiDriver = OobDriver<Ipmi>;

impl OobDriver<Ipmi> {
    /// The driver. Nothing is sent yet.
    #[must_use]
    pub fn new(settings: IpmiSettings, allow: AllowNetworks) -> Self {
        let timing = settings.timing();
        OobDriver::of(Ipmi::new(settings, allow), timing)
    }
}

/// BMCs that speak IPMI.
pub struct Ipmi {
    settings: IpmiSettings,
    allow: AllowNetworks,
    actors: Actors<SocketAddr, Bmc>,
}

impl Ipmi {
    fn new(settings: IpmiSettings, allow: AllowNetworks) -> Self {
        Ipmi {
            settings,
            allow,
            actors: Actors::default(),
        }
    }

    fn bmc_address(&self, node: &Node, tried: &str) -> Result<SocketAddr, DriverError> {
        bmc_address(node, self.settings.port, &self.allow, tried)
    }

    /// Sends one command to the node's BMC.
    async fn send(&self, node: &Node, command: Command) -> Result<Answer, DriverError> {
        let tried = command.name();
        let address = self.bmc_address(node, tried)?;
        let target = format!("BMC {address} of {}", node.name);
        let account = Account::of(node, tried, &target).await?;
        self.actors
            .of(address, || Bmc::new(address, self.settings.budget.clone()))
            .run(&self.settings, account, command)
            .await
            .map_err(|failure| failed(tried, target, failure))
    }

    async fn device(&self, node: &Node) -> Result<DeviceId, DriverError> {
        match self.send(node, Command::Device).await? {
            Answer::Device(device) => Ok(device),
            other => Err(mixed_up(node, &other)),
        }
    }
}

#[async_trait]
impl Controller for Ipmi {
    fn words(&self) -> Words {
        Words {
            name: "ipmi",
            title: "IPMI",
            controller: "BMC",
            target: "bmc",
            generator: inventory::GENERATOR,
        }
    }

    fn address(&self, node: &Node, tried: &str) -> Result<String, DriverError> {
        self.bmc_address(node, tried)
            .map(|address| address.to_string())
    }

    async fn power(&self, node: &Node) -> Result<bool, DriverError> {
        match self.send(node, Command::Power).await? {
            Answer::Power(on) => Ok(on),
            other => Err(mixed_up(node, &other)),
        }
    }

    async fn boot(&self, node: &Node) -> Result<Boot, DriverError> {
        match self.send(node, Command::Boot).await? {
            Answer::Boot(options) => Ok(boot_of(&options)),
            other => Err(mixed_up(node, &other)),
        }
    }

    async fn set_power(&self, node: &Node, on: bool) -> Result<Switched, DriverError> {
        let command = if on { Command::On } else { Command::Off };
        self.send(node, command).await?;
        Ok(Switched::Acknowledged)
    }

    async fn set_boot(&self, node: &Node, boot: &Boot) -> Result<(), DriverError> {
        let Override::To(device) = boot.device else {
            let got = format!("{boot} is nothing that a BMC is asked for");
            let advice = "report this as a defect";
            return Err(DriverError::permanent(
                "set boot device",
                node.name.as_str(),
                got,
                advice,
            ));
        };
        let mode = if boot.uefi == Some(true) {
            BootMode::Uefi
        } else {
            BootMode::Bios
        };
        let persistence = if boot.persistent {
            Persistence::Persistent
        } else {
            Persistence::Once
        };
        self.send(node, Command::SetBoot(device, mode, persistence))
            .await
            .map(|_| ())
    }

    async fn interrogate(
        &self,
        node: &Node,
        power_on: bool,
        time_left: Duration,
    ) -> Result<Interrogation, DriverError> {
        let device = self.device(node).await?;
        let description = format!(
            "device {:#04x}, firmware {}, manufacturer {}, product {}",
            device.id,
            inventory::firmware(&device),
            device.manufacturer,
            device.product
        );
        let inventory = self.inventory(node, power_on, &device, time_left).await;
        Ok(Interrogation {
            description,
            inventory,
        })
    }

    fn readings(&self) -> Vec<Reading> {
        self.actors.readings()
    }

    async fn shutdown(&self) {
        self.actors.shutdown().await;
    }
}

fn boot_of(options: &BootOptions) -> Boot {
    use drydock_ipmi::BootDevice as Wire;
    let device = match options.device {
        _ if !options.valid => Override::None,
        Some(Wire::None) => Override::None,
        Some(Wire::Pxe) => Override::To(BootDevice::Network),
        Some(Wire::Disk) => Override::To(BootDevice::Disk),
        Some(Wire::Cd) => Override::To(BootDevice::Cdrom),
        Some(Wire::Bios) => Override::To(BootDevice::Setup),
        None => Override::Another,
    };
    Boot {
        device,
        uefi: Some(options.mode == BootMode::Uefi),
        persistent: options.persistence == Persistence::Persistent,
        media: None,
    }
}

fn failed(tried: &str, target: String, failure: Failure) -> DriverError {
    let error = match failure {
        Failure::Held(held) => return held.into_error(tried, &target),
        Failure::Bmc(error) => error,
    };
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

fn mixed_up(node: &Node, answer: &Answer) -> DriverError {
    DriverError::permanent(
        "reading an answer",
        node.name.as_str(),
        format!("{answer:?}"),
        "report this as a defect",
    )
}
