//! `/versions` and `/health`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::provisioner::Provisioner;
use crate::server::{PATIENCE, Server, Setup};

async fn with(provisioner: &Arc<Provisioner>) -> Server {
    Server::with(Setup {
        engine: false,
        provisioner: Some(Arc::clone(provisioner)),
        ..Setup::default()
    })
    .await
}

#[tokio::test]
async fn versions_are_told_to_everybody() {
    let server = Server::without_engine().await;
    assert_eq!(
        server.get("//versions").await.ok(200),
        json!({"v1.0": {"path": "/api/v1.0", "status": "stable"}})
    );
}

#[tokio::test]
async fn health_is_looked_at_once_for_many_and_writes_nothing() {
    let provisioner = Provisioner::new(&["n1"]);
    let server = with(&provisioner).await;
    let begun = Instant::now();
    let asked = futures::future::join_all((0..40).map(|_| server.get("/health"))).await;
    for answer in asked {
        answer.empty(204);
    }
    // An answer is good for 3 s; on a slow machine a second look may have been due.
    let most = 1 + begun.elapsed().as_secs() as usize / 3;
    assert!(
        (1..=most).contains(&provisioner.looks()),
        "{}",
        provisioner.looks()
    );
    assert_eq!(server.get("/tasks").await.ok(200), json!([]));
    let status = server.get("/health/extended").await.ok(200);
    assert_eq!(status["status"], "Success");
    assert_eq!(status["details"]["errorCount"], 0);
    assert_eq!(
        status["details"]["messageList"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn a_provisioner_that_is_away_is_503() {
    let provisioner = Provisioner::new(&["n1"]);
    let server = with(&provisioner).await;
    server.get("/health").await.empty(204);
    provisioner.fall_sick();
    // The good answer is kept for a while, and then not any more.
    let begun = Instant::now();
    let answer = loop {
        let answer = server.get("/health").await;
        if answer.status != 204 {
            break answer;
        }
        assert!(begun.elapsed() < PATIENCE, "still healthy");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let message = answer.error(503, "unavailable");
    assert!(message.contains("recorder"), "{message}");
    assert!(answer.header("retry-after").is_some());
    let status = server.get("/health/extended").await.ok(503);
    assert_eq!(
        (&status["kind"], &status["status"]),
        (&json!("Status"), &json!("Failure"))
    );
    assert_eq!(status["details"]["errorCount"], 1);
    let messages = status["details"]["messageList"].as_array().unwrap();
    let bad: Vec<_> = messages
        .iter()
        .filter(|message| message["error"] == true)
        .collect();
    assert_eq!(bad.len(), 1);
    assert_eq!(bad[0]["kind"], "SimpleMessage");
    assert!(
        bad[0]["message"]
            .as_str()
            .unwrap()
            .contains("connection refused")
    );
}

#[tokio::test]
async fn without_a_provisioner_the_database_alone_counts() {
    let server = Server::without_engine().await;
    server.get("/health").await.empty(204);
    let status = server.get("/health/extended").await.ok(200);
    assert_eq!(
        status["details"]["messageList"].as_array().unwrap().len(),
        1
    );
}
