//! `/designs`: made, filled, shown, deleted.

use serde_json::{Value, json};

use crate::server::{SITE, Server};

/// Kind and name of each document of [`SITE`], in its order.
fn keys(parts: &Value) -> Vec<String> {
    parts
        .as_array()
        .unwrap()
        .iter()
        .map(|part| {
            format!(
                "{}/{}",
                part["kind"].as_str().unwrap(),
                part["key"].as_str().unwrap()
            )
        })
        .collect()
}

#[tokio::test]
async fn a_design_is_made_empty_or_from_another() {
    let server = Server::without_engine().await;
    assert_eq!(server.get("/designs").await.ok(200), json!([]));
    let answer = server.client.send("POST", "/designs", &[], "").await;
    let empty = answer.ok(201);
    let id = empty["id"].as_str().unwrap();
    assert_eq!(
        answer.header("location"),
        Some(format!("/api/v1.0/designs/{id}").as_str())
    );
    assert_eq!(
        (&empty["base_design_id"], &empty["parts"]),
        (&Value::Null, &json!([]))
    );

    let site = server.site().await;
    let copy = server
        .post("/designs", &json!({"base_design_id": site}))
        .await
        .ok(201);
    assert_eq!(copy["base_design_id"], site);
    assert_eq!(copy["parts"].as_array().unwrap().len(), 13);
    let ids = server.get("/designs").await.ok(200);
    assert_eq!(ids, json!([id, site, copy["id"]]));
}

#[tokio::test]
async fn a_base_that_is_none_is_400() {
    let server = Server::without_engine().await;
    for (body, needle) in [
        (json!({"base_design_id": "x"}), "base_design_id"),
        (json!({"base_design_id": 17}), "base_design_id"),
        (
            json!({"base_design_id": "7f9a6a3c-58d1-4f27-9a52-2b8bb0a6a111"}),
            "no design",
        ),
        (json!({"base": "x"}), "unknown field `base`"),
    ] {
        let message = server
            .post("/designs", &body)
            .await
            .error(400, "bad_request");
        assert!(message.contains(needle), "{message}");
    }
    assert_eq!(server.get("/designs").await.ok(200), json!([]));
}

#[tokio::test]
async fn a_design_is_shown_as_designed_and_as_compiled_without_secrets() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let designed = server.get(&format!("/designs/{id}")).await;
    let compiled = server.get(&format!("/designs/{id}?source=compiled")).await;
    let node = format!("/designs/{id}/parts/BaremetalNode/n1");
    let as_designed = server.get(&node).await;
    let as_compiled = server.get(&format!("{node}?source=compiled")).await;
    for answer in [&designed, &compiled, &as_designed, &as_compiled] {
        assert!(!answer.text().contains("sesame"), "{}", answer.text());
    }
    assert_eq!(designed.ok(200)["parts"].as_array().unwrap().len(), 13);
    let compiled = compiled.ok(200);
    assert_eq!(
        (&compiled["id"], compiled["nodes"].as_array().unwrap().len()),
        (&json!(id), 3)
    );
    assert_eq!(as_designed.ok(200)["spec"]["host_profile"], "base");
    // What the profile says has reached the node.
    assert_eq!(as_compiled.ok(200)["oob"]["account"], "admin");
    let profile = server
        .get(&format!("/designs/{id}/parts/HostProfile/base"))
        .await;
    assert_eq!(profile.ok(200)["spec"]["oob"]["credential"], "********");
}

#[tokio::test]
async fn parts_are_listed_whole_and_by_kind() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let parts = server.get(&format!("/designs/{id}/parts")).await.ok(200);
    assert_eq!(keys(&parts).len(), 13);
    assert_eq!(
        keys(&parts)[8..11],
        ["BaremetalNode/n1", "BaremetalNode/n2", "BaremetalNode/n3"]
    );
    let nodes = server
        .get(&format!("/designs/{id}/parts/BaremetalNode"))
        .await
        .ok(200);
    assert_eq!(nodes.as_array().unwrap().len(), 3);
    assert_eq!(nodes[0]["metadata"]["name"], "n1");
    // The API's other word for a Region.
    let region = server
        .get(&format!("/designs/{id}/parts/Site/lab"))
        .await
        .ok(200);
    assert_eq!(region["kind"], "Region");
    let message = server
        .get(&format!("/designs/{id}/parts/Potato"))
        .await
        .error(404, "not_found");
    assert!(message.contains("BaremetalNode"), "{message}");
    server
        .get(&format!("/designs/{id}/parts/Rack/r9"))
        .await
        .error(404, "not_found");
    server
        .get(&format!("/designs/{id}/parts/Rack/r9?source=compiled"))
        .await
        .error(404, "not_found");
}

#[tokio::test]
async fn an_upload_is_taken_whole_or_not_at_all() {
    let server = Server::without_engine().await;
    let id = server.empty_design().await;
    let path = format!("/designs/{id}/parts?ingester=yaml&name=racks.yaml");
    let bad = "apiVersion: drydock/v1\nkind: Rack\nmetadata:\n  name: r1\nspec: {}\n---\n\
               apiVersion: drydock/v1\nkind: Rack\nmetadata:\n  name: r2\nspec:\n  local_networks: 5\n";
    let answer = server.client.post_yaml(&path, bad).await;
    let message = answer.error(400, "invalid_design");
    assert!(message.contains("racks.yaml:12:"), "{message}");
    let details = &answer.ok(400)["details"];
    assert_eq!(details[0]["location"]["line"], 12, "{details}");
    assert_eq!(
        server.get(&format!("/designs/{id}/parts")).await.ok(200),
        json!([])
    );

    let good = bad.replace(": 5", ": []");
    let parts = server.client.post_yaml(&path, &good).await.ok(201);
    assert_eq!(parts.as_array().unwrap().len(), 2);
    // What is there already is not taken again.
    let more = "apiVersion: drydock/v1\nkind: Rack\nmetadata:\n  name: r3\nspec: {}\n---\n"
        .to_owned()
        + &good;
    let message = server
        .client
        .post_yaml(&path, &more)
        .await
        .error(400, "bad_request");
    assert!(message.contains("Rack r1"), "{message}");
    let parts = server.get(&format!("/designs/{id}/parts")).await.ok(200);
    assert_eq!(keys(&parts), ["Rack/r1", "Rack/r2"]);
}

#[tokio::test]
async fn uploads_that_cannot_be_read_are_400() {
    let server = Server::without_engine().await;
    let id = server.empty_design().await;
    let path = |ingester: &str| format!("/designs/{id}/parts?ingester={ingester}");
    let none = server
        .client
        .post_yaml(&format!("/designs/{id}/parts"), SITE)
        .await;
    assert!(none.error(400, "bad_request").contains("ingester"));
    let odd = server.client.post_yaml(&path("xml"), SITE).await;
    assert!(odd.error(400, "bad_request").contains("deckhand"));
    let empty = server.client.post_yaml(&path("yaml"), "# nothing\n").await;
    assert!(
        empty
            .error(400, "bad_request")
            .contains("no Drydock document")
    );
    let form = server.client.post_yaml(&path("deckhand"), SITE).await;
    form.error(400, "invalid_design");
    let latin = server
        .client
        .send("POST", &path("yaml"), &[], b"name: \xe9".to_vec())
        .await;
    assert!(latin.error(400, "bad_request").contains("byte 6"));
    let picture = [("Content-Type", "image/png")];
    let picture = server
        .client
        .send("POST", &path("yaml"), &picture, SITE)
        .await;
    picture.error(415, "unsupported_media_type");
    // curl says this when it is not told otherwise.
    let curl = [("Content-Type", "application/x-www-form-urlencoded")];
    server
        .client
        .send("POST", &path("yaml"), &curl, SITE)
        .await
        .ok(201);
    let gone = "/designs/7f9a6a3c-58d1-4f27-9a52-2b8bb0a6a111/parts?ingester=yaml";
    server
        .client
        .post_yaml(gone, SITE)
        .await
        .error(404, "not_found");
}

#[tokio::test]
async fn uploads_at_the_same_time_are_all_taken() {
    let server = Server::without_engine().await;
    let id = server.empty_design().await;
    let path = format!("/designs/{id}/parts?ingester=yaml");
    let rack = |n: usize| {
        format!("apiVersion: drydock/v1\nkind: Rack\nmetadata:\n  name: r{n}\nspec: {{}}\n")
    };
    let (path, client) = (&path, &server.client);
    let all = (0..4).map(|n| async move { client.post_yaml(path, &rack(n)).await.ok(201) });
    futures::future::join_all(all).await;
    let parts = server.get(&format!("/designs/{id}/parts")).await.ok(200);
    assert_eq!(parts.as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_shown_in_place_of_a_secret_is_not_taken_for_one() {
    let server = Server::without_engine().await;
    let id = server.empty_design().await;
    let text = SITE.replace("sesame-open", "'********'");
    let path = format!("/designs/{id}/parts?ingester=yaml&name=site.yaml");
    let message = server
        .client
        .post_yaml(&path, &text)
        .await
        .error(400, "bad_request");
    assert!(
        message.contains("site.yaml:") && message.contains("secret"),
        "{message}"
    );
}

#[tokio::test]
async fn a_design_in_use_is_not_deleted() {
    let server = Server::without_engine().await;
    let id = server.site().await;
    let task = server.task("noop", &id, &[]).await;
    let path = format!("/designs/{id}");
    let message = server.client.delete(&path).await.error(409, "conflict");
    assert!(message.contains(&task), "{message}");
    server
        .client
        .send("POST", &format!("/tasks/{task}/terminate"), &[], "")
        .await
        .ok(202);
    server.client.delete(&path).await.empty(204);
    server.client.delete(&path).await.error(404, "not_found");
    server.get(&path).await.error(404, "not_found");
}
