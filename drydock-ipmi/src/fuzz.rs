//! Doors for fuzzing: each takes any bytes and must end, without a panic and without letting anything through.
//!
//! Bytes are cut into datagrams or messages by a length byte in front of each, so that a fuzzer can build conversations.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::bmc::{Account, Bmc, BmcConfig, Chassis, Inventory};
use crate::command::CommandId;
use crate::command::boot::BootOptions;
use crate::command::channel::AuthCapabilities;
use crate::command::chassis::{ChassisStatus, Control};
use crate::command::device::DeviceId;
use crate::command::fru::{AreaInfo, FruInventory};
use crate::command::lan::SessionInfo;
use crate::command::sdr::{SdrBody, SdrRecord};
use crate::command::sel::{SelEntry, SelInfo};
use crate::command::sensor::{Sensor, SensorReading};
use crate::command::thresholds::Thresholds;
use crate::crypto::nonce::NonceSource;
use crate::privilege::Privilege;
use crate::session::active::ActiveSession;
use crate::session::login::{Credentials, Login, Progress};
use crate::suite::CipherSuite;
use crate::wire::envelope::{self, Packet};
use crate::wire::message::{Request, Response};
use crate::wire::open_session::{OpenSessionRequest, OpenSessionResponse};
use crate::wire::rakp::{Rakp1, Rakp2, RakpProof};

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 50_000);
const NOW: Duration = Duration::from_secs(1);

// What is read goes into a black box: a parser whose result nobody wants is none that the compiler keeps.

/// Bytes as pieces, each with its length in front; the last one is what is left.
fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = bytes.split_first()?;
        let (piece, rest) = rest
            .split_at_checked(usize::from(*len))
            .unwrap_or((rest, &[]));
        bytes = rest;
        Some(piece)
    })
}

/// One datagram through every parser of the protocol.
pub fn datagram(bytes: &[u8]) {
    if let Some(
        Packet::Sessionless(message)
        | Packet::Handshake {
            payload: message, ..
        },
    ) = envelope::decode(bytes)
    {
        black_box(Request::decode(message));
        black_box(Response::decode(message));
    }
    black_box(Request::decode(bytes));
    black_box(Response::decode(bytes));
    black_box(OpenSessionRequest::decode(bytes));
    black_box(OpenSessionResponse::decode(bytes));
    black_box(Rakp1::decode(bytes));
    black_box(Rakp2::decode(bytes));
    black_box(RakpProof::decode(bytes));
}

/// Response data and records through every parser of commands, and what can be done with the result.
pub fn records(bytes: &[u8]) {
    black_box(DeviceId::decode(bytes));
    black_box(ChassisStatus::decode(bytes));
    black_box(BootOptions::decode(bytes));
    black_box(AuthCapabilities::decode(bytes));
    black_box(SelInfo::decode(bytes));
    black_box(SessionInfo::decode(bytes));
    black_box(AreaInfo::decode(bytes));
    black_box(Thresholds::decode(bytes));
    black_box(crate::command::lan::address(bytes));
    black_box(crate::command::lan::vlan(bytes));
    if let Some(fru) = FruInventory::decode(bytes) {
        black_box(fru.encode());
    }
    if let Some((_, entry)) = SelEntry::decode_response(bytes) {
        black_box((entry.to_string(), entry.encode(), entry.unix_time()));
    }
    let reading = SensorReading::decode(bytes).unwrap_or_default();
    if let Some(record) = SdrRecord::decode(bytes) {
        black_box(record.encode());
        if let SdrBody::Sensor(sensor) = record.body {
            for sensor in sensor.each() {
                black_box(Sensor::read(&sensor, sensor.conversion, reading).to_string());
            }
        }
    }
}

/// A machine with everything, that stays as it is.
struct Still;

impl Chassis for Still {
    fn power_on(&self) -> bool {
        true
    }

    fn control(&self, _: Control) -> Result<(), u8> {
        Ok(())
    }

    fn boot_flags(&self) -> [u8; 5] {
        [0; 5]
    }

    fn set_boot_flags(&self, _: [u8; 5]) -> Result<(), u8> {
        Ok(())
    }

    fn device_id(&self) -> DeviceId {
        DeviceId::default()
    }

    fn inventory(&self) -> Option<Arc<Inventory>> {
        let fru = FruInventory::default().encode();
        Some(Arc::new(Inventory {
            fru: [(0, fru)].into(),
            ..Inventory::default()
        }))
    }
}

fn both_sides() -> (Login, Bmc) {
    let config = BmcConfig::new(Account::administrator("admin", "secret".into()));
    let bmc = Bmc::new(config, Arc::new(Still), [1; 32]);
    let credentials = Credentials {
        username: "admin".to_owned(),
        password: "secret".into(),
        kg: None,
        privilege: Privilege::Administrator,
    };
    let nonces = NonceSource::from_seed([2; 32]);
    (Login::new(credentials, CipherSuite::Suite17, nonces), bmc)
}

/// A login that goes well, or as far as `steps` messages.
fn log_in(steps: u8) -> (Login, Bmc, Option<ActiveSession>) {
    let (mut login, mut bmc) = both_sides();
    for _ in 0..steps {
        let request = login.datagram().to_vec();
        for answer in bmc.handle(NOW, PEER, &request) {
            if let Progress::Done(session) = login.receive(&answer) {
                return (login, bmc, Some(*session));
            }
        }
    }
    (login, bmc, None)
}

/// Datagrams to a client in the midst of a login, which got so far as the first byte says; no login may come of them.
pub fn client_login(bytes: &[u8]) {
    let (steps, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let (mut login, ..) = log_in(steps % 3);
    for datagram in pieces(bytes) {
        let progress = login.receive(datagram);
        assert!(
            !matches!(progress, Progress::Done(_)),
            "a session without the password"
        );
    }
    let _ = login.parting();
}

/// Datagrams to a client with a command under way; none may count as the answer.
pub fn client_session(bytes: &[u8]) {
    let (_, _, session) = log_in(3);
    let Some(mut session) = session else { return };
    session.request(CommandId::CHASSIS_STATUS, &[]);
    for datagram in pieces(bytes) {
        assert!(
            session.receive(datagram).is_none(),
            "an answer without the keys"
        );
    }
}

/// Datagrams to a BMC with one session open, which must survive them.
pub fn bmc_datagrams(bytes: &[u8]) {
    let (_, mut bmc, session) = log_in(3);
    let Some(mut session) = session else { return };
    for datagram in pieces(bytes) {
        let _ = bmc.handle(NOW, PEER, datagram);
    }
    session.request(CommandId::CHASSIS_STATUS, &[]);
    let answers = bmc.handle(NOW, PEER, session.datagram());
    assert!(
        answers
            .iter()
            .any(|answer| session.receive(answer).is_some()),
        "the session is gone"
    );
}

/// Commands inside a session to a BMC: network function, command number, data. Each gets one answer, except behind Close
/// Session.
pub fn bmc_commands(bytes: &[u8]) {
    let (_, mut bmc, session) = log_in(3);
    let Some(mut session) = session else { return };
    session.request(CommandId::SET_PRIVILEGE, &[4]);
    let _ = bmc.handle(NOW, PEER, session.datagram());
    for message in pieces(bytes) {
        let [netfn, cmd, data @ ..] = message else {
            continue;
        };
        let id = CommandId::new(netfn & 0x3e, *cmd);
        session.request(id, data);
        let answers = bmc.handle(NOW, PEER, session.datagram());
        if answers.is_empty() {
            assert_eq!(bmc.counters().snapshot().sessions, 0, "no answer");
            return;
        }
    }
}
