//! `POST /tasks/{id}/confirm`: the nodes of the test's site are of out-of-band type manual.

use std::time::Instant;

use serde_json::{Value, json};

use crate::client::Answer;
use crate::provisioner::Provisioner;
use crate::server::{PATIENCE, Server, Setup};

async fn confirm(server: &Server, id: &str, body: Value) -> Answer {
    confirm_as(server, id, "hedy", "k0", body).await
}

/// An empty key is none.
async fn confirm_as(server: &Server, id: &str, who: &str, key: &str, body: Value) -> Answer {
    let headers = [("X-End-User", who), ("Idempotency-Key", key)];
    let headers = if key.is_empty() {
        &headers[..1]
    } else {
        &headers[..]
    };
    let path = format!("/tasks/{id}/confirm");
    server
        .client
        .send("POST", &path, headers, body.to_string())
        .await
}

/// Waits until this action asks on this node; its subtask's id.
pub async fn asking(server: &Server, id: &str, action: &str, node: &str) -> String {
    let begun = Instant::now();
    loop {
        let tree = server.get(&format!("/tasks/{id}?layers=-1")).await.ok(200);
        let asks = |task: &&Value| {
            let of = &task["node_filter"]["filter_set"][0]["node_names"];
            let waits = task["waiting_for"].as_str().unwrap_or_default();
            task["action"] == action && *of == json!([node]) && waits.starts_with("an operator: ")
        };
        let leaf = |task: &&Value| task["subtask_id_list"] == json!([]);
        let mut all = tree.as_object().unwrap().values();
        if let Some(task) = all.find(|task| asks(task) && leaf(task)) {
            return task["task_id"].as_str().unwrap().to_owned();
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{action} does not ask: {tree:#}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn said(task: &Value) -> String {
    task["result"]["details"]["messageList"].to_string()
}

#[tokio::test]
async fn an_operator_decides_about_each_node() {
    let server = Server::start().await;
    let design = server.site().await;
    let id = server.task("verify_nodes", &design, &["n1", "n2"]).await;
    let step = asking(&server, &id, "interrogate_oob", "n1").await;
    asking(&server, &id, "interrogate_oob", "n2").await;
    let task = server.get(&format!("/tasks/{id}")).await.ok(200);
    assert_eq!(task["status"], "running");
    let waits = task["waiting_for"].as_str().unwrap();
    assert!(waits.starts_with("an operator: look whether n1"), "{waits}");
    assert!(
        said(&task).contains("an operator is asked: look whether n1"),
        "{task:#}"
    );
    assert!(said(&task).contains(&format!("drydock task confirm {id} --node n2")));

    let fine = json!({"node": "n1", "done": true, "message": "LED is green"});
    confirm(&server, &id, fine.clone()).await.ok(200);
    // The answer was lost, and the client tries again; or another client does.
    confirm(&server, &id, fine.clone()).await.ok(200);
    confirm_as(&server, &step, "hedy", "", fine.clone())
        .await
        .ok(200);
    for other in [
        json!({"node": "n1", "done": false, "message": "LED is green"}),
        json!({"node": "n1", "done": true, "message": "it is red"}),
    ] {
        let refused = confirm_as(&server, &id, "hedy", "", other).await;
        let message = refused.error(409, "conflict");
        assert!(
            message.contains("answered already: done, by hedy"),
            "{message}"
        );
    }
    let gone = json!({"node": "n2", "done": false, "message": "no such rack"});
    confirm_as(&server, &id, "grace", "", gone).await.ok(200);

    let task = server.ended(&id).await;
    assert_eq!(task["result"]["successes"], json!(["n1"]));
    assert_eq!(task["result"]["failures"], json!(["n2"]));
    let said = said(&task);
    assert!(
        said.contains("was done by hand, says hedy: LED is green"),
        "{said}"
    );
    assert!(
        said.contains("could not be done by hand, says grace: no such rack"),
        "{said}"
    );
    confirm_as(&server, &id, "hedy", "", fine).await.ok(200);
}

#[tokio::test]
async fn what_nobody_asked_for_is_not_taken() {
    let server = Server::start().await;
    let design = server.site().await;
    let done = |node: &str| json!({"node": node, "done": true});
    let idle = server.task("noop", &design, &["n1"]).await;
    server.ended(&idle).await;
    let message = confirm(&server, &idle, done("n1"))
        .await
        .error(409, "conflict");
    assert!(message.contains("asked nobody"), "{message}");

    let id = server.task("verify_nodes", &design, &["n1"]).await;
    asking(&server, &id, "interrogate_oob", "n1").await;
    for unknown in ["n2", "nobody", ""] {
        confirm(&server, &id, done(unknown))
            .await
            .error(404, "not_found");
    }
    let nothing = "7f9a6a3c-58d1-4f27-9a52-2b8bb0a6a111";
    for unknown in [nothing, "17"] {
        confirm(&server, unknown, done("n1"))
            .await
            .error(404, "not_found");
    }
    for (body, needle) in [
        (json!({"done": true}), "node is missing"),
        (json!({"node": "n1"}), "done is missing"),
        (json!({"node": "n1", "done": "yes"}), "done:"),
        (json!({"node": ["n1"], "done": true}), "node:"),
        (
            json!({"node": "n1", "done": true, "massage": "x"}),
            "massage",
        ),
        (
            json!({"node": "n1", "done": true, "message": "x".repeat(4097)}),
            "4096",
        ),
    ] {
        let message = confirm(&server, &id, body).await.error(400, "bad_request");
        assert!(message.contains(needle), "{message}");
    }
    // None of these was an answer; and a task that is stopped waits for none.
    asking(&server, &id, "interrogate_oob", "n1").await;
    server
        .client
        .send("POST", &format!("/tasks/{id}/terminate"), &[], "")
        .await
        .ok(202);
    assert_eq!(server.ended(&id).await["status"], "terminated");
    let message = confirm(&server, &id, done("n1"))
        .await
        .error(409, "conflict");
    assert!(message.contains("waits for nobody any more"), "{message}");
}

#[tokio::test]
async fn one_key_answers_one_request() {
    let server = Server::with(Setup {
        provisioner: Some(Provisioner::new(&["n1"])),
        ..Setup::default()
    })
    .await;
    let design = server.site().await;
    let id = server.task("prepare_nodes", &design, &["n1"]).await;
    asking(&server, &id, "set_node_boot", "n1").await;
    let body = json!({"node": "n1", "done": true});
    confirm_as(&server, &id, "hedy", "k1", body.clone())
        .await
        .ok(200);
    let second = asking(&server, &id, "power_cycle_node", "n1").await;
    // The same message again must not stand for a power cycle that nobody has done.
    confirm_as(&server, &id, "hedy", "k1", body.clone())
        .await
        .ok(200);
    let task = server.get(&format!("/tasks/{second}")).await.ok(200);
    assert_eq!(task["status"], "running", "{task:#}");
    assert!(
        task["waiting_for"]
            .as_str()
            .unwrap()
            .starts_with("an operator")
    );
    confirm_as(&server, &second, "hedy", "k2", body)
        .await
        .ok(200);
    let task = server.ended(&id).await;
    assert_eq!(task["result"]["successes"], json!(["n1"]), "{task:#}");
}

#[tokio::test]
async fn a_dry_run_asks_nobody() {
    let server = Server::start().await;
    let design = server.site().await;
    let body = json!({
        "action": "verify_nodes", "design_ref": format!("design:{design}"), "dry_run": true,
    });
    let task = server.post("/tasks", &body).await.ok(201);
    let id = task["task_id"].as_str().unwrap();
    let task = server.ended(id).await;
    assert!(
        said(&task).contains("would ask an operator: look whether n1"),
        "{task:#}"
    );
    let answer = json!({"node": "n1", "done": true});
    confirm(&server, id, answer).await.error(409, "conflict");
}
