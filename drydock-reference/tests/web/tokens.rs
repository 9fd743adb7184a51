//! When tokens are fetched, kept, fetched anew, and where they go. The one who gives them here speaks Keystone's protocol
//! by a script, so that it can fail at will; `keystone.rs` has the real one.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use chrono::{TimeDelta, Utc};
use drydock_model::reference::{ReferenceError, ReferenceFault, References};
use drydock_reference::{Fetcher, KeystoneSettings, ReferenceSettings};
use futures::future::join_all;

use crate::redirecting;
use crate::server::{Server, echo, fetch, settings};

const PASSWORD: &str = "p4ssw0rd";

/// Gives `t0`, `t1`, ...; the first segment of the path says for how long they live, or what to answer instead.
fn keystone(request: &HttpRequest, asked: usize) -> HttpResponse {
    let script = request
        .path()
        .strip_suffix("/v3/auth/tokens")
        .unwrap_or("/404");
    let lifetime = match script {
        "/hour" => TimeDelta::hours(1),
        // A clock that is two days late changes nothing: the difference counts.
        "/late" => TimeDelta::hours(1),
        "/over" => TimeDelta::zero(),
        "/flaky" if asked == 0 => return HttpResponse::ServiceUnavailable().finish(),
        "/flaky" => TimeDelta::hours(1),
        "/empty" => {
            return HttpResponse::Created()
                .insert_header(subject(asked))
                .finish();
        }
        "/endless" => {
            return HttpResponse::Created()
                .insert_header(subject(asked))
                .body(vec![b' '; 2 << 20]);
        }
        "/moved" => {
            return HttpResponse::TemporaryRedirect()
                .insert_header(("location", format!("http://{}", request.query_string())))
                .finish();
        }
        status => {
            let status: u16 = status.trim_start_matches('/').parse().unwrap();
            return HttpResponse::build(status.try_into().unwrap()).finish();
        }
    };
    let issued = match script {
        "/late" => Utc::now() - TimeDelta::days(2),
        _ => Utc::now(),
    };
    HttpResponse::Created()
        .insert_header(subject(asked))
        .insert_header(("content-type", "application/json"))
        .body(format!(
            r#"{{"token": {{"issued_at": "{}", "expires_at": "{}", "methods": ["password"]}}}}"#,
            issued.to_rfc3339(),
            (issued + lifetime).to_rfc3339()
        ))
}

fn subject(asked: usize) -> (&'static str, String) {
    ("x-subject-token", format!("t{asked}"))
}

/// Wants the token that the last segment of the path names.
fn wanting(request: &HttpRequest, asked: usize) -> HttpResponse {
    let wanted = request.path().rsplit('/').next().unwrap();
    let given = request.headers().get("x-auth-token");
    match given.and_then(|token| token.to_str().ok()) {
        Some(given) if given == wanted => echo(request, asked),
        _ => HttpResponse::Unauthorized().finish(),
    }
}

fn with_keystone(auth_url: String, allow: &str) -> ReferenceSettings {
    ReferenceSettings {
        keystone: Some(KeystoneSettings {
            auth_url,
            username: "drydock".into(),
            password: PASSWORD.into(),
            user_domain: "Default".into(),
            project: "service".into(),
            project_domain: "Default".into(),
            ca_file: None,
        }),
        ..settings(allow)
    }
}

/// All at once, by one fetcher.
async fn fetch_together(
    settings: ReferenceSettings,
    uri: &str,
    callers: usize,
) -> Vec<Result<Vec<u8>, ReferenceError>> {
    let fetcher = Fetcher::new(settings).unwrap();
    join_all((0..callers).map(|_| fetcher.fetch(uri))).await
}

#[actix_web::test]
async fn only_services_behind_keystone_get_a_token() {
    let (keystone, server) = (Server::start(keystone), Server::start(echo));
    for (scheme, token, asked) in [
        ("", "none", 0),
        ("deckhand+", "t0", 1),
        ("promenade+", "t1", 2),
    ] {
        let uri = scheme.to_owned() + &server.url("/a");
        let said = fetch(with_keystone(keystone.url("/hour"), &uri), &uri)
            .await
            .unwrap();
        assert!(
            said.ends_with(&format!("token={token}")),
            "{scheme}: {said}"
        );
        assert_eq!(keystone.asked(), asked, "{scheme}");
    }
}

#[actix_web::test]
async fn a_token_serves_until_it_nears_its_end() {
    for (script, fetched) in [("/hour", 1), ("/late", 1), ("/over", 3)] {
        let (keystone, server) = (Server::start(keystone), Server::start(echo));
        let uri = format!("deckhand+{}", server.url("/a"));
        let fetcher = Fetcher::new(with_keystone(keystone.url(script), &uri)).unwrap();
        for _ in 0..3 {
            fetcher.fetch(&uri).await.unwrap();
        }
        assert_eq!(keystone.asked(), fetched, "{script}");
        assert_eq!(server.asked(), 3);
    }
}

#[actix_web::test]
async fn callers_at_once_share_one_fetch() {
    let (keystone, server) = (Server::start(keystone), Server::start(echo));
    let uri = format!("deckhand+{}", server.url("/a"));
    let answers = fetch_together(with_keystone(keystone.url("/hour"), &uri), &uri, 20).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!((keystone.asked(), server.asked()), (1, 20));
}

#[actix_web::test]
async fn callers_at_once_share_a_refusal() {
    let (keystone, server) = (Server::start(keystone), Server::start(echo));
    let uri = format!("deckhand+{}", server.url("/a"));
    // An account is locked after some wrong logins.
    let answers = fetch_together(with_keystone(keystone.url("/401"), &uri), &uri, 20).await;
    for answer in answers {
        let error = answer.unwrap_err();
        assert_eq!(error.fault, ReferenceFault::Refused);
        assert!(
            error.message.contains("references.keystone.username")
                && !error.message.contains(PASSWORD),
            "{error}"
        );
    }
    assert_eq!((keystone.asked(), server.asked()), (1, 0));
}

#[actix_web::test]
async fn a_caller_that_leaves_keeps_nobody_from_a_token() {
    let (keystone, server) = (Server::start(keystone), Server::start(echo));
    let uri = format!("deckhand+{}", server.url("/a"));
    let fetcher = Fetcher::new(with_keystone(keystone.url("/hour"), &uri)).unwrap();
    let mut first = Box::pin(fetcher.fetch(&uri));
    // It holds the lock from its first step on.
    assert!(futures::poll!(&mut first).is_pending());
    let second = fetcher.fetch(&uri);
    drop(first);
    assert!(second.await.is_ok());
}

#[actix_web::test]
async fn a_refused_token_is_fetched_anew_once() {
    let (keystone, server) = (Server::start(keystone), Server::start(wanting));
    let allow = format!("deckhand+{}", server.url(""));
    let fetcher = Fetcher::new(with_keystone(keystone.url("/hour"), &allow)).unwrap();
    let uri = format!("{allow}/t1");
    fetcher.fetch(&uri).await.unwrap();
    assert_eq!((keystone.asked(), server.asked()), (2, 2));
    fetcher.fetch(&uri).await.unwrap();
    assert_eq!((keystone.asked(), server.asked()), (2, 3));
    let error = fetcher.fetch(&format!("{allow}/t9")).await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Refused);
    assert!(error.message.contains("roles"), "{error}");
    assert_eq!((keystone.asked(), server.asked()), (3, 5));
}

#[actix_web::test]
async fn callers_whose_token_is_refused_at_once_share_the_next_one() {
    let (keystone, server) = (Server::start(keystone), Server::start(wanting));
    let allow = format!("deckhand+{}", server.url(""));
    let settings = with_keystone(keystone.url("/hour"), &allow);
    let answers = fetch_together(settings, &format!("{allow}/t1"), 10).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(keystone.asked(), 2);
}

#[actix_web::test]
async fn says_what_is_wrong_with_keystone() {
    for (script, fault, said, asked) in [
        ("/401", ReferenceFault::Refused, "password", 1),
        ("/403", ReferenceFault::Refused, "password", 1),
        ("/404", ReferenceFault::Refused, "auth_url", 1),
        ("/429", ReferenceFault::Unavailable, "429", 3),
        ("/503", ReferenceFault::Unavailable, "503", 3),
        ("/102", ReferenceFault::Unavailable, "in time", 3),
        ("/empty", ReferenceFault::Refused, "auth_url", 1),
        ("/endless", ReferenceFault::TooLarge, "larger", 1),
    ] {
        let (keystone, server) = (Server::start(keystone), Server::start(echo));
        let uri = format!("deckhand+{}", server.url("/a"));
        let settings = ReferenceSettings {
            read_timeout: Duration::from_millis(if script == "/102" { 50 } else { 5000 }),
            ..with_keystone(keystone.url(script), &uri)
        };
        let error = fetch(settings, &uri).await.unwrap_err();
        assert_eq!(error.fault, fault, "{script}: {error}");
        assert!(
            error.message.contains(said) && error.message.contains(&uri),
            "{script}: {error}"
        );
        assert!(!error.message.contains(PASSWORD), "{error}");
        assert_eq!((keystone.asked(), server.asked()), (asked, 0), "{script}");
    }
}

#[actix_web::test]
async fn a_keystone_that_comes_back_is_asked_again() {
    let (keystone, server) = (Server::start(keystone), Server::start(echo));
    let uri = format!("deckhand+{}", server.url("/a"));
    let said = fetch(with_keystone(keystone.url("/flaky"), &uri), &uri)
        .await
        .unwrap();
    assert!(said.ends_with("token=t1"), "{said}");
}

#[actix_web::test]
async fn the_password_follows_no_redirect() {
    let (keystone, other) = (Server::start(keystone), Server::start(echo));
    let uri = format!("deckhand+{}", other.url("/a"));
    let error = fetch(with_keystone(keystone.url("/moved"), &uri), &uri)
        .await
        .unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Refused);
    assert!(error.message.contains("auth_url"), "{error}");
    assert_eq!((keystone.asked(), other.asked()), (1, 0));
}

#[actix_web::test]
async fn a_token_stays_where_the_reference_points() {
    let (keystone, first, second) = (
        Server::start(keystone),
        Server::start(redirecting),
        Server::start(echo),
    );
    let settings = ReferenceSettings {
        allow_refs: [&first, &second]
            .map(|server| format!("deckhand+{}", server.url("")))
            .to_vec(),
        ..with_keystone(keystone.url("/hour"), "/")
    };
    let start = format!("deckhand+http://u:p@{}/from?", first.address);
    let said = fetch(settings.clone(), &format!("{start}/to"))
        .await
        .unwrap();
    assert!(said.contains("Basic dTpw token=t0"), "{said}");
    let said = fetch(settings, &(start + &second.url("/to")))
        .await
        .unwrap();
    assert!(said.ends_with("authorization=none token=none"), "{said}");
}

#[actix_web::test]
async fn what_is_not_allowed_costs_no_token() {
    let (keystone, server) = (Server::start(keystone), Server::start(echo));
    let settings = with_keystone(keystone.url("/hour"), &server.url(""));
    let error = fetch(settings, &format!("deckhand+{}", server.url("/a")))
        .await
        .unwrap_err();
    assert_eq!(error.fault, ReferenceFault::NotAllowed);
    assert_eq!((keystone.asked(), server.asked()), (0, 0));
}

#[actix_web::test]
async fn without_keystone_the_setting_is_named() {
    let server = Server::start(echo);
    for scheme in ["deckhand+", "promenade+"] {
        let uri = scheme.to_owned() + &server.url("/a");
        let fetcher = Fetcher::new(settings(&uri)).unwrap();
        for error in [
            fetcher.check(&uri).unwrap_err(),
            fetcher.fetch(&uri).await.unwrap_err(),
        ] {
            assert_eq!(error.fault, ReferenceFault::Refused);
            assert!(
                error.message.contains("references.keystone.auth_url"),
                "{error}"
            );
        }
    }
    assert_eq!(server.asked(), 0);
}

#[actix_web::test]
async fn a_keystone_that_cannot_be_used_is_refused_at_the_start() {
    let uri = "deckhand+http://127.0.0.1:1/a";
    for auth_url in ["", "keystone", "http://u:p@127.0.0.1:1/v3"] {
        let Err(error) = Fetcher::new(with_keystone(auth_url.to_owned(), uri)) else {
            panic!("{auth_url} was taken")
        };
        assert!(
            error.message.contains("references.keystone.auth_url"),
            "{error}"
        );
    }
}

#[test]
fn the_password_is_in_no_debug_output() {
    let shown = format!("{:?}", with_keystone("http://127.0.0.1:1/v3".into(), "/"));
    assert!(
        shown.contains("drydock") && !shown.contains(PASSWORD),
        "{shown}"
    );
}
