//! Plans of the out-of-band drivers as tables, and the crash table of the power cycle.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::trial;

const DONE: Option<ChangeOutcome> = Some(ChangeOutcome::Done);

fn seen(on: bool, device: &str) -> Seen {
    Seen {
        at: Utc::now(),
        bmc: "127.0.0.9:623".into(),
        power_on: Some(on),
        boot: Some(Boot {
            device: device.to_owned().try_into().unwrap(),
            uefi: Some(false),
            persistent: false,
            media: None,
        }),
        device: Some("device 0x20".into()),
        inventory: None,
    }
}

fn look(action: StepAction, seen: &Seen, journal: &[JournalEntry]) -> StepPlan {
    let cx = trial::node_context(action, trial::node("n1"));
    let words = Words {
        name: "ipmi",
        title: "IPMI",
        controller: "BMC",
        target: "bmc",
        generator: "ipmi_inventory",
    };
    let timing = Timing {
        settle_after_reset: Duration::from_secs(15),
        state_timeout: Duration::from_secs(60),
        poll: Duration::from_secs(1),
    };
    let kind = Kind {
        words,
        timing,
        wish: &crate::oob::boot_once,
        honoured: &|wanted, seen| seen.boots(wanted.device),
    };
    plan(&cx, kind, seen, journal).unwrap()
}

/// The verb of the one change, else what follows.
fn gist(plan: &StepPlan) -> &str {
    match (plan.changes.as_slice(), &plan.then) {
        ([change], Then::Observe) => &change.verb,
        ([], Then::Wait { .. }) => "wait",
        ([], Then::Done(_)) => "done",
        ([], Then::Fail(_)) => "fail",
        other => panic!("{other:?}"),
    }
}

fn entry(
    verb: &str,
    outcome: Option<ChangeOutcome>,
    before: &Seen,
    evidence: &str,
) -> JournalEntry {
    let change = Change {
        target: "bmc 127.0.0.9:623".into(),
        verb: verb.into(),
        before: json!({"power": word(before.power_on.unwrap()), "boot": before.boot}),
        after: json!({}),
        risk: Risk::Reboots,
        why: String::new(),
    };
    trial::entry(
        change,
        outcome,
        Some(evidence).filter(|text| !text.is_empty()),
    )
}

#[test]
fn a_wanted_state_is_left_alone() {
    use StepAction as A;
    for (action, seen, wanted) in [
        (A::SetNodeBoot, seen(true, "pxe"), "done"),
        (A::SetNodeBoot, seen(true, "none"), SET_BOOT),
        (A::PowerOffNode, seen(false, "none"), "done"),
        (A::PowerOffNode, seen(true, "none"), POWER_OFF),
        (A::PowerOnNode, seen(true, "none"), "done"),
        (A::PowerOnNode, seen(false, "none"), POWER_ON),
        (A::PowerCycleNode, seen(true, "pxe"), POWER_OFF),
        (A::PowerCycleNode, seen(false, "pxe"), POWER_ON),
        (A::InterrogateOob, seen(true, "none"), "done"),
        (A::ConfigNodePxe, seen(true, "none"), "done"),
        (A::ValidateOobServices, seen(true, "none"), "done"),
    ] {
        assert_eq!(
            gist(&look(action, &seen, &[])),
            wanted,
            "{action} on {seen:?}"
        );
    }
}

#[test]
fn a_change_says_what_it_costs() {
    let cycle = look(StepAction::PowerCycleNode, &seen(true, "pxe"), &[]);
    assert_eq!(
        (cycle.changes[0].risk, cycle.changes[0].target.as_str()),
        (Risk::Reboots, "bmc 127.0.0.9:623")
    );
    assert_eq!(
        look(StepAction::SetNodeBoot, &seen(true, "disk"), &[]).changes[0].risk,
        Risk::Reversible
    );
}

/// Every prefix of the journal of one cycle, with the last entry's outcome known, lost, or never written, against both
/// power states: the step goes on without ever switching off after it may have switched on.
#[test]
fn a_cycle_resumed_anywhere_never_cycles_twice() {
    let before = seen(true, "pxe");
    let off = seen(false, "none");
    let full = [
        entry(POWER_OFF, DONE, &before, "acknowledged"),
        entry(SET_BOOT, DONE, &off, "read back"),
        entry(
            POWER_ON,
            DONE,
            &seen(false, "pxe"),
            "acknowledged, not on yet",
        ),
    ];
    // (entries in the journal, outcome of the last) -> what is planned when on, when off without and with network boot.
    let table: [(usize, Option<ChangeOutcome>, [&str; 3]); 10] = [
        (0, None, [POWER_OFF, POWER_ON, POWER_ON]),
        (1, None, [POWER_OFF, SET_BOOT, POWER_ON]),
        (
            1,
            Some(ChangeOutcome::Unknown),
            [POWER_OFF, SET_BOOT, POWER_ON],
        ),
        (1, DONE, ["wait", SET_BOOT, POWER_ON]),
        (2, None, ["wait", SET_BOOT, POWER_ON]),
        (
            2,
            Some(ChangeOutcome::Unknown),
            ["wait", SET_BOOT, POWER_ON],
        ),
        (2, DONE, ["wait", "fail", POWER_ON]),
        // Off again, and without what it was to boot from: it has started.
        (3, None, ["done", "done", POWER_ON]),
        (3, Some(ChangeOutcome::Unknown), ["done", "done", POWER_ON]),
        (3, DONE, ["done", "done", "wait"]),
    ];
    for (length, outcome, wanted) in table {
        let mut journal = full[..length].to_vec();
        for entry in &mut journal {
            // Long enough ago to be believed, not so long that it counts as not honoured.
            entry.intended -= TimeDelta::seconds(20);
        }
        if let Some(last) = journal.last_mut() {
            last.outcome = outcome;
            if outcome != DONE {
                last.evidence = None;
            }
        }
        let looks = [seen(true, "none"), seen(false, "none"), seen(false, "pxe")];
        for (now, wanted) in looks.iter().zip(wanted) {
            let planned = look(StepAction::PowerCycleNode, now, &journal);
            assert_eq!(
                gist(&planned),
                wanted,
                "after {length} entries ({outcome:?}), {now:?}"
            );
        }
    }
}

#[test]
fn a_machine_that_was_seen_on_may_be_off_again() {
    for evidence in [power_evidence(Some(true)), SO_ALREADY.to_owned()] {
        let journal = [
            entry(POWER_OFF, DONE, &seen(true, "pxe"), "acknowledged"),
            entry(POWER_ON, DONE, &seen(false, "pxe"), &evidence),
        ];
        assert_eq!(
            gist(&look(
                StepAction::PowerCycleNode,
                &seen(false, "none"),
                &journal
            )),
            "done",
            "{evidence}"
        );
    }
}

#[test]
fn an_acknowledged_command_without_effect_is_a_failure_in_the_end() {
    let mut journal = [entry(POWER_OFF, DONE, &seen(true, "none"), "acknowledged")];
    assert_eq!(
        gist(&look(
            StepAction::PowerOffNode,
            &seen(true, "none"),
            &journal
        )),
        "wait"
    );
    journal[0].intended -= TimeDelta::from_std(Duration::from_secs(61)).unwrap();
    let Then::Fail(error) = look(StepAction::PowerOffNode, &seen(true, "none"), &journal).then
    else {
        panic!()
    };
    assert!(
        error.to_string().contains("said yes, read back power on")
            && error.to_string().contains("n1"),
        "{error}"
    );
}

/// What may be at work still is not sent a second time: a machine takes a while to switch.
#[test]
fn a_command_whose_answer_was_lost_is_waited_for_before_it_is_sent_again() {
    use StepAction as A;
    let (on, off) = (seen(true, "pxe"), seen(false, "pxe"));
    for (action, verb, before, now) in [
        (A::PowerCycleNode, POWER_OFF, &on, &on),
        (A::PowerCycleNode, POWER_ON, &off, &off),
        (A::PowerOffNode, POWER_OFF, &on, &on),
        (A::PowerOnNode, POWER_ON, &off, &off),
    ] {
        for outcome in [None, Some(ChangeOutcome::Unknown)] {
            let mut journal = [entry(verb, outcome, before, "")];
            // The other instance's clock may be ahead of ours.
            for (seconds, wanted) in [(-1, "wait"), (1, "wait"), (14, "wait"), (16, verb)] {
                journal[0].intended = now.at - TimeDelta::seconds(seconds);
                let planned = look(action, now, &journal);
                assert_eq!(gist(&planned), wanted, "{action} {seconds} s after {verb}");
            }
        }
        let refused = [entry(verb, Some(ChangeOutcome::Refused), before, "no")];
        assert_eq!(gist(&look(action, now, &refused)), verb, "refused {verb}");
    }
}

/// An attempt that waits for its place, and then for an answer through all tries, takes longer than a machine takes to settle.
#[test]
fn an_attempt_is_believed_to_be_at_work_from_its_end_on() {
    use StepAction as A;
    let (on, off) = (seen(true, "pxe"), seen(false, "pxe"));
    for (action, verb, now) in [
        (A::PowerCycleNode, POWER_OFF, &on),
        (A::PowerCycleNode, POWER_ON, &off),
        (A::PowerOffNode, POWER_OFF, &on),
        (A::PowerOnNode, POWER_ON, &off),
    ] {
        let mut journal = [entry(verb, Some(ChangeOutcome::Unknown), now, "")];
        // It lasted longer than a state is awaited, too, which is no reason to give up.
        for lasted in [30, 90] {
            journal[0].latency_ms = Some(lasted * 1000);
            for (seconds, wanted) in [(0, "wait"), (14, "wait"), (16, verb)] {
                journal[0].intended = now.at - TimeDelta::seconds(lasted + seconds);
                let planned = look(action, now, &journal);
                let what = format!("{action} {seconds} s after {verb} of {lasted} s");
                assert_eq!(gist(&planned), wanted, "{what}");
            }
        }
    }
    let mut done = [entry(POWER_ON, DONE, &off, "acknowledged")];
    done[0].latency_ms = Some(90_000);
    for (seconds, wanted) in [(149, "wait"), (151, "fail")] {
        done[0].intended = off.at - TimeDelta::seconds(seconds);
        let planned = look(A::PowerOnNode, &off, &done);
        assert_eq!(gist(&planned), wanted, "{seconds} s");
    }
    // What no clock could hold is not believed.
    done[0].latency_ms = Some(i64::MAX);
    assert_eq!(gist(&look(A::PowerOnNode, &off, &done)), "fail");
}

/// A boot device that stands for good says nothing of a start; neither does one that was never set.
#[test]
fn only_a_boot_device_for_one_start_tells_of_a_start() {
    let mut for_good = seen(false, "pxe");
    if let Some(boot) = &mut for_good.boot {
        boot.persistent = true;
    }
    for before in [for_good, seen(false, "none"), seen(false, "another")] {
        let journal = [entry(POWER_ON, DONE, &before, "acknowledged, not on yet")];
        let planned = look(StepAction::PowerCycleNode, &seen(false, "none"), &journal);
        assert_eq!(gist(&planned), "wait", "{before:?}");
    }
}
