//! `deploy_node`: allocate, annotate, bring the boot-action key, deploy, and wait until MaaS says Deployed.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drydock_model::change::{Change, JournalEntry, Risk};
use drydock_model::driver::{DriverError, StepContext, StepPlan};
use drydock_model::effective::{AssetKind, EffectiveDesign, Node};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::is_objection;
use super::commission::said;
use super::form::Form;
use super::lookup::{Found, MachineSeen, Place, find, left_alone, not_there};
use super::naming::{annotations, key_tag_prefix};
use super::platform::tag_node;
use super::progress::{Progress, progress, text, transition, unknown_verb, value};
use super::redeploy::{self, RELEASE, RELEASE_FIRST};
use super::region::Region;
use super::status::Status;

const ALLOCATE: &str = "allocate";
const ANNOTATE: &str = "annotate";
const BRING_KEY: &str = "bring_boot_action_key";
const DEPLOY: &str = "deploy";

/// What is looked at. The key itself is in none of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub place: Place,
    pub annotations: BTreeMap<String, String>,
    pub key: Key,
}

/// What tags with boot-action keys of this node there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Key {
    /// None, or none that the machine bears and that opens this deployment.
    Absent,
    /// Exactly one, on the machine, and it opens this deployment.
    Current,
    /// Others, of earlier deployments.
    Stale,
}

pub(crate) async fn observe(region: &Region, cx: &StepContext) -> Result<Seen, DriverError> {
    let node = cx.node()?;
    let found = find(region, node).await?;
    let mut seen = Seen {
        place: found.place(),
        annotations: BTreeMap::new(),
        key: Key::Absent,
    };
    if let Found::Machine { machine, .. } = &found
        && matches!(machine.status, Status::Ready | Status::Allocated)
    {
        let ours = node
            .owner_data
            .keys()
            .map(|key| super::naming::owner_key(key))
            .collect::<Vec<_>>();
        seen.annotations = machine
            .annotations()
            .into_iter()
            .filter(|(key, _)| ours.contains(key))
            .collect();
        seen.key = match key_tags(region, &node.name).await?.as_slice() {
            [] => Key::Absent,
            [only]
                if machine.tag_names.contains(only)
                    && cx.boot_keys.is_current(hex_of(only)).await? =>
            {
                Key::Current
            }
            _ => Key::Stale,
        };
    }
    Ok(seen)
}

async fn key_tags(region: &Region, node: &str) -> Result<Vec<String>, DriverError> {
    let prefix = key_tag_prefix(node);
    let all = region.tags().await?;
    Ok(all
        .iter()
        .map(|tag| tag.name.clone())
        .filter(|name| name.starts_with(&prefix))
        .collect())
}

fn hex_of(tag: &str) -> &str {
    tag.rsplit_once(super::redaction::KEY_MARK)
        .map_or("", |(_, hex)| hex)
}

pub(crate) fn plan(node: &Node, seen: &Seen, journal: &[JournalEntry], poll: Duration) -> StepPlan {
    let machine = match &seen.place {
        Place::Controller { hostname } => return left_alone(node, hostname),
        Place::Unknown => return not_there(node, "deploying"),
        Place::Machine(machine) => machine,
    };
    let sent = progress(journal, DEPLOY, &machine.status_name);
    match machine.status {
        Status::Deployed if sent == Progress::Never => StepPlan::done(format!(
            "{} is already deployed with {}; nothing was changed",
            node.name, machine.system
        )),
        Status::Deployed => {
            StepPlan::done(format!("{} is deployed with {}", node.name, machine.system))
        }
        Status::Deploying => StepPlan::wait(format!("MaaS to deploy {}", node.name), poll),
        Status::FailedDeployment if sent.moved() => {
            StepPlan::fail(failed(node, machine, "deployment"))
        }
        Status::FailedDeployment if !redeploy::is_ours(machine) => {
            redeploy::not_ours(node, machine, "deployment")
        }
        Status::FailedDeployment => redeploy::release(node, machine, journal, poll),
        Status::Releasing | Status::DiskErasing if !sent.moved() => {
            StepPlan::wait(format!("MaaS to finish releasing {}", node.name), poll)
        }
        Status::Commissioning | Status::Testing if !sent.moved() => {
            StepPlan::wait(format!("MaaS to finish commissioning {}", node.name), poll)
        }
        // Deploying leads to Deployed or Failed deployment; any other state means that somebody stopped it.
        Status::Ready | Status::Allocated if matches!(sent, Progress::Taken { .. }) => match sent {
            Progress::Taken { moved: false } => {
                StepPlan::wait(format!("MaaS to begin deploying {}", node.name), poll)
            }
            _ => StepPlan::fail(failed(
                node,
                machine,
                "aborted or released by somebody else",
            )),
        },
        Status::Allocated if !redeploy::is_ours(machine) => {
            redeploy::not_ours(node, machine, "deployment")
        }
        Status::Ready | Status::Allocated => deployment(node, machine, seen),
        _ => StepPlan::fail(failed(node, machine, "not ready")),
    }
}

fn failed(node: &Node, machine: &MachineSeen, what: &str) -> DriverError {
    let advice = if machine.status == Status::FailedDeployment {
        "see the installation log in MaaS, correct the cause, and run deploy_nodes again"
    } else if machine.status.failed_release() {
        RELEASE_FIRST
    } else {
        "run prepare_nodes, then deploy_nodes again"
    };
    DriverError::permanent(
        format!("deploying {}", node.name),
        machine.target(),
        format!(
            "{what}: MaaS says {}: {}",
            machine.status_name,
            said(machine)
        ),
        advice,
    )
}

fn deployment(node: &Node, machine: &MachineSeen, seen: &Seen) -> StepPlan {
    let wanted = match annotations(node) {
        Ok(wanted) => wanted,
        Err(error) => return StepPlan::fail(error),
    };
    let mut changes = Vec::new();
    let mut push = |verb: &str, before: Value, mut after: Value, risk: Risk, why: String| {
        after["system_id"] = machine.system_id.clone().into();
        changes.push(Change {
            target: machine.target(),
            verb: verb.to_owned(),
            before,
            after,
            risk,
            why,
        });
    };
    if machine.status == Status::Ready {
        let why = format!("{} is deployed by us", node.name);
        push(
            ALLOCATE,
            json!({"status": machine.status_name}),
            json!({"owner": machine.us}),
            Risk::Reversible,
            why,
        );
    }
    let missing: BTreeMap<&String, &String> = wanted
        .names
        .iter()
        // MaaS takes an empty value for "no such key".
        .filter(|(key, value)| {
            seen.annotations.get(*key).map_or("", String::as_str) != value.as_str()
        })
        .collect();
    if !missing.is_empty() {
        let why = format!("owner data of {} in the design{}", node.name, wanted.note);
        push(
            ANNOTATE,
            json!({"annotations": seen.annotations}),
            json!({"annotations": missing}),
            Risk::Reversible,
            why,
        );
    }
    if seen.key != Key::Current {
        let why = format!(
            "{} fetches its boot actions with the key that its tag carries",
            node.name
        );
        push(
            BRING_KEY,
            json!({"key": seen.key}),
            json!({"key": Key::Current}),
            Risk::Reversible,
            why,
        );
    }
    push(
        DEPLOY,
        // The state that the machine is in once it is allocated.
        json!({"status": "Allocated"}),
        json!({"status": "Deployed", "distro_series": node.platform.image, "hwe_kernel": node.platform.kernel}),
        Risk::Wipes,
        format!("the design wants {} deployed", node.name),
    );
    StepPlan::apply(changes)
}

pub(crate) async fn apply(
    region: &Region,
    cx: &StepContext,
    change: &Change,
) -> Result<String, DriverError> {
    let node = cx.node()?;
    match change.verb.as_str() {
        RELEASE => redeploy::apply(region, change).await,
        ALLOCATE => allocate(region, &text(change, "system_id")?).await,
        ANNOTATE => {
            let mut form = Form::new();
            for (key, value) in value(change, "annotations")?
                .as_object()
                .into_iter()
                .flatten()
            {
                form = form.with(key.as_str(), value.as_str().unwrap_or_default());
            }
            let path = format!(
                "machines/{}/?op=set_workload_annotations",
                text(change, "system_id")?
            );
            region.client.post(&path, &form).await?;
            Ok(format!("{} annotations set", form.pairs().len()))
        }
        BRING_KEY => bring_key(region, cx, node, &text(change, "system_id")?).await,
        DEPLOY => {
            let form = Form::new()
                .maybe("distro_series", change.after["distro_series"].as_str())
                .maybe(
                    "hwe_kernel",
                    change.after["hwe_kernel"]
                        .as_str()
                        .filter(|kernel| !kernel.is_empty()),
                )
                .maybe("user_data", user_data(&cx.design, node));
            transition(region, change, "deploy", &form, |status| {
                matches!(status, Status::Deploying | Status::Deployed)
            })
            .await
        }
        _ => Err(unknown_verb(change)),
    }
}

/// Allocates. Refused for a machine that is not Ready, which is no fault when it is ours already (the first answer was lost).
async fn allocate(region: &Region, system_id: &str) -> Result<String, DriverError> {
    match region
        .client
        .post(
            "machines/?op=allocate",
            &Form::new().with("system_id", system_id),
        )
        .await
    {
        Ok(_) => Ok("allocated".to_owned()),
        Err(error) if is_objection(&error) => {
            let us = region.user().await?;
            match region.machine(system_id).await? {
                Some(machine)
                    if machine.status == Status::Allocated
                        && machine.owner.as_deref() == Some(us) =>
                {
                    Ok("was ours already".to_owned())
                }
                _ => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Removes the keys of earlier deployments, opens a new context, and puts its key on the machine.
async fn bring_key(
    region: &Region,
    cx: &StepContext,
    node: &Node,
    system_id: &str,
) -> Result<String, DriverError> {
    let stale = key_tags(region, &node.name).await?;
    for tag in &stale {
        region.client.delete(&format!("tags/{tag}/")).await?;
    }
    let key = cx.boot_keys.mint().await?;
    let name = format!("{}{}", key_tag_prefix(&node.name), key.expose_secret());
    region
        .client
        .post("tags/", &Form::new().with("name", &name))
        .await?;
    tag_node(region, &name, system_id).await?;
    Ok(format!(
        "a fresh key is on the machine; {} earlier ones were removed",
        stale.len()
    ))
}

/// Packages of the boot actions that target the node, as cloud-init installs them (base64 of a `#cloud-config`).
fn user_data(design: &EffectiveDesign, node: &Node) -> Option<String> {
    let packages: Vec<Value> = design
        .boot_actions
        .iter()
        .filter(|action| node.boot_actions.contains(&action.name))
        .flat_map(|action| &action.assets)
        .filter(|asset| asset.kind == AssetKind::PkgList)
        .flat_map(|asset| &asset.packages)
        .map(|(name, version)| match version {
            Some(version) => json!([name, version]),
            None => json!(name),
        })
        .collect();
    // JSON is YAML, which is what cloud-init reads.
    (!packages.is_empty()).then(|| {
        STANDARD.encode(format!(
            "#cloud-config\n{}\n",
            json!({"packages": packages})
        ))
    })
}

#[cfg(test)]
mod tests;
