//! Lost, doubled, late and foreign datagrams: an answer is right or there is none.
#![allow(clippy::unwrap_used)]

#[path = "rig/bench.rs"]
mod bench;

use std::time::Duration;

use bench::{Bench, config};
use drydock_ipmi::bmc::{Faults, Quirks};
use drydock_ipmi::{BootDevice, BootMode, Client, Control, Error, Persistence, Session, Target};

/// Turns the power on and off and believes only what fits; gives the number of calls that failed.
async fn switch(bench: &Bench, session: &mut Session, rounds: usize) -> usize {
    let mut failed = 0;
    for round in 0..rounds {
        let control = if round % 2 == 0 {
            Control::On
        } else {
            Control::Off
        };
        let done = bench.machine.controls().len();
        match session.chassis_control(control).await {
            Ok(()) => {}
            Err(Error::Timeout { .. }) => failed += 1,
            Err(error) => panic!("{error}"),
        }
        let carried_out = bench.machine.controls().len() - done;
        assert!(
            carried_out <= 1,
            "{control} was carried out {carried_out} times"
        );
        match session.chassis_status().await {
            Ok(status) => assert_eq!(
                status.power_on,
                drydock_ipmi::bmc::Chassis::power_on(&*bench.machine),
                "round {round}"
            ),
            Err(Error::Timeout { .. }) => failed += 1,
            Err(error) => panic!("{error}"),
        }
    }
    failed
}

#[tokio::test]
async fn doubled_and_stale_answers_never_count_twice() {
    let table = [
        Faults {
            duplicate_every: Some(1),
            ..Faults::default()
        },
        Faults {
            duplicate_request_every: Some(1),
            ..Faults::default()
        },
        Faults {
            stale_every: Some(1),
            duplicate_every: Some(2),
            ..Faults::default()
        },
        Faults {
            delay: Duration::from_millis(3),
            duplicate_every: Some(1),
            stale_every: Some(1),
            ..Faults::default()
        },
    ];
    for faults in table {
        let bench = Bench::start("127.0.0.1", config(), faults).await;
        let mut session = Client::connect(bench.target()).await.unwrap();
        assert_eq!(switch(&bench, &mut session, 20).await, 0, "{faults:?}");
        assert_eq!(bench.machine.controls().len(), 20, "{faults:?}");
        session
            .set_boot_device(BootDevice::Pxe, BootMode::Uefi, Persistence::Once)
            .await
            .unwrap();
        let options = session.boot_options().await.unwrap();
        assert_eq!(options.raw, [0xa0, 4, 0, 0, 0]);
        session.close().await.unwrap();
        assert_eq!(bench.seen().login_attempts, 1);
    }
}

#[tokio::test]
async fn lost_requests_are_sent_again() {
    let faults = Faults {
        drop_request_every: Some(2),
        ..Faults::default()
    };
    let bench = Bench::start("127.0.0.1", config(), faults).await;
    let mut target = bench.target();
    target.timeout = Duration::from_millis(30);
    let mut session = Client::connect(target).await.unwrap();
    assert_eq!(switch(&bench, &mut session, 10).await, 0);
    assert_eq!(bench.machine.controls().len(), 10);
    session.close().await.unwrap();
    let seen = bench.seen();
    assert_eq!((seen.login_attempts, seen.sessions), (1, 0));
}

/// Where the answer to a control command is lost, only the machine knows whether it was carried out; reads recover.
#[tokio::test]
async fn lost_answers_leave_control_open_but_not_reads() {
    let bench = Bench::plain().await;
    let mut target = bench.target();
    target.timeout = Duration::from_millis(30);
    let mut session = Client::connect(target.clone()).await.unwrap();
    bench
        .faults
        .send_modify(|faults| faults.drop_every = Some(3));
    let failed = switch(&bench, &mut session, 12).await;
    let controls = bench.machine.controls().len();
    assert_eq!(controls, 12, "every command was carried out exactly once");
    assert!(failed > 0, "an answer to a control command was lost");
    for _ in 0..10 {
        session.chassis_status().await.unwrap();
    }
}

/// Some BMCs carry out a repeated packet again: what must not happen twice is not sent twice.
#[tokio::test]
async fn pulses_are_never_carried_out_twice() {
    let mut config = config();
    config.quirks = Quirks {
        runs_repeated_packets: true,
        ..Quirks::default()
    };
    let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
    let mut target = bench.target();
    target.timeout = Duration::from_millis(20);
    let mut session = Client::connect(target).await.unwrap();
    session.chassis_control(Control::On).await.unwrap();
    bench
        .faults
        .send_modify(|faults| faults.drop_every = Some(1));
    for control in [Control::Reset, Control::Cycle] {
        let before = bench.machine.controls().len();
        let error = session.chassis_control(control).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { sent: 1, .. }), "{error}");
        assert_eq!(bench.machine.controls()[before..], [control]);
    }
    // The reverse, so that this test can tell: a state is sent again, and this BMC carries it out again.
    let before = bench.machine.controls().len();
    session.chassis_control(Control::Off).await.unwrap_err();
    assert_eq!(bench.machine.controls()[before..], [Control::Off; 4]);
}

#[tokio::test]
async fn a_handshake_survives_lost_answers() {
    for every in 2..6 {
        let faults = Faults {
            drop_every: Some(every),
            ..Faults::default()
        };
        let bench = Bench::start("127.0.0.1", config(), faults).await;
        let mut target = bench.target();
        target.timeout = Duration::from_millis(30);
        let mut session = Client::connect(target).await.unwrap();
        session.chassis_status().await.unwrap();
        let seen = bench.seen();
        assert_eq!(
            (seen.sessions, seen.login_attempts),
            (1, 1),
            "one answer in {every} lost: no second slot, no second attempt"
        );
    }
}

#[tokio::test]
async fn a_bmc_that_falls_silent_ends_in_a_timeout() {
    let bench = Bench::plain().await;
    let mut target = bench.target();
    target.timeout = Duration::from_millis(30);
    let mut session = Client::connect(target).await.unwrap();
    bench.faults.send_modify(|faults| faults.silent = true);
    let error = session.chassis_control(Control::On).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { sent: 4, .. }), "{error}");
    assert!(error.to_string().contains("power on"), "{error}");
    assert!(error.to_string().contains(&bench.addr.to_string()));
    bench.faults.send_modify(|faults| faults.silent = false);
    assert!(!session.chassis_status().await.unwrap().power_on);
}

/// Somebody sends datagrams without end: the clock counts all the same.
#[tokio::test]
async fn a_flood_does_not_keep_the_deadline_away() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut target = Target::new(socket.local_addr().unwrap(), "admin", "secret".into());
    target.timeout = Duration::from_millis(50);
    target.retries = 1;
    let traffic = std::sync::Arc::clone(&target.traffic);
    let socket = socket.into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    let flood = std::thread::spawn(move || {
        let (_, console) = socket.recv_from(&mut [0; 1024]).unwrap();
        let begin = std::time::Instant::now();
        // Well formed, but no answer to anything.
        let noise = [6, 0, 0xff, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        while begin.elapsed() < Duration::from_secs(5) && socket.send_to(&noise, console).is_ok() {}
    });
    let begin = tokio::time::Instant::now();
    let error = Client::connect(target).await.unwrap_err();
    let took = begin.elapsed();
    assert!(matches!(error, Error::Timeout { sent: 2, .. }), "{error}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(traffic.snapshot().dropped > 100, "it was no flood");
    // With the client's port closed the sender gets an error, or its five seconds end.
    flood.join().unwrap();
}

/// Some BMCs answer a repeated packet with "duplicated request": that is no answer to the question.
#[tokio::test]
async fn duplicated_request_is_no_answer() {
    let mut config = config();
    config.quirks.tells_duplicates = true;
    let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
    let mut target = bench.target();
    target.timeout = Duration::from_millis(30);
    let mut session = Client::connect(target).await.unwrap();
    bench
        .faults
        .send_modify(|faults| faults.drop_every = Some(2));
    for _ in 0..10 {
        session.chassis_status().await.unwrap();
    }
    let mut lost = 0;
    for _ in 0..6 {
        let done = bench.machine.controls().len();
        match session.chassis_control(Control::Off).await {
            Ok(()) => {}
            // Not "busy": it was carried out, and only the answer was lost.
            Err(Error::Timeout { .. }) => lost += 1,
            Err(error) => panic!("{error}"),
        }
        assert_eq!(bench.machine.controls().len(), done + 1);
        // Brings the count of answers out of step.
        session.device_id().await.unwrap();
    }
    assert!(lost > 0, "no answer to a control command was lost");
}

#[tokio::test]
async fn retransmissions_are_counted() {
    let faults = Faults {
        drop_request_every: Some(2),
        ..Faults::default()
    };
    let bench = Bench::start("127.0.0.1", config(), faults).await;
    let mut target = bench.target();
    target.timeout = Duration::from_millis(30);
    let traffic = std::sync::Arc::clone(&target.traffic);
    let session = Client::connect(target).await.unwrap();
    // Capabilities, open session, RAKP 1, RAKP 3, privilege level: every second datagram was lost.
    let seen = traffic.snapshot();
    assert_eq!((seen.requests, seen.retransmissions), (5, 4));
    drop(session);
}

#[tokio::test]
async fn a_gap_is_kept_between_requests() {
    let bench = Bench::plain().await;
    let mut target = bench.target();
    target.gap = Duration::from_millis(30);
    let begin = tokio::time::Instant::now();
    let mut session = Client::connect(target).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(30 * 4));
    session.set_gap(Duration::ZERO);
    session.chassis_status().await.unwrap();
    session.set_gap(Duration::from_millis(50));
    let begin = tokio::time::Instant::now();
    for _ in 0..4 {
        session.chassis_status().await.unwrap();
    }
    assert!(begin.elapsed() >= Duration::from_millis(50 * 4));
}

#[tokio::test]
async fn a_slow_bmc_is_waited_for() {
    let faults = Faults {
        delay: Duration::from_millis(60),
        ..Faults::default()
    };
    let bench = Bench::start("127.0.0.1", config(), faults).await;
    let mut target = bench.target();
    target.timeout = Duration::from_millis(40);
    let mut session = Client::connect(target).await.unwrap();
    assert_eq!(switch(&bench, &mut session, 6).await, 0);
    assert_eq!(bench.machine.controls().len(), 6);
}

#[tokio::test]
async fn many_consoles_at_once() {
    let bench = Bench::plain().await;
    let mut consoles = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let target = bench.target();
        consoles.spawn(async move {
            let mut session = Client::connect(target).await?;
            for _ in 0..5 {
                session.chassis_status().await?;
            }
            session.close().await
        });
    }
    while let Some(outcome) = consoles.join_next().await {
        outcome.unwrap().unwrap();
    }
    let seen = bench.seen();
    assert_eq!((seen.logins, seen.closed, seen.sessions), (40, 40, 0));
}

#[tokio::test]
async fn a_thousand_bmcs_in_one_process() {
    let mut benches = Vec::new();
    for n in 0..1000u32 {
        let ip = format!("127.77.{}.{}", n / 250, 1 + n % 250);
        benches.push(Bench::start(&ip, config(), Faults::default()).await);
    }
    for bench in &benches {
        let mut session = Client::connect(bench.target()).await.unwrap();
        session.chassis_control(Control::On).await.unwrap();
        session.close().await.unwrap();
    }
    let controlled = benches
        .iter()
        .filter(|bench| bench.machine.controls() == [Control::On])
        .count();
    assert_eq!(controlled, benches.len());
}
