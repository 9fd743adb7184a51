//! Laws that hold for any bytes and any order of datagrams: both halves of the protocol, without sockets.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use secrecy::SecretString;

use crate::bmc::{Account, Bmc, BmcConfig, Chassis};
use crate::command::CommandId;
use crate::command::chassis::Control;
use crate::command::device::DeviceId;
use crate::crypto::cipher;
use crate::crypto::nonce::NonceSource;
use crate::fuzz;
use crate::privilege::Privilege;
use crate::session::active::ActiveSession;
use crate::session::login::{Credentials, Login, LoginFailure, Progress};
use crate::suite::CipherSuite;
use crate::wire::envelope;
use crate::wire::message::Request;
use crate::wire::rakp::{Rakp1, RakpProof};
use crate::wire::status::HandshakeStatus;
use crate::wire::window::Window;

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 50_000);
const NOW: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Lamp(AtomicBool);

impl Chassis for Lamp {
    fn power_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
    fn control(&self, control: Control) -> Result<(), u8> {
        self.0.store(control == Control::On, Ordering::SeqCst);
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
}

fn bmc(kg: Option<&str>) -> Bmc {
    let account = Account::administrator("admin", "correct horse".into());
    let mut config = BmcConfig::new(account);
    config.kg = kg.map(SecretString::from);
    Bmc::new(config, Arc::new(Lamp::default()), [1; 32])
}

fn login(suite: CipherSuite, password: &str, kg: Option<&str>) -> Login {
    let credentials = Credentials {
        username: "admin".to_owned(),
        password: password.into(),
        kg: kg.map(SecretString::from),
        privilege: Privilege::Administrator,
    };
    Login::new(credentials, suite, NonceSource::from_seed([2; 32]))
}

/// Runs a handshake, every datagram `copies` times.
fn run(login: &mut Login, bmc: &mut Bmc, copies: usize) -> Result<ActiveSession, LoginFailure> {
    for _ in 0..4 {
        let datagram = login.datagram().to_vec();
        let answers: Vec<Vec<u8>> = (0..copies)
            .flat_map(|_| bmc.handle(NOW, PEER, &datagram))
            .collect();
        assert_eq!(answers.len(), copies);
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
        let mut moved = 0;
        for answer in answers {
            match login.receive(&answer) {
                Progress::Ignored => {}
                Progress::Next => moved += 1,
                Progress::Done(session) => return Ok(*session),
                Progress::Failed(failure) => return Err(failure),
            }
        }
        assert_eq!(moved, 1, "a repeated answer moves the handshake once");
    }
    panic!("the handshake has three messages");
}

/// Sends one command and gives its answers' effect: completion code and data of the first that counts.
fn ask(session: &mut ActiveSession, bmc: &mut Bmc, id: CommandId, data: &[u8]) -> (u8, Vec<u8>) {
    session.request(id, data);
    let datagram = session.datagram().to_vec();
    let answers = bmc.handle(NOW, PEER, &datagram);
    assert_eq!(answers.len(), 1);
    assert!(
        bmc.handle(NOW, PEER, &datagram).is_empty(),
        "a repeated packet is dropped"
    );
    let answer = session.receive(&answers[0]).unwrap();
    assert_eq!(
        session.receive(&answers[0]),
        None,
        "a repeated answer is dropped"
    );
    (answer.completion, answer.data)
}

#[test]
fn both_sides_derive_the_same_keys() {
    for suite in CipherSuite::ALL {
        for kg in [None, Some("a key of the BMC")] {
            for copies in [1, 3] {
                let mut bmc = bmc(kg);
                let mut login = login(suite, "correct horse", kg);
                let mut session = run(&mut login, &mut bmc, copies).unwrap();
                let status = ask(&mut session, &mut bmc, CommandId::CHASSIS_STATUS, &[]);
                assert_eq!(status, (0, vec![0, 0, 0]));
                let refused = ask(&mut session, &mut bmc, CommandId::CHASSIS_CONTROL, &[1]);
                assert_eq!(refused.0, 0xd4, "sessions begin at user level");
                assert_eq!(
                    ask(&mut session, &mut bmc, CommandId::SET_PRIVILEGE, &[3]).1,
                    [3]
                );
                assert_eq!(
                    ask(&mut session, &mut bmc, CommandId::CHASSIS_CONTROL, &[1]).0,
                    0
                );
                let status = ask(&mut session, &mut bmc, CommandId::CHASSIS_STATUS, &[]);
                assert_eq!(status.1[0], 1);
                let unknown = CommandId::new(0x2c, 0x00);
                assert_eq!(ask(&mut session, &mut bmc, unknown, &[0]).0, 0xc1);
                let counters = bmc.counters().snapshot();
                assert_eq!((counters.sessions, counters.login_attempts), (1, 1));
            }
        }
    }
}

#[test]
fn wrong_secrets_are_told_apart() {
    for suite in CipherSuite::ALL {
        let outcome = run(&mut login(suite, "wrong", None), &mut bmc(None), 1);
        assert_eq!(outcome.err(), Some(LoginFailure::WrongPassword));
        let outcome = run(
            &mut login(suite, "correct horse", None),
            &mut bmc(Some("a key")),
            1,
        );
        assert_eq!(outcome.err(), Some(LoginFailure::WrongKg));
    }
}

#[test]
fn a_wrong_password_leaves_no_slot_taken() {
    let mut bmc = bmc(None);
    let mut login = login(CipherSuite::Suite17, "wrong", None);
    run(&mut login, &mut bmc, 1).err().unwrap();
    assert_eq!(bmc.counters().snapshot().sessions, 1);
    for datagram in login.parting() {
        assert!(bmc.handle(NOW, PEER, &datagram).is_empty());
    }
    let counters = bmc.counters().snapshot();
    assert_eq!((counters.sessions, counters.logins_refused), (0, 1));
    assert!(
        login.parting().is_empty(),
        "what is over is not ended again"
    );
}

/// Given up after any number of steps, with the last answer lost or not, a handshake leaves no slot taken.
#[test]
fn a_handshake_that_is_given_up_leaves_no_slot_taken() {
    for suite in CipherSuite::ALL {
        for steps in 1..=3 {
            for heard in [true, false] {
                let mut bmc = bmc(None);
                let mut login = login(suite, "correct horse", None);
                for step in 1..=steps {
                    let datagram = login.datagram().to_vec();
                    // The very last request is lost on its way; it comes to nothing that needs freeing.
                    if step == steps && !heard {
                        break;
                    }
                    let answer = bmc.handle(NOW, PEER, &datagram).remove(0);
                    // The answer to RAKP 3 is lost: only Close Session helps then.
                    if step < 3 {
                        assert!(matches!(login.receive(&answer), Progress::Next));
                    }
                }
                for datagram in login.parting() {
                    bmc.handle(NOW, PEER, &datagram);
                }
                let sessions = bmc.counters().snapshot().sessions;
                assert_eq!(sessions, 0, "given up after {steps} steps, heard: {heard}");
            }
        }
    }
}

#[test]
fn other_algorithms_than_asked_for_are_refused() {
    let mut bmc = bmc(None);
    let mut login = login(CipherSuite::Suite17, "correct horse", None);
    let request = login.datagram().to_vec();
    let mut answer = bmc.handle(NOW, PEER, &request).remove(0);
    // Byte 32 is the authentication algorithm: 4 RMCP, 12 header, 12 ids, 4 in front of the number.
    assert_eq!(answer[32], 0x03);
    answer[32] = 0x00;
    let progress = login.receive(&answer);
    assert!(matches!(
        progress,
        Progress::Failed(LoginFailure::SuiteRefused)
    ));
}

/// RAKP 4 with "invalid session id": a refusal after one try, an unlucky retransmission after two.
#[test]
fn a_forgotten_session_says_nothing_about_the_password() {
    for tries in [1, 2] {
        let mut bmc = bmc(None);
        let mut login = login(CipherSuite::Suite17, "correct horse", None);
        for _ in 0..2 {
            let datagram = login.datagram().to_vec();
            let answer = bmc.handle(NOW, PEER, &datagram).remove(0);
            assert!(matches!(login.receive(&answer), Progress::Next));
        }
        let sent: Vec<Vec<u8>> = (0..tries).map(|_| login.datagram().to_vec()).collect();
        assert!(sent.windows(2).all(|pair| pair[0] == pair[1]));
        let mut answer = bmc.handle(NOW, PEER, &sent[0]).remove(0);
        // Byte 17 is the status: 4 RMCP, 12 header, tag.
        answer[17] = HandshakeStatus::INVALID_SESSION.0;
        let Progress::Failed(failure) = login.receive(&answer) else {
            panic!("not taken as a refusal");
        };
        let status = HandshakeStatus::INVALID_SESSION;
        let expected = if tries == 1 {
            LoginFailure::Refused(status)
        } else {
            LoginFailure::Forgotten(status)
        };
        assert_eq!(failure, expected);
    }
}

#[test]
fn idle_sessions_free_their_slot() {
    let mut bmc = bmc(None);
    run(
        &mut login(CipherSuite::Suite3, "correct horse", None),
        &mut bmc,
        1,
    )
    .unwrap();
    bmc.expire(NOW + Duration::from_secs(60));
    assert_eq!(bmc.counters().snapshot().sessions, 1);
    bmc.expire(NOW + Duration::from_secs(61));
    let counters = bmc.counters().snapshot();
    assert_eq!((counters.sessions, counters.reaped), (0, 1));
}

#[test]
fn full_slots_are_told() {
    let mut config = BmcConfig::new(Account::administrator("admin", "correct horse".into()));
    config.slots = 0;
    let mut bmc = Bmc::new(config, Arc::new(Lamp::default()), [1; 32]);
    let outcome = run(
        &mut login(CipherSuite::Suite17, "correct horse", None),
        &mut bmc,
        1,
    );
    assert!(matches!(outcome, Err(LoginFailure::SlotsUsedUp(_))));
}

/// Bytes that look like the protocol in front, so that they get past the first checks.
fn datagrams() -> impl Strategy<Value = Vec<u8>> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..200);
    let kinds = prop::sample::select(vec![
        0x00u8, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0xc0, 0x40, 0x3f,
    ]);
    prop_oneof![
        bytes(),
        (kinds, any::<bool>(), bytes()).prop_map(|(kind, outside, payload)| {
            let session = if outside { 0 } else { 7u8 };
            let mut out = vec![
                6, 0, 0xff, 7, 6, kind, session, 0, 0, 0, session, 0, 0, 0, 0, 0,
            ];
            out[14] = u8::try_from(payload.len()).unwrap();
            out.extend(payload);
            out
        }),
        bytes().prop_map(|message| envelope::encode_sessionless(&message)),
        (any::<u8>(), any::<u8>(), bytes()).prop_map(|(netfn, cmd, data)| {
            let request = Request::from_console(netfn & 0x3e, cmd, 1, &data);
            envelope::encode_sessionless(&request.encode())
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_door_for_fuzzing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz::datagram(&bytes);
        fuzz::records(&bytes);
        fuzz::client_login(&bytes);
        fuzz::client_session(&bytes);
        fuzz::bmc_datagrams(&bytes);
        fuzz::bmc_commands(&bytes);
        let _ = cipher::decrypt(&[3; 16], &bytes);
    }

    /// Bytes of a record with a right header, so that they get as far as they can.
    #[test]
    fn no_record_panics(kind in prop::sample::select(vec![1u8, 2, 0x11, 0x12, 0xc0]), bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
        let mut record = vec![1, 0, 0x51, kind, u8::try_from(bytes.len()).unwrap()];
        record.extend(&bytes);
        fuzz::records(&record);
        // An area of a FRU inventory with right checksums.
        let sum = |bytes: &[u8]| bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
        let mut area = vec![1, 10];
        area.extend(bytes.iter().chain(std::iter::repeat(&0)).take(77));
        area.push(sum(&area));
        for header in [[1u8, 0, 1, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0, 0], [1, 0, 0, 0, 1, 0, 0]] {
            let mut fru = header.to_vec();
            fru.push(sum(&header));
            fru.extend(&area);
            prop_assert!(crate::FruInventory::decode(&fru).unwrap().damaged.is_empty());
            fuzz::records(&fru);
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(
        tag: u8, id: u32, random: [u8; 16], role: u8, name in proptest::collection::vec(any::<u8>(), 0..=16),
    ) {
        let rakp1 = Rakp1 { tag, bmc_id: id, console_random: random, role, username: name.clone() };
        prop_assert_eq!(Rakp1::decode(&rakp1.encode()), Some(rakp1));
        let proof = RakpProof { tag, receiver_id: id, outcome: Ok(name) };
        prop_assert_eq!(RakpProof::decode(&proof.encode()), Some(proof));
    }

    #[test]
    fn any_command_gets_one_answer(netfn in 0u8..32, cmd: u8, data in proptest::collection::vec(any::<u8>(), 0..40)) {
        let mut bmc = bmc(None);
        let mut session = run(&mut login(CipherSuite::Suite17, "correct horse", None), &mut bmc, 1).unwrap();
        ask(&mut session, &mut bmc, CommandId::SET_PRIVILEGE, &[4]);
        ask(&mut session, &mut bmc, CommandId::new(netfn << 1, cmd), &data);
    }

    #[test]
    fn no_datagram_panics_or_counts(noise in proptest::collection::vec(datagrams(), 1..20)) {
        let mut bmc = bmc(None);
        let mut login = login(CipherSuite::Suite17, "correct horse", None);
        let mut session = run(&mut login, &mut bmc, 1).unwrap();
        session.request(CommandId::CHASSIS_STATUS, &[]);
        for datagram in &noise {
            bmc.handle(NOW, PEER, datagram);
            prop_assert_eq!(session.receive(datagram), None);
            prop_assert!(matches!(login.receive(datagram), Progress::Ignored));
        }
        let answer = bmc.handle(NOW, PEER, session.datagram());
        prop_assert!(session.receive(&answer[0]).is_some());
    }

    #[test]
    fn no_datagram_panics_a_handshake(steps in 0usize..3, noise in proptest::collection::vec(datagrams(), 1..20)) {
        let mut bmc = bmc(None);
        let mut login = login(CipherSuite::Suite3, "correct horse", None);
        for _ in 0..steps {
            let answer = bmc.handle(NOW, PEER, login.datagram()).remove(0);
            login.receive(&answer);
        }
        for datagram in &noise {
            let _ = login.receive(datagram);
            bmc.handle(NOW, PEER, datagram);
        }
    }

    #[test]
    fn any_change_to_an_answer_makes_it_worthless(at in 0usize..64, bit in 0u8..8) {
        let mut bmc = bmc(None);
        let mut session = run(&mut login(CipherSuite::Suite17, "correct horse", None), &mut bmc, 1).unwrap();
        session.request(CommandId::CHASSIS_STATUS, &[]);
        let good = bmc.handle(NOW, PEER, session.datagram()).remove(0);
        let mut bad = good.clone();
        // The two RMCP bytes "reserved" and "sequence number" mean nothing and are not covered.
        let at = 3 + at % (good.len() - 3);
        bad[at] ^= 1 << bit;
        prop_assert_eq!(session.receive(&bad), None);
        prop_assert!(session.receive(&good).is_some());
    }

    #[test]
    fn no_sequence_number_counts_twice(numbers in proptest::collection::vec(0u32..40, 0..100)) {
        let mut window = Window::default();
        let mut taken = std::collections::HashSet::new();
        for number in numbers {
            if window.accept(number) {
                prop_assert!(taken.insert(number));
            }
        }
    }
}
