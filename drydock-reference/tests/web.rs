//! Web references against small servers on loopback.

#![allow(clippy::unwrap_used)]

#[path = "web/server.rs"]
mod server;

#[path = "web/limits.rs"]
mod limits;

#[path = "web/tokens.rs"]
mod tokens;

#[path = "web/trust.rs"]
mod trust;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use drydock_model::reference::ReferenceFault;
use drydock_reference::ReferenceSettings;

use crate::server::{Server, echo, fetch, settings};

#[actix_web::test]
async fn sends_user_info_as_basic_authentication_and_encodes_the_query() {
    let server = Server::start(echo);
    let uri = format!("http://user:p%40ss@{}/a?b=c d\n&e=f", server.address);
    let said = fetch(settings(&server.url("")), &uri).await.unwrap();
    // base64("user:p@ss"), RFC 7617.
    let expected = format!(
        "/a?b=c%20d&e=f host={} authorization=Basic dXNlcjpwQHNz token=none",
        server.address
    );
    assert_eq!(said, expected);
}

#[actix_web::test]
async fn what_is_not_allowed_is_not_asked() {
    let server = Server::start(echo);
    let error = fetch(settings(&server.url("/designs")), &server.url("/other"))
        .await
        .unwrap_err();
    assert_eq!(error.fault, ReferenceFault::NotAllowed);
    assert!(error.message.contains("design.allow_refs"), "{error}");
    assert_eq!(server.asked(), 0);
}

#[actix_web::test]
async fn a_mapped_host_is_not_looked_up_and_keeps_its_name() {
    let server = Server::start(echo);
    let port = server.address.port();
    // RFC 6761: no DNS knows a name below `invalid`. 192.0.2.0/24 (RFC 5737) is nobody's.
    for (host, authority, target) in [
        (
            "site.invalid",
            "site.invalid".to_owned(),
            format!("127.0.0.1:{port}"),
        ),
        (
            "site.invalid",
            format!("site.invalid:{port}"),
            "127.0.0.1".to_owned(),
        ),
        (
            "192.0.2.1",
            "192.0.2.1:81".to_owned(),
            format!("127.0.0.1:{port}"),
        ),
    ] {
        let uri = format!("http://{authority}/join");
        let map = BTreeMap::from([(host.to_owned(), target)]);
        let settings = ReferenceSettings {
            map,
            ..settings(&uri)
        };
        let said = fetch(settings, &uri).await.unwrap();
        assert!(
            said.starts_with(&format!("/join host={authority} ")),
            "{said}"
        );
    }
}

#[actix_web::test]
async fn the_map_does_not_widen_the_allow_list() {
    let server = Server::start(echo);
    let map = BTreeMap::from([("site.invalid".to_owned(), server.address.to_string())]);
    let settings = ReferenceSettings {
        map,
        ..settings(&server.url(""))
    };
    let error = fetch(settings, "http://site.invalid/").await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::NotAllowed);
    assert_eq!(server.asked(), 0);
}

/// Redirects to what its query says, and around in a circle on `/loop`.
pub fn redirecting(request: &HttpRequest, asked: usize) -> HttpResponse {
    match request.path() {
        "/loop" => HttpResponse::Found()
            .insert_header(("location", "/loop"))
            .finish(),
        "/from" => HttpResponse::Found()
            .insert_header(("location", request.query_string()))
            .finish(),
        _ => echo(request, asked),
    }
}

#[actix_web::test]
async fn follows_a_redirect_within_the_allow_list() {
    let server = Server::start(redirecting);
    let uri = format!("http://u:p@{}/from?/to", server.address);
    let said = fetch(settings(&server.url("")), &uri).await.unwrap();
    // base64("u:p"), RFC 7617.
    assert!(
        said.starts_with("/to ") && said.contains("authorization=Basic dTpw "),
        "{said}"
    );
}

#[actix_web::test]
async fn a_redirect_to_another_place_takes_no_password_along() {
    let (first, second) = (Server::start(redirecting), Server::start(echo));
    let settings = ReferenceSettings {
        allow_refs: vec![first.url(""), second.url("")],
        ..settings("/")
    };
    // Neither that of the reference, nor one that the first server would like us to send.
    for target in [
        second.url("/to"),
        format!("http://evil:word@{}/to", second.address),
    ] {
        let uri = format!("http://u:p@{}/from?{target}", first.address);
        let said = fetch(settings.clone(), &uri).await.unwrap();
        assert!(said.contains("authorization=none"), "{said}");
    }
    assert_eq!(second.asked(), 2);
}

#[actix_web::test]
async fn no_redirect_escapes_the_allow_list() {
    let (first, second) = (Server::start(redirecting), Server::start(echo));
    for (target, fault) in [
        (second.url("/to"), ReferenceFault::NotAllowed),
        ("/outside".to_owned(), ReferenceFault::NotAllowed),
        ("file:///etc/hostname".to_owned(), ReferenceFault::Refused),
        ("".to_owned(), ReferenceFault::Refused),
    ] {
        let settings = settings(&first.url("/from"));
        let error = fetch(settings, &first.url(&format!("/from?{target}")))
            .await
            .unwrap_err();
        assert_eq!(error.fault, fault, "{target}: {error}");
        assert!(!error.message.contains('?'), "{error}");
    }
    assert_eq!(second.asked(), 0);
}

#[actix_web::test]
async fn redirects_end() {
    let server = Server::start(redirecting);
    let error = fetch(settings(&server.url("")), &server.url("/loop"))
        .await
        .unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Refused);
    assert_eq!(server.asked(), 6);
}

#[actix_web::test]
async fn answers_become_faults() {
    let server = Server::start(|request, _| {
        let status = request.path().trim_start_matches('/').parse().unwrap();
        HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish()
    });
    let mut before = 0;
    for (status, fault, attempts) in [
        (404, ReferenceFault::NotFound, 1),
        (410, ReferenceFault::NotFound, 1),
        (401, ReferenceFault::Refused, 1),
        (403, ReferenceFault::Refused, 1),
        (304, ReferenceFault::Refused, 1),
        (418, ReferenceFault::Refused, 1),
        (429, ReferenceFault::Unavailable, 3),
        (503, ReferenceFault::Unavailable, 3),
    ] {
        let error = fetch(
            settings(&server.url("")),
            &server.url(&format!("/{status}")),
        )
        .await
        .unwrap_err();
        assert_eq!(error.fault, fault, "{error}");
        assert!(error.message.contains(&status.to_string()), "{error}");
        assert_eq!(server.asked() - before, attempts, "{status}");
        before = server.asked();
    }
}

#[actix_web::test]
async fn a_password_in_a_reference_is_in_no_error() {
    let server = Server::start(|_, _| HttpResponse::Unauthorized().finish());
    let inside = settings(&server.url(""));
    for (settings, uri) in [
        (inside.clone(), server.url("/a")),
        (inside.clone(), "http://127.0.0.1:1/a".to_owned()),
        (
            settings("http://127.0.0.1:1"),
            "http://127.0.0.1:1/a".to_owned(),
        ),
        (inside, format!("https://{}/a", server.address)),
    ] {
        let uri = uri.replace("://", "://user:s3cr3t@") + "?key=s3cr3t";
        let error = fetch(settings, &uri).await.unwrap_err();
        assert!(!format!("{error:?}").contains("s3cr3t"), "{error}");
    }
    assert_eq!(server.asked(), 1);
}
