//! The plan of a dry run, and the task that carries it out.

use serde_json::{Value, json};

use crate::provisioner::Provisioner;
use crate::server::{Server, Setup};

async fn server() -> Server {
    Server::with(Setup {
        provisioner: Some(Provisioner::new(&[])),
        ..Setup::default()
    })
    .await
}

/// A dry run that has ended; its plan.
async fn planned(server: &Server, action: &str, design: &str) -> Value {
    let body = json!({
        "action": action, "design_ref": format!("design:{design}"), "dry_run": true,
        "node_filter": {"filter_set": [{"node_names": ["n1", "n2"]}]}, "strategy": {"max_in_flight": 1},
    });
    let task = server.post("/tasks", &body).await.ok(201);
    let id = task["task_id"].as_str().unwrap();
    server.ended(id).await;
    server.get(&format!("/tasks/{id}/plan")).await.ok(200)
}

#[tokio::test]
async fn a_plan_is_told_and_carried_out() {
    let server = server().await;
    let design = server.site().await;
    let plan = planned(&server, "destroy_nodes", &design).await;
    assert_eq!(
        plan["summary"],
        json!({"nodes": 2, "changes": 2, "wipes": 0, "reboots": 0, "open_steps": 2})
    );
    let step = &plan["nodes"][1]["steps"][0];
    assert_eq!(
        (&plan["nodes"][1]["node"], &step["action"]),
        (&json!("n2"), &json!("destroy_node"))
    );
    assert_eq!(
        step["forecast"]["changes"],
        json!([{"target": "machine n2", "verb": "touch", "before": false, "after": true,
            "risk": "reversible", "why": "the test wants it"}])
    );
    assert_eq!(step["forecast"]["further"]["at_most"], "wipes");
    let task = server
        .post("/tasks", &json!({"plan": plan, "priority": 5}))
        .await
        .ok(201);
    assert_eq!(task["plan_task_id"], plan["task_id"]);
    assert_eq!(
        (&task["action"], &task["dry_run"], &task["priority"]),
        (&json!("destroy_nodes"), &json!(false), &json!(5))
    );
    assert_eq!(task["strategy"], json!({"max_in_flight": 1}));
    let id = task["task_id"].as_str().unwrap();
    let ended = server.ended(id).await;
    assert_eq!(
        ended["result"]["successes"],
        json!(["n1", "n2"]),
        "{ended:#}"
    );
    let journal = server.get(&format!("/tasks/{id}/journal")).await.ok(200);
    assert_eq!(journal.as_array().unwrap().len(), 2);
    // By its id alone it is the same.
    let again = json!({"plan_task_id": plan["task_id"], "plan_fingerprint": plan["fingerprint"]});
    let task = server.post("/tasks", &again).await.ok(201);
    assert_eq!(task["plan_task_id"], plan["task_id"]);
    server.ended(task["task_id"].as_str().unwrap()).await;
}

#[tokio::test]
async fn a_plan_that_cannot_be_carried_out_is_refused() {
    let server = server().await;
    let design = server.site().await;
    let plan = planned(&server, "destroy_nodes", &design).await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut plan = plan.clone();
        change(&mut plan);
        json!({ "plan": plan })
    };
    let unknown = "00000000-0000-4000-8000-000000000000";
    for (body, needle) in [
        (
            with(&|plan| plan["version"] = json!(2)),
            "version 2 is not known",
        ),
        (
            with(&|plan| plan["version"] = json!("1")),
            "version is missing",
        ),
        (
            with(&|plan| plan["nodes"] = json!([])),
            "not as it was made",
        ),
        (with(&|plan| plan["colour"] = json!("red")), "colour"),
        (json!({"plan": "x"}), "version is missing"),
        (
            json!({"plan": plan, "plan_task_id": unknown}),
            "plan_task_id",
        ),
        (json!({"plan_task_id": unknown}), "no task"),
        (json!({"plan_task_id": 7}), "plan_task_id"),
        (json!({"plan_fingerprint": "ab"}), "plan_task_id has to be"),
        (
            json!({"plan": plan, "plan_fingerprint": "ab"}),
            "plan_fingerprint",
        ),
        (
            json!({"plan": plan, "action": "noop"}),
            "action: the plan says it",
        ),
        (
            json!({"plan": plan, "parameters": {"verb": "off"}}),
            "parameters: the plan says it",
        ),
        (
            json!({"plan": plan, "dry_run": false}),
            "dry_run: the plan says it",
        ),
        (json!({"plan": plan, "priority": 101}), "priority"),
    ] {
        let message = server.post("/tasks", &body).await.error(400, "bad_request");
        assert!(message.contains(needle), "{needle}: {message}");
    }
    let other = json!({"plan_task_id": plan["task_id"], "plan_fingerprint": "ab"});
    let message = server.post("/tasks", &other).await.error(409, "conflict");
    assert!(message.contains("is not the one that task"), "{message}");
    // What is no plan: another task, a dry run that failed, one without steps, a part of one.
    let noop = server.task("noop", &design, &["n1"]).await;
    server.ended(&noop).await;
    let message = server
        .get(&format!("/tasks/{noop}/plan"))
        .await
        .error(409, "conflict");
    assert!(message.contains("no dry run"), "{message}");
    let dry = json!({"action": "relabel_nodes", "design_ref": format!("design:{design}"), "dry_run": true});
    let failed = server.post("/tasks", &dry).await.ok(201);
    let failed = failed["task_id"].as_str().unwrap();
    server.ended(failed).await;
    let dry = json!({"action": "validate_design", "design_ref": format!("design:{design}"), "dry_run": true});
    let empty = server.post("/tasks", &dry).await.ok(201);
    let empty = empty["task_id"].as_str().unwrap();
    server.ended(empty).await;
    let whole = server
        .get(&format!("/tasks/{}", plan["task_id"].as_str().unwrap()))
        .await
        .ok(200);
    let part = whole["subtask_id_list"][0].as_str().unwrap();
    for (id, needle) in [
        (noop.as_str(), "no dry run"),
        (failed, "did not come out whole"),
        (empty, "holds no step"),
        (part, "is a part of task"),
    ] {
        let body = json!({ "plan_task_id": id });
        let message = server.post("/tasks", &body).await.error(409, "conflict");
        assert!(message.contains(needle), "{needle}: {message}");
    }
}

#[tokio::test]
async fn what_carried_out_a_plan_is_not_retried() {
    let provisioner = Provisioner::new(&[]);
    let server = Server::with(Setup {
        provisioner: Some(provisioner.clone()),
        ..Setup::default()
    })
    .await;
    let design = server.site().await;
    let plan = planned(&server, "destroy_nodes", &design).await;
    provisioner.refuse(&["n1"]);
    let task = server
        .post("/tasks", &json!({ "plan": plan }))
        .await
        .ok(201);
    let id = task["task_id"].as_str().unwrap();
    let ended = server.ended(id).await;
    assert_eq!(ended["result"]["failures"], json!(["n1"]), "{ended:#}");
    let message = server
        .client
        .send("POST", &format!("/tasks/{id}/retry"), &[], "")
        .await
        .error(409, "conflict");
    assert!(message.contains("make a new plan"), "{message}");
}
