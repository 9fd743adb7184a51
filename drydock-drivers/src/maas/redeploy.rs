//! A machine whose deployment failed earlier: MaaS configures and deploys only what is released.

use std::time::Duration;

use drydock_model::change::{Change, JournalEntry, Risk};
use drydock_model::driver::{DriverError, StepPlan};
use drydock_model::effective::Node;
use serde_json::json;

use super::commission::said;
use super::form::Form;
use super::lookup::{MachineSeen, Place, left_alone, not_there};
use super::progress::{Progress, progress, transition};
use super::region::Region;
use super::status::Status;

/// What leads out of a release that failed: commissioning does not, MaaS refuses it in these states.
pub(crate) const RELEASE_FIRST: &str =
    "release it in MaaS or run destroy_nodes, then run prepare_nodes";

/// Releases without erasing: the next deployment writes the disks anyway.
pub(crate) const RELEASE: &str = "release_failed_deployment";

/// The machine if it can be configured now; else what is to be done or said instead. `tried` is what the step wants to do.
pub(crate) fn configurable<'a>(
    node: &Node,
    place: &'a Place,
    journal: &[JournalEntry],
    poll: Duration,
    tried: &str,
) -> Result<&'a MachineSeen, Box<StepPlan>> {
    let machine = match place {
        Place::Controller { hostname } => return Err(Box::new(left_alone(node, hostname))),
        Place::Unknown => return Err(Box::new(not_there(node, tried))),
        Place::Machine(machine) => machine,
    };
    Err(Box::new(match machine.status {
        // A machine that somebody has allocated by hand is not ours to configure, and a failed one not to release.
        Status::Allocated | Status::FailedDeployment if !is_ours(machine) => {
            not_ours(node, machine, tried)
        }
        Status::Ready | Status::Allocated => return Ok(machine.as_ref()),
        Status::Deployed | Status::Deploying => StepPlan::done(format!(
            "{} is {}: it stays as it was deployed, {tried} was not needed",
            node.name, machine.status_name
        )),
        Status::FailedDeployment => release(node, machine, journal, poll),
        Status::Releasing | Status::DiskErasing | Status::Commissioning | Status::Testing => {
            StepPlan::wait(
                format!(
                    "MaaS to finish with {} (it is {})",
                    node.name, machine.status_name
                ),
                poll,
            )
        }
        _ => StepPlan::fail(DriverError::permanent(
            format!("{tried} of {}", node.name),
            machine.target(),
            format!("MaaS says {}: {}", machine.status_name, said(machine)),
            if machine.status.failed_release() {
                RELEASE_FIRST
            } else {
                "run prepare_nodes first"
            },
        )),
    }))
}

/// Whether we allocated it.
pub(crate) fn is_ours(machine: &MachineSeen) -> bool {
    machine.owner.as_deref() == Some(machine.us.as_str())
}

/// The end of a step on a machine that somebody else has allocated or failed to deploy.
pub(crate) fn not_ours(node: &Node, machine: &MachineSeen, tried: &str) -> StepPlan {
    machine.not_ours(
        node,
        &format!("{tried} of"),
        "have it released in MaaS, then run deploy_nodes again",
    )
}

/// A deployment that had failed before this step has to be released before MaaS takes another.
pub(crate) fn release(
    node: &Node,
    machine: &MachineSeen,
    journal: &[JournalEntry],
    poll: Duration,
) -> StepPlan {
    if let Progress::Taken { moved: false } = progress(journal, RELEASE, &machine.status_name) {
        return StepPlan::wait(format!("MaaS to begin releasing {}", node.name), poll);
    }
    StepPlan::apply(vec![Change {
        target: machine.target(),
        verb: RELEASE.to_owned(),
        before: json!({"status": machine.status_name}),
        after: json!({"system_id": machine.system_id, "status": "Ready", "erase": false}),
        risk: Risk::Reboots,
        why: format!(
            "an earlier deployment of {} failed ({}), and MaaS deploys only what is released",
            node.name,
            said(machine)
        ),
    }])
}

/// Sends the release.
pub(crate) async fn apply(region: &Region, change: &Change) -> Result<String, DriverError> {
    let form = Form::new().with("erase", "false");
    transition(region, change, "release", &form, |status| {
        matches!(status, Status::Releasing | Status::Ready)
    })
    .await
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use drydock_model::driver::Then;

    use super::*;
    use crate::maas::commission::tests::gist;
    use crate::maas::trial;

    fn look(status: Status, owner: Option<&str>) -> Result<(), Box<StepPlan>> {
        let mut machine = trial::machine(status);
        machine.owner = owner.map(str::to_owned);
        configurable(
            &trial::node("n1"),
            &Place::Machine(machine),
            &[],
            Duration::ZERO,
            "applying the storage",
        )
        .map(|_| ())
    }

    #[test]
    fn only_what_is_free_or_ours_is_configured_or_released() {
        use Status as S;
        for (status, owner, wanted) in [
            (S::Ready, None, "configured"),
            (S::Allocated, Some("admin"), "configured"),
            (S::Allocated, Some("somebody"), "fail"),
            (S::FailedDeployment, Some("admin"), RELEASE),
            (S::FailedDeployment, Some("somebody"), "fail"),
            (S::Deployed, Some("somebody"), "done"),
            (S::Releasing, Some("admin"), "wait"),
            (S::New, None, "fail"),
        ] {
            let got = look(status, owner).map_or_else(|plan| gist(&plan), |()| "configured".into());
            assert_eq!(got, wanted, "{status:?} of {owner:?}");
        }
    }

    #[test]
    fn after_a_failed_release_it_is_not_advised_what_maas_refuses() {
        for (status, advice) in [
            (Status::ReleasingFailed, RELEASE_FIRST),
            (Status::FailedDiskErasing, RELEASE_FIRST),
            (Status::FailedTesting, "run prepare_nodes first"),
        ] {
            let Err(plan) = look(status, Some("admin")) else {
                panic!("{status:?}")
            };
            let Then::Fail(error) = plan.then else {
                panic!("{status:?}: {plan:?}")
            };
            assert_eq!(error.advice, advice, "{status:?}");
        }
    }
}
