//! Logging in: suites, credentials, slots, and BMCs that do not answer.
#![allow(clippy::unwrap_used)]

#[path = "rig/bench.rs"]
mod bench;

use std::time::{Duration, Instant};

use bench::{Bench, config};
use drydock_ipmi::bmc::{Account, Faults};
use drydock_ipmi::{AuthRefusal, CipherSuite, Client, Error, HandshakeStatus, Privilege, Target};

#[tokio::test]
async fn each_suite_works() {
    let bench = Bench::plain().await;
    for suite in CipherSuite::ALL {
        let mut target = bench.target();
        target.suites = vec![suite];
        let mut session = Client::connect(target).await.unwrap();
        assert_eq!(session.suite(), suite);
        assert!(!session.chassis_status().await.unwrap().power_on);
        assert_eq!(session.device_id().await.unwrap().firmware_minor, 13);
        session.close().await.unwrap();
    }
    let seen = bench.seen();
    assert_eq!((seen.logins, seen.closed, seen.sessions), (2, 2, 0));
}

#[tokio::test]
async fn ipv6_works() {
    let bench = Bench::start("::1", config(), Faults::default()).await;
    let mut session = Client::connect(bench.target()).await.unwrap();
    session.chassis_status().await.unwrap();
}

#[tokio::test]
async fn a_bmc_key_is_used() {
    let mut config = config();
    config.kg = Some("the key of the BMC".into());
    let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
    let mut target = bench.target();
    let error = Client::connect(target.clone()).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Auth {
                refusal: AuthRefusal::Kg,
                ..
            }
        ),
        "{error}"
    );
    target.kg = Some("the key of the BMC".into());
    let mut session = Client::connect(target).await.unwrap();
    session.chassis_status().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_costs_one_attempt() {
    for suites in [vec![CipherSuite::Suite3], CipherSuite::ALL.to_vec()] {
        let bench = Bench::plain().await;
        let mut target = bench.target();
        target.password = "battery staple".into();
        target.suites = suites;
        let error = Client::connect(target).await.unwrap_err();
        assert!(error.is_auth() && !error.is_transient());
        let text = format!("{error} {error:?}");
        assert!(text.contains(&bench.addr.to_string()), "{text}");
        assert!(
            !text.contains("battery"),
            "the password is in the error: {text}"
        );
        bench
            .until("the slot is freed", |seen| seen.logins_refused == 1)
            .await;
        let seen = bench.seen();
        assert_eq!((seen.login_attempts, seen.sessions), (1, 0));
        assert_eq!(
            seen.suites_refused, 0,
            "no other suite is tried after a bad password"
        );
    }
}

#[tokio::test]
async fn an_unknown_user_is_refused() {
    let bench = Bench::plain().await;
    let mut target = bench.target();
    target.username = "nobody".to_owned();
    let error = Client::connect(target).await.unwrap_err();
    let Error::Auth { refusal, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(
        *refusal,
        AuthRefusal::Status(HandshakeStatus::UNAUTHORIZED_NAME)
    );
    assert!(error.to_string().contains("nobody"), "{error}");
    let seen = bench.seen();
    assert_eq!((seen.login_attempts, seen.sessions), (1, 0));
}

#[tokio::test]
async fn suite_3_follows_where_17_is_refused() {
    let mut config = config();
    config.suites = vec![CipherSuite::Suite3];
    let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
    let mut session = Client::connect(bench.target()).await.unwrap();
    assert_eq!(session.suite(), CipherSuite::Suite3);
    session.chassis_status().await.unwrap();
    assert_eq!(bench.seen().suites_refused, 1);

    let mut target = bench.target();
    target.suites = vec![CipherSuite::Suite17];
    let error = Client::connect(target).await.unwrap_err();
    assert!(matches!(error, Error::NoCommonSuite { .. }), "{error}");
    assert!(error.to_string().contains("17"), "{error}");

    let mut target = bench.target();
    target.password = "wrong".into();
    assert!(Client::connect(target).await.unwrap_err().is_auth());
}

/// Other algorithms than asked for are never taken as they come: suite 3 is used only by a handshake that asks for it,
/// and only where the target allows it.
#[tokio::test]
async fn a_counter_offer_counts_as_a_refusal() {
    let mut config = config();
    config.suites = vec![CipherSuite::Suite3];
    config.quirks.counter_offers_suite = true;
    let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
    let mut target = bench.target();
    let mut session = Client::connect(target.clone()).await.unwrap();
    assert_eq!(session.suite(), CipherSuite::Suite3);
    session.chassis_status().await.unwrap();
    assert_eq!(bench.seen().login_attempts, 1);

    target.suites = vec![CipherSuite::Suite17];
    let error = Client::connect(target).await.unwrap_err();
    assert!(matches!(error, Error::NoCommonSuite { .. }), "{error}");
    assert_eq!(bench.seen().login_attempts, 1);
}

#[tokio::test]
async fn a_silent_bmc_ends_in_time() {
    let faults = Faults {
        silent: true,
        ..Faults::default()
    };
    let bench = Bench::start("127.0.0.1", config(), faults).await;
    let mut target = bench.target();
    target.timeout = Duration::from_millis(100);
    target.retries = 2;
    let start = Instant::now();
    let error = Client::connect(target).await.unwrap_err();
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(
        matches!(error, Error::Timeout { sent: 3, .. }) && error.is_transient(),
        "{error}"
    );
    assert!(error.to_string().contains(&bench.addr.to_string()));
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    drop(socket);
    let mut target = Target::new(addr, "admin", "secret".into());
    target.timeout = Duration::from_millis(50);
    let error = Client::connect(target).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(error.is_transient() && error.to_string().contains(&addr.to_string()));
}

#[tokio::test]
async fn slots_run_out_and_come_back() {
    let mut config = config();
    config.slots = 2;
    let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
    let first = Client::connect(bench.target()).await.unwrap();
    let _second = Client::connect(bench.target()).await.unwrap();
    let error = Client::connect(bench.target()).await.unwrap_err();
    assert!(matches!(error, Error::SessionSlotsUsedUp { .. }), "{error}");
    assert!(error.is_transient());
    first.close().await.unwrap();
    Client::connect(bench.target()).await.unwrap();
}

#[tokio::test]
async fn the_privilege_level_is_the_one_asked_for() {
    let mut config = config();
    config.accounts.push(Account {
        username: "reader".to_owned(),
        password: "reads".into(),
        privilege: Privilege::User,
    });
    let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
    let mut target = Target::new(bench.addr, "reader", "reads".into());
    let error = Client::connect(target.clone()).await.unwrap_err();
    assert!(error.is_auth(), "{error}");

    target.privilege = Privilege::User;
    let mut session = Client::connect(target).await.unwrap();
    session.chassis_status().await.unwrap();
    let error = session
        .chassis_control(drydock_ipmi::Control::On)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Auth {
                refusal: AuthRefusal::Privilege(_),
                ..
            }
        ),
        "{error}"
    );
    assert!(bench.machine.controls().is_empty());
}

#[tokio::test]
async fn impossible_targets_send_nothing() {
    let bench = Bench::plain().await;
    let spoilt: [fn(&mut Target); 6] = [
        |target| target.username = "x".repeat(17),
        |target| target.password = "x".repeat(21).into(),
        |target| target.kg = Some("x".repeat(21).into()),
        |target| target.suites.clear(),
        |target| target.timeout = Duration::ZERO,
        |target| target.timeout = Duration::MAX,
    ];
    for spoil in spoilt {
        let mut target = bench.target();
        spoil(&mut target);
        let error = Client::connect(target).await.unwrap_err();
        assert!(matches!(error, Error::InvalidTarget { .. }), "{error}");
    }
    assert_eq!(bench.seen(), drydock_ipmi::bmc::CountersSnapshot::default());
}

#[tokio::test]
async fn longest_names_and_passwords_work() {
    let (name, password) = ("n".repeat(16), "p".repeat(20));
    let mut config = config();
    config.accounts = vec![Account::administrator(
        name.clone(),
        password.clone().into(),
    )];
    config.quirks.privilege_zero = true;
    let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
    let target = Target::new(bench.addr, name, password.into());
    Client::connect(target).await.unwrap();
}

/// A login that is given up at any moment leaves no slot taken.
#[tokio::test]
async fn a_login_that_is_given_up_frees_its_slot() {
    let delay = Duration::from_millis(20);
    let faults = Faults {
        delay,
        ..Faults::default()
    };
    let bench = Bench::start("127.0.0.1", config(), faults).await;
    // Capabilities, open session, RAKP 1, RAKP 3, privilege level, 20 ms each: given up in the midst of each but the second.
    // There the BMC's id of the session is under way still, and without it nobody can name the session to the BMC.
    let mut in_the_midst = 0;
    for step in [0, 2, 3, 4] {
        let patience = delay * step + delay / 2;
        let login = Client::connect(bench.target());
        let given_up = tokio::time::timeout(patience, login).await;
        assert!(given_up.is_err(), "the login was too fast");
        in_the_midst += bench.seen().sessions;
        bench
            .until("the slot is freed", |seen| seen.sessions == 0)
            .await;
    }
    assert!(in_the_midst > 0, "no login was given up half-way");
    assert_eq!(bench.seen().reaped, 0);
}
