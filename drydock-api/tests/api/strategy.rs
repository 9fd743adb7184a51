//! `strategy` of a task, whom a task waits for, and what happened to a node.

use std::time::Duration;

use drydock_model::id::{Digest, IdSource, InstanceId, TaskId};
use drydock_model::step::{Condition, PipelinePlan, StepAction, StepPlanned, TaskPlan};
use drydock_orchestrator::system::RandomIds;
use serde_json::{Value, json};

use crate::provisioner::Provisioner;
use crate::server::{Server, Setup};

#[tokio::test]
async fn a_strategy_is_taken_shown_and_kept_by_a_retry() {
    let provisioner = Provisioner::new(&[]);
    provisioner.refuse(&["n1"]);
    let server = Server::with(Setup {
        provisioner: Some(provisioner),
        ..Setup::default()
    })
    .await;
    let design = server.site().await;
    let strategy = json!({"max_in_flight": 1, "canary": 1, "stop_at_failures_percent": 50, "group_by": {"label": "row"}});
    let body = json!({"action": "destroy_nodes", "design_ref": format!("design:{design}"), "strategy": strategy});
    let task = server.post("/tasks", &body).await.ok(201);
    assert_eq!(task["strategy"], strategy);
    let id = task["task_id"].as_str().unwrap();
    let ended = server.ended(id).await;
    assert_eq!(ended["result"]["failures"], json!(["n1", "n2", "n3"]));
    let text = ended["result"]["details"]["messageList"].to_string();
    assert!(text.contains("not begun: the canary n1 failed"), "{text}");
    let again = server
        .client
        .send("POST", &format!("/tasks/{id}/retry"), &[], "")
        .await
        .ok(201);
    assert_eq!(again["strategy"], strategy);
    // Without one there is none, and an empty one is none.
    for empty in [Value::Null, json!({}), json!({"canary": null})] {
        let body =
            json!({"action": "noop", "design_ref": format!("design:{design}"), "strategy": empty});
        assert_eq!(
            server.post("/tasks", &body).await.ok(201)["strategy"],
            Value::Null
        );
    }
}

#[tokio::test]
async fn a_strategy_that_makes_no_sense_is_400_and_names_the_field() {
    let server = Server::without_engine().await;
    let design = format!("design:{}", server.site().await);
    for (strategy, needle) in [
        (json!({"max_inflight": 1}), "max_inflight"),
        (json!({"max_in_flight": 0}), "strategy.max_in_flight"),
        (json!({"max_in_flight": -1}), "strategy.max_in_flight"),
        (json!({"max_in_flight": "2"}), "strategy.max_in_flight"),
        (json!({"canary": 0}), "strategy.canary"),
        (json!({"canary": 1.5}), "strategy.canary"),
        (
            json!({"stop_at_failures_percent": 101}),
            "strategy.stop_at_failures_percent",
        ),
        (
            json!({"stop_at_failures_percent": -1}),
            "strategy.stop_at_failures_percent",
        ),
        (json!({"group_by": "row"}), "strategy.group_by"),
        (
            json!({"group_by": {"label": ""}}),
            "strategy.group_by.label",
        ),
        (json!({"group_by": {"label": 1}}), "strategy.group_by"),
        (json!({"group_by": {"labels": "x"}}), "strategy.group_by"),
        (json!([1, 2, 3, 4]), "strategy"),
        (json!("rack"), "strategy"),
    ] {
        let body = json!({"action": "deploy_nodes", "design_ref": design, "strategy": strategy});
        let message = server.post("/tasks", &body).await.error(400, "bad_request");
        assert!(message.contains(needle), "{strategy}: {message}");
    }
    let body = json!({"action": "prepare_site", "design_ref": design, "strategy": {"canary": 1}});
    let message = server.post("/tasks", &body).await.error(400, "bad_request");
    assert!(
        message.contains("prepare_site is not about nodes"),
        "{message}"
    );
    assert_eq!(server.get("/tasks").await.ok(200), json!([]));
}

/// One step on each of these nodes.
fn plan(nodes: &[Option<&str>]) -> TaskPlan {
    let id = || TaskId(RandomIds.uuid());
    let pipelines = nodes.iter().map(|node| PipelinePlan {
        id: id(),
        node: node.map(str::to_owned),
        steps: vec![StepPlanned {
            id: id(),
            action: StepAction::Noop,
            condition: Condition::Always,
            timeout: Duration::from_secs(300),
        }],
    });
    TaskPlan {
        stages: vec![pipelines.collect()],
    }
}

#[tokio::test]
async fn a_task_that_has_to_wait_says_for_whom_and_where() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    let hour = Duration::from_secs(3600);
    let me = InstanceId(RandomIds.uuid());
    let leader = server
        .store
        .claim_leadership(me, hour)
        .await
        .unwrap()
        .unwrap();
    let mut ids = Vec::new();
    for (action, nodes) in [
        ("noop", vec![Some("n1"), Some("n2")]),
        ("noop", vec![Some("n1"), Some("n2"), Some("n3")]),
        ("prepare_site", vec![None]),
        ("prepare_site", vec![None]),
    ] {
        let id = server.task(action, &design, &[]).await;
        let task: TaskId = id.parse().unwrap();
        let plan = plan(&nodes);
        server
            .store
            .plan_task(leader, task, &Digest("ab".repeat(32)), &plan, &[])
            .await
            .unwrap();
        ids.push(id);
    }
    let claims = server.store.claim_steps(me, 10).await.unwrap();
    assert_eq!(claims.len(), 4, "n1, n2, n3 and the site");
    let [first, second, site, other] = &ids[..] else {
        panic!("{ids:?}");
    };
    let waits = async |id: &str| -> (Value, Vec<String>) {
        let task = server.get(&format!("/tasks/{id}")).await.ok(200);
        let list = task["result"]["details"]["messageList"].as_array().unwrap();
        let texts = list
            .iter()
            .map(|it| it["message"].as_str().unwrap().to_owned());
        (task["waiting_for"].clone(), texts.collect())
    };
    assert_eq!(waits(first).await, (Value::Null, vec![]));
    let (waiting_for, messages) = waits(second).await;
    assert_eq!(
        waiting_for,
        format!("task {first}, which has begun on node n1 and not ended there")
    );
    assert_eq!(
        messages,
        [format!(
            "waits for task {first}, which has begun on node n1, node n2 and not ended there"
        )]
    );
    let (waiting_for, _) = waits(other).await;
    assert_eq!(
        waiting_for,
        format!("task {site}, which has begun on the site and not ended there")
    );
    // The list says the same as the task, and the node's share says it of its node.
    let list = server.get("/tasks").await.ok(200);
    let shares: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .filter(|task| task["parent_task_id"] == json!(second) && !task["waiting_for"].is_null())
        .map(|task| task["node_filter"]["filter_set"][0]["node_names"][0].clone())
        .collect();
    assert_eq!(shares, [json!("n1"), json!("n2")]);
}

#[tokio::test]
async fn what_was_changed_on_a_node_is_told_without_asking_its_provisioner() {
    let server = Server::start().await;
    let design = server.site().await;
    let message = server
        .get("/nodes/n1/history")
        .await
        .error(404, "not_found");
    assert!(message.contains("n1"), "{message}");
    let id = server.task("noop", &design, &["n1"]).await;
    server.ended(&id).await;
    assert_eq!(server.get("/nodes/n1/history").await.ok(200), json!([]));
    for limit in ["0", "10001", "x"] {
        let path = format!("/nodes/n1/history?limit={limit}");
        let message = server.get(&path).await.error(400, "bad_request");
        assert!(message.contains("limit"), "{message}");
    }
}
