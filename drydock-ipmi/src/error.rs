//! What can go wrong between a console and a BMC, by what the caller should do about it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::completion::CompletionCode;
use crate::suite::CipherSuite;
use crate::wire::status::HandshakeStatus;

/// Why a login was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthRefusal {
    /// The BMC's proof in RAKP message 2 was made with another password.
    Password,
    /// The BMC's proof in RAKP message 4 was made with another K_g.
    Kg,
    /// The BMC refused with this status.
    Status(HandshakeStatus),
    /// The BMC refused the privilege level, or a command for want of privilege, with this completion code.
    Privilege(CompletionCode),
}

impl fmt::Display for AuthRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password => f.write_str(
                "the BMC proved itself with another password: check the password of the account",
            ),
            Self::Kg => f.write_str(
                "the BMC proved itself with another BMC key: check K_g (none is used unless one is configured)",
            ),
            Self::Status(status) if *status == HandshakeStatus::UNAUTHORIZED_NAME => {
                write!(f, "status {status}: check that the account exists and is enabled for IPMI over LAN")
            }
            Self::Status(status) => write!(
                f,
                "status {status}: check user name, password, K_g and the account's privilege level"
            ),
            Self::Privilege(code) => write!(
                f,
                "completion code {code}: give the account the privilege level it lacks, or ask for a lower one"
            ),
        }
    }
}

/// A failed exchange with a BMC. Each kind asks for another reaction of the caller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Name, password, K_g or privilege are wrong. Never to be tried again with the same: BMCs lock accounts.
    #[error("BMC {addr}: {attempted} as user {username:?} was refused: {refusal}")]
    Auth {
        /// The BMC.
        addr: SocketAddr,
        /// What was tried.
        attempted: String,
        /// The account.
        username: String,
        /// What came back.
        refusal: AuthRefusal,
    },
    /// The operating system reports that nothing listens there or no route leads there.
    #[error(
        "BMC {addr}: {attempted} did not get through ({source}): check the address, the port, and that IPMI over LAN is enabled"
    )]
    Unreachable {
        /// The BMC.
        addr: SocketAddr,
        /// What was tried.
        attempted: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// No answer. A command that changes something may have been carried out: look at the state before it is sent again.
    #[error(
        "BMC {addr}: no answer to {attempted}, sent {sent} times, within {waited:?}: check that the BMC is up and that UDP gets \
         through; whether the command was carried out is not known"
    )]
    Timeout {
        /// The BMC.
        addr: SocketAddr,
        /// What was tried.
        attempted: String,
        /// How often the request was sent.
        sent: u32,
        /// How long it was waited for, in all.
        waited: Duration,
    },
    /// The BMC is there, but cannot do it just now.
    #[error("BMC {addr}: {attempted} was put off with completion code {code}: try again later")]
    Busy {
        /// The BMC.
        addr: SocketAddr,
        /// What was tried.
        attempted: String,
        /// What came back.
        code: CompletionCode,
    },
    /// All session slots of the BMC are taken.
    #[error(
        "BMC {addr}: {attempted} was refused with status {status}: all its sessions are in use; they end by themselves after about a \
         minute, or reset the BMC"
    )]
    SessionSlotsUsedUp {
        /// The BMC.
        addr: SocketAddr,
        /// What was tried.
        attempted: String,
        /// What came back.
        status: HandshakeStatus,
    },
    /// The BMC forgot the session while the handshake was under way: open another.
    #[error(
        "BMC {addr}: {attempted} got status {status} after it was sent again: an answer was lost and the BMC dropped the session; \
         open another"
    )]
    SessionLost {
        /// The BMC.
        addr: SocketAddr,
        /// What was tried.
        attempted: String,
        /// What came back.
        status: HandshakeStatus,
    },
    /// The BMC does not have the command or the parameter.
    #[error("BMC {addr}: {attempted} is not supported: completion code {code}")]
    Unsupported {
        /// The BMC.
        addr: SocketAddr,
        /// What was tried.
        attempted: String,
        /// What came back.
        code: CompletionCode,
    },
    /// The BMC takes none of the cipher suites that were offered, or no RMCP+ session at all.
    #[error(
        "BMC {addr}: no session with cipher suites {}: enable one of them on the BMC, or configure one that it has", Suites(.tried)
    )]
    NoCommonSuite {
        /// The BMC.
        addr: SocketAddr,
        /// The suites that were offered, in order.
        tried: Vec<CipherSuite>,
    },
    /// The BMC refused the command for a reason of its own.
    #[error(
        "BMC {addr}: {attempted} (netFn {netfn:#04x}, command {cmd:#04x}) was refused: completion code {code}"
    )]
    CompletionCode {
        /// The BMC.
        addr: SocketAddr,
        /// What was tried.
        attempted: String,
        /// Network function of the request.
        netfn: u8,
        /// Command number.
        cmd: u8,
        /// What came back.
        code: CompletionCode,
    },
    /// The BMC answered with something that the protocol does not allow; the text names the BMC and what was tried.
    #[error("{0}")]
    Protocol(String),
    /// The target itself cannot be used; nothing was sent.
    #[error("BMC {addr}: {problem}")]
    InvalidTarget {
        /// The BMC.
        addr: SocketAddr,
        /// What is wrong with the target.
        problem: &'static str,
    },
    /// The operating system refused a socket, a datagram or random numbers.
    #[error("BMC {addr}: {attempted} failed on this host: {source}")]
    Io {
        /// The BMC.
        addr: SocketAddr,
        /// What was tried.
        attempted: String,
        /// What the operating system said.
        source: io::Error,
    },
}

struct Suites<'a>(&'a [CipherSuite]);

impl fmt::Display for Suites<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, suite) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{suite}")?;
        }
        Ok(())
    }
}

impl Error {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Busy { .. }
            | Self::SessionSlotsUsedUp { .. }
            | Self::SessionLost { .. }
            | Self::Io { .. } => true,
            Self::Auth { .. }
            | Self::Unsupported { .. }
            | Self::NoCommonSuite { .. }
            | Self::CompletionCode { .. }
            | Self::Protocol(_)
            | Self::InvalidTarget { .. } => false,
        }
    }

    /// Whether the credentials were refused: never try again with the same.
    pub fn is_auth(&self) -> bool {
        matches!(self, Self::Auth { .. })
    }
}
