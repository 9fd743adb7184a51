//! `/nodes` and everything known of one.

use serde_json::{Value, json};

use crate::provisioner::Provisioner;
use crate::server::{Server, Setup};

#[tokio::test]
async fn machines_are_as_the_provisioner_knows_them() {
    let server = Server::with(Setup {
        engine: false,
        provisioner: Some(Provisioner::new(&["n1"])),
        ..Setup::default()
    })
    .await;
    assert_eq!(
        server.get("/nodes").await.ok(200),
        json!([{
            "hostname": "n1", "memory": 4096, "cpu_count": 4, "status_name": "Deployed",
            "boot_mac": null, "power_state": "on", "power_address": null, "boot_ip": null,
        }])
    );
}

#[tokio::test]
async fn without_a_provisioner_or_with_a_sick_one_it_is_503() {
    let server = Server::without_engine().await;
    let message = server.get("/nodes").await.error(503, "unavailable");
    assert!(message.contains("drivers.node"), "{message}");

    let provisioner = Provisioner::new(&[]);
    provisioner.fall_sick();
    let server = Server::with(Setup {
        engine: false,
        provisioner: Some(provisioner),
        ..Setup::default()
    })
    .await;
    let message = server.get("/nodes").await.error(503, "unavailable");
    assert!(message.contains("connection refused"), "{message}");
    // It cannot be told whether there is such a machine.
    server.get("/nodes/n1").await.error(503, "unavailable");
}

#[tokio::test]
async fn everything_known_of_a_node_is_told() {
    let provisioner = Provisioner::new(&["n1", "stranger"]);
    let server = Server::with(Setup {
        provisioner: Some(provisioner.clone()),
        ..Setup::default()
    })
    .await;
    let design = server.site().await;
    for _ in 0..2 {
        let id = server.task("destroy_nodes", &design, &["n1", "n2"]).await;
        server.ended(&id).await;
    }
    let last = server.task("noop", &design, &[]).await;
    server.ended(&last).await;

    let node = server.get("/nodes/n1").await;
    assert!(!node.text().contains("sesame"), "{}", node.text());
    let node = node.ok(200);
    assert_eq!(node["name"], "n1");
    assert_eq!(node["design"]["name"], "n1");
    assert_eq!(node["design"]["oob"]["account"], "admin");
    assert_eq!(node["observed"]["status_name"], "Deployed");
    assert!(node.get("observed_error").is_none());
    let task = &node["last_task"];
    assert_eq!(
        (&task["action"], &task["parent_task_id"]),
        (&json!("noop"), &json!(last))
    );
    assert_eq!(task["result"]["successes"], json!(["n1"]));
    assert_eq!(node["boot_actions"], json!([]));
    let timeline = node["timeline"].as_array().unwrap();
    assert_eq!(timeline.len(), 2);
    assert!(
        timeline
            .iter()
            .all(|entry| entry["node"] == "n1" && entry["outcome"] == "done")
    );
    assert!(timeline[0]["intended"].as_str() < timeline[1]["intended"].as_str());

    // In the design and in a task, not at the provisioner.
    let node = server.get("/nodes/n2").await.ok(200);
    assert_eq!(
        (&node["observed"], &node["design"]["name"]),
        (&Value::Null, &json!("n2"))
    );
    // At the provisioner only.
    let node = server.get("/nodes/stranger/").await.ok(200);
    assert_eq!(node["observed"]["hostname"], "stranger");
    for nothing in ["design", "last_task"] {
        assert_eq!(node[nothing], Value::Null, "{nothing}");
    }
    assert_eq!(
        (&node["timeline"], &node["boot_actions"]),
        (&json!([]), &json!([]))
    );
    server.get("/nodes/nobody").await.error(404, "not_found");

    provisioner.fall_sick();
    let node = server.get("/nodes/n1").await.ok(200);
    assert_eq!(node["observed"], Value::Null);
    assert!(
        node["observed_error"]
            .as_str()
            .unwrap()
            .contains("connection refused")
    );
    assert_eq!(node["design"]["name"], "n1");
}
