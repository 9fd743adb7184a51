//! BMCs with faults to order: busy, full, falling over, on a bad network.
#![allow(clippy::unwrap_used)]

#[path = "rig/bench.rs"]
mod bench;

use std::time::Duration;

use bench::{Bench, config};
use drydock_ipmi::bmc::Faults;
use drydock_ipmi::{Client, CompletionCode, Control, Error};

#[tokio::test]
async fn a_busy_bmc_carries_nothing_out() {
    let bench = Bench::plain().await;
    let mut session = Client::connect(bench.target()).await.unwrap();
    bench
        .faults
        .send_modify(|faults| faults.busy_every = Some(2));
    let mut done = 0;
    for round in 1..=6 {
        match session.chassis_control(Control::On).await {
            Ok(()) => done += 1,
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        Error::Busy {
                            code: CompletionCode::NODE_BUSY,
                            ..
                        }
                    ) && error.is_transient(),
                    "{error}"
                );
                assert_eq!(round % 2, 0);
            }
        }
        assert_eq!(bench.machine.controls().len(), done);
    }
    assert_eq!(done, 3);
    // A busy BMC still lets go of its sessions.
    session.close().await.unwrap();
    bench.until("closed", |seen| seen.sessions == 0).await;
}

#[tokio::test]
async fn slots_taken_by_others() {
    let bench = Bench::plain().await;
    let mut open = Client::connect(bench.target()).await.unwrap();
    bench.faults.send_modify(|faults| faults.slots_taken = true);
    let error = Client::connect(bench.target()).await.unwrap_err();
    assert!(matches!(error, Error::SessionSlotsUsedUp { .. }), "{error}");
    open.chassis_status().await.unwrap();
    bench
        .faults
        .send_modify(|faults| faults.slots_taken = false);
    Client::connect(bench.target()).await.unwrap();
}

#[tokio::test]
async fn a_bmc_that_is_asked_too_fast_falls_over_and_comes_back() {
    let faults = Faults {
        crashes_above: Some(10),
        crash_for: Duration::from_millis(300),
        ..Faults::default()
    };
    let bench = Bench::start("127.0.0.1", config(), faults).await;
    let mut target = bench.target();
    target.timeout = Duration::from_millis(50);
    target.retries = 1;
    // A login takes five requests, so this is more than ten within a second.
    let mut session = Client::connect(target.clone()).await.unwrap();
    let mut last = Ok(());
    for _ in 0..10 {
        last = session.chassis_status().await.map(drop);
        if last.is_err() {
            break;
        }
    }
    assert!(matches!(last, Err(Error::Timeout { .. })), "{last:?}");
    let seen = bench.seen();
    assert_eq!((seen.crashes, seen.sessions), (1, 0));
    // It has forgotten the session; a new one works, at a pace that it stands.
    target.retries = 20;
    target.gap = Duration::from_millis(120);
    let mut session = Client::connect(target).await.unwrap();
    for _ in 0..12 {
        session.chassis_status().await.unwrap();
    }
    assert_eq!(bench.seen().crashes, 1);
}

#[tokio::test]
async fn loss_and_doubling_by_chance_follow_their_odds() {
    let faults = Faults {
        loss_per_mille: 150,
        duplicate_per_mille: 150,
        reorder_per_mille: 150,
        reorder_by: Duration::from_millis(5),
        ..Faults::default()
    };
    let bench = Bench::start("127.0.0.1", config(), faults).await;
    let mut target = bench.target();
    target.timeout = Duration::from_millis(20);
    target.retries = 9;
    let traffic = std::sync::Arc::clone(&target.traffic);
    let mut session = Client::connect(target).await.unwrap();
    for _ in 0..100 {
        session.chassis_status().await.unwrap();
    }
    let seen = traffic.snapshot();
    // Of 100 exchanges 28 lose their request or their answer, and some of the repeated ones again.
    assert!(
        (15..90).contains(&seen.retransmissions),
        "{} retransmissions",
        seen.retransmissions
    );
    assert!(seen.dropped > 10, "{} doubled answers", seen.dropped);
}
