//! Tags.

use serde_json::{Value, json};

use super::region::Region;
use super::render;
use super::request::{Answer, Reply, Request, Verb};

/// A tag. Which nodes carry it stands in the nodes.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    name: String,
    definition: String,
    comment: String,
    kernel_opts: String,
}

fn json_of(tag: &Tag) -> Value {
    json!({
        "name": tag.name, "definition": tag.definition, "comment": tag.comment,
        "kernel_opts": tag.kernel_opts,
        "resource_uri": format!("/MAAS/api/2.0/tags/{}/", tag.name),
    })
}

fn checked_name(region: &Region, name: &str, own: Option<usize>) -> Result<String, Reply> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.chars().all(legal) {
        return Err(Reply::invalid("name", "Enter a valid value."));
    }
    let taken = region.tags.iter().position(|tag| tag.name == name);
    if taken.is_some() && taken != own {
        return Err(Reply::invalid("name", "Tag with this Name already exists."));
    }
    Ok(name.to_owned())
}

/// `tags/` and everything below it.
pub(super) fn handle(region: &mut Region, request: &Request, path: &[&str]) -> Answer {
    let op = request.op.as_deref();
    match (request.verb, path, op) {
        (Verb::Get, [], None) => Ok(Reply::json(region.tags.iter().map(json_of).collect())),
        (Verb::Post, [], None) => {
            let name = checked_name(region, request.required("name")?, None)?;
            let text = |field| request.field(field).unwrap_or_default().to_owned();
            let tag = Tag {
                name,
                definition: text("definition"),
                comment: text("comment"),
                kernel_opts: text("kernel_opts"),
            };
            region.tags.push(tag.clone());
            Ok(Reply::json(json_of(&tag)))
        }
        (verb, [name], op) => {
            let index = region.tags.iter().position(|tag| tag.name == *name);
            let index = index.ok_or_else(|| Reply::missing("Tag"))?;
            match (verb, op) {
                (Verb::Get, None) => Ok(Reply::json(json_of(&region.tags[index]))),
                (Verb::Get, Some("nodes" | "machines")) => Ok(Reply::json(
                    region
                        .machines
                        .iter()
                        .filter(|node| node.tags.iter().any(|tag| tag == name))
                        .map(|node| render::node(region, node))
                        .collect(),
                )),
                (Verb::Post, Some("update_nodes")) => Ok(update_nodes(region, request, name)),
                (Verb::Put, None) => rewrite(region, request, index),
                (Verb::Delete, None) => {
                    region.tags.remove(index);
                    for node in &mut region.machines {
                        node.tags.retain(|tag| tag != name);
                    }
                    Ok(Reply::deleted())
                }
                _ => Err(request.unrecognised()),
            }
        }
        _ => Err(request.unrecognised()),
    }
}

fn rewrite(region: &mut Region, request: &Request, index: usize) -> Answer {
    let old = region.tags[index].name.clone();
    let name = match request.field("name").filter(|name| !name.is_empty()) {
        Some(name) => checked_name(region, name, Some(index))?,
        None => old.clone(),
    };
    for tag in region.machines.iter_mut().flat_map(|node| &mut node.tags) {
        if *tag == old {
            tag.clone_from(&name);
        }
    }
    let tag = &mut region.tags[index];
    tag.name = name;
    for (field, slot) in [
        ("definition", &mut tag.definition),
        ("comment", &mut tag.comment),
        ("kernel_opts", &mut tag.kernel_opts),
    ] {
        if let Some(value) = request.field(field) {
            value.clone_into(slot);
        }
    }
    Ok(Reply::json(json_of(&region.tags[index])))
}

/// Unknown ids count as nothing, as on the real server.
fn update_nodes(region: &mut Region, request: &Request, name: &str) -> Reply {
    let (mut added, mut removed) = (0, 0);
    for id in request.form.list("remove") {
        for node in region
            .machines
            .iter_mut()
            .filter(|node| node.system_id == id)
        {
            node.tags.retain(|tag| tag != name);
            removed += 1;
        }
    }
    for id in request.form.list("add") {
        for node in region
            .machines
            .iter_mut()
            .filter(|node| node.system_id == id)
        {
            if !node.tags.iter().any(|tag| tag == name) {
                node.tags.push(name.to_owned());
            }
            added += 1;
        }
    }
    Reply::json(json!({"added": added, "removed": removed}))
}
