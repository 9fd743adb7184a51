//! `GET /tasks/{id}/events`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::provisioner::Provisioner;
use crate::server::{Server, Setup};

/// An event as a client reads it.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    id: Option<i64>,
    name: String,
    data: Value,
}

fn events(text: &str) -> Vec<Event> {
    let blocks = text.split("\n\n").filter(|block| !block.is_empty());
    blocks
        .filter(|block| !block.starts_with(':'))
        .map(|block| {
            let mut event = Event {
                id: None,
                name: String::new(),
                data: Value::Null,
            };
            for line in block.lines() {
                let (field, value) = line.split_once(": ").unwrap();
                match field {
                    "id" => event.id = Some(value.parse().unwrap()),
                    "event" => event.name = value.to_owned(),
                    "data" => event.data = serde_json::from_str(value).unwrap(),
                    other => panic!("{other} in {block}"),
                }
            }
            event
        })
        .collect()
}

/// The stream to its end.
async fn stream(server: &Server, id: &str, after: Option<&str>) -> Vec<Event> {
    let headers: Vec<_> = after.map(|id| ("Last-Event-ID", id)).into_iter().collect();
    let path = format!("/tasks/{id}/events");
    let answer = server.client.send("GET", &path, &headers, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    events(&answer.text())
}

async fn with_a_refusal() -> (Server, String) {
    let provisioner = Provisioner::new(&[]);
    provisioner.refuse(&["n1"]);
    let server = Server::with(Setup {
        provisioner: Some(provisioner),
        ..Setup::default()
    })
    .await;
    let design = server.site().await;
    let id = server.task("destroy_nodes", &design, &["n1", "n2"]).await;
    (server, id)
}

#[tokio::test]
async fn a_task_is_told_from_its_beginning_to_its_end() {
    let (server, id) = with_a_refusal().await;
    // Opened while it runs, or after: the same.
    let told = stream(&server, &id, None).await;
    let ended = server.ended(&id).await;
    let numbered: Vec<_> = told.iter().filter(|event| event.id.is_some()).collect();
    let ids: Vec<_> = numbered.iter().filter_map(|event| event.id).collect();
    assert_eq!(ids, (1..=ids.len() as i64).collect::<Vec<_>>());
    let status: Vec<_> = told
        .iter()
        .filter(|event| event.name == "status")
        .map(|event| event.data["status"].as_str().unwrap())
        .collect();
    assert_eq!(status, ["queued", "running", "complete"]);
    let last = told.last().unwrap();
    assert_eq!(last.data["task_id"], json!(id));
    assert_eq!(
        last.data["result"],
        json!({"status": "partial_success", "successes": ["n2"], "failures": ["n1"]})
    );
    let mut steps: Vec<_> = told
        .iter()
        .filter(|event| event.name == "step")
        .map(|event| {
            let data = &event.data;
            assert_eq!(data["action"], "destroy_node");
            (
                data["node"].as_str().unwrap(),
                data["status"].as_str().unwrap(),
            )
        })
        .filter(|(_, status)| *status != "waiting")
        .collect();
    steps.sort_unstable();
    assert_eq!(steps, [("n1", "failed"), ("n2", "done")]);
    // Whatever the task says at its end was told.
    for message in ended["result"]["details"]["messageList"]
        .as_array()
        .unwrap()
    {
        let told = told.iter().filter(|it| it.name == "message");
        assert_eq!(
            told.filter(|it| it.data == *message).count(),
            1,
            "{message}"
        );
    }
    let progress = told.iter().rfind(|event| event.name == "progress").unwrap();
    assert_eq!(progress.data, ended["progress"]);
}

#[tokio::test]
async fn a_stream_goes_on_after_any_event_and_on_any_instance() {
    let (mut server, id) = with_a_refusal().await;
    server.ended(&id).await;
    server.stop_engine().await;
    let whole = stream(&server, &id, None).await;
    for (at, event) in whole.iter().enumerate() {
        let Some(seen) = event.id else { continue };
        let rest = stream(&server, &id, Some(&seen.to_string())).await;
        let of = |events: &[Event]| -> Vec<Event> {
            let all = events.iter().filter(|event| event.name != "progress");
            all.cloned().collect()
        };
        if at + 1 == whole.len() {
            // Nothing is left to tell but that nothing is left.
            let end: Vec<_> = of(&rest);
            assert_eq!(end.len(), 1, "{end:#?}");
            assert_eq!(
                (end[0].id, &end[0].data["status"]),
                (None, &json!("complete"))
            );
        } else {
            assert_eq!(of(&rest), of(&whole[at + 1..]), "after {seen}");
        }
    }
}

#[tokio::test]
async fn a_stream_follows_what_happens() {
    let server = Arc::new(Server::without_engine().await);
    let design = server.site().await;
    let id = server.task("noop", &design, &["n1"]).await;
    let watching = {
        let (server, id) = (Arc::clone(&server), id.clone());
        tokio::spawn(async move { stream(&server, &id, Some("1")).await })
    };
    server
        .client
        .send("POST", &format!("/tasks/{id}/terminate"), &[], "")
        .await
        .ok(202);
    let told = watching.await.unwrap();
    let numbered: Vec<_> = told
        .iter()
        .filter_map(|event| Some((event.id?, event.data["status"].as_str()?.to_owned())))
        .collect();
    assert_eq!(
        numbered,
        [(2, "terminating".to_owned()), (3, "terminated".to_owned())]
    );
}

#[tokio::test]
async fn an_open_stream_does_not_hold_up_the_end_of_the_server() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    let id = server.task("noop", &design, &["n1"]).await;
    let url = format!("http://{}/api/v1.0/tasks/{id}/events", server.address);
    let mut open = reqwest::get(url).await.unwrap();
    // It has begun: what was there is there.
    let first = open.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"id: 1\nevent: status"), "{first:?}");
    let begun = Instant::now();
    server.stop().await;
    // Drained in order, not broken off, and not after the five seconds that a request in progress gets.
    while open.chunk().await.unwrap().is_some() {}
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let (server, id) = with_a_refusal().await;
    let task = server.ended(&id).await;
    let path = format!("/tasks/{id}/events");
    for wrong in ["x", "-1", "1.5", ""] {
        let headers = [("Last-Event-ID", wrong)];
        let answer = server.client.send("GET", &path, &headers, "").await;
        let message = answer.error(400, "bad_request");
        assert!(message.contains("Last-Event-ID"), "{message}");
    }
    server.get("/tasks/17/events").await.error(404, "not_found");
    let part = task["subtask_id_list"][0].as_str().unwrap();
    let message = server
        .get(&format!("/tasks/{part}/events"))
        .await
        .error(409, "conflict");
    assert!(message.contains(&id), "{message}");
    let message = server
        .get(&format!("{path}?after=1"))
        .await
        .error(400, "bad_request");
    assert!(message.contains("after"), "{message}");
    let head = server.client.send("HEAD", &path, &[], "").await;
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
}
