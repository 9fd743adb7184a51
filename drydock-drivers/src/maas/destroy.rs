//! `destroy_node`: release with erasure, wait, and delete the machine. What was not erased is never deleted.

use std::time::Duration;

use drydock_model::change::{Change, JournalEntry, Risk};
use drydock_model::driver::{DriverError, StepContext, StepPlan};
use drydock_model::effective::Node;
use serde_json::json;

use super::commission::said;
use super::form::Form;
use super::lookup::{MachineSeen, Place, left_alone};
use super::progress::{Progress, progress, text, transition, unknown_verb};
use super::region::Region;
use super::status::Status;

const RELEASE: &str = "release_and_erase";
const ABORT: &str = "abort";
const DELETE: &str = "delete";

pub(crate) fn plan(
    node: &Node,
    place: &Place,
    journal: &[JournalEntry],
    poll: Duration,
) -> StepPlan {
    let machine = match place {
        Place::Controller { hostname } => return left_alone(node, hostname),
        Place::Unknown if journal.iter().any(|entry| entry.change.verb == DELETE) => {
            return StepPlan::done(format!(
                "{} is released, erased as far as it was deployed, and deleted from MaaS",
                node.name
            ));
        }
        Place::Unknown => {
            return StepPlan::done(format!(
                "MaaS does not know {}: there is nothing to destroy",
                node.name
            ));
        }
        Place::Machine(machine) => machine,
    };
    if machine.locked {
        return StepPlan::fail(failed(
            node,
            machine,
            "it is locked in MaaS",
            "unlock it in MaaS if it is really to be destroyed",
        ));
    }
    let released = progress(journal, RELEASE, &machine.status_name);
    match machine.status {
        Status::DiskErasing | Status::Releasing => StepPlan::wait(
            format!(
                "MaaS to erase and release {} (it is {})",
                node.name, machine.status_name
            ),
            poll,
        ),
        status if status.releasable() => match released {
            Progress::Never | Progress::Perhaps { moved: false } => {
                StepPlan::apply(vec![release(node, machine)])
            }
            Progress::Taken { moved: false } => {
                StepPlan::wait(format!("MaaS to begin releasing {}", node.name), poll)
            }
            Progress::Perhaps { moved: true } | Progress::Taken { moved: true } => {
                StepPlan::fail(failed(
                    node,
                    machine,
                    "its disks were not erased, so it is not deleted",
                    "see the machine's events in MaaS, correct the cause, and run destroy_nodes again",
                ))
            }
        },
        Status::Commissioning | Status::Testing => {
            match progress(journal, ABORT, &machine.status_name) {
                Progress::Taken { moved: false } => {
                    StepPlan::wait(format!("MaaS to abort {}", machine.status_name), poll)
                }
                _ => StepPlan::apply(vec![abort(node, machine)]),
            }
        }
        Status::Ready
        | Status::New
        | Status::FailedCommissioning
        | Status::FailedTesting
        | Status::Missing
        | Status::Retired => StepPlan::apply(vec![delete(node, machine)]),
        _ => StepPlan::fail(failed(
            node,
            machine,
            "it cannot be released in this state",
            "bring it out of this state in MaaS first",
        )),
    }
}

fn failed(node: &Node, machine: &MachineSeen, what: &str, advice: &str) -> DriverError {
    DriverError::permanent(
        format!("destroying {}", node.name),
        machine.target(),
        format!(
            "{what}: MaaS says {}: {}",
            machine.status_name,
            said(machine)
        ),
        advice,
    )
}

fn change(machine: &MachineSeen, verb: &str, wanted: &str, risk: Risk, why: String) -> Change {
    Change {
        target: machine.target(),
        verb: verb.to_owned(),
        before: json!({"status": machine.status_name}),
        after: json!({"system_id": machine.system_id, "status": wanted}),
        risk,
        why,
    }
}

fn release(node: &Node, machine: &MachineSeen) -> Change {
    change(
        machine,
        RELEASE,
        "Ready",
        Risk::Wipes,
        format!("{} is to be destroyed: its disks are erased", node.name),
    )
}

fn abort(node: &Node, machine: &MachineSeen) -> Change {
    let why = format!("{} is to be destroyed, and MaaS is still at it", node.name);
    change(machine, ABORT, "New", Risk::Reboots, why)
}

fn delete(node: &Node, machine: &MachineSeen) -> Change {
    let why = format!(
        "{} is to be destroyed; nothing is deployed on it",
        node.name
    );
    change(machine, DELETE, "deleted", Risk::Wipes, why)
}

pub(crate) async fn apply(
    region: &Region,
    _cx: &StepContext,
    change: &Change,
) -> Result<String, DriverError> {
    match change.verb.as_str() {
        RELEASE => {
            let form = Form::new()
                .with("erase", "true")
                .with("secure_erase", "false")
                .with("quick_erase", "true");
            transition(region, change, "release", &form, |status| {
                matches!(
                    status,
                    Status::DiskErasing | Status::Releasing | Status::Ready
                )
            })
            .await
        }
        ABORT => {
            transition(region, change, "abort", &Form::new(), |status| {
                !matches!(status, Status::Commissioning | Status::Testing)
            })
            .await
        }
        DELETE => {
            let deleted = region
                .client
                .delete(&format!("machines/{}/", text(change, "system_id")?))
                .await?;
            Ok(if deleted { "deleted" } else { "was gone" }.to_owned())
        }
        _ => Err(unknown_verb(change)),
    }
}

#[cfg(test)]
mod tests;
