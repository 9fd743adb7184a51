//! Lists: whole without parameters, in pages with.

use serde_json::{Value, json};

use crate::provisioner::Provisioner;
use crate::server::{Server, Setup};

/// All pages from a path on, by the links.
async fn pages(server: &Server, path: &str) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut path = Some(path.to_owned());
    while let Some(at) = path {
        let answer = server.get(&at).await;
        let page = answer.ok(200);
        pages.push(page.as_array().unwrap().clone());
        path = answer.next();
        assert!(pages.len() < 100, "the links lead in a circle");
    }
    pages
}

fn ids(members: &[Value], key: &str) -> Vec<String> {
    members
        .iter()
        .map(|member| member[key].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn designs_come_in_pages() {
    let server = Server::without_engine().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(json!(server.empty_design().await));
    }
    let whole = server.get("/designs").await;
    assert_eq!(whole.ok(200), json!(made));
    assert_eq!(whole.next(), None);
    let parts = pages(&server, "/designs?limit=2").await;
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(parts.concat(), made);
    assert_eq!(pages(&server, "/designs?limit=5").await.len(), 1);
    let mut reversed = made.clone();
    reversed.reverse();
    assert_eq!(
        pages(&server, "/designs?sort=-created&limit=3")
            .await
            .concat(),
        reversed
    );
    assert_eq!(
        server.get("/designs?sort=-created").await.ok(200),
        json!(reversed)
    );
    let marker = made[2].as_str().unwrap();
    assert_eq!(
        server
            .get(&format!("/designs?marker={marker}"))
            .await
            .ok(200),
        json!(made[3..])
    );
    let lost = "/designs?marker=7f9a6a3c-58d1-4f27-9a52-2b8bb0a6a111";
    server.get(lost).await.error(400, "bad_request");
}

#[tokio::test]
async fn tasks_come_whole_with_their_subtasks_or_in_pages() {
    let server = Server::with(Setup {
        provisioner: Some(Provisioner::new(&[])),
        ..Setup::default()
    })
    .await;
    let design = server.site().await;
    for nodes in [["n1"].as_slice(), &["n1", "n2"], &["n3"]] {
        let id = server.task("destroy_nodes", &design, nodes).await;
        server.ended(&id).await;
    }
    let answer = server.get("/tasks").await;
    let whole = answer.ok(200).as_array().unwrap().clone();
    assert_eq!(answer.next(), None);
    // Each task, and for each node its share and one step.
    assert_eq!(whole.len(), 3 + 2 * 4);
    let subtasks = whole
        .iter()
        .filter(|task| !task["parent_task_id"].is_null());
    assert_eq!(subtasks.count(), 8);
    for limit in [1, 2, 3, 4, 10, 11, 12] {
        let parts = pages(&server, &format!("/tasks?limit={limit}")).await;
        assert!(
            parts.iter().all(|page| page.len() <= limit),
            "limit={limit}"
        );
        assert_eq!(parts.len(), whole.len().div_ceil(limit), "limit={limit}");
        assert_eq!(
            ids(&parts.concat(), "task_id"),
            ids(&whole, "task_id"),
            "limit={limit}"
        );
    }
    // From a subtask on.
    let marker = whole[4]["task_id"].as_str().unwrap();
    let rest = server.get(&format!("/tasks?marker={marker}")).await.ok(200);
    assert_eq!(
        json!(ids(rest.as_array().unwrap(), "task_id")),
        json!(ids(&whole[5..], "task_id"))
    );
}

#[tokio::test]
async fn tasks_without_subtasks_come_in_pages_too() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(server.task("noop", &design, &[]).await);
    }
    for limit in 1..=6 {
        let parts = pages(&server, &format!("/tasks?limit={limit}")).await;
        assert_eq!(parts.len(), 5_usize.div_ceil(limit), "limit={limit}");
        assert_eq!(ids(&parts.concat(), "task_id"), made, "limit={limit}");
    }
}

#[tokio::test]
async fn the_newest_task_first_with_its_subtasks_behind_it() {
    let server = Server::start().await;
    let design = server.site().await;
    for _ in 0..3 {
        server
            .ended(&server.task("noop", &design, &["n1"]).await)
            .await;
    }
    let roots = |tasks: &[Value]| -> Vec<String> {
        let roots: Vec<_> = tasks
            .iter()
            .filter(|task| task["parent_task_id"].is_null())
            .cloned()
            .collect();
        ids(&roots, "task_id")
    };
    let oldest = server.get("/tasks?sort=created").await.ok(200);
    let newest = server.get("/tasks?sort=-created").await.ok(200);
    let (oldest, newest) = (oldest.as_array().unwrap(), newest.as_array().unwrap());
    let mut reversed = roots(oldest);
    reversed.reverse();
    assert_eq!(roots(newest), reversed);
    assert_eq!(newest[1]["parent_task_id"], newest[0]["task_id"]);
    let parts = pages(&server, "/tasks?sort=-created&limit=2").await;
    assert_eq!(ids(&parts.concat(), "task_id"), ids(newest, "task_id"));
}

#[tokio::test]
async fn filters_hold_for_the_whole_tree_and_for_every_page() {
    let server = Server::start().await;
    let design = server.site().await;
    for action in ["noop", "validate_design", "noop"] {
        server.ended(&server.task(action, &design, &[]).await).await;
    }
    let noops = server.get("/tasks?action=noop").await.ok(200);
    let noops = noops.as_array().unwrap();
    assert_eq!(
        noops.len(),
        2 * (1 + 3 + 3),
        "subtasks are not filtered away"
    );
    let parts = pages(&server, "/tasks?action=noop&limit=3").await.concat();
    assert_eq!(ids(&parts, "task_id"), ids(noops, "task_id"));
    let none = server.get("/tasks?status=running").await.ok(200);
    assert_eq!(none, json!([]));
    let complete = server
        .get("/tasks?status=complete&action=validate_design")
        .await
        .ok(200);
    assert_eq!(complete.as_array().unwrap().len(), 1);
    let (first, last) = (&noops[0], &noops[13]);
    let since = last["created"].as_str().unwrap().replace('Z', "+00:00");
    let late = server
        .get(&format!("/tasks?created_after={since}"))
        .await
        .ok(200);
    assert_eq!(late.as_array().unwrap().len(), 7);
    assert!(first["created"].as_str() < last["created"].as_str());
    let other = server.get("/tasks?design_ref=design:other").await.ok(200);
    assert_eq!(other, json!([]));
}

#[tokio::test]
async fn nodes_come_by_name_in_pages() {
    let server = Server::with(Setup {
        engine: false,
        provisioner: Some(Provisioner::new(&["n3", "n1", "n2"])),
        ..Setup::default()
    })
    .await;
    let whole = server.get("/nodes").await.ok(200);
    assert_eq!(
        ids(whole.as_array().unwrap(), "hostname"),
        ["n3", "n1", "n2"]
    );
    let parts = pages(&server, "/nodes?limit=2").await;
    assert_eq!(ids(&parts.concat(), "hostname"), ["n1", "n2", "n3"]);
    assert_eq!(parts.len(), 2);
    let parts = pages(&server, "/nodes?limit=1&sort=-hostname").await;
    assert_eq!(ids(&parts.concat(), "hostname"), ["n3", "n2", "n1"]);
    // A marker that has gone meanwhile does not matter here.
    let rest = server.get("/nodes?marker=n1a").await.ok(200);
    assert_eq!(ids(rest.as_array().unwrap(), "hostname"), ["n2", "n3"]);
}
