//! Why a simulated world could not be started.

use std::io;
use std::net::{IpAddr, SocketAddr};

/// Failure to start the world. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A BMC address lies outside 127.0.0.0/8 and ::1.
    #[error(
        "the BMC of {machine} has the address {address}, which is not on the loopback; the simulator serves only \
         127.0.0.0/8 and ::1, so give it an address from there"
    )]
    NotLoopback {
        /// The machine.
        machine: String,
        /// The refused address.
        address: IpAddr,
    },
    /// Two machines share what must be unique.
    #[error("the {what} {value} is used twice; give each machine its own")]
    Twice {
        /// What is shared.
        what: &'static str,
        /// The shared value.
        value: String,
    },
    /// The boot card does not exist.
    #[error("{machine} boots from card number {boot_nic} but has {nics} cards; count from 0")]
    NoBootNic {
        /// The machine.
        machine: String,
        /// The index asked for.
        boot_nic: usize,
        /// How many cards there are.
        nics: usize,
    },
    /// A BMC socket with a port of its own cannot be bound.
    #[error(
        "cannot bind the BMC of {machine} to {address}: {source}; choose another port or stop what holds it"
    )]
    BmcBind {
        /// The machine.
        machine: String,
        /// The socket address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No port is free on all BMC addresses.
    #[error(
        "found no port that is free on all {count} BMC addresses: {source}; stop other simulators and retry"
    )]
    NoSharedPort {
        /// Number of BMCs that must share the port.
        count: usize,
        /// The last refusal.
        source: io::Error,
    },
    /// No certificate can be made for the Redfish services.
    #[error("cannot make the certificate of {subject}: {why}; this is a defect of the simulator")]
    Certificate {
        /// Whose it was to be.
        subject: String,
        /// What is wrong.
        why: String,
    },
    /// An HTTP server cannot be started.
    #[error("cannot start the {what} on 127.0.0.1: {source}")]
    Http {
        /// Which server.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Faults name a machine that does not exist.
    #[error("there is no machine {name} to break; faults go by the names of the site's machines")]
    UnknownMachine {
        /// The unknown name.
        name: String,
    },
    /// The call-back address is not one a simulated machine may call.
    #[error(
        "{url} cannot be the call-back address: {why}; give the base of a drydock server on the loopback, such as \
         http://127.0.0.1:9000/api/v1.0"
    )]
    CallBackUrl {
        /// The refused address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The HTTP client for call-backs cannot be built.
    #[error("cannot build the HTTP client of the simulated machines: {0}")]
    Client(#[source] reqwest::Error),
}
