//! The network side of all BMCs of a world, bound before anything runs.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::call_log::CallLog;
use crate::error::SimError;
use crate::faults::FaultBoard;
use crate::machine::Machine;
use crate::redfish::{self, Authority, Identity, Service};
use crate::shape::{BmcKind, MachineShape, Transport};
use crate::{bmc, port};

/// The sockets of all BMCs, in the order of the machines, and what they share.
pub(super) struct Controllers {
    pub(super) bmc_port: u16,
    pub(super) redfish_port: u16,
    pub(super) ca_pem: String,
    pub(super) doors: Vec<Door>,
}

/// Where a BMC listens.
pub(super) enum Door {
    Ipmi(UdpSocket),
    Redfish(TcpListener, Option<Identity>),
}

/// Where a Redfish service is, and as what it shows itself.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) machine: String,
    pub(super) url: String,
    pub(super) certificate: Option<Vec<u8>>,
}

impl Controllers {
    /// Binds them all.
    pub(super) fn bind(machines: &[&MachineShape]) -> Result<Controllers, SimError> {
        let speaking = |ipmi: bool| -> Vec<&MachineShape> {
            machines
                .iter()
                .filter(|machine| (machine.bmc == BmcKind::Ipmi) == ipmi)
                .copied()
                .collect()
        };
        let (bmc_port, sockets) = port::bind::<UdpSocket>(&speaking(true))?;
        let (redfish_port, listeners) = port::bind::<TcpListener>(&speaking(false))?;
        let authority = Authority::new()?;
        let (mut sockets, mut listeners) = (sockets.into_iter(), listeners.into_iter());
        let mut doors = Vec::new();
        for machine in machines {
            let door = match machine.bmc {
                BmcKind::Ipmi => sockets.next().map(Door::Ipmi),
                BmcKind::Redfish(transport) => {
                    let identity = match transport {
                        Transport::Http => None,
                        Transport::SelfSigned => Some(authority.self_signed(machine)?),
                        Transport::Issued => Some(authority.issued(machine)?),
                    };
                    listeners
                        .next()
                        .map(|listener| Door::Redfish(listener, identity))
                }
            };
            doors.extend(door);
        }
        Ok(Controllers {
            bmc_port,
            redfish_port,
            ca_pem: authority.pem(),
            doors,
        })
    }
}

impl Door {
    /// Serves the BMC of `machine` there, by a task of `tasks`. Gives where a Redfish service is.
    pub(super) fn open(
        self,
        machine: &Arc<Machine>,
        faults: &FaultBoard,
        log: &CallLog,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> Option<Place> {
        let (machine, stop) = (Arc::clone(machine), stop.clone());
        match self {
            Door::Ipmi(socket) => {
                tasks.spawn(bmc::run(machine, socket, faults.clone(), stop));
                None
            }
            Door::Redfish(listener, identity) => {
                let address = listener.local_addr().unwrap_or_else(|_| {
                    SocketAddr::new(
                        machine.shape.bmc_address,
                        machine.shape.bmc_port.unwrap_or_default(),
                    )
                });
                let scheme = if identity.is_some() { "https" } else { "http" };
                let place = Place {
                    machine: machine.shape.name.clone(),
                    url: format!("{scheme}://{address}"),
                    certificate: identity.as_ref().map(|identity| identity.der.clone()),
                };
                let service = Service::new(machine, faults.clone(), log.clone());
                tasks.spawn(redfish::run(service, listener, identity, stop));
                Some(place)
            }
        }
    }
}
