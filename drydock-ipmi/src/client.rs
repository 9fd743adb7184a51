//! The tokio client: logs in, hands out a [`Session`].

mod inventory;
mod link;
mod sensors;
mod session;
mod traffic;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tracing::debug;

pub use session::Session;
pub use traffic::{Traffic, TrafficSnapshot};

use crate::client::link::{Dialogue, Link};
use crate::command::CommandId;
use crate::command::channel::{self, AuthCapabilities};
use crate::crypto::keys::{MAX_SECRET, MAX_USERNAME};
use crate::crypto::nonce::NonceSource;
use crate::error::{AuthRefusal, Error};
use crate::privilege::Privilege;
use crate::session::login::{Credentials, Login, LoginFailure, Progress};
use crate::suite::CipherSuite;
use crate::wire::envelope::{self, Packet};
use crate::wire::message::{Request, Response};

/// Longer waits are mistakes, and far from what a clock can add up.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// A BMC and how to log in to it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Address and UDP port; 623 is the registered one.
    pub addr: SocketAddr,
    /// Account, at most 16 bytes.
    pub username: String,
    /// Password, at most 20 bytes.
    pub password: SecretString,
    /// BMC key, at most 20 bytes, for BMCs that want two-key logins.
    pub kg: Option<SecretString>,
    /// Privilege level of the session; chassis control needs [`Privilege::Operator`].
    pub privilege: Privilege,
    /// Cipher suites to offer, in order. The next one is offered only when the BMC refused the algorithms.
    pub suites: Vec<CipherSuite>,
    /// How long one try waits for its answer, at most an hour.
    pub timeout: Duration,
    /// How often a request is sent again before the call fails.
    pub retries: u32,
    /// Shortest time between two requests of the session, those of the login included, for BMCs that do not stand more;
    /// requests that are sent again do not wait for it. At most an hour.
    pub gap: Duration,
    /// Where the datagrams are counted.
    pub traffic: Arc<Traffic>,
}

impl Target {
    /// A target with the usual settings: administrator, suites 17 then 3, no K_g, three tries of one second, no gap.
    pub fn new(addr: SocketAddr, username: impl Into<String>, password: SecretString) -> Self {
        Self {
            addr,
            username: username.into(),
            password,
            kg: None,
            privilege: Privilege::Administrator,
            suites: CipherSuite::ALL.to_vec(),
            timeout: Duration::from_secs(1),
            retries: 2,
            gap: Duration::ZERO,
            traffic: Arc::default(),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let too_long = |secret: &SecretString| secret.expose_secret().len() > MAX_SECRET;
        let problem = if self.username.len() > MAX_USERNAME {
            "the user name is longer than the 16 bytes that IPMI 2.0 allows"
        } else if too_long(&self.password) {
            "the password is longer than the 20 bytes that IPMI 2.0 allows"
        } else if self.kg.as_ref().is_some_and(too_long) {
            "K_g is longer than the 20 bytes that IPMI 2.0 allows"
        } else if self.suites.is_empty() {
            "no cipher suite is configured: configure 17, 3 or both"
        } else if self.timeout.is_zero() {
            "the time-out is zero: configure how long a try waits"
        } else if self.timeout > LONGEST_TIMEOUT {
            "the time-out of one try is longer than an hour"
        } else if self.gap > LONGEST_TIMEOUT {
            "the gap between two requests is longer than an hour"
        } else {
            return Ok(());
        };
        Err(Error::InvalidTarget {
            addr: self.addr,
            problem,
        })
    }
}

/// The way to a [`Session`].
#[derive(Debug)]
pub struct Client;

impl Client {
    /// Logs in: Get Channel Authentication Capabilities, handshake (IPMI v2.0 section 13.15), Set Session Privilege Level.
    ///
    /// # Errors
    ///
    /// [`Error::Auth`] after exactly one attempt where the BMC refuses the credentials; [`Error::NoCommonSuite`],
    /// [`Error::SessionSlotsUsedUp`], [`Error::Timeout`], [`Error::Unreachable`] and the rest as they say. The
    /// call takes at most `timeout` times `retries + 1`, and `gap`, for each message of the handshake. Where it fails or is
    /// given up half-way, the BMC is told, so that it frees the slot.
    pub async fn connect(target: Target) -> Result<Session, Error> {
        target.check()?;
        let mut nonces = os_nonces(target.addr)?;
        let mut link = Link::open(&target).await?;
        probe(&mut link, &target, &mut nonces).await?;
        for suite in &target.suites {
            if let Some(session) = log_in(&mut link, &target, *suite).await? {
                let session = Session::new(link, session, *suite, target.username);
                return session.raise_privilege(target.privilege).await;
            }
            debug!(bmc = %target.addr, %suite, "cipher suite refused");
        }
        Err(Error::NoCommonSuite {
            addr: target.addr,
            tried: target.suites,
        })
    }
}

fn os_nonces(addr: SocketAddr) -> Result<NonceSource, Error> {
    NonceSource::from_os().map_err(|error| Error::Io {
        addr,
        attempted: "drawing random numbers".to_owned(),
        source: std::io::Error::other(error),
    })
}

/// Get Channel Authentication Capabilities (section 22.13), the one command outside a session.
struct Probe {
    datagram: Vec<u8>,
    rq_seq: u8,
}

/// What the probe found; `None` where the BMC refused the question.
type Found = Option<AuthCapabilities>;

impl Dialogue for Probe {
    type Reply = Found;

    fn datagram(&mut self, _attempt: u32) -> Option<Vec<u8>> {
        Some(self.datagram.clone())
    }

    fn receive(&mut self, datagram: &[u8]) -> Option<Found> {
        let Some(Packet::Sessionless(message)) = envelope::decode(datagram) else {
            return None;
        };
        let response = Response::decode(message)?;
        let id = CommandId::CHANNEL_AUTH_CAPABILITIES;
        let ours =
            (response.netfn, response.cmd, response.rq_seq) == (id.netfn | 1, id.cmd, self.rq_seq);
        if !ours {
            return None;
        }
        if response.completion != 0 {
            return Some(None);
        }
        AuthCapabilities::decode(response.data).map(Some)
    }
}

/// Fails early and plainly where the BMC says that it has no RMCP+. A BMC that refuses the question may still have it.
async fn probe(link: &mut Link, target: &Target, nonces: &mut NonceSource) -> Result<(), Error> {
    let [rq_seq, ..] = nonces.block();
    let rq_seq = rq_seq & 0x3f;
    let id = CommandId::CHANNEL_AUTH_CAPABILITIES;
    let data = channel::capabilities_request(target.privilege.number());
    let message = Request::from_console(id.netfn, id.cmd, rq_seq, &data).encode();
    let mut dialogue = Probe {
        datagram: envelope::encode_sessionless(&message),
        rq_seq,
    };
    let found = link
        .exchange("get channel authentication capabilities", &mut dialogue)
        .await?;
    match found.and_then(|capabilities| capabilities.rmcp_plus) {
        Some(false) => Err(Error::NoCommonSuite {
            addr: target.addr,
            tried: target.suites.clone(),
        }),
        Some(true) | None => Ok(()),
    }
}

impl Dialogue for Login {
    type Reply = Progress;

    fn datagram(&mut self, _attempt: u32) -> Option<Vec<u8>> {
        Some(Login::datagram(self).to_vec())
    }

    fn receive(&mut self, datagram: &[u8]) -> Option<Progress> {
        match Login::receive(self, datagram) {
            Progress::Ignored => None,
            progress => Some(progress),
        }
    }
}

/// A handshake under way. Dropped before its end - given up, failed, cancelled - it tells the BMC.
struct Handshake<'a> {
    link: &'a mut Link,
    login: Login,
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        for datagram in self.login.parting() {
            self.link.send_once(&datagram);
        }
    }
}

/// One handshake; `None` where the BMC refused the suite.
async fn log_in(
    link: &mut Link,
    target: &Target,
    suite: CipherSuite,
) -> Result<Option<crate::session::active::ActiveSession>, Error> {
    let credentials = Credentials {
        username: target.username.clone(),
        password: target.password.clone(),
        kg: target.kg.clone(),
        privilege: target.privilege,
    };
    let login = Login::new(credentials, suite, os_nonces(target.addr)?);
    let mut handshake = Handshake { link, login };
    loop {
        let Handshake { link, login } = &mut handshake;
        let attempted = format!("login with suite {suite}: {}", login.step_name());
        match link.exchange(&attempted, login).await? {
            Progress::Done(session) => return Ok(Some(*session)),
            Progress::Failed(LoginFailure::SuiteRefused) => return Ok(None),
            Progress::Failed(failure) => return Err(login_error(target, attempted, failure)),
            Progress::Next | Progress::Ignored => {}
        }
    }
}

fn login_error(target: &Target, attempted: String, failure: LoginFailure) -> Error {
    let addr = target.addr;
    let refused = |attempted, refusal| Error::Auth {
        addr,
        attempted,
        username: target.username.clone(),
        refusal,
    };
    match failure {
        LoginFailure::SuiteRefused => Error::NoCommonSuite {
            addr,
            tried: target.suites.clone(),
        },
        LoginFailure::SlotsUsedUp(status) => Error::SessionSlotsUsedUp {
            addr,
            attempted,
            status,
        },
        LoginFailure::Forgotten(status) => Error::SessionLost {
            addr,
            attempted,
            status,
        },
        LoginFailure::Refused(status) => refused(attempted, AuthRefusal::Status(status)),
        LoginFailure::WrongPassword => refused(attempted, AuthRefusal::Password),
        LoginFailure::WrongKg => refused(attempted, AuthRefusal::Kg),
        LoginFailure::Protocol(detail) => {
            Error::Protocol(format!("BMC {addr}: {attempted}: {detail}"))
        }
    }
}
