//! Plans of deployment as tables over states and journals.

use drydock_model::change::ChangeOutcome;
use drydock_model::driver::Then;
use drydock_model::effective::{Asset, BootAction};

use super::*;
use crate::maas::commission::tests::gist;
use crate::maas::trial;

fn seen(status: Status, owner: Option<&str>, key: Key) -> Seen {
    let mut machine = trial::machine(status);
    machine.owner = owner.map(str::to_owned);
    Seen {
        place: Place::Machine(machine),
        annotations: BTreeMap::new(),
        key,
    }
}

fn look(seen: &Seen, journal: &[JournalEntry]) -> StepPlan {
    let mut node = trial::node("n1");
    node.owner_data = [
        ("role".to_owned(), "compute".to_owned()),
        ("empty".to_owned(), String::new()),
    ]
    .into();
    plan(&node, seen, journal, Duration::from_secs(1))
}

fn sent(verb: &str, before: &str, after: Option<&str>) -> Vec<JournalEntry> {
    let change = Change {
        target: String::new(),
        verb: verb.into(),
        before: json!({"status": before}),
        after: json!({}),
        risk: Risk::Wipes,
        why: String::new(),
    };
    let evidence = after.map(|state| format!("state {state}"));
    vec![trial::entry(
        change,
        after.map(|_| ChangeOutcome::Done),
        evidence.as_deref(),
    )]
}

#[test]
fn only_what_is_missing_is_done() {
    let full = format!("{ALLOCATE} {ANNOTATE} {BRING_KEY} {DEPLOY}");
    assert_eq!(
        gist(&look(&seen(Status::Ready, None, Key::Absent), &[])),
        full
    );
    let mut half = seen(Status::Allocated, Some("admin"), Key::Current);
    assert_eq!(gist(&look(&half, &[])), format!("{ANNOTATE} {DEPLOY}"));
    half.annotations = [("role".to_owned(), "compute".to_owned())].into();
    assert_eq!(gist(&look(&half, &[])), DEPLOY);
    half.key = Key::Stale;
    assert_eq!(gist(&look(&half, &[])), format!("{BRING_KEY} {DEPLOY}"));
}

#[test]
fn states_and_journals_decide() {
    use Status as S;
    let deploying = || sent(DEPLOY, "Allocated", Some("Deploying"));
    for (status, journal, wanted) in [
        (S::Deployed, Vec::new(), "done"),
        (S::Deployed, deploying(), "done"),
        (S::Deploying, Vec::new(), "wait"),
        (S::Deploying, deploying(), "wait"),
        (S::FailedDeployment, Vec::new(), RELEASE),
        (S::FailedDeployment, deploying(), "fail"),
        // The answer was lost, but the state shows that it was taken.
        (S::FailedDeployment, sent(DEPLOY, "Allocated", None), "fail"),
        (
            S::FailedDeployment,
            sent(RELEASE, "Failed deployment", Some("Failed deployment")),
            "wait",
        ),
        (
            S::Releasing,
            sent(RELEASE, "Failed deployment", Some("Releasing")),
            "wait",
        ),
        (S::Releasing, deploying(), "fail"),
        (S::Allocated, deploying(), "fail"),
        (S::Ready, deploying(), "fail"),
        (
            S::Allocated,
            sent(DEPLOY, "Allocated", Some("Allocated")),
            "wait",
        ),
        (S::Commissioning, Vec::new(), "wait"),
        (S::New, Vec::new(), "fail"),
        (S::Broken, Vec::new(), "fail"),
        (S::FailedTesting, Vec::new(), "fail"),
    ] {
        let got = gist(&look(&seen(status, Some("admin"), Key::Current), &journal));
        assert_eq!(got, wanted, "{status:?} after {journal:?}");
    }
}

#[test]
fn a_lost_deploy_is_sent_again_only_when_nothing_moved() {
    let journal = sent(DEPLOY, "Allocated", None);
    let allocated = seen(Status::Allocated, Some("admin"), Key::Current);
    assert!(gist(&look(&allocated, &journal)).ends_with(DEPLOY));
}

#[test]
fn a_machine_of_somebody_else_is_not_taken() {
    for status in [Status::Allocated, Status::FailedDeployment] {
        for owner in [Some("somebody"), None] {
            let plan = look(&seen(status, owner, Key::Absent), &[]);
            let Then::Fail(error) = plan.then else {
                panic!("{status:?} of {owner:?}: {plan:?}")
            };
            assert!(plan.changes.is_empty());
            assert!(
                error.got.contains(owner.unwrap_or("nobody")) && error.got.contains("admin"),
                "{error}"
            );
        }
    }
}

#[test]
fn after_a_failed_release_it_is_not_advised_what_maas_refuses() {
    for status in [Status::ReleasingFailed, Status::FailedDiskErasing] {
        let plan = look(&seen(status, Some("admin"), Key::Absent), &[]);
        let Then::Fail(error) = plan.then else {
            panic!("{plan:?}")
        };
        assert_eq!(error.advice, RELEASE_FIRST);
    }
}

#[test]
fn packages_become_cloud_config() {
    let mut node = trial::node("n1");
    let mut design = trial::design(Vec::new());
    design.boot_actions = vec![BootAction {
        name: "tools".into(),
        signaling: true,
        node_filter: None,
        assets: vec![Asset {
            kind: AssetKind::PkgList,
            path: String::new(),
            permissions: None,
            enabled: None,
            data: None,
            location: None,
            location_pipeline: Vec::new(),
            data_pipeline: Vec::new(),
            packages: [
                ("a".to_owned(), Some("1.0".to_owned())),
                ("b".to_owned(), None),
            ]
            .into(),
        }],
    }];
    assert_eq!(user_data(&design, &node), None);
    node.boot_actions = vec!["tools".into()];
    let text = user_data(&design, &node)
        .map(|data| STANDARD.decode(data).unwrap_or_default())
        .unwrap_or_default();
    assert_eq!(
        String::from_utf8_lossy(&text),
        "#cloud-config\n{\"packages\":[[\"a\",\"1.0\"],\"b\"]}\n"
    );
}
