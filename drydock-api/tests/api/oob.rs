//! `oob_nodes`: what is to be done stays with the task, its plan and its retry. The nodes of the test's site are of out-of-band type manual.

use serde_json::{Value, json};

use crate::confirm::asking;
use crate::provisioner::Provisioner;
use crate::server::{Server, Setup};

fn wanted(design: &str, parameters: &Value) -> Value {
    json!({
        "action": "oob_nodes", "design_ref": format!("design:{design}"), "parameters": parameters,
        "node_filter": {"filter_set": [{"node_names": ["n1"]}]},
    })
}

async fn create(server: &Server, body: &Value) -> (String, Value) {
    let task = server.post("/tasks", body).await.ok(201);
    (task["task_id"].as_str().unwrap().to_owned(), task)
}

async fn could_not(server: &Server, id: &str) {
    let path = format!("/tasks/{id}/confirm");
    let answer = json!({"node": "n1", "done": false, "message": "no key"});
    server.post(&path, &answer).await.ok(200);
}

#[tokio::test]
async fn each_verb_asks_its_action_and_is_told_by_the_task() {
    let server = Server::start().await;
    let design = server.site().await;
    for (parameters, told, action, request) in [
        (
            json!({"verb": "status"}),
            None,
            "interrogate_oob",
            "look whether n1",
        ),
        (
            json!({"verb": "on", "device": null}),
            Some(json!({"verb": "on"})),
            "power_on_node",
            "switch n1 on",
        ),
        (
            json!({"verb": "off"}),
            None,
            "power_off_node",
            "switch n1 off",
        ),
        (
            json!({"verb": "cycle"}),
            None,
            "power_cycle_node",
            "switch n1 off and on again",
        ),
        (
            json!({"verb": "boot"}),
            Some(json!({"verb": "boot", "device": "network"})),
            "set_node_boot",
            "set n1 to boot from the network",
        ),
        (
            json!({"verb": "boot", "device": "cd"}),
            None,
            "set_node_boot",
            "set n1 to boot from its CD drive",
        ),
    ] {
        let (id, task) = create(&server, &wanted(&design, &parameters)).await;
        assert_eq!(task["parameters"], told.unwrap_or(parameters));
        asking(&server, &id, action, "n1").await;
        let task = server.get(&format!("/tasks/{id}")).await.ok(200);
        let waits = task["waiting_for"].as_str().unwrap();
        assert!(waits.contains(request), "{waits}");
        could_not(&server, &id).await;
        server.ended(&id).await;
    }
}

#[tokio::test]
async fn a_retry_and_a_plan_do_the_same_again() {
    let server = Server::start().await;
    let design = server.site().await;
    let parameters = json!({"verb": "boot", "device": "disk"});
    let (id, _) = create(&server, &wanted(&design, &parameters)).await;
    asking(&server, &id, "set_node_boot", "n1").await;
    could_not(&server, &id).await;
    server.ended(&id).await;
    let again = server
        .client
        .send("POST", &format!("/tasks/{id}/retry"), &[], "")
        .await
        .ok(201);
    assert_eq!(again["parameters"], parameters);
    let again = again["task_id"].as_str().unwrap();
    asking(&server, again, "set_node_boot", "n1").await;
    could_not(&server, again).await;
    server.ended(again).await;

    let mut dry = wanted(&design, &parameters);
    dry["dry_run"] = json!(true);
    let (id, _) = create(&server, &dry).await;
    let task = server.ended(&id).await;
    let said = task["result"]["details"]["messageList"].to_string();
    assert!(
        said.contains("would ask an operator: set n1 to boot from its disk"),
        "{said}"
    );
    let plan = server.get(&format!("/tasks/{id}/plan")).await.ok(200);
    assert_eq!(plan["parameters"], parameters);
    let (id, task) = create(&server, &json!({"plan": plan})).await;
    assert_eq!(task["parameters"], parameters);
    asking(&server, &id, "set_node_boot", "n1").await;
    could_not(&server, &id).await;
    server.ended(&id).await;
    // Another device under the same fingerprint is another plan.
    let mut other = plan;
    other["parameters"]["device"] = json!("cd");
    let message = server
        .post("/tasks", &json!({"plan": other}))
        .await
        .error(400, "bad_request");
    assert!(message.contains("not as it was made"), "{message}");
}

/// The provisioner is asked before power is taken away, and not where nothing is.
#[tokio::test]
async fn the_provisioner_is_asked_before_power_is_taken_away() {
    let server = Server::with(Setup {
        provisioner: Some(Provisioner::new(&[])),
        ..Setup::default()
    })
    .await;
    let design = server.site().await;
    for (verb, asked) in [("off", true), ("cycle", true), ("on", false)] {
        let (id, _) = create(&server, &wanted(&design, &json!({"verb": verb}))).await;
        let action = format!("power_{verb}_node");
        asking(&server, &id, &action, "n1").await;
        let tree = server.get(&format!("/tasks/{id}?layers=-1")).await.ok(200);
        let of_provisioner = |task: &Value| task["action"] == "interrogate_node";
        let found = tree.as_object().unwrap().values().any(of_provisioner);
        assert_eq!(found, asked, "{verb}: {tree:#}");
        could_not(&server, &id).await;
        server.ended(&id).await;
    }
}
