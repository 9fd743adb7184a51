//! The BMC's side, for simulators: a session engine without I/O and a UDP loop around it.
//!
//! [`Bmc`] takes a datagram and gives back the datagrams to send. What the chassis does is behind [`Chassis`]; what
//! the network does to datagrams is [`Faults`], applied by [`serve`]. One [`Bmc`] is a few hundred bytes plus its open
//! sessions, so thousands fit in one process.

mod chassis;
mod commands;
mod counters;
mod faults;
mod handshake;
mod inventory;
mod serve;
mod slots;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

pub use chassis::Chassis;
pub use counters::{Counters, CountersSnapshot};
pub use faults::Faults;
pub use inventory::Inventory;
pub use serve::{serve, serve_with};

use crate::command::CommandId;
use crate::completion::CompletionCode;
use crate::crypto::nonce::NonceSource;
use crate::privilege::Privilege;
use crate::suite::CipherSuite;
use crate::wire::envelope::{self, Packet};
use crate::wire::message::Request;
use slots::Slots;

/// An account of the BMC.
#[derive(Debug, Clone)]
pub struct Account {
    /// User name, at most 16 bytes.
    pub username: String,
    /// Password, at most 20 bytes.
    pub password: SecretString,
    /// The highest level the account may have.
    pub privilege: Privilege,
}

impl Account {
    /// An administrator.
    pub fn administrator(username: impl Into<String>, password: SecretString) -> Self {
        Self {
            username: username.into(),
            password,
            privilege: Privilege::Administrator,
        }
    }
}

/// Peculiarities of real BMCs that a client has to live with. All off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quirks {
    /// Get Device ID leaves out the auxiliary firmware revision.
    pub short_device_id: bool,
    /// Boot parameter 0 (set in progress) is refused.
    pub no_set_in_progress: bool,
    /// Boot parameter 3 (when to clear the boot flags) is refused, as by OpenBMC.
    pub no_flag_clearing: bool,
    /// Of the boot flags only the device is kept; mode and persistence are lost.
    pub keeps_only_boot_device: bool,
    /// Repeated packets are carried out and answered again, as by ipmi_sim, instead of being dropped.
    pub runs_repeated_packets: bool,
    /// An open-session request for a suite that is not taken is answered with the algorithms of one that is, as by
    /// pyghmi, instead of being refused.
    pub counter_offers_suite: bool,
    /// Open session is answered with privilege level 0.
    pub privilege_zero: bool,
    /// A request that was seen before is answered with "duplicated request" (0xCF) instead of being dropped.
    pub tells_duplicates: bool,
    /// The most bytes that are given at once of a FRU inventory or a sensor data record; 64 where nothing is said.
    pub largest_read: Option<u8>,
    /// Every so many reads of the sensor data repository its reservation is cancelled, as when sensors come and go.
    pub cancels_reservation_every: Option<u32>,
}

/// How a BMC is set up.
#[derive(Debug, Clone)]
pub struct BmcConfig {
    /// Who may log in.
    pub accounts: Vec<Account>,
    /// BMC key for two-key logins, at most 20 bytes.
    pub kg: Option<SecretString>,
    /// Which suites are taken.
    pub suites: Vec<CipherSuite>,
    /// How many sessions, begun or active, there may be at a time.
    pub slots: usize,
    /// After how long without a packet a session is ended.
    pub idle: Duration,
    /// The system's GUID, as sent in RAKP message 2.
    pub guid: [u8; 16],
    /// Peculiarities.
    pub quirks: Quirks,
}

impl BmcConfig {
    /// One account, both suites, 63 sessions of at most 60 idle seconds, no K_g, no quirks.
    pub fn new(account: Account) -> Self {
        Self {
            accounts: vec![account],
            kg: None,
            suites: CipherSuite::ALL.to_vec(),
            slots: 63,
            idle: Duration::from_secs(60),
            guid: [0; 16],
            quirks: Quirks::default(),
        }
    }
}

/// The session engine of one BMC: no I/O, no clock, all randomness from one seed.
pub struct Bmc {
    config: BmcConfig,
    chassis: Arc<dyn Chassis>,
    slots: Slots,
    nonces: NonceSource,
    counters: Arc<Counters>,
    /// Boot parameter 0.
    set_in_progress: u8,
    /// Boot parameter 3.
    flag_clearing: u8,
    /// Boot parameter 4, data 2.
    acknowledge: u8,
    /// The reservation in force, of event log and sensor data repository.
    reservation: u16,
    /// How many records were read, in whole or in part.
    sdr_reads: u32,
    /// How many commands came in while the fault "busy" was on.
    commands: u64,
    /// Fault: which commands are put off.
    busy_every: Option<u32>,
    /// Fault: all slots are taken by others.
    slots_taken: bool,
}

/// A request inside a session, with what decides about it.
struct Incoming<'a> {
    request: Request<'a>,
    /// Id of the session it came in by.
    session: u32,
}

impl Bmc {
    /// A BMC in front of a chassis. The seed decides all random numbers: give each BMC another one.
    pub fn new(config: BmcConfig, chassis: Arc<dyn Chassis>, seed: [u8; 32]) -> Self {
        let slots = Slots::new(config.slots, config.idle);
        Self {
            config,
            chassis,
            slots,
            nonces: NonceSource::from_seed(seed),
            counters: Arc::new(Counters::default()),
            set_in_progress: 0,
            flag_clearing: 0,
            acknowledge: 0,
            reservation: 0,
            sdr_reads: 0,
            commands: 0,
            busy_every: None,
            slots_taken: false,
        }
    }

    /// What the BMC has seen so far; stays readable while [`serve`] owns the BMC.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Takes a datagram and gives back the datagrams to send to `peer`. `now` is the time since any fixed moment;
    /// it must not run backwards.
    pub fn handle(&mut self, now: Duration, peer: SocketAddr, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.expire(now);
        let answer = match envelope::decode(datagram) {
            Some(Packet::Sessionless(message)) => self
                .outside_session(message)
                .map(|answer| envelope::encode_sessionless(&answer)),
            Some(Packet::Handshake {
                payload_type,
                payload,
            }) => self.handshake(now, peer, payload_type, payload),
            Some(Packet::Protected(packet)) => self.inside_session(now, &packet),
            None => None,
        };
        self.counters.set_sessions(self.slots.len());
        answer.into_iter().collect()
    }

    /// Ends the sessions that were idle for too long. [`Bmc::handle`] does it too; this is for when nothing comes in.
    pub fn expire(&mut self, now: Duration) {
        let reaped = self.slots.reap(now);
        self.counters.add_reaped(reaped);
        self.counters.set_sessions(self.slots.len());
    }

    /// Ends all sessions and forgets all reservations, as a restart does.
    pub(crate) fn restart(&mut self) {
        self.slots.clear();
        self.reservation = 0;
        self.counters.add_crash();
        self.counters.set_sessions(0);
    }

    /// The few commands that need no session (IPMI v2.0 table G-1, privilege "none").
    fn outside_session(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let request = Request::decode(message)?;
        let id = CommandId::new(request.netfn, request.cmd);
        let outcome = match id {
            CommandId::CHANNEL_AUTH_CAPABILITIES | CommandId::CHANNEL_CIPHER_SUITES => {
                self.channel_command(id, request.data)
            }
            _ => Err(CompletionCode::INSUFFICIENT_PRIVILEGE),
        };
        Some(respond(&request, outcome))
    }

    fn inside_session(
        &mut self,
        now: Duration,
        packet: &envelope::Protected<'_>,
    ) -> Option<Vec<u8>> {
        let session = packet.session_id;
        let quirks = self.config.quirks;
        let again = quirks.runs_repeated_packets || quirks.tells_duplicates;
        let message = self.slots.active(session)?.open(packet, now, again)?;
        let request = Request::decode(&message)?;
        if quirks.tells_duplicates && self.slots.active(session)?.is_repeated(&message) {
            let answer = respond(&request, Err(CompletionCode::DUPLICATE));
            let iv = self.nonces.block();
            return Some(self.slots.active(session)?.seal(iv, &answer));
        }
        self.chassis
            .observed(request.netfn, request.cmd, request.data);
        let incoming = Incoming { request, session };
        let outcome = self.command(&incoming);
        let message = respond(&incoming.request, outcome);
        let iv = self.nonces.block();
        let active = self.slots.active(session)?;
        let answer = active.seal(iv, &message);
        if active.is_closing() {
            self.slots.remove(session);
            self.counters.add_closed();
        }
        Some(answer)
    }
}

type Outcome = Result<Vec<u8>, CompletionCode>;

fn respond(request: &Request<'_>, outcome: Outcome) -> Vec<u8> {
    match outcome {
        Ok(data) => request.respond(CompletionCode::OK.0, &data),
        Err(code) => request.respond(code.0, &[]),
    }
}

impl std::fmt::Debug for Bmc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bmc")
            .field("config", &self.config)
            .field("counters", &self.counters.snapshot())
            .finish_non_exhaustive()
    }
}
