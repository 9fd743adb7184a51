//! Plans of commissioning as a table over states and journals.

use drydock_model::change::ChangeOutcome;
use drydock_model::driver::Then;

use super::*;
use crate::maas::trial;

pub(crate) fn gist(plan: &StepPlan) -> String {
    match (plan.changes.as_slice(), &plan.then) {
        ([], Then::Wait { .. }) => "wait".to_owned(),
        ([], Then::Done(_)) => "done".to_owned(),
        ([], Then::Fail(_)) => "fail".to_owned(),
        (changes, Then::Observe) => changes
            .iter()
            .map(|change| change.verb.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        other => panic!("{other:?}"),
    }
}

fn look(status: Status, journal: &[JournalEntry]) -> StepPlan {
    plan(
        &trial::node("n1"),
        &Place::Machine(trial::machine(status)),
        journal,
        Duration::from_secs(1),
    )
}

/// The journal of a step that sent `commission` from this state; MaaS's state after it, or an unknown outcome.
fn sent(from: Status, after: Option<Status>) -> Vec<JournalEntry> {
    let change = commission(&trial::node("n1"), &trial::machine(from));
    let evidence = after.map(|status| format!("state {}", trial::name_of(status)));
    vec![trial::entry(
        change,
        after.map(|_| ChangeOutcome::Done),
        evidence.as_deref(),
    )]
}

#[test]
fn the_state_decides_what_is_done() {
    use Status as S;
    for (status, wanted) in [
        (S::New, COMMISSION),
        (S::FailedCommissioning, COMMISSION),
        (S::Broken, COMMISSION),
        (S::Commissioning, "wait"),
        (S::Testing, "wait"),
        (S::Releasing, "wait"),
        (S::Ready, "done"),
        (S::Allocated, "done"),
        (S::Deployed, "done"),
        (S::FailedTesting, "fail"),
        (S::FailedDiskErasing, "fail"),
        (S::RescueMode, "fail"),
    ] {
        assert_eq!(gist(&look(status, &[])), wanted, "{status:?}");
    }
}

#[test]
fn a_stale_failure_is_told_from_a_fresh_one() {
    use Status as S;
    for (journal, now, wanted) in [
        // Sent from a failed state, and MaaS was seen to leave it: a failure now is a new one.
        (
            sent(S::FailedCommissioning, Some(S::Commissioning)),
            S::FailedCommissioning,
            "fail",
        ),
        // MaaS still showed the old state in its answer: not believed yet.
        (
            sent(S::FailedCommissioning, Some(S::FailedCommissioning)),
            S::FailedCommissioning,
            "wait",
        ),
        // Nobody knows whether it was taken, and nothing has moved: once more.
        (
            sent(S::FailedCommissioning, None),
            S::FailedCommissioning,
            COMMISSION,
        ),
        // Nobody knows, but the state is another: it was taken.
        (sent(S::New, None), S::FailedCommissioning, "fail"),
        (sent(S::New, None), S::New, COMMISSION),
        // Back to New after Commissioning: aborted by somebody.
        (sent(S::New, Some(S::Commissioning)), S::New, "fail"),
        (
            sent(S::New, Some(S::Commissioning)),
            S::Commissioning,
            "wait",
        ),
        (sent(S::New, Some(S::Commissioning)), S::Ready, "done"),
    ] {
        assert_eq!(
            gist(&look(now, &journal)),
            wanted,
            "{now:?} after {journal:?}"
        );
    }
}

#[test]
fn a_failure_carries_the_words_of_maas() {
    let Then::Fail(error) = look(Status::FailedTesting, &[]).then else {
        panic!("no failure")
    };
    assert!(
        error.got.contains("MaaS's own words") && error.got.contains("Failed testing"),
        "{error}"
    );
}

#[test]
fn a_controller_is_left_alone_and_an_unknown_node_fails() {
    let node = trial::node("n1");
    let place = Place::Controller {
        hostname: "n1".into(),
    };
    assert_eq!(gist(&plan(&node, &place, &[], Duration::ZERO)), "done");
    assert_eq!(
        gist(&plan(&node, &Place::Unknown, &[], Duration::ZERO)),
        "fail"
    );
}

#[test]
fn after_a_failed_release_it_is_not_advised_what_maas_refuses() {
    for status in [Status::ReleasingFailed, Status::FailedDiskErasing] {
        let Then::Fail(error) = look(status, &[]).then else {
            panic!("no failure")
        };
        assert_eq!(error.advice, RELEASE_FIRST, "{status:?}");
    }
}

#[test]
fn a_broken_machine_of_somebody_else_is_not_commissioned() {
    let mut machine = trial::machine(Status::Broken);
    machine.owner = Some("somebody".into());
    let plan = plan(
        &trial::node("n1"),
        &Place::Machine(machine),
        &[],
        Duration::ZERO,
    );
    assert_eq!(gist(&plan), "fail");
}
