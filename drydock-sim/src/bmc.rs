//! The IPMI side of the simulated machines: their sockets, and the chassis behind them.

mod inventory;
mod vendor;

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use drydock_ipmi::bmc::{Account, Bmc, BmcConfig, Chassis, Faults, Inventory, serve_with};
use drydock_ipmi::{CompletionCode, Control, DeviceId};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::faults::{FaultBoard, MachineFaults, Vendor};
use crate::machine::Machine;

/// A machine as its BMC sees it.
struct Wired {
    machine: Arc<Machine>,
    vendor: Vendor,
    faults: FaultBoard,
}

impl Chassis for Wired {
    fn power_on(&self) -> bool {
        self.machine.powered()
    }

    fn control(&self, control: Control) -> Result<(), u8> {
        if control == Control::Cycle && vendor::lacks_cycle(self.vendor) {
            return Err(CompletionCode::INVALID_FIELD.0);
        }
        self.machine
            .power_from_bmc(control)
            .map_err(|_| CompletionCode::NOT_IN_THIS_STATE.0)
    }

    fn boot_flags(&self) -> [u8; 5] {
        vendor::shown_flags(self.vendor, self.machine.boot_flags())
    }

    fn set_boot_flags(&self, flags: [u8; 5]) -> Result<(), u8> {
        let flags = vendor::kept_flags(self.vendor, flags);
        self.machine.boot_flags_from_bmc(flags);
        Ok(())
    }

    fn device_id(&self) -> DeviceId {
        DeviceId {
            id: 0x20,
            revision: 1,
            firmware_major: 1,
            firmware_minor: 0,
            ipmi_version: 0x02,
            // Chassis, FRU inventory, event log, sensor data repository, sensors.
            support: 0x8f,
            manufacturer: vendor::manufacturer(self.vendor),
            ..DeviceId::default()
        }
    }

    fn inventory(&self) -> Option<Arc<Inventory>> {
        let faults = self.faults.machine(&self.machine.shape.name);
        let powered = self.machine.powered();
        let inventory = inventory::inventory(&self.machine.shape, powered, faults.bmc.sensor_alarm);
        Some(Arc::new(inventory))
    }
}

/// The faults that the datagrams see.
fn on_the_wire(faults: &MachineFaults) -> Faults {
    let bmc = faults.bmc;
    Faults {
        silent: faults.bmc_silent,
        loss_per_mille: bmc.loss_per_mille,
        duplicate_per_mille: bmc.duplicate_per_mille,
        reorder_per_mille: bmc.reorder_per_mille,
        reorder_by: Duration::from_millis(bmc.reorder_ms),
        delay: Duration::from_millis(bmc.delay_ms),
        busy_every: bmc.busy_every,
        slots_taken: bmc.slots_taken,
        crashes_above: bmc.crashes_above,
        crash_for: Duration::from_millis(bmc.crash_ms),
        ..Faults::default()
    }
}

/// Serves the BMC of `machine` until `stop`. Faults that are set meanwhile take effect with the next datagram; another
/// password or vendor ends all sessions, as a reset of the BMC would.
pub(crate) async fn run(
    machine: Arc<Machine>,
    socket: UdpSocket,
    faults: FaultBoard,
    stop: CancellationToken,
) {
    let name = machine.shape.name.clone();
    let network = watch::Sender::new(on_the_wire(&faults.machine(&name)));
    let mut changes = faults.changes();
    while !stop.is_cancelled() {
        let begun = faults.machine(&name);
        let (wrong, vendor) = (begun.bmc_wrong_password, begun.bmc.vendor);
        let shape = &machine.shape;
        let password = if wrong {
            SecretString::from(format!("not-{:08x}", rand::random::<u32>()))
        } else {
            shape.bmc_password.clone()
        };
        let account = Account::administrator(shape.bmc_user.clone(), password);
        let chassis = Wired {
            machine: Arc::clone(&machine),
            vendor,
            faults: faults.clone(),
        };
        let config = vendor::apply(vendor, BmcConfig::new(account));
        let bmc = Bmc::new(config, Arc::new(chassis), rand::random());
        let socket = match socket.try_clone().and_then(tokio::net::UdpSocket::from_std) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(machine = %name, %error, "the simulated BMC lost its socket");
                return;
            }
        };
        let another_bmc = async {
            loop {
                network.send_replace(on_the_wire(&faults.machine(&name)));
                let changed = tokio::select! {
                    () = stop.cancelled() => false,
                    changed = changes.changed() => changed.is_ok(),
                };
                let now = faults.machine(&name);
                if !changed || (now.bmc_wrong_password, now.bmc.vendor) != (wrong, vendor) {
                    return;
                }
            }
        };
        if let Err(error) = serve_with(socket, bmc, network.subscribe(), another_bmc).await {
            tracing::error!(machine = %name, %error, "the simulated BMC stopped");
            return;
        }
    }
}
