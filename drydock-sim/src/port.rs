//! Sockets of many machines: one port for all that name none, the standard one where it can be had.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use crate::error::SimError;
use crate::shape::MachineShape;

/// Unprivileged ports tried before giving up.
const ATTEMPTS: usize = 32;

/// A socket that a BMC can listen on.
pub(crate) trait Socket: Sized {
    /// The port that the protocol has by standard.
    const STANDARD: u16;

    /// A socket that listens there and does not block.
    fn listen(address: SocketAddr) -> io::Result<Self>;

    /// The port it listens on.
    fn port(&self) -> io::Result<u16>;
}

impl Socket for UdpSocket {
    /// IPMI over LAN (IPMI v2.0 section 13.1.2).
    const STANDARD: u16 = 623;

    fn listen(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn port(&self) -> io::Result<u16> {
        Ok(self.local_addr()?.port())
    }
}

impl Socket for TcpListener {
    /// HTTPS, by which Redfish is spoken (DSP0266 section 13).
    const STANDARD: u16 = 443;

    fn listen(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn port(&self) -> io::Result<u16> {
        Ok(self.local_addr()?.port())
    }
}

/// Binds a socket for each machine, in order, and gives the port of those that name none.
pub(crate) fn bind<S: Socket>(machines: &[&MachineShape]) -> Result<(u16, Vec<S>), SimError> {
    let mut named = Vec::new();
    for machine in machines {
        named.push(match machine.bmc_port {
            None => None,
            Some(port) => {
                let address = SocketAddr::new(machine.bmc_address, port);
                let socket = S::listen(address).map_err(|source| SimError::BmcBind {
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
fn bind_shared<S: Socket>(machines: &[&MachineShape]) -> Result<(u16, Vec<S>), SimError> {
    let Some(first) = machines.first() else {
        return Ok((S::STANDARD, Vec::new()));
    };
    let mut refusal = match bind_all(machines, S::STANDARD) {
        Ok(sockets) => return Ok((S::STANDARD, sockets)),
        Err(error) => error,
    };
    for _ in 0..ATTEMPTS {
        // The system chooses a port for the first address; whether it is free on the others is found by trying.
        let chosen =
            S::listen(SocketAddr::new(first.bmc_address, 0)).and_then(|socket| socket.port());
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

fn bind_all<S: Socket>(machines: &[&MachineShape], port: u16) -> io::Result<Vec<S>> {
    machines
        .iter()
        .map(|machine| S::listen(SocketAddr::new(machine.bmc_address, port)))
        .collect()
}
