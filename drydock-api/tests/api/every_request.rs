//! What holds for every request, whatever the path.

use serde_json::json;

use crate::raw::exchange;
use crate::server::{Server, Setup};

#[tokio::test]
async fn an_unknown_path_is_404_with_a_whole_error_body() {
    let server = Server::without_engine().await;
    let message = server.get("/nonsense").await.error(404, "not_found");
    assert!(message.contains("/api/v1.0/nonsense"), "{message}");
    server.get("//nonsense").await.error(404, "not_found");
    server.get("//").await.error(404, "not_found");
}

#[tokio::test]
async fn a_malformed_id_is_404() {
    let server = Server::without_engine().await;
    for path in [
        "/tasks/17",
        "/tasks/%FF%FE",
        "/tasks/%00",
        "/designs/not-a-uuid",
        "/designs/not-a-uuid/parts",
        "/designs/00000000-0000-0000-0000-000000000000",
        "/nodes/%00",
        "/tasks/00000000-0000-0000-0000-000000000000",
    ] {
        server.get(path).await.error(404, "not_found");
    }
}

#[tokio::test]
async fn another_method_is_405_and_says_which_are_there() {
    let server = Server::without_engine().await;
    for (method, path, allow) in [
        ("PUT", "/tasks", "GET, HEAD, POST, DELETE, OPTIONS"),
        ("DELETE", "//versions", "GET, HEAD, OPTIONS"),
        (
            "PATCH",
            "/designs/x/parts/Region/y",
            "GET, HEAD, PUT, DELETE, OPTIONS",
        ),
        ("GET", "/nodefilter", "POST, OPTIONS"),
        ("HEAD", "/nodefilter", "POST, OPTIONS"),
        ("BREW", "/health", "GET, HEAD, OPTIONS"),
    ] {
        let answer = server.client.send(method, path, &[], "").await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        if method != "HEAD" {
            answer.error(405, "method_not_allowed");
        }
    }
}

#[tokio::test]
async fn options_tells_the_methods() {
    let server = Server::without_engine().await;
    let answer = server.client.send("OPTIONS", "/tasks", &[], "").await;
    answer.empty(204);
    assert_eq!(
        answer.header("allow"),
        Some("GET, HEAD, POST, DELETE, OPTIONS")
    );
    let answer = server.client.send("OPTIONS", "/nonsense", &[], "").await;
    answer.error(404, "not_found");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Server::without_engine().await;
    for path in ["//versions", "/designs", "/tasks", "/health"] {
        let get = server.get(path).await;
        let head = server.client.send("HEAD", path, &[], "").await;
        assert!(head.bytes.is_empty(), "{path}");
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(
            head.header("content-type"),
            get.header("content-type"),
            "{path}"
        );
    }
    let missing = server.client.send("HEAD", "/tasks/17", &[], "").await;
    missing.empty(404);
}

#[tokio::test]
async fn a_trailing_slash_changes_nothing() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    for path in [
        "//versions".to_owned(),
        "/designs".to_owned(),
        format!("/designs/{design}/parts"),
        format!("/designs/{design}/parts/BaremetalNode/n1"),
        "/tasks".to_owned(),
    ] {
        let (without, with) = (
            server.get(&path).await,
            server.get(&format!("{path}/")).await,
        );
        assert_eq!(without.status, 200, "{path}");
        assert_eq!(with.status, 200, "{path}/");
        assert_eq!(without.bytes, with.bytes, "{path}");
    }
    let body = json!({"action": "noop", "design_ref": format!("design:{design}")});
    server.post("/tasks/", &body).await.ok(201);
}

#[tokio::test]
async fn each_answer_has_an_id_of_its_own() {
    let server = Server::without_engine().await;
    let (first, second) = (server.get("/tasks").await, server.get("/tasks").await);
    assert_ne!(
        first.header("x-drydock-req"),
        second.header("x-drydock-req")
    );
}

#[tokio::test]
async fn a_malformed_context_marker_is_ignored() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    let body = json!({"action": "noop", "design_ref": format!("design:{design}")}).to_string();
    let marker = "7f9a6a3c-58d1-4f27-9a52-2b8bb0a6a111";
    for (sent, kept) in [("garbage", None), ("", None), (marker, Some(marker))] {
        let headers = [
            ("Content-Type", "application/json"),
            ("X-Context-Marker", sent),
        ];
        let task = server
            .client
            .send("POST", "/tasks", &headers, body.clone())
            .await
            .ok(201);
        let id = task["task_id"].as_str().unwrap().parse().unwrap();
        let stored = server.store.tree(id).await.unwrap().task.context_marker;
        assert_eq!(stored.map(|id| id.to_string()).as_deref(), kept, "{sent}");
    }
}

#[tokio::test]
async fn a_wrong_content_type_is_415() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    let body = json!({"action": "noop", "design_ref": format!("design:{design}")}).to_string();
    for (media_type, status) in [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("application/json;charset=\"UTF-8\"", 201),
        ("Application/JSON", 201),
        ("application/json; charset=latin1", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/x-yaml", 415),
    ] {
        let headers = [("Content-Type", media_type)];
        let answer = server
            .client
            .send("POST", "/tasks", &headers, body.clone())
            .await;
        if status == 415 {
            answer.error(415, "unsupported_media_type");
        } else {
            answer.ok(status);
        }
    }
    server
        .client
        .send("POST", "/tasks", &[], body.clone())
        .await
        .ok(201);
    let packed = [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
    ];
    let answer = server.client.send("POST", "/tasks", &packed, body).await;
    assert!(answer.error(415, "unsupported_media_type").contains("gzip"));
}

#[tokio::test]
async fn a_body_that_is_no_object_is_400() {
    let server = Server::without_engine().await;
    for (body, needle) in [
        ("", "empty"),
        ("   ", "empty"),
        ("{", "JSON"),
        ("[\"noop\", \"design:x\"]", "list"),
        ("17", "JSON"),
        (
            "{\"action\": \"noop\", \"action\": \"noop\"}",
            "duplicate field",
        ),
        ("\u{7f}", "JSON"),
    ] {
        for path in ["/tasks", "/nodefilter", "/validatedesign"] {
            let headers = [("Content-Type", "application/json")];
            let answer = server.client.send("POST", path, &headers, body).await;
            let message = answer.error(400, "bad_request");
            if !(body.contains("action") && path != "/tasks") {
                assert!(message.contains(needle), "{path} {body:?}: {message}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_chunked_or_not() {
    let server = Server::with(Setup {
        engine: false,
        max_body: 10_000,
        ..Setup::default()
    })
    .await;
    let design = server.empty_design().await;
    let parts = format!("/designs/{design}/parts?ingester=yaml");
    let large = "# a comment of thirty-two bytes.\n".repeat(100_000);
    for path in [
        "/tasks",
        "/designs",
        "/nodefilter",
        "/validatedesign",
        parts.as_str(),
    ] {
        let media_type = if path == parts {
            "application/x-yaml"
        } else {
            "application/json"
        };
        let headers = [("Content-Type", media_type)];
        let answer = server
            .client
            .send("POST", path, &headers, large.clone())
            .await;
        assert!(answer.error(413, "too_large").contains("10000"), "{path}");
        let pieces: Vec<_> = large
            .as_bytes()
            .chunks(50_000)
            .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
            .collect();
        let chunked = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
        let answer = server.client.send("POST", path, &headers, chunked).await;
        answer.error(413, "too_large");
    }
    // A client that reads nothing before it has sent everything gets its answer, too.
    let patient = format!(
        "POST /api/v1.0/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{large}{large}{large}",
        large.len() * 3
    );
    let answer = exchange(server.address, patient.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let announced = "POST /api/v1.0/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                     Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n";
    let answer = exchange(server.address, announced.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("x-drydock-req"), "{answer}");
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_400_and_names_the_parameter() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    let task = server.task("noop", &design, &[]).await;
    for (path, needle) in [
        ("/tasks?statsu=running".to_owned(), "did you mean status?"),
        ("/tasks?status=done".to_owned(), "status=done"),
        ("/tasks?action=explode".to_owned(), "action=explode"),
        ("/tasks?created_after=yesterday".to_owned(), "created_after"),
        ("/tasks?limit=all".to_owned(), "limit=all"),
        ("/tasks?limit=0".to_owned(), "limit=0"),
        ("/tasks?limit=-1".to_owned(), "limit=-1"),
        ("/tasks?sort=priority".to_owned(), "sort=priority"),
        ("/tasks?marker=17".to_owned(), "marker=17"),
        ("/tasks?limit=%zz".to_owned(), "malformed"),
        ("/designs?sort=hostname".to_owned(), "sort=hostname"),
        ("/designs?filter=x".to_owned(), "limit, marker, sort"),
        ("/nodes?sort=created".to_owned(), "hostname"),
        (format!("/tasks/{task}?layers=many"), "layers=many"),
        (format!("/tasks/{task}?layers=-2"), "layers=-2"),
        (
            format!("/tasks/{task}?subtaskerrors=perhaps"),
            "subtaskerrors",
        ),
        (
            format!("/tasks/{task}?subtask_errors=true"),
            "did you mean subtaskerrors?",
        ),
        (format!("/designs/{design}?source=other"), "source=other"),
    ] {
        let message = server.get(&path).await.error(400, "bad_request");
        assert!(message.contains(needle), "{path}: {message}");
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_is_served() {
    let server = Server::without_engine().await;
    let design = server.site().await;
    server.task("noop", &design, &[]).await;
    // The list of tasks is streamed, and HTTP/1.0 knows no chunks.
    for path in ["/versions", "/api/v1.0/tasks", "/api/v1.0/health"] {
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        let answer = exchange(server.address, request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 20"), "{head}");
        assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
        if path.ends_with("tasks") {
            let tasks: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(tasks.as_array().unwrap().len(), 1);
        }
    }
}

#[tokio::test]
async fn nobody_else_can_reach_it() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = drydock_api::server::bind(address.parse().unwrap()).unwrap_err();
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::PermissionDenied,
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_asked_to_ends_in_order() {
    let server = Server::start().await;
    server.get("//versions").await.ok(200);
    server.stop().await;
}
