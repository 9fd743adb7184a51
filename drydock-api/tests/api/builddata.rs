//! Build data of nodes and tasks. The test's provisioner gives some with each report.

use serde_json::{Value, json};

use crate::provisioner::Provisioner;
use crate::server::{Server, Setup};

async fn with_provisioner() -> Server {
    Server::with(Setup {
        provisioner: Some(Provisioner::new(&[])),
        ..Setup::default()
    })
    .await
}

#[tokio::test]
async fn what_was_found_out_is_kept_and_no_secret_with_it() {
    let server = with_provisioner().await;
    let design = server.site().await;
    let id = server.task("destroy_nodes", &design, &["n1", "n2"]).await;
    let task = server.ended(&id).await;
    let of_task = server.get(&format!("/tasks/{id}/builddata")).await.ok(200);
    assert_eq!(of_task.as_array().unwrap().len(), 4, "{of_task:#}");
    let of_node = server.get("/nodes/n1/builddata").await;
    assert!(!of_node.text().contains("sesame"), "{}", of_node.text());
    let of_node = of_node.ok(200);
    let [record, text] = &of_node.as_array().unwrap()[..] else {
        panic!("{of_node:#}")
    };
    let mut keys: Vec<_> = record.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "collected_date",
            "data_element",
            "data_format",
            "generator",
            "node_name",
            "task_id"
        ]
    );
    assert_eq!(
        (
            &record["node_name"],
            &record["generator"],
            &record["data_format"]
        ),
        (&json!("n1"), &json!("recorder"), &json!("application/json"))
    );
    let element: Value = serde_json::from_str(record["data_element"].as_str().unwrap()).unwrap();
    assert_eq!(element, json!({"touched": "n1", "password": "********"}));
    assert_eq!(
        (
            &text["generator"],
            &text["data_format"],
            &text["data_element"]
        ),
        (
            &json!("words"),
            &json!("text/plain"),
            &json!("n1 \u{0} was touched")
        )
    );
    // By any level of the task's tree.
    let part = task["subtask_id_list"][0].as_str().unwrap();
    let step = record["task_id"].as_str().unwrap();
    for level in [part, step] {
        let some = server.get(&format!("/tasks/{level}/builddata")).await;
        assert_eq!(some.ok(200), of_node);
        let shown = server.get(&format!("/tasks/{level}?builddata=True")).await;
        assert_eq!(shown.ok(200)["build_data"], of_node);
    }
    let shown = server.get(&format!("/tasks/{id}?builddata=true")).await;
    assert_eq!(shown.ok(200)["build_data"], of_task);
    let shown = server.get(&format!("/tasks/{id}")).await.ok(200);
    assert!(shown.get("build_data").is_none());
}

#[tokio::test]
async fn the_last_five_of_each_generator_are_kept() {
    let server = with_provisioner().await;
    let design = server.site().await;
    let mut last = String::new();
    for _ in 0..6 {
        last = server.task("destroy_nodes", &design, &["n1"]).await;
        server.ended(&last).await;
    }
    let all = server.get("/nodes/n1/builddata").await.ok(200);
    assert_eq!(all.as_array().unwrap().len(), 10);
    let newest = server
        .get(&format!("/tasks/{last}/builddata"))
        .await
        .ok(200);
    let latest = server.get("/nodes/n1/builddata?latest=True").await;
    assert_eq!(latest.ok(200), newest);
    let one = server
        .get("/nodes/n1/builddata?latest=true&generator=words")
        .await
        .ok(200);
    assert_eq!(one, json!([newest[1]]));
    let none = server.get("/nodes/n1/builddata?generator=other").await;
    assert_eq!(none.ok(200), json!([]));
}

#[tokio::test]
async fn where_there_is_none_it_is_said() {
    let server = Server::start().await;
    let design = server.site().await;
    let id = server.task("noop", &design, &["n1"]).await;
    server.ended(&id).await;
    assert_eq!(server.get("/nodes/n1/builddata").await.ok(200), json!([]));
    let shown = server.get(&format!("/tasks/{id}?builddata=true")).await;
    assert_eq!(shown.ok(200)["build_data"], json!([]));
    for path in [
        format!("/tasks/{id}/builddata"),
        "/tasks/17/builddata".into(),
    ] {
        server.get(&path).await.error(404, "not_found");
    }
    server
        .get("/nodes/n1/builddata?latest=perhaps")
        .await
        .error(400, "bad_request");
}
