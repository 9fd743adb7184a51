//! `/validatedesign` and `/nodefilter`.

use std::time::Instant;

use serde_json::{Value, json};

use crate::provisioner::Provisioner;
use crate::server::{PATIENCE, SITE, Server, Setup};

fn broken() -> String {
    SITE.replace("host_profile: base", "host_profile: bse")
}

#[track_caller]
fn check_status(body: &Value, code: u16) {
    let valid = code == 200;
    assert_eq!(body["kind"], "Status");
    assert_eq!(body["apiVersion"], "v1.0");
    assert_eq!(body["metadata"], json!({}));
    assert_eq!(body["code"], code);
    assert_eq!(body["status"], if valid { "Success" } else { "Failure" });
    let messages = body["details"]["messageList"].as_array().unwrap();
    let errors = messages
        .iter()
        .filter(|message| message["error"] == true)
        .count();
    assert_eq!(body["details"]["errorCount"], errors);
    assert_eq!(errors == 0, valid);
    assert!(
        messages
            .iter()
            .all(|message| message["kind"] == "ValidationMessage")
    );
}

#[tokio::test]
async fn a_design_is_validated_by_reference_or_as_it_is() {
    let server = Server::without_engine().await;
    let file = server.folder.path().join("site.yaml");
    std::fs::write(&file, SITE).unwrap();
    let uploaded = format!("design:{}", server.site().await);
    for href in [format!("file://{}", file.display()), uploaded] {
        let bare = json!({"href": href});
        let full = json!({"href": href, "rel": "design", "type": "application/x-yaml"});
        for body in [bare, full] {
            check_status(&server.post("/validatedesign", &body).await.ok(200), 200);
        }
    }
    for media_type in [
        "application/x-yaml",
        "application/yaml",
        "text/yaml; charset=utf-8",
    ] {
        let headers = [("Content-Type", media_type)];
        let answer = server
            .client
            .send("POST", "/validatedesign", &headers, SITE)
            .await;
        check_status(&answer.ok(200), 200);
    }
}

#[tokio::test]
async fn every_error_is_told_with_its_place() {
    let server = Server::without_engine().await;
    let answer = server.client.post_yaml("/validatedesign", &broken()).await;
    let body = answer.ok(400);
    check_status(&body, 400);
    let message = &body["details"]["messageList"]
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["error"] == true)
        .unwrap()
        .clone();
    assert_eq!(message["level"], "Error");
    assert!(
        message["name"].as_str().unwrap().starts_with("DD"),
        "{message}"
    );
    assert!(
        message["location"]["line"].as_u64().unwrap() > 1,
        "{message}"
    );
    assert_eq!(
        message["documents"][0]["schema"],
        "drydock/BaremetalNode/v1"
    );
    // Asked again, the answer is the same: nothing piles up in a cache.
    let again = server
        .client
        .post_yaml("/validatedesign", &broken())
        .await
        .ok(400);
    assert_eq!(
        again["details"]["errorCount"],
        body["details"]["errorCount"]
    );
    // Text that is no design at all.
    let text = server
        .client
        .post_yaml("/validatedesign", "a: [")
        .await
        .ok(400);
    check_status(&text, 400);
}

#[tokio::test]
async fn a_design_that_cannot_be_had_is_400_at_once() {
    let server = Server::without_engine().await;
    let missing = server.folder.path().join("missing.yaml");
    let begun = Instant::now();
    for href in [
        format!("file://{}", missing.display()),
        "file:///etc/passwd".to_owned(),
        "design:7f9a6a3c-58d1-4f27-9a52-2b8bb0a6a111".to_owned(),
        "gopher://x/y".to_owned(),
        "garbage".to_owned(),
    ] {
        let body = server
            .post("/validatedesign", &json!({"href": href}))
            .await
            .ok(400);
        check_status(&body, 400);
        assert_eq!(body["details"]["errorCount"], 1);
        let filter = json!({"design_ref": href});
        server
            .post("/nodefilter", &filter)
            .await
            .error(400, "bad_request");
    }
    // The Python server took 30 s for the first of these alone.
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_400_and_names_the_field() {
    let server = Server::without_engine().await;
    for (path, body, needle) in [
        ("/validatedesign", json!({}), "href is missing"),
        ("/validatedesign", json!({"href": 5}), "href:"),
        ("/validatedesign", json!({"herf": "x"}), "herf"),
        ("/nodefilter", json!({}), "design_ref is missing"),
        (
            "/nodefilter",
            json!({"design_ref": "design:x", "node_filtre": {}}),
            "node_filtre",
        ),
        (
            "/nodefilter",
            json!({"design_ref": "design:x", "node_filter": {"filter_set": [{"node_nmes": []}]}}),
            "node_nmes",
        ),
        (
            "/nodefilter",
            json!({"design_ref": "design:x", "node_filter": []}),
            "node_filter",
        ),
    ] {
        let message = server.post(path, &body).await.error(400, "bad_request");
        assert!(message.contains(needle), "{body}: {message}");
    }
}

#[tokio::test]
async fn nodes_are_selected_in_the_order_of_the_design() {
    let server = Server::without_engine().await;
    let design_ref = format!("design:{}", server.site().await);
    let select = async |filter: Value| {
        let body = json!({"design_ref": design_ref, "node_filter": filter});
        server.post("/nodefilter", &body).await.ok(200)
    };
    assert_eq!(select(Value::Null).await, json!(["n1", "n2", "n3"]));
    assert_eq!(
        select(json!({"filter_set": [{"node_names": ["n3", "n1"]}]})).await,
        json!(["n1", "n3"])
    );
    assert_eq!(
        select(json!({"filter_set": [{"node_tags": ["control"]}]})).await,
        json!(["n1"])
    );
    let both = json!({"filter_set_type": "intersection", "filter_set": [{"node_tags": ["control"]}, {"node_names": ["n2"]}]});
    assert_eq!(select(both).await, json!([]));
    let site = json!({"design_ref": design_ref});
    assert_eq!(
        server.post("/nodefilter", &site).await.ok(200),
        json!(["n1", "n2", "n3"])
    );
}

#[tokio::test]
async fn a_design_that_cannot_be_read_selects_nothing() {
    let server = Server::without_engine().await;
    let file = server.folder.path().join("odd.yaml");
    std::fs::write(&file, "just: text\n").unwrap();
    let body = json!({"design_ref": format!("file://{}", file.display())});
    let answer = server.post("/nodefilter", &body).await;
    let message = answer.error(400, "invalid_design");
    assert!(message.contains("odd.yaml"), "{message}");
}

/// What is said of images and kernels, with its level.
async fn said_of_the_platform(server: &Server, text: &str) -> Vec<(String, String)> {
    let answer = server.client.post_yaml("/validatedesign", text).await;
    let body: Value = serde_json::from_str(&answer.text()).unwrap();
    body["details"]["messageList"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["rule"] == "platform/selection")
        .map(|message| {
            let text = |key: &str| message[key].as_str().unwrap().to_owned();
            (text("level"), text("message"))
        })
        .collect()
}

#[tokio::test]
async fn the_provisioner_is_asked_for_images_and_kernels() {
    let server = Server::with(Setup {
        engine: false,
        provisioner: Some(Provisioner::new(&[])),
        ..Setup::default()
    })
    .await;
    let info = |message: &str| [("Info".to_owned(), message.to_owned())];
    assert_eq!(
        said_of_the_platform(&server, SITE).await,
        info("Platform Selection: Validation successful.")
    );
    let error = |message: &str| [("Error".to_owned(), message.to_owned())];
    for (was, is, message) in [
        (
            "image: jammy",
            "image: jimmy",
            "the node provisioner does not offer the image jimmy",
        ),
        (
            "kernel: ga-22.04",
            "kernel: hwe-22.04",
            "the node provisioner does not offer the kernel hwe-22.04 with jammy",
        ),
    ] {
        assert_eq!(
            said_of_the_platform(&server, &SITE.replace(was, is)).await,
            error(message)
        );
    }
}

#[tokio::test]
async fn a_provisioner_that_does_not_answer_is_no_fault_of_the_design() {
    let provisioner = Provisioner::new(&[]);
    provisioner.fall_sick();
    let server = Server::with(Setup {
        engine: false,
        provisioner: Some(provisioner),
        ..Setup::default()
    })
    .await;
    let said = said_of_the_platform(&server, SITE).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].0, "Warning");
    assert!(
        said[0].1.starts_with("images and kernels are not checked:")
            && said[0].1.contains("connection refused"),
        "{said:?}"
    );
}
