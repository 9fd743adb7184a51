//! Commands in a session, refusals, and how sessions end.
#![allow(clippy::unwrap_used)]

#[path = "rig/bench.rs"]
mod bench;

use bench::{Bench, config};
use drydock_ipmi::bmc::{Faults, Quirks};
use drydock_ipmi::{BootDevice, BootMode, Client, CompletionCode, Control, Error, Persistence};

#[tokio::test]
async fn power_follows_control() {
    let bench = Bench::plain().await;
    let mut session = Client::connect(bench.target()).await.unwrap();
    let steps = [
        (Control::On, true),
        (Control::Cycle, true),
        (Control::Reset, true),
        (Control::SoftOff, false),
        (Control::On, true),
        (Control::Off, false),
    ];
    for (control, power_on) in steps {
        session.chassis_control(control).await.unwrap();
        assert_eq!(
            session.chassis_status().await.unwrap().power_on,
            power_on,
            "{control}"
        );
    }
    assert_eq!(bench.machine.controls(), steps.map(|(control, _)| control));
    let error = session.chassis_control(Control::Cycle).await.unwrap_err();
    let Error::CompletionCode {
        netfn: 0,
        cmd: 2,
        code,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(code, CompletionCode::NOT_IN_THIS_STATE);
}

#[tokio::test]
async fn the_level_is_raised_before_any_control() {
    let bench = Bench::plain().await;
    let mut session = Client::connect(bench.target()).await.unwrap();
    session.chassis_control(Control::On).await.unwrap();
    session.close().await.unwrap();
    let numbers: Vec<(u8, u8)> = bench
        .machine
        .calls()
        .iter()
        .map(|(netfn, cmd, _)| (*netfn, *cmd))
        .collect();
    assert_eq!(numbers, [(0x06, 0x3b), (0x00, 0x02), (0x06, 0x3c)]);
}

type IsKind = fn(&Error) -> bool;

#[tokio::test]
async fn refusals_have_kinds() {
    let bench = Bench::plain().await;
    let mut session = Client::connect(bench.target()).await.unwrap();
    let table: [(u8, IsKind, bool); 5] = [
        (0xc0, |error| matches!(error, Error::Busy { .. }), true),
        (0xcf, |error| matches!(error, Error::Busy { .. }), true),
        (
            0xc1,
            |error| matches!(error, Error::Unsupported { .. }),
            false,
        ),
        (0xd4, Error::is_auth, false),
        (
            0xff,
            |error| matches!(error, Error::CompletionCode { .. }),
            false,
        ),
    ];
    for (code, is_kind, transient) in table {
        bench.machine.refuse_with(code);
        let error = session.chassis_control(Control::On).await.unwrap_err();
        assert!(is_kind(&error), "{code:#x}: {error:?}");
        assert_eq!(error.is_transient(), transient, "{error}");
        let text = error.to_string();
        assert!(
            text.contains(&bench.addr.to_string()) && text.contains("power on"),
            "{text}"
        );
    }
    session.chassis_status().await.unwrap();
}

#[tokio::test]
async fn boot_devices_come_back_as_set() {
    let bench = Bench::plain().await;
    let mut session = Client::connect(bench.target()).await.unwrap();
    let devices = [
        BootDevice::Pxe,
        BootDevice::Disk,
        BootDevice::Bios,
        BootDevice::Cd,
        BootDevice::None,
    ];
    for device in devices {
        for mode in [BootMode::Bios, BootMode::Uefi] {
            for persistence in [Persistence::Once, Persistence::Persistent] {
                session
                    .set_boot_device(device, mode, persistence)
                    .await
                    .unwrap();
                let options = session.boot_options().await.unwrap();
                assert!(options.valid);
                assert_eq!(options.device, Some(device));
                assert_eq!((options.mode, options.persistence), (mode, persistence));
            }
        }
    }
}

#[tokio::test]
async fn boot_flags_are_set_as_bmcs_want_it() {
    let pxe_once = vec![0x05, 0xa0, 0x04, 0, 0, 0];
    let strict = Quirks {
        no_set_in_progress: true,
        no_flag_clearing: true,
        short_device_id: true,
        ..Quirks::default()
    };
    let table = [
        (
            Quirks::default(),
            vec![
                vec![0, 1],
                vec![0x03, 0x08],
                pxe_once.clone(),
                vec![0, 0],
                vec![5, 0, 0],
            ],
        ),
        (
            strict,
            vec![vec![0, 1], vec![0x03, 0x08], pxe_once, vec![5, 0, 0]],
        ),
    ];
    for (quirks, expected) in table {
        let mut config = config();
        config.quirks = quirks;
        let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
        let mut session = Client::connect(bench.target()).await.unwrap();
        session
            .set_boot_device(BootDevice::Pxe, BootMode::Uefi, Persistence::Once)
            .await
            .unwrap();
        let options = session.boot_options().await.unwrap();
        assert_eq!(options.raw, [0xa0, 0x04, 0, 0, 0]);
        let data: Vec<Vec<u8>> = bench
            .machine
            .calls()
            .into_iter()
            .filter(|(netfn, _, _)| *netfn == 0)
            .map(|(_, _, data)| data)
            .collect();
        assert_eq!(data, expected);
        session.device_id().await.unwrap();
    }
}

#[tokio::test]
async fn a_bmc_that_keeps_only_the_device_is_seen_through() {
    let mut config = config();
    config.quirks.keeps_only_boot_device = true;
    let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
    let mut session = Client::connect(bench.target()).await.unwrap();
    session
        .set_boot_device(BootDevice::Pxe, BootMode::Uefi, Persistence::Persistent)
        .await
        .unwrap();
    let options = session.boot_options().await.unwrap();
    assert_eq!(options.device, Some(BootDevice::Pxe));
    assert_eq!(
        (options.mode, options.persistence),
        (BootMode::Bios, Persistence::Once)
    );
}

#[tokio::test]
async fn two_hundred_sessions_leave_all_slots_free() {
    let bench = Bench::plain().await;
    for _ in 0..200 {
        let mut session = Client::connect(bench.target()).await.unwrap();
        session.chassis_status().await.unwrap();
        session.close().await.unwrap();
    }
    let seen = bench.seen();
    assert_eq!((seen.logins, seen.closed, seen.reaped), (200, 200, 0));
    assert_eq!(seen.sessions, 0);
}

#[tokio::test]
async fn dropped_sessions_free_their_slot() {
    let mut config = config();
    config.slots = 1;
    let bench = Bench::start("127.0.0.1", config, Faults::default()).await;
    for round in 1..=5 {
        let mut session = Client::connect(bench.target()).await.unwrap();
        session.chassis_status().await.unwrap();
        drop(session);
        bench
            .until("the session is closed", |seen| {
                seen.sessions == 0 && seen.closed == round
            })
            .await;
    }
}

#[tokio::test]
async fn an_abandoned_command_spoils_nothing() {
    let bench = Bench::plain().await;
    let mut session = Client::connect(bench.target()).await.unwrap();
    bench.faults.send_modify(|faults| {
        faults.delay = std::time::Duration::from_millis(30);
    });
    let abandoned = tokio::time::timeout(
        std::time::Duration::from_millis(5),
        session.chassis_status(),
    );
    abandoned.await.unwrap_err();
    session.chassis_control(Control::On).await.unwrap();
    assert!(session.chassis_status().await.unwrap().power_on);
    assert_eq!(session.device_id().await.unwrap().id, 0x20);
}
