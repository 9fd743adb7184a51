//! `identify_node`: find the node, and give the machine its name, its domain and its power parameters.

use drydock_model::change::{Change, Risk};
use drydock_model::driver::{DriverError, Report, StepContext, StepPlan, Then};
use drydock_model::effective::Node;
use drydock_model::step::{FACT_KNOWN, FACT_PROTECTED};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::form::Form;
use super::lookup::{Found, MachineSeen, Place, find_by_any_name, host_of, left_alone};
use super::progress::{text, unknown_verb};
use super::region::Region;
use super::status::Status;
use crate::credential;

const CREATE_DOMAIN: &str = "create_domain";
const SET_IDENTITY: &str = "set_identity";
const SET_POWER: &str = "set_power";

/// What is looked at.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    place: Place,
    domain_exists: bool,
    power_address: String,
    power_user: String,
    power_id: Option<String>,
    password_as_designed: bool,
}

/// How MaaS shall reach the node's controller.
struct Power {
    kind: &'static str,
    address: String,
    user: Option<String>,
}

impl Power {
    /// `None`: the design leaves it to MaaS.
    fn of(node: &Node) -> Option<Self> {
        let user = node.oob.account.clone();
        match node.oob.kind.as_str() {
            "ipmi" => Some(Power {
                kind: "ipmi",
                address: node.oob.address?.to_string(),
                user,
            }),
            "redfish" => Some(Power {
                kind: "redfish",
                address: node.oob.address?.to_string(),
                user,
            }),
            "libvirt" => Some(Power {
                kind: "virsh",
                address: node.oob.params.get("libvirt_uri")?.clone(),
                user: None,
            }),
            _ => None,
        }
    }
}

/// Whether MaaS gets the node's controller account from the design, so that it need not make one of its own.
pub(crate) fn brings_account(node: &Node) -> bool {
    Power::of(node).is_some_and(|power| power.user.is_some()) && node.oob.credential.is_some()
}

pub(crate) async fn observe(region: &Region, cx: &StepContext) -> Result<Seen, DriverError> {
    let node = cx.node()?;
    let found = find_by_any_name(region, node).await?;
    let mut seen = Seen {
        place: found.place(),
        domain_exists: true,
        power_address: String::new(),
        power_user: String::new(),
        power_id: None,
        password_as_designed: true,
    };
    if let Found::Machine { machine, .. } = &found {
        if machine
            .domain
            .as_ref()
            .is_none_or(|domain| domain.name != node.domain)
        {
            let domains = region.domains().await?;
            seen.domain_exists = domains.iter().any(|domain| domain.name == node.domain);
        }
        let all = region.power().await?;
        if let Some(power) = all.get(&machine.system_id) {
            seen.power_address.clone_from(&power.power_address);
            seen.power_user.clone_from(&power.power_user);
            seen.power_id.clone_from(&power.power_id);
            if let Some(wanted) = credential::resolve(node).await? {
                seen.password_as_designed = power.has_pass(&wanted);
            }
        } else {
            seen.password_as_designed = false;
        }
    }
    Ok(seen)
}

pub(crate) fn plan(
    cx: &StepContext,
    node: &Node,
    seen: &Seen,
    poll: std::time::Duration,
) -> StepPlan {
    let machine = match &seen.place {
        Place::Controller { hostname } => {
            let mut plan = left_alone(node, hostname);
            if let Then::Done(report) = &mut plan.then {
                report.facts.insert(FACT_KNOWN.to_owned(), true.into());
            }
            return plan;
        }
        // The first look may come to nothing; after the node was booted from the network MaaS has to see it.
        Place::Unknown if cx.facts.get(FACT_KNOWN) == Some(&Value::Bool(false)) => {
            return StepPlan::wait(
                format!(
                    "MaaS to list {} after it booted from the network (power address, boot MAC or host name)",
                    node.name
                ),
                poll,
            );
        }
        Place::Unknown => {
            let report = Report::new(format!("MaaS does not know {} yet", node.name));
            return StepPlan {
                changes: Vec::new(),
                then: Then::Done(report.fact(FACT_KNOWN, false)),
            };
        }
        Place::Machine(machine) => machine,
    };
    if !machine.hostname.eq_ignore_ascii_case(&node.name) && !may_be_renamed(machine) {
        return StepPlan::fail(is_anothers(node, machine));
    }
    let mut changes = Vec::new();
    if machine.hostname != node.name || machine.domain != node.domain {
        if !seen.domain_exists {
            changes.push(Change {
                target: format!("maas domain {}", node.domain),
                verb: CREATE_DOMAIN.to_owned(),
                before: Value::Null,
                after: json!({"name": node.domain, "authoritative": false}),
                risk: Risk::Reversible,
                why: format!("{} belongs to a domain that MaaS does not have", node.name),
            });
        }
        changes.push(Change {
            target: machine.target(),
            verb: SET_IDENTITY.to_owned(),
            before: json!({"hostname": machine.hostname, "domain": machine.domain}),
            after: json!({"system_id": machine.system_id, "hostname": node.name, "domain": node.domain}),
            risk: Risk::Reversible,
            why: format!("the machine is {} of the design", node.fqdn()),
        });
    }
    changes.extend(power_change(node, seen));
    if !changes.is_empty() {
        return StepPlan::apply(changes);
    }
    let report = Report::new(format!(
        "{} is machine {} of MaaS, state {}",
        node.name, machine.system_id, machine.status_name
    ))
    .fact(FACT_KNOWN, true)
    .fact(FACT_PROTECTED, false);
    StepPlan {
        changes,
        then: Then::Done(report),
    }
}

/// Whether a machine that bears another name can be the node: one that nobody has put anything on.
///
/// New and commissioned ones bear a name that MaaS made up or that the design gave before. Ready ones that nobody owns
/// are allowed, too: there is nothing on them that MaaS knows of, and a node may get another name in the design. A test
/// can run on a machine that is deployed, which its owner tells. In any other state the machine is somebody's, and a
/// typing error in the design would hand it over to the steps that wipe.
fn may_be_renamed(machine: &MachineSeen) -> bool {
    match machine.status {
        Status::New | Status::Commissioning | Status::FailedCommissioning => true,
        Status::Ready => machine.owner.is_none(),
        Status::Testing | Status::FailedTesting => machine.foreign_owner().is_none(),
        _ => false,
    }
}

fn is_anothers(node: &Node, machine: &MachineSeen) -> DriverError {
    DriverError::permanent(
        format!("identifying {}", node.name),
        machine.target(),
        format!(
            "MaaS knows the machine with the power address or boot MAC of {} as {}, and it is {}, so it is not renamed",
            node.name, machine.hostname, machine.status_name
        ),
        format!(
            "correct oob address and boot_mac in the design; if {} is really to become {}, release it in MaaS first",
            machine.hostname, node.name
        ),
    )
}

fn power_change(node: &Node, seen: &Seen) -> Option<Change> {
    let Place::Machine(machine) = &seen.place else {
        return None;
    };
    let power = Power::of(node)?;
    // A libvirt URI names the host of the hypervisor, not the node's controller: it is compared as it is.
    let address_same = seen.power_address == power.address
        || (power.kind != "virsh"
            && host_of(&seen.power_address).is_some_and(|host| node.oob.address == Some(host)));
    let user_same = power
        .user
        .as_ref()
        .is_none_or(|user| *user == seen.power_user);
    let id_same = power.kind != "virsh" || seen.power_id.as_deref() == Some(node.name.as_str());
    if machine.power_type == power.kind
        && address_same
        && user_same
        && id_same
        && seen.password_as_designed
    {
        return None;
    }
    Some(Change {
        target: machine.target(),
        verb: SET_POWER.to_owned(),
        before: json!({
            "power_type": machine.power_type,
            "power_address": seen.power_address,
            "power_user": seen.power_user,
            "password": if seen.password_as_designed { "as designed" } else { "another" },
        }),
        after: json!({
            "system_id": machine.system_id,
            "power_type": power.kind,
            "power_address": power.address,
            "power_user": power.user,
            "password": "as designed",
        }),
        risk: Risk::Reversible,
        why: format!(
            "MaaS shall drive {} through the controller that the design names",
            node.name
        ),
    })
}

pub(crate) async fn apply(
    region: &Region,
    cx: &StepContext,
    change: &Change,
) -> Result<String, DriverError> {
    match change.verb.as_str() {
        CREATE_DOMAIN => create_domain(region, &text(change, "name")?).await,
        SET_IDENTITY => {
            let form = Form::new()
                .with("hostname", text(change, "hostname")?)
                .with("domain", text(change, "domain")?);
            put_machine(region, change, &form).await
        }
        SET_POWER => {
            let node = cx.node()?;
            let kind = text(change, "power_type")?;
            let mut form = Form::new()
                .with("power_type", &kind)
                .with(
                    "power_parameters_power_address",
                    text(change, "power_address")?,
                )
                .with("power_parameters_skip_check", "true")
                .maybe(
                    "power_parameters_power_user",
                    change.after["power_user"].as_str(),
                );
            if kind == "virsh" {
                form = form.with("power_parameters_power_id", &node.name);
            }
            if let Some(password) = credential::resolve(node).await? {
                form = form.with_secret("power_parameters_power_pass", &password);
            }
            put_machine(region, change, &form).await
        }
        _ => Err(unknown_verb(change)),
    }
}

/// Creates a domain; that it exists already is no fault.
pub(crate) async fn create_domain(region: &Region, name: &str) -> Result<String, DriverError> {
    match region
        .client
        .post(
            "domains/",
            &Form::new()
                .with("name", name)
                .with("authoritative", "false"),
        )
        .await
    {
        Ok(_) => Ok("created".to_owned()),
        Err(error) => {
            let domains = region.domains().await?;
            if domains.iter().any(|domain| domain.name == name) {
                Ok("was there".to_owned())
            } else {
                Err(error)
            }
        }
    }
}

async fn put_machine(region: &Region, change: &Change, form: &Form) -> Result<String, DriverError> {
    let answer = region
        .client
        .put(&format!("machines/{}/", text(change, "system_id")?), form)
        .await?;
    Ok(format!(
        "{} with power type {}",
        answer["fqdn"].as_str().unwrap_or("?"),
        answer["power_type"].as_str().unwrap_or("?")
    ))
}

#[cfg(test)]
mod tests;
