//! `apply_node_platform`: the node's tags, and its kernel options in a tag of its own.

use std::collections::BTreeSet;

use drydock_model::change::{Change, Risk};
use drydock_model::driver::{DriverError, StepContext, StepPlan};
use drydock_model::effective::Node;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::is_objection;
use super::form::Form;
use super::lookup::{Found, MachineSeen, Place, find, left_alone, not_there};
use super::naming::{kernel_tag, tag_name, tags};
use super::progress::{text, unknown_verb};
use super::redeploy;
use super::region::Region;
use super::resource::TagResource;
use super::status::Status;

const CREATE_TAG: &str = "create_tag";
const SET_KERNEL_OPTIONS: &str = "set_kernel_options";
const TAG_NODE: &str = "tag_node";

/// What is looked at: of all tags only those that this node is about.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    place: Place,
    tags: Vec<Tag>,
}

/// A tag of the region.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tag {
    name: String,
    kernel_opts: String,
    on_machine: bool,
}

pub(crate) async fn observe(region: &Region, cx: &StepContext) -> Result<Seen, DriverError> {
    let node = cx.node()?;
    let found = find(region, node).await?;
    let mut seen = Seen {
        place: found.place(),
        tags: Vec::new(),
    };
    if let Found::Machine { machine, .. } = &found {
        let mut ours: BTreeSet<String> = node.tags.iter().map(|tag| tag_name(tag)).collect();
        ours.insert(kernel_tag(&node.name));
        let all = region.tags().await?;
        seen.tags = all
            .iter()
            .filter(|tag| ours.contains(&tag.name))
            .map(|tag| Tag {
                on_machine: machine.tag_names.contains(&tag.name),
                name: tag.name.clone(),
                kernel_opts: tag.kernel_opts.clone(),
            })
            .collect();
    }
    Ok(seen)
}

pub(crate) fn plan(node: &Node, seen: &Seen) -> StepPlan {
    let machine = match &seen.place {
        Place::Controller { hostname } => return left_alone(node, hostname),
        Place::Unknown => return not_there(node, "applying the platform"),
        Place::Machine(machine) => machine,
    };
    if matches!(machine.status, Status::Deployed | Status::Deploying) {
        return StepPlan::done(format!(
            "{} is {}: its tags and kernel options stay as they are",
            node.name, machine.status_name
        ));
    }
    if matches!(machine.status, Status::Allocated | Status::FailedDeployment)
        && !redeploy::is_ours(machine)
    {
        return redeploy::not_ours(node, machine, "applying the platform");
    }
    let wanted = match tags(node) {
        Ok(wanted) => wanted,
        Err(error) => return StepPlan::fail(error),
    };
    let mut changes = kernel_changes(node, machine, seen);
    for name in &wanted.names {
        let tag = seen.tags.iter().find(|tag| tag.name == *name);
        if tag.is_none() {
            changes.push(create(
                name,
                None,
                format!("{} bears this tag in the design", node.name),
            ));
        }
        if !tag.is_some_and(|tag| tag.on_machine) {
            changes.push(attach(
                machine,
                name,
                format!("{} bears this tag in the design", node.name),
            ));
        }
    }
    if !changes.is_empty() {
        return StepPlan::apply(changes);
    }
    StepPlan::done(format!(
        "{} has its {} tags and its kernel options{}",
        node.name,
        wanted.names.len(),
        wanted.note
    ))
}

fn kernel_changes(node: &Node, machine: &MachineSeen, seen: &Seen) -> Vec<Change> {
    let name = kernel_tag(&node.name);
    let line = node.platform.kernel_command_line();
    let tag = seen.tags.iter().find(|tag| tag.name == name);
    let why = format!("the kernel of {} is started with these options", node.name);
    let mut changes = Vec::new();
    match tag {
        None if line.is_empty() => return changes,
        None => changes.push(create(&name, Some(&line), why.clone())),
        Some(tag) if tag.kernel_opts.trim() != line => changes.push(Change {
            target: format!("maas tag {name}"),
            verb: SET_KERNEL_OPTIONS.to_owned(),
            before: json!({"kernel_opts": tag.kernel_opts}),
            after: json!({"name": name, "kernel_opts": line}),
            risk: Risk::Reversible,
            why: why.clone(),
        }),
        Some(_) => {}
    }
    if !line.is_empty() && !tag.is_some_and(|tag| tag.on_machine) {
        changes.push(attach(machine, &name, why));
    }
    changes
}

fn create(name: &str, kernel_opts: Option<&str>, why: String) -> Change {
    Change {
        target: format!("maas tag {name}"),
        verb: CREATE_TAG.to_owned(),
        before: Value::Null,
        after: json!({"name": name, "kernel_opts": kernel_opts}),
        risk: Risk::Reversible,
        why,
    }
}

fn attach(machine: &MachineSeen, name: &str, why: String) -> Change {
    Change {
        target: machine.target(),
        verb: TAG_NODE.to_owned(),
        before: json!({"tagged": false}),
        after: json!({"system_id": machine.system_id, "name": name}),
        risk: Risk::Reversible,
        why,
    }
}

pub(crate) async fn apply(
    region: &Region,
    _cx: &StepContext,
    change: &Change,
) -> Result<String, DriverError> {
    let name = text(change, "name")?;
    match change.verb.as_str() {
        CREATE_TAG => create_tag(region, &name, change.after["kernel_opts"].as_str()).await,
        SET_KERNEL_OPTIONS => {
            let form = Form::new().with("kernel_opts", text(change, "kernel_opts")?);
            region.client.put(&format!("tags/{name}/"), &form).await?;
            Ok("set".to_owned())
        }
        TAG_NODE => tag_node(region, &name, &text(change, "system_id")?).await,
        _ => Err(unknown_verb(change)),
    }
}

/// Creates a tag. Another node's step may have been quicker: MaaS's objection is no fault when the tag is there as wanted.
pub(crate) async fn create_tag(
    region: &Region,
    name: &str,
    kernel_opts: Option<&str>,
) -> Result<String, DriverError> {
    let form = Form::new()
        .with("name", name)
        .maybe("kernel_opts", kernel_opts);
    match region.client.post("tags/", &form).await {
        Ok(_) => Ok("created".to_owned()),
        Err(error) if is_objection(&error) => {
            let tag: Result<TagResource, DriverError> =
                region.client.get(&format!("tags/{name}/")).await;
            match tag {
                Ok(tag) if kernel_opts.is_none_or(|wanted| tag.kernel_opts.trim() == wanted) => {
                    Ok("was there".to_owned())
                }
                Ok(_) => {
                    region.client.put(&format!("tags/{name}/"), &form).await?;
                    Ok("was there, options set".to_owned())
                }
                Err(_) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Gives a machine a tag.
pub(crate) async fn tag_node(
    region: &Region,
    tag: &str,
    system_id: &str,
) -> Result<String, DriverError> {
    let together = region.tagging.add(&region.client, tag, system_id).await?;
    Ok(match together {
        1 => "added".to_owned(),
        _ => format!("added, with {} other machines", together - 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maas::trial;

    fn verbs(plan: &StepPlan) -> Vec<(String, String)> {
        plan.changes
            .iter()
            .map(|change| {
                (
                    change.verb.clone(),
                    change.after["name"].as_str().unwrap_or("").to_owned(),
                )
            })
            .collect()
    }

    #[test]
    fn only_what_differs_is_changed() {
        let mut node = trial::node("n1");
        node.tags = vec!["a".into(), "b".into(), "deployment=initial".into()];
        node.platform.kernel_params = [("console".to_owned(), "ttyS1".to_owned())].into();
        let tag = |name: &str, opts: &str, on_machine| Tag {
            name: name.into(),
            kernel_opts: opts.into(),
            on_machine,
        };
        let place = Place::Machine(trial::machine(Status::Ready));
        let seen = Seen {
            place,
            tags: vec![
                tag("a", "", true),
                tag("b", "", false),
                tag("n1_kp", "quiet", true),
            ],
        };
        let plan_one = plan(&node, &seen);
        assert_eq!(
            verbs(&plan_one),
            [
                (SET_KERNEL_OPTIONS.to_owned(), "n1_kp".to_owned()),
                (TAG_NODE.to_owned(), "b".to_owned()),
                (CREATE_TAG.to_owned(), "deployment_initial".to_owned()),
                (TAG_NODE.to_owned(), "deployment_initial".to_owned()),
            ]
        );
        let seen = Seen {
            place: Place::Machine(trial::machine(Status::Ready)),
            tags: vec![
                tag("a", "", true),
                tag("b", "", true),
                tag("deployment_initial", "", true),
                tag("n1_kp", " console=ttyS1", true),
            ],
        };
        assert_eq!(verbs(&plan(&node, &seen)), []);
    }

    #[test]
    fn a_deployed_machine_is_not_touched() {
        let mut node = trial::node("n1");
        node.tags = vec!["a".into()];
        let seen = Seen {
            place: Place::Machine(trial::machine(Status::Deployed)),
            tags: Vec::new(),
        };
        assert!(plan(&node, &seen).changes.is_empty());
    }

    #[test]
    fn a_machine_of_somebody_else_is_not_tagged() {
        let mut node = trial::node("n1");
        node.tags = vec!["a".into()];
        for status in [Status::Allocated, Status::FailedDeployment] {
            let mut machine = trial::machine(status);
            machine.owner = Some("somebody".into());
            let seen = Seen {
                place: Place::Machine(machine),
                tags: Vec::new(),
            };
            let plan = plan(&node, &seen);
            assert!(plan.changes.is_empty(), "{status:?}");
            assert!(
                matches!(plan.then, drydock_model::driver::Then::Fail(_)),
                "{status:?}"
            );
        }
    }
}
