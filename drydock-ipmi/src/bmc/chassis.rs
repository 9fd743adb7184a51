//! What stands behind a BMC.

use std::sync::Arc;

use crate::bmc::Inventory;
use crate::command::chassis::Control;
use crate::command::device::DeviceId;

/// The machine a simulated BMC controls. Called from the BMC's loop, so every method returns at once.
pub trait Chassis: Send + Sync {
    /// Whether the power is on.
    fn power_on(&self) -> bool;

    /// Carries out a control command, or refuses it.
    ///
    /// # Errors
    ///
    /// The completion code to answer, for instance 0xC0 (busy) or 0xD5 (not in this state).
    fn control(&self, control: Control) -> Result<(), u8>;

    /// Data of boot parameter 5 as last written, or as the machine changed it when it booted.
    fn boot_flags(&self) -> [u8; 5];

    /// Keeps new boot flags, or refuses them.
    ///
    /// # Errors
    ///
    /// The completion code to answer.
    fn set_boot_flags(&self, flags: [u8; 5]) -> Result<(), u8>;

    /// Who the controller is.
    fn device_id(&self) -> DeviceId;

    /// What the machine says of itself; `None` where the BMC has no commands for that. Asked with each such command, so that
    /// sensors may move.
    fn inventory(&self) -> Option<Arc<Inventory>> {
        None
    }

    /// Hears every command that came in by a session, before it is carried out or refused; for a log of calls.
    fn observed(&self, netfn: u8, cmd: u8, data: &[u8]) {
        let _ = (netfn, cmd, data);
    }
}
