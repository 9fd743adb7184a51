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
        Status::Ready | Status::Allocated => return Ok(machine),
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
            "run prepare_nodes first",
        )),
    }))
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
