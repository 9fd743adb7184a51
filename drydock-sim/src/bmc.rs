//! The BMCs of the simulated machines: their sockets, and the chassis behind them.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use drydock_ipmi::bmc::{Account, Bmc, BmcConfig, Chassis, Faults, serve_with};
use drydock_ipmi::{CompletionCode, Control, DeviceId};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::SimError;
use crate::faults::FaultBoard;
use crate::machine::Machine;
use crate::shape::MachineShape;

/// The port IPMI over LAN has by standard (IPMI v2.0 section 13.1.2).
const IPMI_PORT: u16 = 623;
/// Unprivileged ports tried before giving up.
const ATTEMPTS: usize = 32;

/// Binds a socket for each machine, in order, and gives the port of those that name none.
pub(crate) fn bind(machines: &[&MachineShape]) -> Result<(u16, Vec<UdpSocket>), SimError> {
    let mut named = Vec::new();
    for machine in machines {
        named.push(match machine.bmc_port {
            None => None,
            Some(port) => {
                let address = SocketAddr::new(machine.bmc_address, port);
                let socket = listen(address).map_err(|source| SimError::BmcBind {
                    machine: machine.name.clone(),
                    address,
                    source,
                })?;
                Some(socket)
            }
        });
    }
    let sharing: Vec<&MachineShape> = machines
        .iter()
        .filter(|machine| machine.bmc_port.is_none())
        .copied()
        .collect();
    let (port, shared) = bind_shared(&sharing)?;
    let mut shared = shared.into_iter();
    let sockets = named
        .into_iter()
        .filter_map(|socket| socket.or_else(|| shared.next()));
    Ok((port, sockets.collect()))
}

/// Binds all on the standard port, or else on one unprivileged port that is free on every address.
fn bind_shared(machines: &[&MachineShape]) -> Result<(u16, Vec<UdpSocket>), SimError> {
    let Some(first) = machines.first() else {
        return Ok((IPMI_PORT, Vec::new()));
    };
    let mut refusal = match bind_all(machines, IPMI_PORT) {
        Ok(sockets) => return Ok((IPMI_PORT, sockets)),
        Err(error) => error,
    };
    for _ in 0..ATTEMPTS {
        // The system chooses a port for the first address; whether it is free on the others is found by trying.
        let chosen = listen(SocketAddr::new(first.bmc_address, 0))
            .and_then(|socket| socket.local_addr())
            .map(|address| address.port());
        match chosen.and_then(|port| Ok((port, bind_all(machines, port)?))) {
            Ok(bound) => return Ok(bound),
            Err(error) => refusal = error,
        }
    }
    Err(SimError::NoSharedPort {
        count: machines.len(),
        source: refusal,
    })
}

fn bind_all(machines: &[&MachineShape], port: u16) -> io::Result<Vec<UdpSocket>> {
    machines
        .iter()
        .map(|machine| listen(SocketAddr::new(machine.bmc_address, port)))
        .collect()
}

fn listen(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A machine as its BMC sees it.
struct Wired(Arc<Machine>);

impl Chassis for Wired {
    fn power_on(&self) -> bool {
        self.0.powered()
    }

    fn control(&self, control: Control) -> Result<(), u8> {
        self.0
            .power_from_bmc(control)
            .map_err(|_| CompletionCode::NOT_IN_THIS_STATE.0)
    }

    fn boot_flags(&self) -> [u8; 5] {
        self.0.boot_flags()
    }

    fn set_boot_flags(&self, flags: [u8; 5]) -> Result<(), u8> {
        self.0.boot_flags_from_bmc(flags);
        Ok(())
    }

    fn device_id(&self) -> DeviceId {
        DeviceId {
            id: 0x20,
            revision: 1,
            firmware_major: 1,
            firmware_minor: 0,
            ipmi_version: 0x02,
            support: 0x80,
            ..DeviceId::default()
        }
    }
}

/// Serves the BMC of `machine` until `stop`. Faults that are set meanwhile take effect with the next datagram; another
/// password ends all sessions, as a reset of the BMC would.
pub(crate) async fn run(
    machine: Arc<Machine>,
    socket: UdpSocket,
    faults: FaultBoard,
    stop: CancellationToken,
) {
    let name = machine.shape.name.clone();
    let network = watch::Sender::new(Faults::default());
    let mut changes = faults.changes();
    while !stop.is_cancelled() {
        let wrong = faults.machine(&name).bmc_wrong_password;
        let shape = &machine.shape;
        let password = if wrong {
            SecretString::from(format!("not-{:08x}", rand::random::<u32>()))
        } else {
            shape.bmc_password.clone()
        };
        let account = Account::administrator(shape.bmc_user.clone(), password);
        let bmc = Bmc::new(
            BmcConfig::new(account),
            Arc::new(Wired(Arc::clone(&machine))),
            rand::random(),
        );
        let socket = match socket.try_clone().and_then(tokio::net::UdpSocket::from_std) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(machine = %name, %error, "the simulated BMC lost its socket");
                return;
            }
        };
        let another_password = async {
            loop {
                let silent = faults.machine(&name).bmc_silent;
                network.send_replace(Faults {
                    silent,
                    ..Faults::default()
                });
                let changed = tokio::select! {
                    () = stop.cancelled() => false,
                    changed = changes.changed() => changed.is_ok(),
                };
                if !changed || faults.machine(&name).bmc_wrong_password != wrong {
                    return;
                }
            }
        };
        if let Err(error) = serve_with(socket, bmc, network.subscribe(), another_password).await {
            tracing::error!(machine = %name, %error, "the simulated BMC stopped");
            return;
        }
    }
}
