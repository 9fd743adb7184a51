//! Out-of-band management: what is the same for every kind of controller.
//!
//! A kind of controller - IPMI, Redfish, a hypervisor - implements [`Controller`]: single questions and single commands. [`OobDriver`]
//! makes a driver of it: it observes, plans purely, applies one change a call and reads back. A power cycle is off, wait until
//! off, boot device, on - never a controller's own command for it, which many refuse when the machine is off.
//!
//! One controller is one actor ([`actors`], [`gate`]): one command in flight, a gap between commands that is learned, and no
//! second try of refused credentials.

pub(crate) mod account;
pub(crate) mod actors;
mod boot;
pub(crate) mod budget;
mod driver;
pub(crate) mod gate;
pub(crate) mod meter;
pub(crate) mod pace;
mod plan;

use std::time::Duration;

use async_trait::async_trait;
use drydock_model::driver::DriverError;
use drydock_model::effective::{FirmwareMode, Node};
use serde_json::Value;

pub use boot::{Boot, BootDevice, Override};
pub use budget::{Budget, IN_FLIGHT};
pub use driver::{Attended, OobDriver};
pub use meter::{FailureClass, LATENCY_CLASSES, Reading};

/// How messages and the journal speak of a kind of controller.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// `oob.type` of its nodes, and its name in `drivers.oob`: `ipmi`.
    pub name: &'static str,
    /// As a person writes it: `IPMI`.
    pub title: &'static str,
    /// What one of them is called: `BMC`.
    pub controller: &'static str,
    /// What stands before its address as the target of a change: `bmc`.
    pub target: &'static str,
    /// The generator of its build data: `ipmi_inventory`.
    pub generator: &'static str,
}

/// How long states take (settings `oob.settle_after_reset`, `oob.state_timeout`).
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A power state that contradicts an acknowledged command is not believed for this long.
    pub settle_after_reset: Duration,
    /// After this the controller counts as having not honoured the command.
    pub state_timeout: Duration,
    /// How often to look while a power state is awaited.
    pub poll: Duration,
}

/// What came of a power command that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    /// The controller said yes.
    Acknowledged,
    /// The controller said yes to asking the operating system to shut down, which may take minutes.
    AskedToShutDown,
    /// The machine was so already, and the controller refused for that reason.
    SoAlready,
}

/// What a controller tells of its machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interrogation {
    /// What it says it is, in one line.
    pub description: String,
    /// Everything else, as build data of [`Words::generator`].
    pub inventory: Value,
}

/// A kind of controller. Each call is one question or one command; errors are complete, as the operator reads them.
///
/// An implementation keeps one command in flight for each controller, never tries refused credentials a second time, and sends
/// nothing to an address outside [`AllowNetworks`](crate::AllowNetworks).
#[async_trait]
pub trait Controller: Send + Sync + 'static {
    /// How it is spoken of.
    fn words(&self) -> Words;

    /// Where the node's controller is, as an operator reads it. Sends nothing. `tried` is what the address is wanted for.
    ///
    /// # Errors
    /// When the design gives no address, or one that may not be contacted.
    fn address(&self, node: &Node, tried: &str) -> Result<String, DriverError>;

    /// Whether the machine is on.
    ///
    /// # Errors
    /// What could not be read and why.
    async fn power(&self, node: &Node) -> Result<bool, DriverError>;

    /// What the machine boots from next.
    ///
    /// # Errors
    /// What could not be read and why.
    async fn boot(&self, node: &Node) -> Result<Boot, DriverError>;

    /// Switches the machine on or off.
    ///
    /// # Errors
    /// What was refused, or that the answer was lost (then transient). When the refusal is permanent, the caller looks whether
    /// the machine is so already.
    async fn set_power(&self, node: &Node, on: bool) -> Result<Switched, DriverError>;

    /// Asks for a boot device. Whether it was kept is read back by the caller.
    ///
    /// # Errors
    /// What was refused, or that the answer was lost (then transient).
    async fn set_boot(&self, node: &Node, boot: &Boot) -> Result<(), DriverError>;

    /// What to ask for so that the node boots from this device once.
    fn wish(&self, node: &Node, device: BootDevice) -> Boot {
        boot_once(node, device)
    }

    /// Whether what was read back is what is wanted. By default only the device counts: some controllers keep nothing else.
    fn honoured(&self, wanted: &Boot, seen: &Boot) -> bool {
        seen.boots(wanted.device)
    }

    /// Asks the controller who it is, and everything that it tells of the machine in time. Reads only.
    ///
    /// # Errors
    /// That it does not answer or refuses the credentials. Parts that it does not have are told in the inventory.
    async fn interrogate(
        &self,
        node: &Node,
        power_on: bool,
        time_left: Duration,
    ) -> Result<Interrogation, DriverError>;

    /// The counters of each controller that was spoken to; empty where none are kept.
    fn readings(&self) -> Vec<Reading> {
        Vec::new()
    }

    /// Ends all sessions; commands under way end first. Later calls open new ones.
    async fn shutdown(&self);
}

/// What the node's firmware is, as its design says; legacy BIOS when it does not.
pub(crate) fn firmware_of(node: &Node) -> FirmwareMode {
    node.hardware
        .as_ref()
        .map_or(FirmwareMode::Bios, |hardware| hardware.boot_mode)
}

/// The boot override that a node needs to boot from a device once.
pub(crate) fn boot_once(node: &Node, device: BootDevice) -> Boot {
    Boot {
        device: Override::To(device),
        uefi: Some(firmware_of(node) == FirmwareMode::Uefi),
        persistent: false,
        media: None,
    }
}
