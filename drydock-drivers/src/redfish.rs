//! The Redfish driver: power, boot device, virtual media and inventory of a node through its BMC's Redfish service (DMTF DSP0266).
//!
//! The client crate brings documents and their repairs; the connection is ours ([`wire`]): one session per BMC that is always ended,
//! one request at a time, answers of limited size, TLS by a policy, and never a second try of refused credentials.

mod actor;
mod boot;
pub mod fuzz;
mod inventory;
mod media;
mod quirks;
mod service;
mod system;
mod tls;
mod transport;
mod trouble;
mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use drydock_model::driver::DriverError;
use drydock_model::effective::Node;

use self::actor::{Answer, Bmc, Command, Failure};
use self::trouble::without_userinfo;
use crate::allow::AllowNetworks;
use crate::oob::account::{Account, bmc_address};
use crate::oob::actors::Actors;
use crate::oob::pace::Limits;
use crate::oob::{
    Boot, BootDevice, Budget, Controller, Interrogation, OobDriver, Override, Reading, Switched,
    Timing, Words, boot_once,
};

pub use self::tls::{Fingerprint, TlsPolicy};

/// The parameter of a design that names the node's system where a service lists several: its id or its path.
const SYSTEM: &str = "redfish_system";
/// The parameter of a design that names the image for a boot from CD.
const MEDIA: &str = "redfish_media";

/// Settings of the Redfish driver (`oob.redfish.*`, `oob.settle_after_reset`, `oob.state_timeout`).
#[derive(Clone, Debug)]
pub struct RedfishSettings {
    /// TCP port of BMCs whose node gives none.
    pub port: u16,
    /// Shortest pause between two commands to one BMC.
    pub gap_floor: Duration,
    /// Longest such pause; a BMC that is busy or silent gets towards it.
    pub gap_ceiling: Duration,
    /// How long one request may take, its answer included.
    pub timeout: Duration,
    /// Which certificates are good.
    pub tls: TlsPolicy,
    /// How many commands may be under way, over all drivers that share it.
    pub budget: Budget,
    /// A power state that contradicts an acknowledged command is not believed for this long.
    pub settle_after_reset: Duration,
    /// After this the BMC counts as having not honoured the command.
    pub state_timeout: Duration,
    /// How often to look while a power state is awaited.
    pub poll: Duration,
}

impl Default for RedfishSettings {
    fn default() -> Self {
        RedfishSettings {
            port: 443,
            gap_floor: Duration::from_millis(100),
            gap_ceiling: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            tls: TlsPolicy::default(),
            budget: Budget::default(),
            settle_after_reset: Duration::from_secs(15),
            state_timeout: Duration::from_secs(60),
            poll: Duration::from_secs(2),
        }
    }
}

impl RedfishSettings {
    fn limits(&self) -> Limits {
        Limits {
            floor: self.gap_floor,
            ceiling: self.gap_ceiling.max(self.gap_floor),
        }
    }
}

/// The driver for `oob.type: redfish`. One for a process, so that a BMC has one actor.
pub type RedfishDriver = OobDriver<Redfish>;

impl OobDriver<Redfish> {
    /// The driver. Nothing is sent yet.
    ///
    /// # Errors
    /// What is wrong with the settings for TLS.
    pub fn new(settings: RedfishSettings, allow: AllowNetworks) -> Result<Self, DriverError> {
        let timing = Timing {
            settle_after_reset: settings.settle_after_reset,
            state_timeout: settings.state_timeout,
            poll: settings.poll,
        };
        Ok(OobDriver::of(Redfish::new(settings, allow)?, timing))
    }
}

/// BMCs that speak Redfish.
pub struct Redfish {
    settings: RedfishSettings,
    allow: AllowNetworks,
    http: reqwest::Client,
    actors: Actors<SocketAddr, Bmc>,
}

impl Redfish {
    fn new(settings: RedfishSettings, allow: AllowNetworks) -> Result<Self, DriverError> {
        Ok(Redfish {
            http: wire::client(&settings)?,
            settings,
            allow,
            actors: Actors::default(),
        })
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
        let named = node
            .oob
            .params
            .get(SYSTEM)
            .map(|name| name.trim_end_matches('/'));
        self.actors
            .of(address, || {
                Bmc::new(address, self.http.clone(), self.settings.budget.clone())
            })
            .run(&self.settings, account, named, &command)
            .await
            .map_err(|failure| match failure {
                Failure::Held(held) => held.into_error(tried, &target),
                Failure::Bmc(trouble) => trouble.into_error(tried, &target),
            })
    }

    /// The image in the machine's virtual drive.
    ///
    /// # Errors
    /// That the BMC has no such drive, or did not answer.
    pub async fn media(&self, node: &Node) -> Result<Option<String>, DriverError> {
        match self.send(node, Command::Media).await? {
            Answer::Media(image) => Ok(image),
            other => Err(mixed_up(node, &other)),
        }
    }

    /// Puts an image, named by a URL that the BMC can read, into the machine's virtual drive, and reads it back. Another image is
    /// taken out first; the same one is left alone.
    ///
    /// # Errors
    /// What was refused, or not honoured.
    pub async fn insert_media(&self, node: &Node, image: &str) -> Result<(), DriverError> {
        let command = Command::Insert(image.to_owned());
        self.send(node, command).await.map(|_| ())
    }

    /// Takes the image out of the machine's virtual drive; an empty one is left alone.
    ///
    /// # Errors
    /// What was refused, or not honoured.
    pub async fn eject_media(&self, node: &Node) -> Result<(), DriverError> {
        self.send(node, Command::Eject).await.map(|_| ())
    }
}

#[async_trait]
impl Controller for Redfish {
    fn words(&self) -> Words {
        Words {
            name: "redfish",
            title: "Redfish",
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

    /// With the image in the drive where that is what the node is to boot from.
    async fn boot(&self, node: &Node) -> Result<Boot, DriverError> {
        let mut boot = match self.send(node, Command::Boot).await? {
            Answer::Boot(boot) => boot,
            other => return Err(mixed_up(node, &other)),
        };
        if boot.device == Override::To(BootDevice::Cdrom) && node.oob.params.contains_key(MEDIA) {
            boot.media = match self.media(node).await {
                Ok(image) => image.map(|image| without_userinfo(&image)),
                Err(error) if error.is_transient() => return Err(error),
                // Without a drive there is no image; putting it in tells why.
                Err(_) => None,
            };
        }
        Ok(boot)
    }

    async fn set_power(&self, node: &Node, on: bool) -> Result<Switched, DriverError> {
        match self.send(node, Command::Switch(on)).await? {
            Answer::Switched(switched) => Ok(switched),
            other => Err(mixed_up(node, &other)),
        }
    }

    async fn set_boot(&self, node: &Node, boot: &Boot) -> Result<(), DriverError> {
        let mut boot = boot.clone();
        // What is planned, and kept, is without user and password.
        if let Some(image) = node.oob.params.get(MEDIA)
            && boot.media.as_ref() == Some(&without_userinfo(image))
        {
            boot.media = Some(image.clone());
        }
        let command = Command::SetBoot(boot);
        self.send(node, command).await.map(|_| ())
    }

    /// Without a hardware profile nothing is known of the firmware, so the mode is left as it is.
    fn wish(&self, node: &Node, device: BootDevice) -> Boot {
        let mut boot = boot_once(node, device);
        if node.hardware.is_none() {
            boot.uefi = None;
        }
        if device == BootDevice::Cdrom {
            let image = node.oob.params.get(MEDIA);
            boot.media = image.map(|image| without_userinfo(image));
        }
        boot
    }

    fn honoured(&self, wanted: &Boot, seen: &Boot) -> bool {
        let same_mode = match (wanted.uefi, seen.uefi) {
            (Some(wanted), Some(seen)) => wanted == seen,
            // Nothing is wished, or nothing is told.
            _ => true,
        };
        let same_media = wanted.media.is_none() || wanted.media == seen.media;
        seen.boots(wanted.device) && same_mode && same_media
    }

    async fn interrogate(
        &self,
        node: &Node,
        power_on: bool,
        time_left: Duration,
    ) -> Result<Interrogation, DriverError> {
        let identity = match self.send(node, Command::Identity).await? {
            Answer::Identity(identity) => identity,
            other => return Err(mixed_up(node, &other)),
        };
        let description = inventory::description(&identity);
        let inventory = self.inventory(node, power_on, &identity, time_left).await;
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

fn mixed_up(node: &Node, answer: &Answer) -> DriverError {
    DriverError::permanent(
        "reading an answer",
        node.name.as_str(),
        format!("{answer:?}"),
        "report this as a defect",
    )
}
