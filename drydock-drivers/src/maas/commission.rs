//! `configure_hardware`: commission the machine, or join a commissioning that runs.

use std::time::Duration;

use drydock_model::change::{Change, JournalEntry, Risk};
use drydock_model::driver::{DriverError, StepContext, StepPlan};
use drydock_model::effective::Node;
use serde_json::json;

use super::form::Form;
use super::identify::brings_account;
use super::lookup::{MachineSeen, Place, left_alone, not_there};
use super::progress::{Progress, progress, transition, unknown_verb};
use super::redeploy::RELEASE_FIRST;
use super::region::Region;
use super::status::Status;

const COMMISSION: &str = "commission";

pub(crate) fn plan(
    node: &Node,
    place: &Place,
    journal: &[JournalEntry],
    poll: Duration,
) -> StepPlan {
    let machine = match place {
        Place::Controller { hostname } => return left_alone(node, hostname),
        Place::Unknown => return not_there(node, "commissioning"),
        Place::Machine(machine) => machine,
    };
    let sent = progress(journal, COMMISSION, &machine.status_name);
    match machine.status {
        Status::Commissioning | Status::Testing => StepPlan::wait(
            format!(
                "MaaS to commission {} (it is {})",
                node.name, machine.status_name
            ),
            poll,
        ),
        Status::Ready => StepPlan::done(format!("{} is commissioned and Ready", node.name)),
        Status::Allocated
        | Status::Reserved
        | Status::Deploying
        | Status::Deployed
        | Status::FailedDeployment => StepPlan::done(format!(
            "{} was commissioned before; it is {} and stays so",
            node.name, machine.status_name
        )),
        Status::Releasing | Status::DiskErasing => StepPlan::wait(
            format!(
                "MaaS to finish with {} (it is {})",
                node.name, machine.status_name
            ),
            poll,
        ),
        // Somebody may have marked his machine as broken to see to it himself.
        Status::Broken if machine.foreign_owner().is_some() => machine.not_ours(
            node,
            "commissioning",
            "have it released in MaaS, then run prepare_nodes again",
        ),
        Status::New | Status::FailedCommissioning | Status::Broken => match sent {
            Progress::Never | Progress::Perhaps { moved: false } => {
                StepPlan::apply(vec![commission(node, machine)])
            }
            Progress::Taken { moved: false } => {
                StepPlan::wait(format!("MaaS to begin commissioning {}", node.name), poll)
            }
            Progress::Perhaps { moved: true } | Progress::Taken { moved: true } => {
                StepPlan::fail(failed(node, machine))
            }
        },
        _ => StepPlan::fail(failed(node, machine)),
    }
}

fn failed(node: &Node, machine: &MachineSeen) -> DriverError {
    let advice = match machine.status {
        Status::FailedTesting => {
            "see the test results in MaaS; once the hardware is good (or the result overridden with override_failed_testing) run \
             prepare_nodes again"
        }
        status if status.failed_release() => RELEASE_FIRST,
        Status::New => "somebody aborted it in MaaS; run prepare_nodes again",
        _ => {
            "see the commissioning results in MaaS, correct the cause, and run prepare_nodes again"
        }
    };
    DriverError::permanent(
        format!("commissioning {}", node.name),
        machine.target(),
        format!("MaaS says {}: {}", machine.status_name, said(machine)),
        advice,
    )
}

/// MaaS's own words about a state, which may be none.
pub(crate) fn said(machine: &MachineSeen) -> &str {
    if machine.status_message.is_empty() {
        "no message"
    } else {
        &machine.status_message
    }
}

fn commission(node: &Node, machine: &MachineSeen) -> Change {
    Change {
        target: machine.target(),
        verb: COMMISSION.to_owned(),
        before: json!({"status": machine.status_name}),
        after: json!({
            "system_id": machine.system_id,
            "status": "Ready",
            // MaaS would make an account of its own on the controller and forget the design's.
            "skip_bmc_config": brings_account(node),
        }),
        risk: Risk::Reboots,
        why: format!(
            "{} has to be commissioned before it can be deployed",
            node.name
        ),
    }
}

pub(crate) async fn apply(
    region: &Region,
    _cx: &StepContext,
    change: &Change,
) -> Result<String, DriverError> {
    if change.verb != COMMISSION {
        return Err(unknown_verb(change));
    }
    let skip = change.after["skip_bmc_config"].as_bool().unwrap_or(false);
    let form = Form::new()
        .with("enable_ssh", "0")
        .with("skip_bmc_config", if skip { "1" } else { "0" });
    transition(region, change, "commission", &form, |status| {
        matches!(status, Status::Commissioning | Status::Testing)
    })
    .await
}

#[cfg(test)]
pub(crate) mod tests;
