//! Plans of destruction as tables over states and journals.

use drydock_model::change::ChangeOutcome;

use super::*;
use crate::maas::commission::tests::gist;
use crate::maas::trial;

fn look(status: Status, journal: &[JournalEntry]) -> StepPlan {
    plan(
        &trial::node("n1"),
        &Place::Machine(trial::machine(status)),
        journal,
        Duration::from_secs(1),
    )
}

fn sent(from: Status, after: Option<Status>) -> Vec<JournalEntry> {
    let evidence = after.map(|status| format!("state {}", trial::name_of(status)));
    let change = release(&trial::node("n1"), &trial::machine(from));
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
        (S::Deployed, RELEASE),
        (S::Deploying, RELEASE),
        (S::Allocated, RELEASE),
        (S::FailedDeployment, RELEASE),
        (S::FailedDiskErasing, RELEASE),
        (S::ReleasingFailed, RELEASE),
        (S::Broken, RELEASE),
        (S::DiskErasing, "wait"),
        (S::Releasing, "wait"),
        (S::Commissioning, ABORT),
        (S::Testing, ABORT),
        (S::Ready, DELETE),
        (S::New, DELETE),
        (S::FailedCommissioning, DELETE),
        (S::FailedTesting, DELETE),
        (S::RescueMode, "fail"),
    ] {
        assert_eq!(gist(&look(status, &[])), wanted, "{status:?}");
    }
}

#[test]
fn a_failed_erasure_is_a_failure_and_never_a_deletion() {
    use Status as S;
    for (journal, now, wanted) in [
        (
            sent(S::Deployed, Some(S::DiskErasing)),
            S::FailedDiskErasing,
            "fail",
        ),
        (
            sent(S::Deployed, Some(S::DiskErasing)),
            S::ReleasingFailed,
            "fail",
        ),
        (sent(S::Deployed, None), S::FailedDiskErasing, "fail"),
        // It had failed before: the second erasure is not judged by the first one's state.
        (
            sent(S::FailedDiskErasing, Some(S::FailedDiskErasing)),
            S::FailedDiskErasing,
            "wait",
        ),
        (
            sent(S::FailedDiskErasing, Some(S::DiskErasing)),
            S::FailedDiskErasing,
            "fail",
        ),
        (
            sent(S::FailedDiskErasing, None),
            S::FailedDiskErasing,
            RELEASE,
        ),
        (sent(S::Deployed, None), S::Deployed, RELEASE),
        (sent(S::Deployed, Some(S::Deployed)), S::Deployed, "wait"),
        (sent(S::Deployed, Some(S::DiskErasing)), S::Ready, DELETE),
    ] {
        assert_eq!(
            gist(&look(now, &journal)),
            wanted,
            "{now:?} after {journal:?}"
        );
    }
}

#[test]
fn no_state_but_a_harmless_one_leads_to_deletion() {
    for number in 0..=23 {
        let status = Status::from(number);
        let deletes = gist(&look(status, &[])) == DELETE;
        let harmless = matches!(
            status,
            Status::New
                | Status::FailedCommissioning
                | Status::Missing
                | Status::Ready
                | Status::Retired
                | Status::FailedTesting
        );
        assert_eq!(deletes, harmless, "{status:?}");
    }
}

#[test]
fn a_locked_machine_is_refused_and_one_that_is_gone_is_done() {
    let mut machine = trial::machine(Status::Deployed);
    machine.locked = true;
    let node = trial::node("n1");
    assert_eq!(
        gist(&plan(&node, &Place::Machine(machine), &[], Duration::ZERO)),
        "fail"
    );
    assert_eq!(
        gist(&plan(&node, &Place::Unknown, &[], Duration::ZERO)),
        "done"
    );
    assert_eq!(
        gist(&plan(
            &node,
            &Place::Controller {
                hostname: "n1".into()
            },
            &[],
            Duration::ZERO
        )),
        "done"
    );
}
