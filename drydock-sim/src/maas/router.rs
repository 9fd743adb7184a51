//! Which resource a path means.

use serde_json::json;

use super::region::Region;
use super::render;
use super::request::{Answer, Reply, Request, Verb};
use super::{
    account, boot_images, events, fabric, interface, machine_ops, repository, results, storage_ops,
    subnet, tag,
};

/// Answers one authenticated request.
pub(super) fn route(region: &mut Region, request: &Request, full_path: &str) -> Answer {
    match request.path.as_slice() {
        ["users", rest @ ..] => account::users(request, rest),
        ["account", rest @ ..] => account::handle(region, request, rest),
        ["boot-resources", rest @ ..] => boot_images::handle(region, request, rest),
        ["boot-sources"] => Ok(Reply::json(json!([]))),
        ["rackcontrollers", rest @ ..] => racks(region, request, rest),
        ["machines"] => machine_ops::collection(region, request),
        ["machines", id] => machine_ops::object(region, request, id),
        ["nodes", id, "interfaces", rest @ ..] => interface::handle(region, request, id, rest),
        ["nodes", id, "blockdevices", rest @ ..] => {
            storage_ops::blockdevices(region, request, id, rest)
        }
        ["nodes", id, "volume-groups"] => storage_ops::groups(region, request, id),
        ["nodes", id, "volume-group", group] => storage_ops::group(region, request, id, group),
        ["nodes", id, "results"] => results::grouped(region, request, id),
        ["commissioning-results" | "installation-results"] => results::flat(region, request),
        ["tags", rest @ ..] => tag::handle(region, request, rest),
        ["package-repositories", rest @ ..] => repository::handle(region, request, rest),
        ["fabrics", rest @ ..] => fabric::handle(region, request, rest),
        ["vlans", id] => {
            let id = id.parse().map_err(|_| Reply::missing("VLAN"))?;
            fabric::vlan_object(region, request, request.verb, id)
        }
        ["subnets", rest @ ..] => subnet::handle(region, request, rest),
        ["ipranges", rest @ ..] => subnet::ranges(region, request, rest),
        ["static-routes", rest @ ..] => subnet::routes(region, request, rest),
        ["domains", rest @ ..] => subnet::domains(region, request, rest),
        ["events", rest @ ..] => events::handle(region, request, rest),
        _ => Err(unknown(full_path)),
    }
}

/// 404 for a path that is no endpoint; so is every path without its slash at the end.
pub(super) fn unknown(full_path: &str) -> Reply {
    Reply::text(404, format!("Unknown API endpoint: {full_path}."))
}

/// `version/`, the only resource anybody may read.
pub(super) fn version() -> Reply {
    Reply::json(json!({
        "capabilities": [
            "networks-management", "static-ipaddresses", "ipv6-deployment-ubuntu",
            "devices-management", "storage-deployment-ubuntu", "network-deployment-ubuntu",
            "bridging-interface-ubuntu", "bridging-automatic-ubuntu", "authenticate-api",
        ],
        "version": "3.4.10", "subversion": "",
    }))
}

/// `rackcontrollers/`.
fn racks(region: &Region, request: &Request, path: &[&str]) -> Answer {
    let query = &request.query;
    let any = |field: &str, values: &[&str]| {
        let mut wanted = query.all(field).peekable();
        wanted.peek().is_none() || wanted.any(|w| values.iter().any(|v| v.eq_ignore_ascii_case(w)))
    };
    match (request.verb, path, request.op.as_deref()) {
        (Verb::Get, [], None) => {
            let matching = region.racks.iter().filter(|node| {
                let macs: Vec<&str> = node.interfaces.iter().map(|nic| nic.mac.as_str()).collect();
                any("id", &[&node.system_id])
                    && any("hostname", &[&node.hostname])
                    && any("mac_address", &macs)
            });
            Ok(Reply::json(
                matching.map(|node| render::node(region, node)).collect(),
            ))
        }
        (Verb::Get, [], Some("power_parameters")) => Ok(Reply::json(
            region
                .racks
                .iter()
                .map(|node| (node.system_id.clone(), node.power.clone().into()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        )),
        (Verb::Get, [id], op) => {
            let node = region.racks.iter().find(|node| node.system_id == *id);
            let node = node.ok_or_else(|| Reply::missing("RackController"))?;
            match op {
                None => Ok(Reply::json(render::node(region, node))),
                Some("power_parameters") => Ok(Reply::json(node.power.clone().into())),
                Some(_) => Err(request.unrecognised()),
            }
        }
        _ => Err(request.unrecognised()),
    }
}
