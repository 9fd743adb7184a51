//! `drydock plan` and `drydock apply`: what was planned is done, and nothing else. The simulators' log is the witness.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Output;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::processes::{Site, said};

const NODES: [&str; 4] = ["control", "worker1", "worker2", "worker3"];

/// What was done to the simulated world, but for what only reads and for what the world does by itself.
fn writes(site: &Site) -> Vec<Value> {
    let mut calls = site.calls();
    calls.retain(|call| {
        (call["kind"] == "maas" && call["method"] != "GET")
            || (call["kind"] == "bmc" && call["origin"] == "bmc")
    });
    calls
}

fn file(site: &Site, name: &str) -> PathBuf {
    site.folder.path().join(name)
}

/// Plans into a file, which must change nothing; the plan.
fn plan(site: &Site, action: &str, design: &str) -> Value {
    let before = writes(site).len();
    let out = file(site, action);
    let out = out.to_str().expect("a path");
    let output = site.client(&["plan", "-a", action, "-d", design, "--out", out]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(writes(site).len(), before, "a plan changes nothing");
    let text = std::fs::read_to_string(out).expect("the plan");
    let plan: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&plan["version"], &plan["result"]),
        (&json!(1), &json!("success"))
    );
    let summary = format!(
        "{} change{}",
        plan["summary"]["changes"],
        if plan["summary"]["changes"] == 1 {
            ""
        } else {
            "s"
        }
    );
    assert!(said(&output).contains(&summary), "{}", said(&output));
    stays_below_its_limits(&plan);
    plan
}

/// What a kind of step is said to do at most holds for what it does.
fn stays_below_its_limits(plan: &Value) {
    let rank = |risk: &Value| {
        let known = ["reversible", "reboots", "wipes"];
        let place = known.iter().position(|known| risk == known);
        place.expect("a risk")
    };
    for node in plan["nodes"].as_array().expect("nodes") {
        for step in node["steps"].as_array().expect("steps") {
            let forecast = &step["forecast"];
            for change in forecast["changes"].as_array().expect("changes") {
                let limit = &forecast["further"]["at_most"];
                assert!(rank(&change["risk"]) <= rank(limit), "{step:#}");
            }
        }
    }
}

fn apply(site: &Site, action: &str, more: &[&str]) -> Output {
    let plan = file(site, action);
    let mut arguments = vec!["apply", plan.to_str().expect("a path")];
    arguments.extend(more);
    site.client(&arguments)
}

fn apply_well(site: &Site, action: &str) {
    let output = apply(site, action, &["--yes", "--wait", "--timeout", "110"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

fn steps<'a>(plan: &'a Value, node: &str) -> &'a Vec<Value> {
    let nodes = plan["nodes"].as_array().expect("nodes");
    let found = nodes.iter().find(|it| it["node"] == node);
    found.expect("the node")["steps"].as_array().expect("steps")
}

fn step<'a>(plan: &'a Value, node: &str, action: &str) -> &'a Value {
    let found = steps(plan, node).iter().find(|it| it["action"] == action);
    found.expect("the step")
}

/// What somebody else does at MaaS.
fn at_maas(site: &Site, path: &str, form: &str) {
    let config = std::fs::read_to_string(file(site, "drydock.yaml")).expect("settings");
    let setting = |name: &str| {
        let line = config
            .lines()
            .find_map(|line| line.trim().strip_prefix(name));
        line.expect("a setting").trim().to_owned()
    };
    let (url, key) = (setting("url:"), setting("api_key:"));
    let key: Vec<&str> = key.split(':').collect();
    let authority = url.trim_start_matches("http://").trim_end_matches("/MAAS");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("a time").as_nanos();
    let request = format!(
        "POST /MAAS/api/2.0/{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Authorization: OAuth oauth_version=\"1.0\", oauth_signature_method=\"PLAINTEXT\", \
         oauth_consumer_key=\"{}\", oauth_token=\"{}\", oauth_signature=\"%26{}\", \
         oauth_nonce=\"{now}\", oauth_timestamp=\"{}\"\r\n\r\n{form}",
        form.len(),
        key[0],
        key[1],
        key[2],
        now / 1_000_000_000,
    );
    let mut stream = TcpStream::connect(authority).expect("a listener");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
}

#[test]
fn what_was_planned_is_done_even_if_the_server_dies_meanwhile() {
    let mut site = Site::new("lab.yaml", "0.01", None);
    let server = site.serve(&[]);
    let design = site.upload();
    let of_site = plan(&site, "prepare_site", &design);
    assert_eq!(of_site["nodes"][0]["node"], Value::Null);
    apply_well(&site, "prepare_site");

    // Of machines that nobody has seen, a dry run sees no further than their controllers.
    let of_nodes = plan(&site, "prepare_nodes", &design);
    assert_eq!(of_nodes["summary"]["reboots"], NODES.len());
    let commission = step(&of_nodes, "worker1", "configure_hardware");
    assert_eq!(commission["forecast"]["changes"], json!([]));
    assert_eq!(commission["forecast"]["further"]["at_most"], "reboots");
    apply_well(&site, "prepare_nodes");

    let of_deployment = plan(&site, "deploy_nodes", &design);
    assert_eq!(of_deployment["summary"]["wipes"], NODES.len());
    let output = apply(&site, "deploy_nodes", &[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("erases 4 node(s): control, worker1"),
        "{}",
        said(&output)
    );
    let output = apply(&site, "deploy_nodes", &["--yes", "-o", "json"]);
    let task: Value = serde_json::from_slice(&output.stdout).expect("a task");
    assert_eq!(task["plan_task_id"], of_deployment["task_id"]);
    site.until_called("storage", |call| call["op"] == "set_storage_layout");
    server.kill();
    let server = site.serve(&[]);
    site.until_called("allocate", |call| call["op"] == "allocate");
    server.kill();
    let _server = site.serve(&[]);
    let (code, task) = site.end(task["task_id"].as_str().expect("an id"));
    assert_eq!(code, Some(0), "{task:#}");
    assert_eq!(
        task["result"]["successes"].as_array().map(Vec::len),
        Some(NODES.len())
    );
    assert_eq!(site.asked("deploy").len(), NODES.len());

    // Done is done: the same plan does not fit any more, and says why.
    let before = writes(&site).len();
    let output = apply(&site, "deploy_nodes", &["--yes", "--wait"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("now there is nothing to change (worker1 is Deployed"),
        "{}",
        said(&output)
    );
    assert_eq!(writes(&site).len(), before);
}

#[test]
fn a_node_where_the_world_has_changed_is_left_as_it_is() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let design = site.upload();
    site.succeed("prepare_site", &design);
    site.succeed("prepare_nodes", &design);
    let planned = plan(&site, "deploy_nodes", &design);

    // In a later step of one node, and in the first of another.
    at_maas(&site, "tags/", "name=worker1_kp&kernel_opts=quiet");
    let networking = step(&planned, "worker2", "apply_node_networking");
    let unlink = &networking["forecast"]["changes"][0];
    assert_eq!(unlink["verb"], "unlink_subnet", "{networking:#}");
    let (after, id) = (&unlink["after"], &unlink["after"]["id"]);
    let machine = after["system_id"].as_str().expect("a machine");
    let path = format!("nodes/{machine}/interfaces/{id}/?op=unlink_subnet");
    at_maas(&site, &path, &format!("id={}", after["link"]));

    let before = writes(&site).len();
    let output = apply(
        &site,
        "deploy_nodes",
        &["--yes", "--wait", "--timeout", "110"],
    );
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for needle in [
        "node worker1: carrying out the plan of",
        "on apply_node_platform: the plan would create_tag maas tag worker1_kp",
        "on apply_node_networking: the plan would unlink_subnet maas machine",
        "deploy_nodes control: complete, success",
        "deploy_nodes worker1: complete, failure",
        "deploy_nodes worker2: complete, failure",
        "deploy_nodes worker3: complete, success",
    ] {
        assert!(
            said(&output).contains(needle),
            "{needle}: {}",
            said(&output)
        );
    }
    let done = writes(&site).split_off(before);
    assert_eq!(site.asked("deploy").len(), 2);
    for node in ["worker1", "worker2"] {
        let of_node = step(&planned, node, "deploy_node");
        let machine = of_node["forecast"]["changes"][0]["after"]["system_id"]
            .as_str()
            .expect("a machine");
        let on_it: Vec<_> = done
            .iter()
            .filter(|call| {
                let text = call.to_string();
                text.contains(machine) || text.contains(node)
            })
            .collect();
        assert!(on_it.is_empty(), "{node}: {on_it:#?}");
    }
}

#[test]
fn a_plan_is_refused_when_it_is_not_as_it_was_made() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let design = site.upload();
    plan(&site, "prepare_site", &design);
    let before = writes(&site).len();
    let text = std::fs::read_to_string(file(&site, "prepare_site")).expect("the plan");
    for (name, text, code, needle) in [
        (
            "newer",
            text.replace("\"version\": 1", "\"version\": 2"),
            2,
            "version 2",
        ),
        (
            "altered",
            text.replace("10.41.0.100", "10.41.0.10"),
            2,
            "not as it was made",
        ),
        ("broken", "{".to_owned(), 2, "this is no plan"),
        ("other", "{\"a\": 1}".to_owned(), 2, "this is no plan"),
    ] {
        std::fs::write(file(&site, name), text).expect("a file");
        let output = apply(&site, name, &["--wait"]);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(needle), "{}", said(&output));
    }
    assert_eq!(apply(&site, "absent", &[]).status.code(), Some(3));

    // The design behind the reference is another now.
    let id = design.trim_start_matches("design:");
    let rack =
        json!({"apiVersion": "drydock/v1", "kind": "Rack", "metadata": {"name": "r7"}, "spec": {}});
    let parts = format!("{}/api/v1.0/designs/{id}/parts?ingester=yaml", site.url);
    crate::processes::http("POST", &parts, Some(&rack.to_string()));
    let output = apply(&site, "prepare_site", &["--wait"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("the design has changed since the plan was made"),
        "{}",
        said(&output)
    );
    assert_eq!(writes(&site).len(), before);
}
