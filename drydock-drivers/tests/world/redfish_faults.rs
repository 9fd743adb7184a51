//! The Redfish driver against BMCs that misbehave, and servers that are none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drydock_drivers::redfish::{Fingerprint, RedfishDriver, RedfishSettings, TlsPolicy};
use drydock_model::driver::{Driver, ErrorClass};
use drydock_model::step::StepAction as A;
use drydock_sim::{Accepted, Etags, MachineFaults, RedfishFaults, Transport, Vendor};

use crate::redfish::{Bench, redfish, settings, vendor, world};
use crate::run::Step;
use crate::site::{PASSWORD, design, loopback};

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_not_shown() {
    for (block, sessions) in [(170, true), (171, false)] {
        let faults = MachineFaults {
            bmc_wrong_password: true,
            ..redfish(RedfishFaults {
                no_sessions: !sessions,
                ..RedfishFaults::default()
            })
        };
        let bench = Bench::start(block, faults).await;
        let cx = bench.step(A::InterrogateOob).cx;
        for _ in 0..3 {
            let error = bench.driver.observe(&cx).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Auth, "{error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(PASSWORD), "{shown}");
        }
        let refused = bench.requests();
        let refused = refused.iter().filter(|it| it.ends_with(" 401")).count();
        assert_eq!(refused, 1, "{:?}", bench.requests());
        // Other credentials are tried at once.
        bench.set(MachineFaults::default());
        let error = bench.driver.observe(&cx).await.unwrap_err();
        assert!(error.got.contains("refused a short while ago"), "{error}");
        bench.world.stop().await;
    }
}

#[tokio::test]
async fn used_up_slots_are_told_and_waited_for() {
    let mut faults = redfish(RedfishFaults {
        basic_takes_slot: true,
        ..RedfishFaults::default()
    });
    faults.bmc.slots_taken = true;
    let bench = Bench::start(172, faults).await;
    let cx = bench.step(A::PowerOnNode).cx;
    let error = bench.driver.observe(&cx).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
    assert!(error.got.contains("session slots are used up"), "{error}");
    assert!(error.retry_after.unwrap() >= Duration::from_secs(10));
    let sent = bench.requests().len();
    let again = bench.driver.observe(&cx).await.unwrap_err();
    assert!(again.is_transient() && again.retry_after.is_some());
    assert_eq!(bench.requests().len(), sent, "it is left alone meanwhile");
    bench.world.stop().await;
}

/// The slots may be taken by our own sessions, from before we were killed.
#[tokio::test]
async fn who_was_killed_gets_in_again() {
    let slots = redfish(RedfishFaults {
        session_slots: 2,
        ..RedfishFaults::default()
    });
    let bench = Bench::start(205, slots).await;
    for _ in 0..5 {
        let killed = RedfishDriver::new(settings(&bench.world), loopback()).unwrap();
        let mut step = bench.step(A::PowerOnNode);
        step.run(&killed).await.unwrap();
        assert_eq!(step.hiccups, 0);
    }
    assert_eq!(bench.effects(), ["power_on"]);
    bench.world.stop().await;
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let mut faults = redfish(RedfishFaults {
        retry_after_s: 1,
        ..RedfishFaults::default()
    });
    faults.bmc.busy_every = Some(3);
    let bench = Bench::start(173, faults).await;
    let mut step = bench.step(A::PowerOnNode);
    let began = Instant::now();
    step.run(&bench.driver).await.unwrap();
    assert_eq!(bench.effects(), ["power_on"]);
    let requests = bench.requests();
    let put_off = requests.iter().filter(|it| it.ends_with(" 503")).count();
    assert!(put_off > 0 && put_off < 10, "{requests:#?}");
    let pauses = Duration::from_secs(u64::try_from(put_off).unwrap());
    assert!(
        began.elapsed() >= pauses,
        "asked before its time: {requests:#?}"
    );
    bench.set(MachineFaults::default());
    bench.stop().await;
}

/// What would take too long is the engine's to wait for; nothing is sent meanwhile.
#[tokio::test]
async fn a_long_pause_is_left_to_the_engine() {
    let mut faults = redfish(RedfishFaults {
        retry_after_s: 30,
        ..RedfishFaults::default()
    });
    faults.bmc.busy_every = Some(2);
    let bench = Bench::start(204, faults).await;
    let cx = bench.step(A::PowerOnNode).cx;
    let error = bench.driver.observe(&cx).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
    assert_eq!(error.retry_after, Some(Duration::from_secs(30)));
    let sent = bench.requests().len();
    let again = bench.driver.observe(&cx).await.unwrap_err();
    assert!(again.got.contains("asked a short while ago"), "{again}");
    assert!(again.retry_after.unwrap() > Duration::from_secs(25));
    assert_eq!(bench.requests().len(), sent);
    bench.world.stop().await;
}

#[tokio::test]
async fn a_session_that_is_lost_costs_one_login() {
    let short = redfish(RedfishFaults {
        session_ms: 300,
        ..RedfishFaults::default()
    });
    let bench = Bench::start(174, short).await;
    bench.run(A::PowerOnNode).await;
    let logins = bench.count("POST /redfish/v1/SessionService/Sessions");
    let lost = Instant::now() + Duration::from_millis(600);
    while Instant::now() < lost {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut step = bench.step(A::SetNodeBoot);
    step.run(&bench.driver).await.unwrap();
    assert_eq!(step.hiccups, 0);
    let again = bench.count("POST /redfish/v1/SessionService/Sessions");
    assert_eq!(again, logins + 1);
    bench.driver.shutdown().await;
    bench.world.stop().await;
}

/// Each way to be difficult about boot settings, and all of them together.
#[tokio::test]
async fn boot_settings_are_written_as_the_service_takes_them() {
    let plain = RedfishFaults::default();
    let cases = [
        RedfishFaults {
            wants_whole_boot: true,
            ..plain
        },
        RedfishFaults {
            refuses_unchanged: true,
            ..plain
        },
        RedfishFaults {
            refuses_continuous: true,
            ..plain
        },
        RedfishFaults {
            boot_on_settings: true,
            ..plain
        },
        RedfishFaults {
            etags: Etags::Required,
            ..plain
        },
        RedfishFaults {
            etags: Etags::None,
            ..plain
        },
        RedfishFaults {
            accepted: Accepted::Content,
            ..plain
        },
        RedfishFaults {
            accepted: Accepted::Task,
            task_ms: 300,
            ..plain
        },
        RedfishFaults {
            boot_on_settings: true,
            etags: Etags::Required,
            accepted: Accepted::Task,
            ..plain
        },
    ];
    for (block, case) in (175u8..).zip(cases) {
        let bench = Bench::start(block, redfish(case)).await;
        let mut step = bench.step(A::SetNodeBoot);
        let outcome = step.run(&bench.driver).await;
        assert!(outcome.is_ok(), "{case:?}: {outcome:?}");
        assert_eq!(step.verbs(), ["set_boot_device"], "{case:?}");
        assert_eq!(bench.effects(), ["set_boot"], "{case:?}");
        let mut second = bench.step(A::SetNodeBoot);
        second.run(&bench.driver).await.unwrap();
        assert!(second.verbs().is_empty(), "{case:?}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_task_that_fails_is_a_failure() {
    let failing = redfish(RedfishFaults {
        accepted: Accepted::Task,
        tasks_fail: true,
        ..RedfishFaults::default()
    });
    let bench = Bench::start(185, failing).await;
    let mut step = bench.step(A::SetNodeBoot);
    let error = step.run(&bench.driver).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent, "{error}");
    assert!(error.got.contains("accepted this and failed"), "{error}");
    bench.stop().await;
}

#[tokio::test]
async fn a_task_without_an_end_is_told_as_unfinished() {
    let endless = redfish(RedfishFaults {
        accepted: Accepted::Task,
        task_ms: 600_000,
        ..RedfishFaults::default()
    });
    let bench = Bench::start(186, endless).await;
    let step = bench.step(A::SetNodeBoot);
    let observed = bench.driver.observe(&step.cx).await.unwrap();
    let change = bench.driver.plan(&step.cx, &observed, &[]).changes[0].clone();
    let error = bench.driver.apply(&step.cx, &change).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
    assert!(error.got.contains("has not ended it yet"), "{error}");
    bench.stop().await;
}

/// HPE's firmware takes no boot settings while it starts.
#[tokio::test]
async fn settings_during_post_are_put_off() {
    let faults = MachineFaults {
        redfish: RedfishFaults {
            post_ms: 60_000,
            ..RedfishFaults::default()
        },
        ..vendor(Vendor::Ilo)
    };
    let bench = Bench::start(187, faults).await;
    bench.run(A::PowerOnNode).await;
    let step = bench.step(A::SetNodeBoot);
    let observed = bench.driver.observe(&step.cx).await.unwrap();
    let change = bench.driver.plan(&step.cx, &observed, &[]).changes[0].clone();
    let error = bench.driver.apply(&step.cx, &change).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
    assert!(
        error.retry_after.is_some() && error.got.contains("POST"),
        "{error}"
    );
    bench.driver.shutdown().await;
    bench.world.stop().await;
}

/// The work is done and the connection closed in place of the answer. In how many requests decides which answers are lost.
#[tokio::test]
async fn lost_answers_repeat_nothing_that_happened() {
    let mut lost = 0;
    for (block, cuts_off_every) in [(188, 6), (225, 7), (226, 9)] {
        let cuts = redfish(RedfishFaults {
            cuts_off_every,
            ..RedfishFaults::default()
        });
        let bench = Bench::start(block, cuts).await;
        bench.run(A::PowerOnNode).await;
        bench.run(A::SetNodeBoot).await;
        bench.run(A::PowerCycleNode).await;
        let effects = bench.effects();
        let count = |what: &str| effects.iter().filter(|it| *it == what).count();
        assert_eq!(count("power_off"), 1, "{effects:?}");
        let changes = bench.requests();
        let cut = |it: &&String| !it.starts_with("GET") && it.ends_with(" 0");
        lost += changes.iter().filter(cut).count();
        bench.driver.shutdown().await;
        bench.world.stop().await;
    }
    assert!(lost > 0, "no answer to a change was lost");
}

#[tokio::test]
async fn a_silent_bmc_is_transient_and_then_left_alone() {
    let faults = MachineFaults {
        bmc_silent: true,
        ..MachineFaults::default()
    };
    let bench = Bench::start(189, faults).await;
    let settings = RedfishSettings {
        timeout: Duration::from_millis(100),
        ..settings(&bench.world)
    };
    let driver = RedfishDriver::new(settings, loopback()).unwrap();
    let cx = bench.step(A::InterrogateOob).cx;
    let mut last = None;
    for _ in 0..7 {
        let error = driver.observe(&cx).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient, "{error}");
        last = Some(error);
    }
    assert!(last.unwrap().got.contains("left alone"));
    driver.shutdown().await;
    bench.world.stop().await;
}

#[tokio::test]
async fn certificates_are_verified_unless_an_operator_says_otherwise() {
    let own = world(190, MachineFaults::default(), Transport::SelfSigned).await;
    let issued = world(191, MachineFaults::default(), Transport::Issued).await;
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, issued.redfish_ca()).unwrap();
    let pin =
        |world: &drydock_sim::World| Fingerprint::of(world.redfish_certificate("n1").unwrap());
    let with = |fingerprints: Vec<Fingerprint>, ca: bool, insecure: bool| TlsPolicy {
        ca_file: ca.then(|| ca_file.clone()),
        fingerprints,
        insecure,
    };
    for (world, block, policy, good) in [
        (&own, 190, with(vec![], false, false), false),
        (&own, 190, with(vec![pin(&issued)], false, false), false),
        (&own, 190, with(vec![], true, false), false),
        (&own, 190, with(vec![pin(&own)], false, false), true),
        (&own, 190, with(vec![pin(&own)], true, false), true),
        (&own, 190, with(vec![], false, true), true),
        (&issued, 191, with(vec![], false, false), false),
        (&issued, 191, with(vec![], true, false), true),
        (&issued, 191, with(vec![pin(&issued)], false, false), true),
    ] {
        let told = format!("block {block}, {policy:?}");
        let before = world.call_log().last_seq();
        let settings = RedfishSettings {
            tls: policy,
            ..settings(world)
        };
        let driver = RedfishDriver::new(settings, loopback()).unwrap();
        let design = Arc::new(design(block, 1));
        let cx = Step::new(A::PowerOnNode, &design, Some("n1")).cx;
        let outcome = driver.observe(&cx).await;
        assert_eq!(outcome.is_ok(), good, "{told}: {outcome:?}");
        if let Err(error) = outcome {
            assert_eq!(error.class, ErrorClass::Permanent, "{error}");
            let shown = pin(world).to_string();
            assert!(error.got.contains(&shown), "{error}");
            assert!(error.advice.contains("oob.redfish.fingerprints"), "{error}");
            let sent = world.call_log().since(before).len();
            assert_eq!(sent, 0, "nothing is sent to whom is not trusted");
        }
        driver.shutdown().await;
    }
    own.stop().await;
    issued.stop().await;
}
