//! What is done by hand, and what is found out about machines: through the binary, a server and simulated controllers.

use serde_json::Value;

use crate::processes::{Site, said, until};

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

#[test]
fn an_operator_confirms_over_the_death_of_a_server() {
    let mut site = Site::new("lab.yaml", "0", None);
    let server = site.serve(&[]);
    let text = std::fs::read_to_string(&site.design).expect("the example");
    assert!(text.contains("type: ipmi"));
    let by_hand = site.folder.path().join("by-hand.yaml");
    std::fs::write(&by_hand, text.replace("type: ipmi", "type: manual")).expect("a design");
    site.design = by_hand;
    let design = site.upload();
    let create = "task create -a verify_nodes -n worker1,worker2 -o json -d";
    let mut arguments: Vec<&str> = create.split(' ').collect();
    arguments.push(&design);
    let created = site.client(&arguments);
    assert!(created.status.success(), "{}", said(&created));
    let id = json(&created)["task_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let asks = |site: &Site| {
        let shown = said(&site.client(&["task", "show", &id]));
        let count = shown
            .matches("waits for: an operator: look whether")
            .count();
        // The task, and of each of the two nodes its share and its action.
        (count == 5).then_some(shown)
    };
    let shown = until("the requests", || asks(&site));
    assert!(
        shown.contains(&format!("drydock task confirm {id} --node worker1")),
        "{shown}"
    );
    server.kill();
    let _again = site.serve(&[]);
    until("the requests again", || asks(&site));

    let confirm = |arguments: &[&str]| {
        let all = [&["task", "confirm", id.as_str()], arguments].concat();
        site.client(&all)
    };
    let nobody = confirm(&["--node", "nobody"]);
    assert_eq!(nobody.status.code(), Some(3), "{}", said(&nobody));
    let fine = confirm(&["--node", "worker1", "-m", "LED is green"]);
    assert_eq!(fine.status.code(), Some(0), "{}", said(&fine));
    let gone = confirm(&[
        "--node", "worker2", "--failed", "-m", "no key", "--wait", "-o", "json",
    ]);
    assert_eq!(gone.status.code(), Some(1), "{}", said(&gone));
    let task = json(&gone);
    assert_eq!(task["result"]["successes"][0], "worker1", "{task:#}");
    assert_eq!(task["result"]["failures"][0], "worker2", "{task:#}");
    let text = task.to_string();
    for words in ["LED is green", "could not be done by hand"] {
        assert!(text.contains(words), "{words}: {task:#}");
    }
    let late = confirm(&["--node", "worker1", "--failed"]);
    assert_eq!(late.status.code(), Some(1), "{}", said(&late));
    assert!(said(&late).contains("answered already"), "{}", said(&late));
    // Nothing was sent to a controller, and none was asked.
    let calls = site.calls();
    let of_controllers = calls.iter().filter(|call| call["kind"] != "maas");
    assert_eq!(of_controllers.count(), 0, "{calls:?}");
}

#[test]
fn verification_keeps_what_each_machine_says_of_itself() {
    let mut site = Site::new(
        "lab.yaml",
        "0",
        Some(r#"{"machines": {"worker1": {"bmc": {"sensor_alarm": true}}}}"#),
    );
    let _server = site.serve(&[]);
    let design = site.upload();
    site.succeed("verify_nodes", &design);
    site.succeed("verify_nodes", &design);
    for (node, alarms) in [("worker1", 1), ("worker2", 0)] {
        let output = site.client(&["node", "builddata", node, "-o", "json"]);
        let text = said(&output);
        assert!(!text.contains("correct-horse"), "{text}");
        let list = json(&output);
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{list:#}");
        assert_eq!(list[0]["generator"], "ipmi_inventory");
        assert_eq!(list[0]["data_format"], "application/json");
        let data = list[0]["data_element"].as_str().expect("text");
        let data: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(data["serial"], node, "{data:#}");
        let found = data["sensors"]["in_alarm"].as_array().map(Vec::len);
        assert_eq!(found, Some(alarms), "{data:#}");
        assert!(data.get("not_read").is_none(), "{data:#}");
    }
    let arguments = "node builddata worker1 --history --generator ipmi_inventory";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let people = said(&site.client(&arguments));
    assert_eq!(
        people.matches("ipmi_inventory of worker1").count(),
        2,
        "{people}"
    );
    assert!(people.contains("\"name\": \"PSU 2\""), "{people}");
    let none = said(&site.client(&["node", "builddata", "worker1", "--generator", "lshw"]));
    assert!(none.contains("nothing is known"), "{none}");
}
