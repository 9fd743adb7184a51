//! Plans of identification as tables over names, owners and power parameters.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use drydock_model::step::StepAction;

use super::*;
use crate::maas::commission::tests::gist;
use crate::maas::trial;

fn seen(machine: Box<MachineSeen>) -> Seen {
    Seen {
        place: Place::Machine(machine),
        domain_exists: true,
        power_address: "127.0.0.9".into(),
        power_user: "admin".into(),
        power_id: None,
        password_as_designed: true,
    }
}

fn look(node: &Node, seen: &Seen) -> StepPlan {
    let cx = trial::node_context(StepAction::IdentifyNode, node.clone());
    plan(&cx, node, seen, Duration::ZERO)
}

#[test]
fn a_machine_that_is_somebodys_is_not_renamed() {
    use Status as S;
    let node = trial::node("n1");
    for (status, owner, wanted) in [
        (S::New, None, SET_IDENTITY),
        (S::Commissioning, Some("admin"), SET_IDENTITY),
        (S::FailedCommissioning, None, SET_IDENTITY),
        (S::Ready, None, SET_IDENTITY),
        (S::Ready, Some("somebody"), "fail"),
        (S::Testing, Some("admin"), SET_IDENTITY),
        (S::Testing, Some("somebody"), "fail"),
        (S::FailedTesting, None, SET_IDENTITY),
        (S::Allocated, Some("admin"), "fail"),
        (S::Deploying, Some("admin"), "fail"),
        (S::Deployed, Some("admin"), "fail"),
        (S::Deployed, Some("somebody"), "fail"),
        (S::FailedDeployment, Some("admin"), "fail"),
        (S::Broken, Some("admin"), "fail"),
        (S::DiskErasing, Some("admin"), "fail"),
    ] {
        let mut machine = trial::machine(status);
        machine.owner = owner.map(str::to_owned);
        assert_eq!(
            gist(&look(&node, &seen(machine.clone()))),
            "done",
            "under its own name, {status:?}"
        );
        machine.hostname = "theirs".into();
        let plan = look(&node, &seen(machine));
        assert_eq!(gist(&plan), wanted, "{status:?} of {owner:?}");
        if let Then::Fail(error) = plan.then {
            assert!(
                error.got.contains("n1") && error.got.contains("theirs"),
                "{error}"
            );
        }
    }
}

#[test]
fn a_power_address_is_compared_as_its_kind_needs() {
    let uri = "qemu+ssh://ubuntu@127.0.0.9/system";
    for (kind, wanted_kind, address, seen_address, wanted) in [
        ("libvirt", "virsh", None, uri, "done"),
        (
            "libvirt",
            "virsh",
            None,
            "qemu+ssh://ubuntu@127.0.0.8/system",
            SET_POWER,
        ),
        // The same host by another account or path is another hypervisor connection.
        (
            "libvirt",
            "virsh",
            Some("127.0.0.9"),
            "qemu+ssh://127.0.0.9/session",
            SET_POWER,
        ),
        ("ipmi", "ipmi", Some("127.0.0.9"), "127.0.0.9", "done"),
        (
            "redfish",
            "redfish",
            Some("127.0.0.9"),
            "https://127.0.0.9:8443/",
            "done",
        ),
        ("ipmi", "ipmi", Some("127.0.0.9"), "127.0.0.8", SET_POWER),
        ("ipmi", "ipmi", Some("127.0.0.9"), "", SET_POWER),
    ] {
        let mut node = trial::node("n1");
        node.oob.kind = kind.into();
        node.oob.address = address.map(|address| address.parse().unwrap());
        node.oob.params = [("libvirt_uri".to_owned(), uri.to_owned())].into();
        let mut machine = trial::machine(Status::Ready);
        machine.power_type = wanted_kind.into();
        let mut seen = seen(machine);
        seen.power_address = seen_address.into();
        seen.power_id = Some("n1".into());
        assert_eq!(
            gist(&look(&node, &seen)),
            wanted,
            "{kind} seen at {seen_address}"
        );
    }
}
