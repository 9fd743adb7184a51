//! `PUT` and `DELETE` of one part: judged by the design that comes of it, and by revision.

use serde_json::{Value, json};

use crate::client::Answer;
use crate::server::{SITE, Server};

fn rack(name: &str) -> String {
    format!("apiVersion: drydock/v1\nkind: Rack\nmetadata:\n  name: {name}\nspec: {{}}\n")
}

async fn etag(server: &Server, path: &str) -> String {
    let answer = server.get(path).await;
    answer.header("etag").unwrap().to_owned()
}

async fn keys(server: &Server, id: &str) -> Vec<String> {
    let parts = server.get(&format!("/designs/{id}/parts")).await.ok(200);
    let name = |part: &Value| part["key"].as_str().unwrap().to_owned();
    parts.as_array().unwrap().iter().map(name).collect()
}

async fn put_if(server: &Server, path: &str, tag: &str, body: &str) -> Answer {
    server
        .client
        .send("PUT", path, &[("If-Match", tag)], body.to_owned())
        .await
}

#[tokio::test]
async fn a_part_is_replaced_in_either_form_as_yaml_or_json() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let path = format!("/designs/{id}/parts/Rack/r1");
    let yaml = "apiVersion: drydock/v1\nkind: Rack\nmetadata:\n  name: r1\nspec:\n  location:\n    row: a\n";
    let deckhand = "schema: drydock/Rack/v1\nmetadata:\n  schema: metadata/Document/v1\n  name: r1\ndata:\n  location:\n    row: b\n";
    let json = json!({
        "apiVersion": "drydock/v1", "kind": "Rack", "metadata": {"name": "r1"},
        "spec": {"location": {"row": "c"}},
    });
    let json = json.to_string();
    for (media_type, body, row) in [
        ("application/x-yaml", yaml, "a"),
        ("application/yaml", deckhand, "b"),
        ("application/json", &json, "c"),
        ("text/plain", yaml, "a"),
    ] {
        let headers = [("Content-Type", media_type)];
        let answer = server
            .client
            .send("PUT", &path, &headers, body.to_owned())
            .await;
        assert_eq!(answer.ok(200)["spec"]["location"]["row"], row);
        let now = server.get(&path).await;
        assert_eq!(now.ok(200)["spec"]["location"]["row"], row);
        assert_eq!(now.header("etag"), answer.header("etag"));
    }
    // Still one rack, and everything else.
    assert_eq!(keys(&server, &id).await.len(), 13);
    let stored = server.store.design(id.parse().unwrap()).await.unwrap();
    assert_eq!(stored.sources.len(), 2, "what was replaced twice is gone");
    // The text that was uploaded stands as it was, so places in it are still right.
    assert_eq!(stored.sources[0].text, SITE);
    assert_eq!(stored.revision, 5);
}

#[tokio::test]
async fn a_part_that_was_not_there_is_added() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let path = format!("/designs/{id}/parts/Rack/r2");
    server.client.yaml("PUT", &path, &rack("r2")).await.ok(200);
    assert_eq!(keys(&server, &id).await.last().unwrap(), "r2");
    let gone = "/designs/7f9a6a3c-58d1-4f27-9a52-2b8bb0a6a111/parts/Rack/r2";
    server
        .client
        .yaml("PUT", gone, &rack("r2"))
        .await
        .error(404, "not_found");
}

#[tokio::test]
async fn a_name_with_a_slash_is_a_name() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let path = format!("/designs/{id}/parts/Rack/row%2F1");
    server
        .client
        .yaml("PUT", &path, &rack("row/1"))
        .await
        .ok(200);
    assert_eq!(server.get(&path).await.ok(200)["metadata"]["name"], "row/1");
    server.client.delete(&path).await.empty(204);
    server.get(&path).await.error(404, "not_found");
}

#[tokio::test]
async fn the_body_must_be_what_the_path_says() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let path = format!("/designs/{id}/parts/Rack/r1");
    let before = etag(&server, &path).await;
    for (body, needle) in [
        (rack("r2"), "Rack r2"),
        (rack("r1").replace("Rack", "HostProfile"), "HostProfile r1"),
        (
            format!("{}---\n{}", rack("r1"), rack("r2")),
            "2 Drydock documents",
        ),
        ("# nothing\n".to_owned(), "0 Drydock documents"),
        (String::new(), "0 Drydock documents"),
    ] {
        let message = server
            .client
            .yaml("PUT", &path, &body)
            .await
            .error(400, "bad_request");
        assert!(message.contains(needle), "{message}");
    }
    let odd = rack("r1").replace("spec: {}", "spec:\n  local_networks: 5");
    let answer = server.client.yaml("PUT", &path, &odd).await;
    assert!(answer.error(400, "invalid_design").contains("Rack/r1:6:"));
    assert_eq!(etag(&server, &path).await, before);
}

#[tokio::test]
async fn a_change_that_would_break_the_design_is_refused_with_the_findings() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let profile = format!("/designs/{id}/parts/HostProfile/base");
    let before = etag(&server, &profile).await;
    // Three nodes inherit from it.
    let answer = server.client.delete(&profile).await;
    let message = answer.error(400, "invalid_design");
    assert!(message.contains("base"), "{message}");
    let details = answer.ok(400)["details"].clone();
    let levels: Vec<_> = details
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["level"].clone())
        .collect();
    assert!(
        levels.len() >= 3 && levels.iter().all(|level| level == "Error"),
        "{details}"
    );
    assert!(details[0]["location"]["source"] == "site.yaml", "{details}");

    let lost = "apiVersion: drydock/v1\nkind: BaremetalNode\nmetadata:\n  name: n1\nspec:\n  host_profile: bse\n";
    let node = format!("/designs/{id}/parts/BaremetalNode/n1");
    let message = server
        .client
        .yaml("PUT", &node, lost)
        .await
        .error(400, "invalid_design");
    assert!(message.contains("bse"), "{message}");
    assert_eq!(etag(&server, &profile).await, before);
    assert_eq!(
        server.get(&node).await.ok(200)["spec"]["host_profile"],
        "base"
    );
}

#[tokio::test]
async fn an_error_that_was_there_before_hinders_nobody() {
    let server = Server::without_engine().await;
    let id = server
        .design(&SITE.replace("host_profile: base", "host_profile: bse"))
        .await;
    let rack_path = format!("/designs/{id}/parts/Rack/r2");
    server
        .client
        .yaml("PUT", &rack_path, &rack("r2"))
        .await
        .ok(200);
    // The same error at another place is no new one, either.
    let node = "apiVersion: drydock/v1\nkind: BaremetalNode\nmetadata:\n  name: n3\nspec:\n  host_profile: bse\n";
    let path = format!("/designs/{id}/parts/BaremetalNode/n3");
    let answer = server.client.yaml("PUT", &path, node).await;
    assert!(
        answer.status == 200 || !answer.text().contains("names HostProfile bse"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn a_part_is_deleted_and_may_come_back() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let path = format!("/designs/{id}/parts/BaremetalNode/n2");
    let node = server.get(&path).await.ok(200);
    let answer = server.client.delete(&path).await;
    answer.empty(204);
    assert_eq!(answer.header("etag"), Some("\"2\""));
    server.get(&path).await.error(404, "not_found");
    server.client.delete(&path).await.error(404, "not_found");
    let filter = json!({"design_ref": format!("design:{id}")});
    assert_eq!(
        server.post("/nodefilter", &filter).await.ok(200),
        json!(["n1", "n3"])
    );
    // The others are where they were: findings point into the text as it was uploaded.
    let bad = json!({"href": format!("design:{id}")});
    assert_eq!(
        server.post("/validatedesign", &bad).await.ok(200)["code"],
        200
    );
    server.client.json("PUT", &path, &node).await.ok(200);
    assert_eq!(
        server.post("/nodefilter", &filter).await.ok(200),
        json!(["n1", "n3", "n2"])
    );
    assert_eq!(server.get(&path).await.ok(200), node);
    // And goes again, together with the text that held nothing else.
    server.client.delete(&path).await.empty(204);
    let stored = server.store.design(id.parse().unwrap()).await.unwrap();
    assert_eq!((stored.revision, stored.sources.len()), (4, 1));
}

#[tokio::test]
async fn a_secret_is_not_replaced_by_what_is_shown_for_it() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let path = format!("/designs/{id}/parts/HostProfile/base");
    let shown = server.get(&path).await.ok(200);
    let message = server
        .client
        .json("PUT", &path, &shown)
        .await
        .error(400, "bad_request");
    assert!(message.contains("secret"), "{message}");
    let stored = server.store.design(id.parse().unwrap()).await.unwrap();
    assert_eq!(stored.sources[0].text, SITE);
}

#[tokio::test]
async fn of_two_changes_on_one_revision_the_second_is_412() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let path = format!("/designs/{id}/parts/Rack/r1");
    let read = etag(&server, &path).await;
    assert_eq!(etag(&server, &format!("/designs/{id}")).await, read);
    assert_eq!(etag(&server, &format!("/designs/{id}/parts")).await, read);
    let first = put_if(&server, &path, &read, &rack("r1")).await;
    first.ok(200);
    let second = put_if(&server, &path, &read, &rack("r1")).await;
    second.error(412, "precondition_failed");
    let gone = server
        .client
        .send("DELETE", &path, &[("If-Match", &read)], "")
        .await;
    gone.error(412, "precondition_failed");
    let fresh = first.header("etag").unwrap();
    let listed = format!("\"77\", {fresh}");
    put_if(&server, &path, &listed, &rack("r1")).await.ok(200);
    put_if(&server, &path, "*", &rack("r1")).await.ok(200);
    let weak = format!("W/{}", etag(&server, &path).await);
    put_if(&server, &path, &weak, &rack("r1"))
        .await
        .error(412, "precondition_failed");
    let bare = put_if(&server, &path, "7", &rack("r1")).await;
    assert!(bare.error(400, "bad_request").contains("If-Match"));
}

#[tokio::test]
async fn of_many_at_once_with_one_tag_one_wins_and_without_all_do() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let tag = etag(&server, &format!("/designs/{id}")).await;
    let (server, id, tag) = (&server, &id, &tag);
    let tagged = (0..6).map(|n| async move {
        let path = format!("/designs/{id}/parts/Rack/x{n}");
        put_if(server, &path, tag, &rack(&format!("x{n}")))
            .await
            .status
            .as_u16()
    });
    let mut statuses = futures::future::join_all(tagged).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412]);
    let free = (0..4).map(|n| async move {
        let path = format!("/designs/{id}/parts/Rack/y{n}");
        server
            .client
            .yaml("PUT", &path, &rack(&format!("y{n}")))
            .await
            .ok(200);
    });
    futures::future::join_all(free).await;
    assert_eq!(keys(server, id).await.len(), 13 + 1 + 4);
}

#[tokio::test]
async fn a_running_task_does_not_see_the_change() {
    let server = Server::start().await;
    let id = server.site().await;
    let task = server.task("noop", &id, &[]).await;
    let before = server.ended(&task).await;
    assert_eq!(before["result"]["successes"], json!(["n1", "n2", "n3"]));
    server
        .client
        .delete(&format!("/designs/{id}/parts/BaremetalNode/n2"))
        .await
        .empty(204);
    let after = server.ended(&server.task("noop", &id, &[]).await).await;
    assert_eq!(after["result"]["successes"], json!(["n1", "n3"]));
}
