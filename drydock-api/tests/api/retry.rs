//! `POST /tasks/{id}/retry` and `DELETE /tasks`.

use serde_json::{Value, json};

use crate::provisioner::Provisioner;
use crate::server::{SITE, Server, Setup};

async fn retry(server: &Server, id: &str) -> crate::client::Answer {
    server
        .client
        .send("POST", &format!("/tasks/{id}/retry"), &[], "")
        .await
}

#[tokio::test]
async fn only_the_nodes_that_failed_are_tried_again() {
    let provisioner = Provisioner::new(&[]);
    provisioner.refuse(&["n1", "n3"]);
    let server = Server::with(Setup {
        provisioner: Some(provisioner.clone()),
        ..Setup::default()
    })
    .await;
    let design = server.site().await;
    let first = server.task("destroy_nodes", &design, &[]).await;
    assert_eq!(
        server.ended(&first).await["result"]["failures"],
        json!(["n1", "n3"])
    );

    provisioner.refuse(&["n3"]);
    let answer = retry(&server, &first).await;
    let task = answer.ok(201);
    let second = task["task_id"].as_str().unwrap();
    assert_ne!(second, first);
    assert_eq!(
        answer.header("location"),
        Some(format!("/api/v1.0/tasks/{second}").as_str())
    );
    assert_eq!(
        (&task["retry"], &task["action"]),
        (&json!(1), &json!("destroy_nodes"))
    );
    assert_eq!(
        task["node_filter"]["filter_set"][0]["node_names"],
        json!(["n1", "n3"])
    );
    let ended = server.ended(second).await;
    assert_eq!(ended["result"]["successes"], json!(["n1"]));

    provisioner.refuse(&[]);
    let third = retry(&server, second).await.ok(201);
    assert_eq!(third["retry"], 2);
    let third = server.ended(third["task_id"].as_str().unwrap()).await;
    assert_eq!(third["result"]["successes"], json!(["n3"]));
    let message = retry(&server, third["task_id"].as_str().unwrap())
        .await
        .error(409, "conflict");
    assert!(message.contains("nothing"), "{message}");
}

#[tokio::test]
async fn what_has_not_ended_is_not_retried() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    let id = server.task("noop", &design, &["n1"]).await;
    let message = retry(&server, &id).await.error(409, "conflict");
    assert!(message.contains("queued"), "{message}");
    server
        .client
        .send("POST", &format!("/tasks/{id}/terminate"), &[], "")
        .await
        .ok(202);
    // It was stopped before it was planned: all of it is still to be done.
    let task = retry(&server, &id).await.ok(201);
    assert_eq!(
        task["node_filter"]["filter_set"][0]["node_names"],
        json!(["n1"])
    );
    retry(&server, "17").await.error(404, "not_found");
    let body = json!({"nodes": ["n1"]});
    let message = server
        .post(&format!("/tasks/{id}/retry"), &body)
        .await
        .error(400, "bad_request");
    assert!(message.contains("nodes"), "{message}");
}

#[tokio::test]
async fn a_failed_site_task_is_retried_whole() {
    let server = Server::start().await;
    let design = server.site().await;
    // There is no provisioner.
    let id = server.task("verify_site", &design, &[]).await;
    assert_eq!(server.ended(&id).await["result"]["status"], "failure");
    let task = retry(&server, &id).await.ok(201);
    assert_eq!(
        (&task["node_filter"], &task["retry"]),
        (&Value::Null, &json!(1))
    );
}

#[tokio::test]
async fn a_task_whose_design_is_gone_is_not_retried() {
    let server = Server::start().await;
    let design = server
        .design(&SITE.replace("host_profile: base", "host_profile: bse"))
        .await;
    let id = server.task("noop", &design, &[]).await;
    assert_eq!(server.ended(&id).await["result"]["status"], "failure");
    server
        .client
        .delete(&format!("/designs/{design}"))
        .await
        .empty(204);
    let message = retry(&server, &id).await.error(409, "conflict");
    assert!(message.contains(&design), "{message}");
}

#[tokio::test]
async fn a_retry_that_is_repeated_with_its_key_is_one() {
    let server = Server::start().await;
    let design = server.site().await;
    let id = server.task("verify_site", &design, &[]).await;
    server.ended(&id).await;
    let path = format!("/tasks/{id}/retry");
    let headers = [("Idempotency-Key", "again")];
    let first = server
        .client
        .send("POST", &path, &headers, "")
        .await
        .ok(201);
    let second = server
        .client
        .send("POST", &path, &headers, "")
        .await
        .ok(201);
    assert_eq!(first["task_id"], second["task_id"]);
}

#[tokio::test]
async fn what_ended_long_ago_is_deleted() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    let (old, queued) = (
        server.task("noop", &design, &[]).await,
        server.task("noop", &design, &[]).await,
    );
    let stop = async |id: &str| {
        let path = format!("/tasks/{id}/terminate");
        server.client.send("POST", &path, &[], "").await.ok(202);
    };
    stop(&old).await;
    server.clock.turn(89);
    let young = server.task("noop", &design, &[]).await;
    stop(&young).await;
    assert!(
        server
            .client
            .delete("/tasks")
            .await
            .text()
            .starts_with("deleted 0")
    );
    server.clock.turn(2);
    let answer = server.client.delete("/tasks").await;
    assert!(
        answer
            .text()
            .starts_with("deleted 1 task(s) that ended more than 90 day(s)"),
        "{}",
        answer.text()
    );
    server
        .get(&format!("/tasks/{old}"))
        .await
        .error(404, "not_found");
    assert!(
        server
            .client
            .delete("/tasks?days=1")
            .await
            .text()
            .starts_with("deleted 1")
    );
    server
        .get(&format!("/tasks/{young}"))
        .await
        .error(404, "not_found");
    // What has not ended stays, however old it is.
    server.clock.turn(1000);
    assert!(
        server
            .client
            .delete("/tasks?days=1")
            .await
            .text()
            .starts_with("deleted 0")
    );
    server.get(&format!("/tasks/{queued}")).await.ok(200);
}

#[tokio::test]
async fn young_tasks_are_not_deleted() {
    let server = Server::start().await;
    let design = server.site().await;
    let id = server.task("noop", &design, &[]).await;
    server.ended(&id).await;
    for path in ["/tasks", "/tasks?days=1"] {
        let answer = server.client.delete(path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert!(
            answer.text().starts_with("deleted 0 task(s)"),
            "{}",
            answer.text()
        );
    }
    server.get(&format!("/tasks/{id}")).await.ok(200);
    for (days, needle) in [
        ("0", "1 or more"),
        ("-1", "days"),
        ("soon", "days"),
        ("", "days"),
    ] {
        let path = format!("/tasks?days={days}");
        let message = server.client.delete(&path).await.error(400, "bad_request");
        assert!(message.contains(needle), "{message}");
    }
    server
        .client
        .delete("/tasks?day=1")
        .await
        .error(400, "bad_request");
}
