//! Plans of destruction as tables over states and journals.

use drydock_model::driver::Then;

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

#[test]
fn a_machine_of_somebody_else_is_refused_and_its_owner_named() {
    use Status as S;
    for status in [
        S::Allocated,
        S::Deployed,
        S::Deploying,
        S::FailedDeployment,
        S::Broken,
        S::Reserved,
        S::FailedDiskErasing,
        S::ReleasingFailed,
        S::Testing,
        S::FailedTesting,
    ] {
        let mut machine = trial::machine(status);
        machine.owner = Some("somebody".into());
        let node = trial::node("n1");
        let plan = plan(&node, &Place::Machine(machine), &[], Duration::ZERO);
        let Then::Fail(error) = plan.then else {
            panic!("{status:?}: {plan:?}")
        };
        assert!(plan.changes.is_empty());
        assert!(
            error.got.contains("somebody") && error.advice.contains("somebody release it"),
            "{error}"
        );
    }
}

/// The last words about a machine that is gone.
fn last_words(journal: &[JournalEntry]) -> String {
    let plan = plan(&trial::node("n1"), &Place::Unknown, journal, Duration::ZERO);
    let Then::Done(report) = plan.then else {
        panic!("{plan:?}")
    };
    report.message
}

#[test]
fn erasure_is_claimed_only_when_maas_took_it() {
    use Status as S;
    let deleted = || {
        let change = delete(&trial::node("n1"), &trial::machine(S::Ready));
        trial::entry(change, Some(ChangeOutcome::Done), Some("deleted"))
    };
    let after = |mut journal: Vec<JournalEntry>| {
        journal.push(deleted());
        last_words(&journal)
    };
    let erased = "released with its disks erased";
    let nothing = "this task erased nothing: it was Ready";
    let mut refused = sent(S::Deployed, None);
    refused[0].outcome = Some(ChangeOutcome::Refused);
    for (journal, wanted) in [
        (sent(S::Deployed, Some(S::DiskErasing)), erased),
        // The answer still showed the old state.
        (sent(S::Deployed, Some(S::Deployed)), erased),
        (Vec::new(), nothing),
        (refused, nothing),
        // Somebody else had released it in between, and MaaS said yes to doing nothing.
        (sent(S::Deployed, Some(S::Ready)), nothing),
        (sent(S::Deployed, None), "answer to its release was lost"),
    ] {
        let said = after(journal.clone());
        assert!(said.contains(wanted), "{said:?} after {journal:?}");
        assert_eq!(
            said.contains("disks erased"),
            wanted == erased,
            "{said:?} after {journal:?}"
        );
    }
    assert!(last_words(&[]).contains("nothing to destroy"));
}

#[test]
fn a_wait_speaks_of_erasing_only_while_maas_erases() {
    for (status, erases) in [(Status::DiskErasing, true), (Status::Releasing, false)] {
        let Then::Wait { reason, .. } = look(status, &[]).then else {
            panic!("{status:?}")
        };
        assert_eq!(reason.contains("erase the disks"), erases, "{reason}");
    }
}
