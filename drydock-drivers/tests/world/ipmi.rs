//! The IPMI driver against simulated BMCs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drydock_drivers::AllowNetworks;
use drydock_drivers::ipmi::IpmiDriver;
use drydock_drivers::oob::Attended;
use drydock_ipmi::Privilege;
use drydock_model::change::ChangeOutcome;
use drydock_model::driver::{Driver, ErrorClass};
use drydock_model::step::StepAction as A;
use drydock_sim::{Call, Entry, Faults, MachineFaults, Phase};

use crate::site::{Fixture, PASSWORD, ipmi_settings};

fn broken(fault: MachineFaults) -> Faults {
    Faults {
        machines: [("n1".to_owned(), fault)].into(),
        ..Faults::default()
    }
}

#[tokio::test]
async fn interrogation_reports_device_and_power() {
    let site = Fixture::start(1, 1, Faults::default()).await;
    let report = site
        .step(A::InterrogateOob, "n1")
        .run(&site.ipmi)
        .await
        .unwrap();
    assert!(
        report.message.contains("power is off") && report.message.contains("device"),
        "{}",
        report.message
    );
    for action in [A::ValidateOobServices, A::ConfigNodePxe] {
        let mut step = site.step(action, "n1");
        assert!(!step.run(&site.ipmi).await.unwrap().message.is_empty());
        assert!(step.journal.is_empty());
    }
    assert!(site.bmc_commands("n1").is_empty());
    site.stop().await;
}

#[tokio::test]
async fn every_verb_is_idempotent_and_reads_back() {
    let site = Fixture::start(2, 1, Faults::default()).await;
    for (action, verbs) in [
        (A::SetNodeBoot, vec!["set_boot_device"]),
        (A::PowerOnNode, vec!["power_on"]),
        (A::PowerOffNode, vec!["power_off"]),
    ] {
        let mut first = site.step(action, "n1");
        first.run(&site.ipmi).await.unwrap();
        assert_eq!(first.verbs(), verbs);
        if action != A::PowerOnNode {
            let mut second = site.step(action, "n1");
            second.run(&site.ipmi).await.unwrap();
            assert!(second.verbs().is_empty(), "{action}");
        }
    }
    site.stop().await;
}

#[tokio::test]
async fn a_cycle_boots_from_the_network_as_it_was_set() {
    let site = Fixture::start(3, 1, Faults::default()).await;
    site.step(A::PowerOnNode, "n1")
        .run(&site.ipmi)
        .await
        .unwrap();
    site.step(A::SetNodeBoot, "n1")
        .run(&site.ipmi)
        .await
        .unwrap();
    let mut cycle = site.step(A::PowerCycleNode, "n1");
    cycle.run(&site.ipmi).await.unwrap();
    let counts = cycle.counts();
    assert_eq!(
        (counts.get("power_off"), counts.get("power_on")),
        (Some(&1), Some(&1))
    );
    let commands = site.bmc_commands("n1");
    assert!(
        !commands
            .iter()
            .any(|command| command == "power_cycle" || command == "power_reset"),
        "{commands:?}"
    );
    let mut seen = site.step(A::IdentifyNode, "n1").fact("known", false);
    assert_eq!(seen.run(&site.maas).await.unwrap().facts["known"], true);
    site.stop().await;
}

/// The step dies after each of its changes, before it could write the outcome, and another run takes it up.
#[tokio::test]
async fn a_crashed_cycle_is_taken_up_without_a_second_one() {
    for crash_after in 1..=2 {
        let site =
            Fixture::start(4 + u8::try_from(crash_after).unwrap(), 1, Faults::default()).await;
        site.step(A::PowerOnNode, "n1")
            .run(&site.ipmi)
            .await
            .unwrap();
        site.step(A::SetNodeBoot, "n1")
            .run(&site.ipmi)
            .await
            .unwrap();
        let mut cycle = site.step(A::PowerCycleNode, "n1");
        assert!(cycle.run_until(&site.ipmi, crash_after).await.is_none());
        cycle.run(&site.ipmi).await.unwrap();
        let commands = site.bmc_commands("n1");
        let last_on = commands
            .iter()
            .rposition(|command| command == "power_on")
            .unwrap();
        let offs_after = commands[last_on..]
            .iter()
            .filter(|command| *command == "power_off")
            .count();
        assert_eq!(
            offs_after, 0,
            "switched off after it was switched on: {commands:?}"
        );
        site.stop().await;
    }
}

/// A machine that has enlisted switches itself off; whoever was to see it on was not there. The answer to the command was kept, or lost as well.
#[tokio::test]
async fn a_cycle_that_nobody_saw_is_none_the_less_done() {
    for (block, outcome) in [(15, Some(ChangeOutcome::Done)), (16, None)] {
        let site = Fixture::start(block, 1, Faults::default()).await;
        for action in [A::PowerOnNode, A::SetNodeBoot] {
            site.step(action, "n1").run(&site.ipmi).await.unwrap();
        }
        let mut cycle = site.step(A::PowerCycleNode, "n1");
        assert!(cycle.run_until(&site.ipmi, 2).await.is_none());
        let last = cycle.journal.last_mut().unwrap();
        assert_eq!(last.change.verb, "power_on");
        last.outcome = outcome;
        last.evidence = outcome.map(|_| "acknowledged, not on yet".into());
        let log = site.world.call_log();
        let enters =
            |entry: &Entry, phase| matches!(&entry.call, Call::Machine { to, .. } if *to == phase);
        let off_again = async {
            let enlisted = log.wait_for(0, |entry| enters(entry, Phase::Enlisted));
            let since = enlisted.await.seq;
            log.wait_for(since, |entry| enters(entry, Phase::Off)).await
        };
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, off_again).await.unwrap();
        let report = cycle.run(&site.ipmi).await.unwrap();
        assert!(report.message.contains("off and on"), "{}", report.message);
        let commands = site.bmc_commands("n1");
        let switched_on = commands.iter().filter(|command| *command == "power_on");
        // Once by the test, once by the cycle.
        assert_eq!(switched_on.count(), 2, "{commands:?}");
        site.stop().await;
    }
}

#[tokio::test]
async fn a_cycle_that_does_not_start_the_machine_is_a_failure_in_the_end() {
    let site = Fixture::start(17, 1, Faults::default()).await;
    site.step(A::SetNodeBoot, "n1")
        .run(&site.ipmi)
        .await
        .unwrap();
    site.world
        .set_faults(broken(MachineFaults {
            ignores_power: true,
            ..MachineFaults::default()
        }))
        .unwrap();
    let error = site
        .step(A::PowerCycleNode, "n1")
        .run(&site.ipmi)
        .await
        .unwrap_err();
    assert!(
        error.got.contains("said yes, read back power off"),
        "{error}"
    );
    site.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_not_shown() {
    let site = Fixture::start(
        7,
        1,
        broken(MachineFaults {
            bmc_wrong_password: true,
            ..MachineFaults::default()
        }),
    )
    .await;
    let mut errors = Vec::new();
    for _ in 0..3 {
        errors.push(
            site.step(A::InterrogateOob, "n1")
                .run(&site.ipmi)
                .await
                .unwrap_err(),
        );
    }
    for error in &errors {
        assert_eq!(error.class, ErrorClass::Auth);
        assert!(
            error.to_string().contains("n1") && error.to_string().contains("127.77.7.1"),
            "{error}"
        );
        assert!(!format!("{error:?}").contains(PASSWORD));
    }
    assert!(
        !errors[0].got.contains("short while ago") && errors[1].got.contains("short while ago"),
        "{errors:?}"
    );
    site.stop().await;
}

/// The login was good: an account that may not switch may still look.
#[tokio::test]
async fn a_command_without_the_privilege_holds_no_other() {
    let site = Fixture::start(18, 1, Faults::default()).await;
    let step = site.step(A::PowerOnNode, "n1");
    let observed = site.ipmi.observe(&step.cx).await.unwrap();
    let change = site.ipmi.plan(&step.cx, &observed, &[]).changes[0].clone();
    let mut settings = ipmi_settings(&site.world);
    settings.privilege = Privilege::User;
    let driver = IpmiDriver::new(settings, crate::site::loopback());
    // Once over a session that is opened for it, once over one that is there.
    for _ in 0..2 {
        let error = driver.apply(&step.cx, &change).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Auth, "{error}");
        assert!(error.got.contains("privilege"), "{error}");
        driver.observe(&step.cx).await.unwrap();
    }
    driver.shutdown().await;
    site.stop().await;
}

#[tokio::test]
async fn a_boot_device_that_is_not_kept_is_a_failure() {
    let site = Fixture::start(
        8,
        1,
        broken(MachineFaults {
            forgets_boot_device: true,
            ..MachineFaults::default()
        }),
    )
    .await;
    let error = site
        .step(A::SetNodeBoot, "n1")
        .run(&site.ipmi)
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent);
    assert!(
        error.got.contains("said yes, read back boot device none"),
        "{error}"
    );
    site.stop().await;
}

#[tokio::test]
async fn power_that_does_not_follow_is_a_failure_in_the_end() {
    let site = Fixture::start(
        9,
        1,
        broken(MachineFaults {
            ignores_power: true,
            ..MachineFaults::default()
        }),
    )
    .await;
    let error = site
        .step(A::PowerOnNode, "n1")
        .run(&site.ipmi)
        .await
        .unwrap_err();
    assert!(
        error.got.contains("said yes, read back power off"),
        "{error}"
    );
    site.stop().await;
}

/// The answer is lost after the work is done, and the command is sent again.
#[tokio::test]
async fn a_power_command_for_what_is_so_already_is_no_failure() {
    let refuses = broken(MachineFaults {
        refuses_same_power: true,
        ..MachineFaults::default()
    });
    let site = Fixture::start(13, 1, refuses).await;
    for (action, verb) in [(A::PowerOnNode, "power_on"), (A::PowerOffNode, "power_off")] {
        let mut step = site.step(action, "n1");
        step.run(&site.ipmi).await.unwrap();
        assert_eq!(step.verbs(), [verb]);
        let change = step.journal[0].change.clone();
        let evidence = site.ipmi.apply(&step.cx, &change).await.unwrap();
        assert_eq!(evidence, "was so already");
    }
    site.stop().await;
}

#[tokio::test]
async fn a_refused_power_command_that_was_needed_is_a_failure() {
    let site = Fixture::start(14, 1, Faults::default()).await;
    let step = site.step(A::PowerOnNode, "n1");
    let observed = site.ipmi.observe(&step.cx).await.unwrap();
    let change = site.ipmi.plan(&step.cx, &observed, &[]).changes[0].clone();
    site.world
        .set_faults(broken(MachineFaults {
            refuses_power: true,
            ..MachineFaults::default()
        }))
        .unwrap();
    let error = site.ipmi.apply(&step.cx, &change).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent, "{error}");
    site.stop().await;
}

/// What a command costs on a session that is there: a refusal is an answer, and who is silent is not waited for to end the session.
#[tokio::test]
async fn a_session_is_kept_through_a_refusal_and_let_go_in_silence() {
    let site = Fixture::start(19, 1, Faults::default()).await;
    let requests = || {
        let readings = Attended::readings(&site.ipmi);
        readings.iter().filter_map(|it| it.requests).sum::<u64>()
    };
    let step = site.step(A::PowerOnNode, "n1");
    let observed = site.ipmi.observe(&step.cx).await.unwrap();
    let change = site.ipmi.plan(&step.cx, &observed, &[]).changes[0].clone();
    let refuses = broken(MachineFaults {
        refuses_power: true,
        ..MachineFaults::default()
    });
    site.world.set_faults(refuses).unwrap();
    let before = requests();
    let error = site.ipmi.apply(&step.cx, &change).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent, "{error}");
    assert_eq!(requests() - before, 2, "the command, and the look after it");
    let silent = broken(MachineFaults {
        bmc_silent: true,
        ..MachineFaults::default()
    });
    site.world.set_faults(silent).unwrap();
    let before = requests();
    let error = site.ipmi.observe(&step.cx).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
    assert_eq!(requests() - before, 2, "the question, and a new login");
    site.stop().await;
}

#[tokio::test]
async fn a_silent_bmc_is_transient() {
    let site = Fixture::start(
        10,
        1,
        broken(MachineFaults {
            bmc_silent: true,
            ..MachineFaults::default()
        }),
    )
    .await;
    let error = site
        .ipmi
        .observe(&site.step(A::InterrogateOob, "n1").cx)
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
    site.stop().await;
}

#[tokio::test]
async fn an_address_outside_is_refused_before_a_packet() {
    let site = Fixture::start(11, 1, Faults::default()).await;
    let allow = AllowNetworks::only(vec!["127.99.0.0/16".parse().unwrap()]);
    let driver = IpmiDriver::new(ipmi_settings(&site.world), allow);
    let began = Instant::now();
    let error = driver
        .observe(&site.step(A::InterrogateOob, "n1").cx)
        .await
        .unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(100));
    assert_eq!(error.class, ErrorClass::Permanent);
    for word in ["n1", "127.77.11.1", "drivers.allow_networks"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    driver.shutdown().await;
    site.stop().await;
}

#[tokio::test]
async fn many_callers_of_one_bmc_are_served_one_by_one() {
    let site = Fixture::start(12, 1, Faults::default()).await;
    let driver = Arc::new(IpmiDriver::new(
        ipmi_settings(&site.world),
        crate::site::loopback(),
    ));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let cx = site.step(A::InterrogateOob, "n1").cx;
        let driver = Arc::clone(&driver);
        callers.spawn(async move { driver.observe(&cx).await });
    }
    while let Some(outcome) = callers.join_next().await {
        outcome.unwrap().unwrap();
    }
    driver.shutdown().await;
    site.stop().await;
}
