//! `destroy_node`: release with erasure, wait, and delete the machine. What could not be erased is never deleted.

use std::time::Duration;

use drydock_model::change::{Change, ChangeOutcome, JournalEntry, Remembered, Risk, remembered};
use drydock_model::driver::{DriverError, StepContext, StepPlan};
use drydock_model::effective::Node;
use serde_json::json;

use super::commission::said;
use super::form::Form;
use super::lookup::{MachineSeen, Place, left_alone};
use super::progress::{Progress, evidence, progress, text, transition, unknown_verb};
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
        Place::Unknown => return StepPlan::done(gone(node, journal)),
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
    if machine.foreign_owner().is_some() && holds_something(machine.status) {
        return machine.not_ours(
            node,
            "destroying",
            &format!(
                "have {} release it in MaaS if it is really to be destroyed, then run destroy_nodes again",
                machine.owner.as_deref().unwrap_or("its owner")
            ),
        );
    }
    let released = progress(journal, RELEASE, &machine.status_name);
    match machine.status {
        Status::DiskErasing => StepPlan::wait(
            format!("MaaS to erase the disks of {} and release it", node.name),
            poll,
        ),
        Status::Releasing => StepPlan::wait(
            format!(
                "MaaS to release {} (by now nothing more is erased)",
                node.name
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

/// Whether the owner of a machine in this state may have something on it. A running or failed commissioning names its
/// caller as the owner, but a deployed machine may be under test, too, and then bears no other sign.
fn holds_something(status: Status) -> bool {
    status.releasable() || matches!(status, Status::Testing | Status::FailedTesting)
}

/// What came of it once MaaS does not know the machine: erasure is said only of what MaaS took an erasure for.
fn gone(node: &Node, journal: &[JournalEntry]) -> String {
    let name = &node.name;
    let Some(deletion) = journal
        .iter()
        .rev()
        .find(|entry| entry.change.verb == DELETE)
    else {
        return format!("MaaS does not know {name}: there is nothing to destroy");
    };
    match remembered(journal, RELEASE) {
        // MaaS says yes to the release of a Ready machine and does nothing.
        Remembered::Done if !taken_when_ready(journal) => {
            format!("{name} was released with its disks erased, and is deleted from MaaS")
        }
        Remembered::Perhaps => format!(
            "{name} is deleted from MaaS; the answer to its release was lost, so see the events in MaaS for whether its \
             disks were erased"
        ),
        Remembered::Done | Remembered::Never => format!(
            "{name} is deleted from MaaS; this task erased nothing: it was {} before that",
            deletion.change.before["status"].as_str().unwrap_or("free")
        ),
    }
}

fn taken_when_ready(journal: &[JournalEntry]) -> bool {
    journal.iter().any(|entry| {
        entry.change.verb == RELEASE
            && entry.outcome == Some(ChangeOutcome::Done)
            && entry.evidence.as_deref() == Some(evidence("Ready").as_str())
    })
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
