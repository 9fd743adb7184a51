//! `machines/` and `machines/{system_id}/`: listing, changing, and the operations of the life cycle.

use serde_json::{Map, Value, json};

use super::boot_images;
use super::details;
use super::region::Region;
use super::render;
use super::request::{Answer, Body, Reply, Request, Verb};
use super::status::Status;

/// `machines/`.
pub(super) fn collection(region: &mut Region, request: &Request) -> Answer {
    match (request.verb, request.op.as_deref()) {
        (Verb::Get, None) => list(region, request),
        (Verb::Get, Some("power_parameters")) => {
            let ids: Vec<&str> = request.query.all("id").collect();
            let all: Map<String, Value> = region
                .machines
                .iter()
                .filter(|node| ids.is_empty() || ids.contains(&node.system_id.as_str()))
                .map(|node| (node.system_id.clone(), Value::Object(node.power.clone())))
                .collect();
            Ok(Reply::json(Value::Object(all)))
        }
        (Verb::Post, Some("allocate")) => allocate(region, request),
        _ => Err(request.unrecognised()),
    }
}

fn list(region: &Region, request: &Request) -> Answer {
    let query = &request.query;
    let mut statuses = Vec::new();
    for word in query.all("status") {
        let status = Status::of_filter(word).ok_or_else(|| {
            Reply::invalid(
                "status",
                &format!("Select a valid choice. {word} is not one of the available choices."),
            )
        })?;
        statuses.push(status);
    }
    let any = |field: &str, value: &str| {
        let wanted: Vec<&str> = query.all(field).collect();
        wanted.is_empty() || wanted.iter().any(|w| w.eq_ignore_ascii_case(value))
    };
    let macs: Vec<String> = query
        .all("mac_address")
        .map(str::to_ascii_lowercase)
        .collect();
    let machines = region.machines.iter().filter(|node| {
        let domain = region.domains.get(&node.domain);
        any("id", &node.system_id)
            && any("hostname", &node.hostname)
            && any("domain", domain.map_or("", |domain| &domain.name))
            && any("zone", "default")
            && any("pool", "default")
            && any("agent_name", &node.agent_name)
            && (statuses.is_empty() || statuses.contains(&node.status))
            && (macs.is_empty() || node.interfaces.iter().any(|nic| macs.contains(&nic.mac)))
    });
    Ok(Reply::json(
        machines.map(|node| render::node(region, node)).collect(),
    ))
}

fn allocate(region: &mut Region, request: &Request) -> Answer {
    let id = request.field("system_id").filter(|id| !id.is_empty());
    let name = request.field("name").filter(|name| !name.is_empty());
    let tags = request.form.list("tags");
    let index = region.machines.iter().position(|node| {
        node.status == Status::Ready
            && id.is_none_or(|id| node.system_id == id)
            && name.is_none_or(|name| node.hostname == name)
            && tags.iter().all(|tag| node.tags.contains(tag))
    });
    let index = index.ok_or_else(|| {
        Reply::conflict(match id {
            Some(id) => format!("No machine with system ID {id} available."),
            None => "No machine available.".to_owned(),
        })
    })?;
    region.machines[index].owner = Some("admin".to_owned());
    region.machines[index].agent_name = request.field("agent_name").unwrap_or_default().to_owned();
    region.set_status(index, Status::Allocated);
    one(region, index)
}

fn one(region: &Region, index: usize) -> Answer {
    Ok(Reply::json(render::node(region, &region.machines[index])))
}

/// `machines/{system_id}/`.
pub(super) fn object(region: &mut Region, request: &Request, system_id: &str) -> Answer {
    let index = region.machine_index(system_id)?;
    match (request.verb, request.op.as_deref()) {
        (Verb::Get, None) => one(region, index),
        (Verb::Put, None) => update(region, request, index),
        (Verb::Delete, None) => delete(region, index),
        (Verb::Get, Some("power_parameters")) => Ok(Reply::json(Value::Object(
            region.machines[index].power.clone(),
        ))),
        (Verb::Get, Some("query_power_state")) => {
            let state = match region.hand(&region.machines[index]) {
                Some(hand) if hand.power_on() => "on",
                Some(_) => "off",
                None => "unknown",
            };
            Ok(Reply::json(json!({"state": state})))
        }
        (Verb::Get, Some("details")) => Ok(details::document(&region.machines[index])),
        (Verb::Post, Some(op)) => operate(region, request, index, op),
        _ => Err(request.unrecognised()),
    }
}

fn operate(region: &mut Region, request: &Request, index: usize, op: &str) -> Answer {
    match op {
        "commission" => commission(region, request, index),
        "deploy" => deploy(region, request, index),
        "release" => release(region, request, index),
        "abort" => abort(region, index),
        "set_workload_annotations" | "set_owner_data" => annotate(region, request, index),
        "override_failed_testing" => {
            if region.machines[index].status != Status::FailedTesting {
                return Err(Reply::conflict(
                    "Unable to override node status. Node is not in 'Failed testing' status.",
                ));
            }
            region.set_status(index, Status::Ready);
            one(region, index)
        }
        "restore_networking_configuration" => {
            if !matches!(
                region.machines[index].status,
                Status::Ready | Status::FailedTesting
            ) {
                return Err(Reply::conflict(
                    "Machine must be in a ready or failed testing state to restore networking configuration",
                ));
            }
            region.restore_networking(index);
            one(region, index)
        }
        "mark_broken" => {
            region.set_status(index, Status::Broken);
            one(region, index)
        }
        "mark_fixed" => {
            if region.machines[index].status != Status::Broken {
                return Err(Reply::conflict("Can't mark a non-broken node as 'Ready'."));
            }
            region.set_status(index, Status::Ready);
            one(region, index)
        }
        "power_on" => {
            region.boot_network(index);
            one(region, index)
        }
        "power_off" => {
            region.power_off(index);
            one(region, index)
        }
        "set_storage_layout" => super::layout::set(region, request, index),
        _ => Err(request.unrecognised()),
    }
}

fn commission(region: &mut Region, request: &Request, index: usize) -> Answer {
    if !region.machines[index].status.may_commission() {
        return Err(Reply {
            status: 400,
            body: Body::Json(json!({
                "__all__": ["Commission is not available because of the current state of the node."],
            })),
        });
    }
    let skip = |field| request.flag(field).map(|flag| flag.unwrap_or(false));
    region.machines[index].keep_on_commission = (skip("skip_networking")?, skip("skip_storage")?);
    region.machines[index].commissioned = None;
    region.set_status(index, Status::Commissioning);
    region.boot_network(index);
    one(region, index)
}

fn deploy(region: &mut Region, request: &Request, index: usize) -> Answer {
    let node = &region.machines[index];
    if !matches!(node.status, Status::Ready | Status::Allocated) {
        return Err(Reply::conflict(format!(
            "Can't deploy a machine that is in the '{}' state",
            node.status.name()
        )));
    }
    let series = request.field("distro_series").unwrap_or_default();
    let kernel = request.field("hwe_kernel").unwrap_or_default();
    let image = boot_images::choose(region, series, kernel)?;
    let linked = |nic: &super::node::Interface| {
        nic.enabled
            && nic
                .links
                .iter()
                .any(|link| link.subnet.is_some() && link.mode != "link_up")
    };
    if !node.interfaces.iter().any(linked) {
        return Err(Reply::invalid(
            "network",
            "Node must be configured to use a network",
        ));
    }
    let node = &mut region.machines[index];
    node.owner = Some("admin".to_owned());
    node.osystem = image.osystem;
    node.series = image.series;
    node.kernel = image.kernel;
    node.installed = None;
    region.assign_addresses(index);
    region.set_status(index, Status::Deploying);
    region.boot_network(index);
    one(region, index)
}

fn release(region: &mut Region, request: &Request, index: usize) -> Answer {
    let status = region.machines[index].status;
    if matches!(status, Status::Ready | Status::Releasing) {
        return one(region, index);
    }
    if !status.may_release() {
        return Err(Reply::conflict(format!(
            "Machine cannot be released in its current state ('{}').",
            status.name()
        )));
    }
    if request.flag("erase")?.unwrap_or(false) {
        region.set_status(index, Status::DiskErasing);
        region.boot_network(index);
    } else {
        region.set_status(index, Status::Releasing);
        region.finish_release_or_power_off(index);
    }
    one(region, index)
}

fn abort(region: &mut Region, index: usize) -> Answer {
    let node = &region.machines[index];
    let status = match node.status {
        Status::Commissioning => Status::New,
        Status::Testing => node.previous,
        Status::Deploying => Status::Allocated,
        Status::DiskErasing => Status::FailedDiskErasing,
        other => {
            return Err(Reply::conflict(format!(
                "Cannot abort in current state: node {} is in state {}.",
                node.system_id,
                other.name()
            )));
        }
    };
    region.set_status(index, status);
    region.power_off(index);
    one(region, index)
}

/// Sets annotations; an empty value removes one. A key with a foreign character is a 500 on stock servers.
fn annotate(region: &mut Region, request: &Request, index: usize) -> Answer {
    let legal = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let fields = || request.form.iter().filter(|(key, _)| *key != "op");
    if let Some((key, _)) = fields().find(|(key, _)| !key.chars().all(legal)) {
        return Err(Reply::text(
            500,
            format!("Invalid character in key name: '{key}'"),
        ));
    }
    for (key, value) in fields() {
        let data = &mut region.machines[index].owner_data;
        if value.is_empty() {
            data.remove(key);
        } else {
            data.insert(key.to_owned(), value.to_owned());
        }
    }
    one(region, index)
}

fn update(region: &mut Region, request: &Request, index: usize) -> Answer {
    let mut node = region.machines[index].clone();
    if let Some(wanted) = request.field("domain").filter(|name| !name.is_empty()) {
        let domain = region
            .domains
            .values()
            .find(|domain| domain.name == wanted || wanted.parse() == Ok(domain.id));
        node.domain = domain
            .ok_or_else(|| Reply::invalid("domain", &format!("Unable to find domain {wanted}")))?
            .id;
    }
    if let Some(name) = request.field("hostname").filter(|name| !name.is_empty()) {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.len() > 63
            || name.starts_with('-')
            || name.ends_with('-')
            || !name.chars().all(legal)
        {
            return Err(Reply::invalid(
                "hostname",
                &format!("Invalid hostname: {name}."),
            ));
        }
        node.hostname = name.to_owned();
    }
    let clash = |other: &super::node::Node| {
        other.system_id != node.system_id
            && other.hostname == node.hostname
            && other.domain == node.domain
    };
    if region.machines.iter().chain(&region.racks).any(clash) {
        return Err(Reply::invalid(
            "hostname",
            &format!("Node with hostname '{}' already exists.", node.hostname),
        ));
    }
    if let Some(text) = request.field("description") {
        text.clone_into(&mut node.description);
    }
    match request.field("power_type") {
        None | Some("") => {}
        Some(kind @ ("ipmi" | "redfish" | "manual" | "virsh" | "webhook")) => {
            kind.clone_into(&mut node.power_type);
        }
        Some(other) => {
            return Err(Reply::invalid(
                "power_type",
                &format!("Select a valid choice. {other} is not one of the available choices."),
            ));
        }
    }
    for (key, value) in request.form.iter() {
        if let Some(name) = key.strip_prefix("power_parameters_")
            && name != "skip_check"
        {
            node.power.insert(name.to_owned(), value.into());
        }
    }
    region.machines[index] = node;
    one(region, index)
}

fn delete(region: &mut Region, index: usize) -> Answer {
    if region.machines[index].locked {
        return Err(Reply::conflict(
            "Cannot delete machine because it is locked.",
        ));
    }
    region.machines.remove(index);
    region.drop_empty_fabrics();
    Ok(Reply::deleted())
}
