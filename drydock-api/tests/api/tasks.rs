//! `/tasks`: made, shown, terminated.

use serde_json::{Value, json};

use crate::provisioner::Provisioner;
use crate::server::{Server, Setup};

#[tokio::test]
async fn a_task_is_made_and_its_answer_is_whole() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    let body = json!({
        "action": "deploy_nodes", "design_ref": format!("design:{design}"),
        "node_filter": {"filter_set_type": "union", "filter_set": [{"filter_type": "union", "node_names": ["n1"]}]},
        "priority": 7, "dry_run": true,
    });
    let headers = [
        ("Content-Type", "application/json"),
        ("X-End-User", "someone"),
    ];
    let answer = server
        .client
        .send("POST", "/tasks", &headers, body.to_string())
        .await;
    let task = answer.ok(201);
    let id = task["task_id"].as_str().unwrap();
    assert_eq!(
        answer.header("location"),
        Some(format!("/api/v1.0/tasks/{id}").as_str())
    );
    for (field, value) in [
        ("kind", json!("Task")),
        ("apiVersion", json!("v1")),
        ("action", json!("deploy_nodes")),
        ("parent_task_id", Value::Null),
        ("design_ref", body["design_ref"].clone()),
        ("status", json!("queued")),
        ("subtask_id_list", json!([])),
        ("created_by", json!("someone")),
        ("terminated", Value::Null),
        ("terminate", json!(false)),
        ("retry", json!(0)),
        ("priority", json!(7)),
        ("dry_run", json!(true)),
    ] {
        assert_eq!(task[field], value, "{field}");
    }
    assert_eq!(
        task["node_filter"]["filter_set"][0]["node_names"],
        json!(["n1"])
    );
    let result = &task["result"];
    assert_eq!(
        (&result["kind"], &result["status"]),
        (&json!("Status"), &json!("incomplete"))
    );
    assert_eq!(
        result["details"],
        json!({"errorCount": 0, "messageList": []})
    );
    for time in ["created", "updated"] {
        let text = task[time].as_str().unwrap();
        assert!(
            text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok(),
            "{text}"
        );
    }
    assert_eq!(server.get(&format!("/tasks/{id}")).await.ok(200), task);
    assert_eq!(server.get("/tasks").await.ok(200), json!([task]));
}

#[tokio::test]
async fn a_task_that_makes_no_sense_is_400_and_names_the_field() {
    let server = Server::without_engine().await;
    let design = format!("design:{}", server.site().await);
    for (body, needle) in [
        (json!({"design_ref": design}), "action is missing"),
        (
            json!({"action": null, "design_ref": design}),
            "action is missing",
        ),
        (
            json!({"action": "explode", "design_ref": design}),
            "verify_nodes",
        ),
        (json!({"action": 5, "design_ref": design}), "action:"),
        (json!({"action": "noop"}), "design_ref is missing"),
        (
            json!({"action": "noop", "design_ref": ""}),
            "design_ref is missing",
        ),
        (
            json!({"action": "noop", "design_ref": ["x"]}),
            "design_ref:",
        ),
        (
            json!({"action": "noop", "design_ref": "file:///a\u{0}b"}),
            "control character",
        ),
        (json!({"action": "noop", "design_ref": "design:17"}), "UUID"),
        (
            json!({"action": "noop", "design_ref": "design:7f9a6a3c-58d1-4f27-9a52-2b8bb0a6a111"}),
            "design_ref",
        ),
        (
            json!({"action": "noop", "design_ref": "file:///etc/passwd"}),
            "allow_refs",
        ),
        (
            json!({"action": "noop", "design_ref": "http://127.0.0.1:1/x"}),
            "allow_refs",
        ),
        (
            json!({"action": "noop", "design_ref": "gopher://x"}),
            "gopher",
        ),
        (
            json!({"action": "noop", "design_ref": design, "node_filtre": {}}),
            "node_filtre",
        ),
        (
            json!({"action": "noop", "design_ref": design, "node_filter": {}}),
            "node_filter",
        ),
        (
            json!({"action": "noop", "design_ref": design, "node_filter": "n1"}),
            "node_filter",
        ),
        (
            json!({"action": "noop", "design_ref": design, "node_filter": {"filter_set": []}}),
            "node_filter",
        ),
        (
            json!({"action": "noop", "design_ref": design, "node_filter": {"filter_set": [{}]}}),
            "no criterion",
        ),
        (
            json!({"action": "noop", "design_ref": design, "node_filter": {"filter_set": [{"node_name": ["n1"]}]}}),
            "node_name",
        ),
        (
            json!({"action": "noop", "design_ref": design, "node_filter": {"filter_set": [{"node_names": "n1"}]}}),
            "node_filter",
        ),
        (
            json!({"action": "noop", "design_ref": design, "priority": 101}),
            "priority",
        ),
        (
            json!({"action": "noop", "design_ref": design, "priority": "high"}),
            "priority:",
        ),
        (
            json!({"action": "noop", "design_ref": design, "dry_run": "yes"}),
            "dry_run:",
        ),
        (
            json!({"action": "noop", "design_ref": design, "parameters": {"verb": "off"}}),
            "parameters: noop takes none",
        ),
        (
            json!({"action": "oob_nodes", "design_ref": design}),
            "parameters is missing: oob_nodes needs a verb, one of status, on, off, cycle, boot",
        ),
        (
            json!({"action": "oob_nodes", "design_ref": design, "parameters": "off"}),
            "parameters: a JSON object is expected",
        ),
        (
            json!({"action": "oob_nodes", "design_ref": design, "parameters": {"verb": "reset"}}),
            "known are status, on, off, cycle, boot",
        ),
        (
            json!({"action": "oob_nodes", "design_ref": design, "parameters": {"verb": "boot", "device": "tape"}}),
            "known are network, disk, cd, setup",
        ),
        (
            json!({"action": "oob_nodes", "design_ref": design, "parameters": {"verb": "on", "device": "disk"}}),
            "the verb on takes none",
        ),
        (
            json!({"action": "oob_nodes", "design_ref": design, "parameters": {"verb": "on", "node": "n1"}}),
            "unknown field",
        ),
    ] {
        let message = server.post("/tasks", &body).await.error(400, "bad_request");
        assert!(message.contains(needle), "{body}: {message}");
    }
    let long = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", &"k".repeat(256)),
    ];
    let body = json!({"action": "noop", "design_ref": design}).to_string();
    let answer = server
        .client
        .send("POST", "/tasks", &long, body.clone())
        .await;
    assert!(answer.error(400, "bad_request").contains("Idempotency-Key"));
    let answer = server
        .client
        .send("POST", "/tasks?dry_run=true", &[], body)
        .await;
    assert!(answer.error(400, "bad_request").contains("dry_run"));
    assert_eq!(server.get("/tasks").await.ok(200), json!([]));
}

#[tokio::test]
async fn a_design_ref_may_be_long() {
    let server = Server::without_engine().await;
    let folder = server.folder.path().display().to_string();
    let reference = format!("file://{folder}/{}", "a/".repeat(10_000));
    let body = json!({"action": "noop", "design_ref": reference});
    let task = server.post("/tasks", &body).await.ok(201);
    assert_eq!(task["design_ref"], reference);
    let body = json!({"action": "noop", "design_ref": format!("file://{folder}/short")});
    server.post("/tasks", &body).await.ok(201);
    let long = server
        .get(&format!("/tasks?design_ref={reference}"))
        .await
        .ok(200);
    assert_eq!(long, json!([task]));
}

#[tokio::test]
async fn the_same_idempotency_key_gives_the_same_task() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    let body = json!({"action": "noop", "design_ref": format!("design:{design}")}).to_string();
    let mut ids = Vec::new();
    for key in ["one", "one", "two"] {
        let headers = [
            ("Content-Type", "application/json"),
            ("Idempotency-Key", key),
        ];
        let task = server
            .client
            .send("POST", "/tasks", &headers, body.clone())
            .await
            .ok(201);
        ids.push(task["task_id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert_eq!(
        server.get("/tasks").await.ok(200).as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn every_level_of_a_task_is_a_task() {
    let server = Server::with(Setup {
        provisioner: Some(Provisioner::new(&[])),
        ..Setup::default()
    })
    .await;
    let design = server.site().await;
    let id = server.task("destroy_nodes", &design, &["n1", "n2"]).await;
    let root = server.ended(&id).await;
    assert_eq!(root["result"]["status"], "success");
    assert_eq!(
        root["progress"],
        json!({"total": 2, "done": 2, "failed": 0, "running": 0, "eta_seconds": null})
    );
    let share_id = root["subtask_id_list"][0].as_str().unwrap();
    let share = server.get(&format!("/tasks/{share_id}")).await.ok(200);
    assert_eq!(
        (&share["parent_task_id"], &share["action"]),
        (&json!(id), &json!("destroy_nodes"))
    );
    assert_eq!(
        share["node_filter"]["filter_set"][0]["node_names"],
        json!(["n1"])
    );
    let step_id = share["subtask_id_list"][0].as_str().unwrap();
    let step = server.get(&format!("/tasks/{step_id}")).await.ok(200);
    assert_eq!(
        (&step["parent_task_id"], &step["action"]),
        (&json!(share_id), &json!("destroy_node"))
    );
    assert_eq!(step["result"]["successes"], json!(["n1"]));

    for (layers, count) in [("1", 1), ("2", 3), ("3", 5), ("-1", 5)] {
        let all = server
            .get(&format!("/tasks/{id}?layers={layers}"))
            .await
            .ok(200);
        assert_eq!(all["init_task_id"], json!(id));
        assert_eq!(all.as_object().unwrap().len(), count + 1, "layers={layers}");
    }
    // What the Python client sends.
    let plain = server
        .get(&format!(
            "/tasks/{id}?builddata=False&subtaskerrors=False&layers=0"
        ))
        .await;
    assert_eq!(plain.ok(200), root);
    let with = server
        .get(&format!("/tasks/{id}?builddata=True&subtaskerrors=TRUE"))
        .await
        .ok(200);
    let collected = server.get(&format!("/tasks/{id}/builddata")).await;
    assert_eq!(
        (&with["build_data"], &with["subtask_errors"]),
        (&collected.ok(200), &json!({}))
    );
    let journal = server.get(&format!("/tasks/{id}/journal")).await.ok(200);
    assert_eq!(journal.as_array().unwrap().len(), 2);
    assert_eq!(journal[0]["outcome"], "done");
}

#[tokio::test]
async fn errors_of_subtasks_are_told_with_their_tasks() {
    let provisioner = Provisioner::new(&[]);
    provisioner.refuse(&["n2"]);
    let server = Server::with(Setup {
        provisioner: Some(provisioner),
        ..Setup::default()
    })
    .await;
    let design = server.site().await;
    let id = server.task("destroy_nodes", &design, &["n1", "n2"]).await;
    let root = server.ended(&id).await;
    assert_eq!(root["result"]["status"], "partial_success");
    assert_eq!(
        (&root["result"]["successes"], &root["result"]["failures"]),
        (&json!(["n1"]), &json!(["n2"]))
    );
    let with = server
        .get(&format!("/tasks/{id}?subtaskerrors=true"))
        .await
        .ok(200);
    let errors = with["subtask_errors"].as_object().unwrap();
    assert_eq!(errors.len(), 2, "the share of n2 and its step");
    for (task, result) in errors {
        assert_eq!(result["task_id"], json!(task));
        assert_eq!(result["failures"], json!(["n2"]));
        assert!(result["details"]["errorCount"].as_u64().unwrap() > 0);
    }
}

#[tokio::test]
async fn validate_design_tells_every_finding() {
    let server = Server::start().await;
    let good = server.site().await;
    let task = server
        .ended(&server.task("validate_design", &good, &[]).await)
        .await;
    assert_eq!(task["result"]["status"], "success");
    let bad = server
        .design(&crate::server::SITE.replace("host_profile: base", "host_profile: bse"))
        .await;
    let task = server
        .ended(&server.task("validate_design", &bad, &[]).await)
        .await;
    assert_eq!(task["result"]["status"], "failure");
    assert!(task["result"]["details"]["errorCount"].as_u64().unwrap() >= 3);
    // An invalid design is not acted on.
    let task = server.ended(&server.task("noop", &bad, &[]).await).await;
    assert_eq!(
        (&task["result"]["status"], &task["subtask_id_list"]),
        (&json!("failure"), &json!([]))
    );
}

#[tokio::test]
async fn a_task_is_terminated_once() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    let id = server.task("noop", &design, &[]).await;
    let path = format!("/tasks/{id}/terminate");
    let headers = [("X-End-User", "someone")];
    let task = server
        .client
        .send("POST", &path, &headers, "")
        .await
        .ok(202);
    assert_eq!(
        (&task["status"], &task["terminate"]),
        (&json!("terminated"), &json!(true))
    );
    assert_eq!(task["terminated_by"], "someone");
    server
        .client
        .send("POST", &path, &[], "")
        .await
        .error(409, "conflict");
    let gone = "/tasks/7f9a6a3c-58d1-4f27-9a52-2b8bb0a6a111/terminate";
    server
        .client
        .send("POST", gone, &[], "")
        .await
        .error(404, "not_found");
}

#[tokio::test]
async fn a_part_of_a_task_is_not_terminated_alone() {
    let server = Server::start().await;
    let design = server.site().await;
    let root = server.ended(&server.task("noop", &design, &[]).await).await;
    let share = root["subtask_id_list"][0].as_str().unwrap();
    for verb in ["terminate", "retry"] {
        let path = format!("/tasks/{share}/{verb}");
        let message = server
            .client
            .send("POST", &path, &[], "")
            .await
            .error(409, "conflict");
        assert!(
            message.contains(root["task_id"].as_str().unwrap()),
            "{message}"
        );
    }
}
