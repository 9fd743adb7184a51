//! Death in the middle: everything still comes out deployed, and nothing is done twice. The simulators' log is the witness.

use serde_json::Value;

use crate::database::TestDatabase;
use crate::processes::{Process, Site, until};

const SITE: &str = "designs/seaworthy.yaml";
const NODES: usize = 5;
/// Long enough that there is a middle to die in, short enough for a test.
const SCALE: &str = "0.01";

fn is_bmc(command: &str) -> impl Fn(&Value) -> bool {
    let command = command.to_owned();
    move |call| {
        call["kind"] == "bmc" && call["origin"] == "bmc" && call["command"] == command.as_str()
    }
}

fn is_maas(op: &str) -> impl Fn(&Value) -> bool {
    let op = op.to_owned();
    move |call| call["kind"] == "maas" && call["op"] == op.as_str()
}

fn nothing_was_done_twice(site: &Site) {
    for command in ["power_off", "power_on", "set_boot"] {
        let told = site.told(command);
        assert_eq!(told.len(), NODES, "{command}: {told:?}");
        assert!(
            told.iter().all(|(_, count)| *count == 1),
            "{command}: {told:?}"
        );
    }
    for op in ["commission", "allocate", "deploy"] {
        let mut paths = site.asked(op);
        assert_eq!(paths.len(), NODES, "{op}: {paths:?}");
        // Allocation names the machine in its form.
        if op != "allocate" {
            paths.dedup();
            assert_eq!(paths.len(), NODES, "{op}: {paths:?}");
        }
    }
}

fn all_succeeded(task: &Value) {
    assert_eq!(task["result"]["status"], "success", "{task:#}");
    assert_eq!(
        task["result"]["successes"].as_array().map(Vec::len),
        Some(NODES),
        "{task:#}"
    );
}

/// Kills a server at the first sign of each thing that must not be repeated, and starts another each time.
fn dies_at_every_turn(settings: &[&str]) {
    let mut site = Site::new(SITE, SCALE, None);
    let mut server = site.serve(settings);
    let design = site.upload();
    site.succeed("prepare_site", &design);
    let replace = |site: &mut Site, server: Process| -> Process {
        server.kill();
        site.serve(settings)
    };
    let prepare = site.begin("prepare_nodes", &design);
    for command in ["power_off", "power_on"] {
        site.until_called(command, is_bmc(command));
        server = replace(&mut site, server);
    }
    site.until_called("commission", is_maas("commission"));
    server = replace(&mut site, server);
    let (code, task) = site.end(&prepare);
    assert_eq!(code, Some(0), "{task:#}");
    all_succeeded(&task);
    let deploy = site.begin("deploy_nodes", &design);
    for op in ["allocate", "deploy"] {
        site.until_called(op, is_maas(op));
        server = replace(&mut site, server);
    }
    let (code, task) = site.end(&deploy);
    assert_eq!(code, Some(0), "{task:#}");
    all_succeeded(&task);
    nothing_was_done_twice(&site);
    site.check();
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_server_killed_at_every_turn_repeats_nothing_on_sqlite() {
    dies_at_every_turn(&[]);
}

#[test]
fn a_server_killed_at_every_turn_repeats_nothing_on_postgresql() {
    let Some(database) = TestDatabase::new() else {
        return;
    };
    dies_at_every_turn(&[&format!("database.url={}", database.url)]);
}

#[test]
fn of_two_servers_one_is_killed_and_the_other_carries_on() {
    let Some(database) = TestDatabase::new() else {
        return;
    };
    let setting = format!("database.url={}", database.url);
    let settings: &[&str] = &[&setting];
    let mut site = Site::new(SITE, SCALE, None);
    let first = site.serve(settings);
    let (second, beside) = site.serve_beside(settings);
    let design = site.upload();
    site.succeed("prepare_site", &design);
    let prepare = site.begin("prepare_nodes", &design);
    site.until_called("power_on", is_bmc("power_on"));
    // The first one leads: it was there alone. Its steps and its place go to the second.
    first.kill();
    site.url = beside;
    let (code, task) = site.end(&prepare);
    assert_eq!(code, Some(0), "{task:#}");
    all_succeeded(&task);
    assert!(
        second.output().contains("became the leader"),
        "{}",
        second.output()
    );
    site.call_back_here();
    let deploy = site.begin("deploy_nodes", &design);
    let (third, _) = site.serve_beside(settings);
    site.until_called("deploy", is_maas("deploy"));
    third.kill();
    let (code, task) = site.end(&deploy);
    assert_eq!(code, Some(0), "{task:#}");
    all_succeeded(&task);
    nothing_was_done_twice(&site);
    assert_eq!(second.terminate(), Some(0));
}

#[test]
fn sigterm_hands_over_at_once() {
    let mut site = Site::new(SITE, SCALE, None);
    // A grace so long that only a leader who gave up can be followed in time.
    let patient = ["leader.grace_period=10m"];
    let server = site.serve(&patient);
    let design = site.upload();
    let prepare = site.begin("prepare_nodes", &design);
    site.until_called("power_off", is_bmc("power_off"));
    assert_eq!(server.terminate(), Some(0));
    let server = site.serve(&patient);
    let (code, task) = site.end(&prepare);
    assert_eq!(code, Some(0), "{task:#}");
    all_succeeded(&task);
    let told = site.told("power_off");
    assert!(told.iter().all(|(_, count)| *count == 1), "{told:?}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_waiting_client_outlives_its_server() {
    let mut site = Site::new(SITE, SCALE, None);
    let server = site.serve(&[]);
    let design = site.upload();
    let prepare = site.begin("prepare_nodes", &design);
    let mut client = site.client_beside(&["task", "show", &prepare, "--wait", "--timeout", "110"]);
    site.until_called("power_on", is_bmc("power_on"));
    server.kill();
    let server = site.serve(&[]);
    let code = until("the client", || client.ended());
    assert_eq!(code, 0, "{}", client.output());
    assert!(
        client.output().contains("complete, success"),
        "{}",
        client.output()
    );
    assert_eq!(server.terminate(), Some(0));
}
