//! `commissioning-results/`, `installation-results/` and `nodes/{system_id}/results/`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::details;
use super::node::Node;
use super::region::Region;
use super::request::{Answer, Reply, Request, Verb};

/// The result of one script.
struct ScriptResult {
    id: u32,
    name: &'static str,
    kind: u8,
    exit: u8,
    output: String,
}

const KINDS: [(u8, &str); 3] = [(0, "Commissioning"), (1, "Installation"), (2, "Testing")];

/// The scripts that ran on a node so far. Ids follow from the node's boot interface, which no other node has.
fn of(node: &Node) -> Vec<ScriptResult> {
    let base = node.boot_interface * 10;
    let mut all = Vec::new();
    if let Some(ok) = node.commissioned {
        all.push(ScriptResult {
            id: base,
            name: "00-maas-01-lshw",
            kind: 0,
            exit: 0,
            output: details::lshw(node),
        });
        all.push(ScriptResult {
            id: base + 1,
            name: "50-maas-01-commissioning",
            kind: 0,
            exit: u8::from(!ok),
            output: if ok {
                "ok\n"
            } else {
                "the simulated commissioning failed\n"
            }
            .to_owned(),
        });
    }
    if let Some(ok) = node.installed {
        all.push(ScriptResult {
            id: base + 2,
            name: "/tmp/install.log",
            kind: 1,
            exit: u8::from(!ok),
            output: if ok {
                "curtin: Installation finished.\n"
            } else {
                "curtin: Installation failed: the simulated installer gave up\n"
            }
            .to_owned(),
        });
    }
    all
}

/// `commissioning-results/` and its other name `installation-results/`. Filters are taken from the query only.
pub(super) fn flat(region: &Region, request: &Request) -> Answer {
    if request.verb != Verb::Get {
        return Err(request.unrecognised());
    }
    let ids: Vec<&str> = request.query.all("system_id").collect();
    let names: Vec<&str> = request.query.all("name").collect();
    let kind = request.number::<u8>("result_type")?;
    let mut out = Vec::new();
    for node in &region.machines {
        if !ids.is_empty() && !ids.contains(&node.system_id.as_str()) {
            continue;
        }
        for result in of(node) {
            if kind.is_some_and(|kind| kind != result.kind)
                || !(names.is_empty() || names.contains(&result.name))
            {
                continue;
            }
            out.push(json!({
                "created": node.updated.format("%Y-%m-%dT%H:%M:%S%.3f").to_string(),
                "updated": node.updated.format("%Y-%m-%dT%H:%M:%S%.3f").to_string(),
                "id": result.id, "name": result.name, "script_result": result.exit,
                "result_type": result.kind, "node": {"system_id": node.system_id},
                "data": STANDARD.encode(&result.output),
                "resource_uri": "/MAAS/api/2.0/commissioning-scripts/",
            }));
        }
    }
    Ok(Reply::json(Value::Array(out)))
}

/// `nodes/{system_id}/results/`.
pub(super) fn grouped(region: &Region, request: &Request, system_id: &str) -> Answer {
    if request.verb != Verb::Get {
        return Err(request.unrecognised());
    }
    let node = region.node(system_id)?;
    let wanted = request.field("type").map(str::to_ascii_lowercase);
    let with_output = request.flag("include_output")?.unwrap_or(false);
    let all = of(node);
    let mut sets = Vec::new();
    for (kind, kind_name) in KINDS {
        let chosen = wanted
            .as_deref()
            .is_none_or(|word| word == kind.to_string() || word == kind_name.to_ascii_lowercase());
        let results: Vec<&ScriptResult> = all.iter().filter(|result| result.kind == kind).collect();
        let Some(first) = results.first().filter(|_| chosen) else {
            continue;
        };
        let when = node
            .updated
            .format("%a, %d %b %Y %H:%M:%S -0000")
            .to_string();
        let verdict = |ok: bool| if ok { (2, "Passed") } else { (3, "Failed") };
        let (status, status_name) = verdict(results.iter().all(|result| result.exit == 0));
        let rendered: Vec<Value> = results
            .iter()
            .map(|result| {
                let (status, status_name) = verdict(result.exit == 0);
                let mut one = json!({
                    "id": result.id, "created": when, "updated": when, "name": result.name,
                    "status": status, "status_name": status_name, "exit_status": result.exit,
                    "started": when, "ended": when, "runtime": "0:00:00", "suppressed": false,
                    "parameters": {},
                });
                if with_output {
                    one["output"] = STANDARD.encode(&result.output).into();
                }
                one
            })
            .collect();
        sets.push(json!({
            "id": first.id, "system_id": node.system_id, "type": kind, "type_name": kind_name,
            "status": status, "status_name": status_name, "started": when, "ended": when,
            "runtime": "0:00:00", "last_ping": null, "results": rendered,
            "resource_uri": format!("/MAAS/api/2.0/nodes/{system_id}/results/{}/", first.id),
        }));
    }
    Ok(Reply::json(Value::Array(sets)))
}
