//! A server whose peers misbehave: the task says what happened to whom, and nothing is lost.

use serde_json::Value;

use crate::processes::{Site, until};

/// All error messages of a task.
fn errors(task: &Value) -> Vec<String> {
    let messages = task["result"]["details"]["messageList"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    messages
        .iter()
        .filter(|message| message["error"] == true)
        .map(|message| message["message"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn names(task: &Value, list: &str) -> Vec<String> {
    task["result"][list]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_wrong_password_fails_its_node_at_once_and_no_other() {
    let mut site = Site::new(
        "lab.yaml",
        "0",
        Some(r#"{"machines": {"worker1": {"bmc_wrong_password": true}}}"#),
    );
    let _server = site.serve(&[]);
    let design = site.upload();
    let (code, task) = site.end(&site.begin("verify_nodes", &design));
    assert_eq!(code, Some(1), "{task:#}");
    assert_eq!(task["result"]["status"], "partial_success", "{task:#}");
    assert_eq!(names(&task, "failures"), ["worker1"]);
    assert_eq!(names(&task, "successes"), ["control", "worker2", "worker3"]);
    let errors = errors(&task);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("worker1") && errors[0].contains("127.41.0.11"),
        "{errors:?}"
    );
    assert!(
        !task.to_string().contains("correct-horse"),
        "the password is in the answer"
    );
}

#[test]
fn a_controller_that_never_answers_fails_its_node_when_the_deadline_passes() {
    let mut site = Site::new(
        "lab.yaml",
        "0",
        Some(r#"{"machines": {"worker1": {"bmc_silent": true}}}"#),
    );
    let _server = site.serve(&[
        "timeouts.drydock_timeout=1s",
        "oob.ipmi.timeout=100ms",
        "oob.ipmi.retries=1",
    ]);
    let design = site.upload();
    let (code, task) = site.end(&site.begin("verify_nodes", &design));
    assert_eq!(code, Some(1), "{task:#}");
    assert_eq!(names(&task, "failures"), ["worker1"]);
    let errors = errors(&task);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("worker1") && errors[0].contains("127.41.0.11"),
        "{errors:?}"
    );
}

#[test]
fn a_maas_that_answers_503_fails_the_task_and_loses_nothing() {
    let sick = r#"{"maas": [{"path_prefix": "", "status": 503}]}"#;
    let mut site = Site::new("lab.yaml", "0", Some(sick));
    let _server = site.serve(&["timeouts.drydock_timeout=1s"]);
    let design = site.upload();
    let (code, task) = site.end(&site.begin("verify_site", &design));
    assert_eq!(code, Some(1), "{task:#}");
    let errors = errors(&task);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("MaaS") && errors[0].contains("503"),
        "{errors:?}"
    );
    site.faults("{}");
    site.succeed("verify_site", &design);
}

#[test]
fn a_maas_that_comes_back_in_time_is_waited_for() {
    let sick = r#"{"maas": [{"path_prefix": "", "status": 503}]}"#;
    let mut site = Site::new("lab.yaml", "0", Some(sick));
    let _server = site.serve(&[]);
    let design = site.upload();
    let id = site.begin("verify_site", &design);
    site.until_called("a refused request", |call| {
        call["kind"] == "maas" && call["status"] == 503
    });
    site.faults("{}");
    let (code, task) = site.end(&id);
    assert_eq!(code, Some(0), "{task:#}");
}

#[test]
fn an_address_outside_the_allowed_networks_is_refused_and_nothing_is_sent() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&["drivers.allow_networks=[127.0.0.0/16, 127.41.0.12/32]"]);
    let design = site.upload();
    let (code, task) = site.end(&site.begin("prepare_nodes", &design));
    assert_eq!(code, Some(1), "{task:#}");
    assert_eq!(names(&task, "failures"), ["control", "worker1", "worker3"]);
    for error in errors(&task) {
        assert!(
            error.contains("drivers.allow_networks") && error.contains("127.41.0."),
            "{error}"
        );
    }
    let told = site.told("set_boot");
    assert_eq!(told, [("worker2".to_owned(), 1)]);
}

#[test]
fn a_prepared_site_is_left_as_it_is() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let design = site.upload();
    for action in ["prepare_site", "prepare_nodes", "deploy_nodes"] {
        site.succeed(action, &design);
    }
    let writes = |site: &Site| -> Vec<Value> {
        let changes = |call: &Value| match call["kind"].as_str() {
            Some("maas") => call["method"] != "GET",
            Some("bmc") => call["origin"] == "bmc",
            _ => false,
        };
        site.calls().into_iter().filter(changes).collect()
    };
    let before = writes(&site).len();
    for action in [
        "verify_site",
        "prepare_site",
        "verify_nodes",
        "prepare_nodes",
        "deploy_nodes",
        "noop",
    ] {
        site.succeed(action, &design);
    }
    let after = writes(&site);
    assert_eq!(after.len(), before, "{:#?}", &after[before..]);
}

#[test]
fn what_a_dry_run_would_change_it_does_not() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let design = site.upload();
    let output = site.client(&[
        "task",
        "create",
        "-a",
        "prepare_site",
        "-d",
        &design,
        "--dry-run",
        "--wait",
        "-o",
        "json",
    ]);
    let task: Value = serde_json::from_slice(&output.stdout).expect("a task");
    assert_eq!(task["result"]["status"], "success", "{task:#}");
    assert!(task.to_string().contains("would "), "{task:#}");
    let wrote = site
        .calls()
        .iter()
        .any(|call| call["kind"] == "maas" && call["method"] != "GET");
    assert!(!wrote, "{:#?}", site.calls());
}

#[test]
fn destroyed_nodes_are_erased_and_gone() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let design = site.upload();
    for action in ["prepare_site", "prepare_nodes", "deploy_nodes"] {
        site.succeed(action, &design);
    }
    let output = site.client(&[
        "task",
        "create",
        "-a",
        "destroy_nodes",
        "-d",
        &design,
        "-n",
        "worker3",
        "--yes",
        "--wait",
        "-o",
        "json",
    ]);
    let task: Value = serde_json::from_slice(&output.stdout).expect("a task");
    assert_eq!(task["result"]["status"], "success", "{task:#}");
    assert_eq!(names(&task, "successes"), ["worker3"]);
    let output = site.client(&["node", "list", "-o", "json"]);
    let nodes: Value = serde_json::from_slice(&output.stdout).expect("nodes");
    let mut left: Vec<_> = nodes
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|node| node["hostname"].as_str())
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["control", "worker1", "worker2"]);
}

#[test]
fn validate_design_tells_every_finding() {
    let mut site = Site::new("designs/seaworthy.yaml", "0", None);
    let _server = site.serve(&[]);
    let design = site.upload();
    let task = site.succeed("validate_design", &design);
    let text = task.to_string();
    assert!(
        text.contains("names Rack cab23, which is not defined"),
        "{task:#}"
    );
    assert!(text.contains("Validation successful."), "{task:#}");
}

#[test]
fn a_terminated_task_begins_nothing_more() {
    let mut site = Site::new(
        "lab.yaml",
        "0",
        Some(
            r#"{"machines": {"control": {"bmc_silent": true}, "worker1": {"bmc_silent": true}, "worker2": {"bmc_silent": true}, "worker3": {"bmc_silent": true}}}"#,
        ),
    );
    let _server = site.serve(&["oob.ipmi.timeout=100ms", "oob.ipmi.retries=0"]);
    let design = site.upload();
    let id = site.begin("verify_nodes", &design);
    until("steps that wait to try again", || {
        let output = site.client(&["task", "show", &id, "-o", "json"]);
        let task: Value = serde_json::from_slice(&output.stdout).ok()?;
        (task["progress"]["running"].as_u64()? > 0).then_some(())
    });
    let output = site.client(&[
        "task",
        "terminate",
        &id,
        "--wait",
        "--timeout",
        "60",
        "-o",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let task: Value = serde_json::from_slice(&output.stdout).expect("a task");
    assert_eq!(task["status"], "terminated", "{task:#}");
}

#[test]
fn a_dry_run_on_bare_machines_goes_as_far_as_it_can_see() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let design = site.upload();
    let output = site.client(&[
        "task",
        "create",
        "-a",
        "prepare_nodes",
        "-d",
        &design,
        "--dry-run",
        "--wait",
        "-o",
        "json",
    ]);
    let task: Value = serde_json::from_slice(&output.stdout).expect("a task");
    assert_eq!(task["result"]["status"], "success", "{task:#}");
    let text = task.to_string();
    assert!(
        text.contains("would power_off") && text.contains("would do configure_hardware"),
        "{task:#}"
    );
    assert!(
        site.told("power_off").is_empty() && site.told("set_boot").is_empty(),
        "{:#?}",
        site.calls()
    );
}

#[test]
fn what_a_boot_action_failed_at_is_no_success_the_second_time() {
    let mut site = Site::new(
        "lab.yaml",
        "0",
        Some(r#"{"machines": {"control": {"boot_action_fails": true}}}"#),
    );
    let _server = site.serve(&[]);
    let design = site.upload();
    for action in ["prepare_site", "prepare_nodes"] {
        site.succeed(action, &design);
    }
    for round in 1..=2 {
        let (code, task) = site.end(&site.begin("deploy_nodes", &design));
        assert_eq!(code, Some(1), "round {round}: {task:#}");
        assert_eq!(names(&task, "failures"), ["control"], "round {round}");
    }
    assert_eq!(site.asked("deploy").len(), 4, "nothing is deployed twice");
}

#[test]
fn no_secret_is_in_a_log_or_an_answer() {
    let mut site = Site::new(
        "lab.yaml",
        "0",
        Some(r#"{"machines": {"worker1": {"bmc_wrong_password": true}}}"#),
    );
    let server = site.serve(&["log.level=trace"]);
    let design = site.upload();
    for action in [
        "verify_site",
        "prepare_site",
        "verify_nodes",
        "prepare_nodes",
        "deploy_nodes",
    ] {
        let id = site.begin(action, &design);
        site.end(&id);
    }
    let mut answers = vec![server.output()];
    let everything: [&[&str]; 4] = [
        &["task", "list", "--all", "-o", "json"],
        &["design", "show", &design, "-o", "json"],
        &["design", "show", &design, "--compiled", "-o", "json"],
        &["node", "list", "-o", "json"],
    ];
    answers.extend(
        everything
            .map(|arguments| String::from_utf8_lossy(&site.client(arguments).stdout).into_owned()),
    );
    assert!(
        answers.iter().all(|answer| answer.len() > 100),
        "there is something to look at"
    );
    let config =
        std::fs::read_to_string(site.folder.path().join("drydock.yaml")).expect("settings");
    let key = config
        .lines()
        .find_map(|line| line.trim().strip_prefix("api_key: "))
        .expect("a key");
    let token = key.rsplit(':').next().expect("a secret").trim_matches('"');
    for answer in &answers {
        for secret in ["correct-horse", token] {
            assert!(
                !answer.contains(secret),
                "{}",
                &answer[answer.find(secret).unwrap_or(0).saturating_sub(300)..][..400]
            );
        }
    }
}

#[test]
fn an_operator_can_make_a_rule_graver() {
    let mut site = Site::new("designs/seaworthy.yaml", "0", None);
    let _server = site.serve(&["rules.levels={reference/rack: error}"]);
    let design = site.upload();
    let (code, task) = site.end(&site.begin("prepare_nodes", &design));
    assert_eq!(code, Some(1), "{task:#}");
    let errors = errors(&task);
    assert!(
        errors[0].contains("the design has 5 error(s); nothing was done"),
        "{errors:?}"
    );
    assert!(site.told("power_off").is_empty());
}
