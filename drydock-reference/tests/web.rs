//! Web references against small servers on loopback.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use drydock_model::reference::{ReferenceError, ReferenceFault, References};
use drydock_reference::{Fetcher, ReferenceSettings};

/// A server on a free port, whose one handler counts what it is asked.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn start(answer: fn(&HttpRequest, usize) -> HttpResponse) -> Server {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = web::Data::from(asked.clone());
        let server = HttpServer::new(move || {
            let handler = move |request: HttpRequest, count: web::Data<AtomicUsize>| {
                let answer = answer(&request, count.fetch_add(1, Ordering::SeqCst));
                async move {
                    if answer.status() == StatusCode::PROCESSING {
                        std::future::pending::<()>().await;
                    }
                    answer
                }
            };
            App::new()
                .app_data(count.clone())
                .default_service(web::to(handler))
        })
        .workers(1)
        .disable_signals()
        .bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap();
        let address = server.addrs()[0];
        actix_web::rt::spawn(server.run());
        Server { address, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn settings(allow: &str) -> ReferenceSettings {
    ReferenceSettings {
        allow_refs: vec![allow.to_owned()],
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(5),
        back_off: Duration::from_millis(1),
        max_bytes: 1000,
        ..ReferenceSettings::default()
    }
}

async fn fetch(settings: ReferenceSettings, uri: &str) -> Result<String, ReferenceError> {
    let bytes = Fetcher::new(settings).unwrap().fetch(uri).await?;
    Ok(String::from_utf8(bytes).unwrap())
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request
        .headers()
        .get(name)
        .map_or("none", |value| value.to_str().unwrap())
}

/// Says what it was asked.
fn echo(request: &HttpRequest, _: usize) -> HttpResponse {
    HttpResponse::Ok().body(format!(
        "{} host={} authorization={} token={}",
        request.uri(),
        header(request, "host"),
        header(request, "authorization"),
        header(request, "x-auth-token"),
    ))
}

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
async fn only_services_behind_keystone_get_the_token() {
    let server = Server::start(echo);
    for (scheme, token) in [
        ("", "none"),
        ("deckhand+", "s3cr3t"),
        ("promenade+", "s3cr3t"),
    ] {
        let uri = scheme.to_owned() + &server.url("/a");
        let settings = ReferenceSettings {
            token: Some("s3cr3t".into()),
            ..settings(&uri)
        };
        let said = fetch(settings, &uri).await.unwrap();
        assert!(
            said.ends_with(&format!("token={token}")),
            "{scheme}: {said}"
        );
    }
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
        let uri = format!("promenade+http://{authority}/join");
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
fn redirecting(request: &HttpRequest, asked: usize) -> HttpResponse {
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
    let settings = ReferenceSettings {
        token: Some("s3cr3t".into()),
        ..settings(&format!("deckhand+{}", server.url("")))
    };
    let uri = format!("deckhand+http://u:p@{}/from?/to", server.address);
    let said = fetch(settings, &uri).await.unwrap();
    assert!(
        said.starts_with("/to ") && said.contains("Basic dTpw token=s3cr3t"),
        "{said}"
    );
}

#[actix_web::test]
async fn a_redirect_to_another_place_takes_no_secret_along() {
    let (first, second) = (Server::start(redirecting), Server::start(echo));
    let settings = ReferenceSettings {
        allow_refs: [&first, &second]
            .map(|server| format!("deckhand+{}", server.url("")))
            .to_vec(),
        token: Some("s3cr3t".into()),
        ..settings("/")
    };
    let uri = format!(
        "deckhand+http://u:p@{}/from?{}",
        first.address,
        second.url("/to")
    );
    let said = fetch(settings, &uri).await.unwrap();
    assert!(said.ends_with("authorization=none token=none"), "{said}");
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

/// A thousand bytes and one, announced or in chunks.
fn large(request: &HttpRequest, _: usize) -> HttpResponse {
    let body = vec![
        b'x';
        if request.path() == "/fits" {
            1000
        } else {
            1001
        }
    ];
    if request.path() == "/announced" {
        return HttpResponse::Ok().body(body);
    }
    let mut chunks = body
        .chunks(100)
        .map(web::Bytes::copy_from_slice)
        .collect::<Vec<_>>()
        .into_iter();
    let stream = futures_of(move || chunks.next());
    HttpResponse::Ok().streaming(stream)
}

/// A stream of ready chunks.
fn futures_of(
    mut next: impl FnMut() -> Option<web::Bytes> + Unpin + 'static,
) -> impl futures::Stream<Item = Result<web::Bytes, actix_web::Error>> {
    futures::stream::poll_fn(move |_| std::task::Poll::Ready(next().map(Ok)))
}

#[actix_web::test]
async fn stops_at_the_size_limit() {
    let server = Server::start(large);
    assert_eq!(
        fetch(settings(&server.url("")), &server.url("/fits"))
            .await
            .unwrap()
            .len(),
        1000
    );
    for path in ["/announced", "/chunks"] {
        let error = fetch(settings(&server.url("")), &server.url(path))
            .await
            .unwrap_err();
        assert_eq!(error.fault, ReferenceFault::TooLarge, "{path}: {error}");
        assert!(error.message.contains("1000 bytes"), "{error}");
    }
}

#[actix_web::test]
async fn a_silent_server_is_given_up_after_its_attempts() {
    let server = Server::start(|_, _| HttpResponse::build(StatusCode::PROCESSING).finish());
    let settings = ReferenceSettings {
        read_timeout: Duration::from_millis(100),
        attempts: 2,
        ..settings(&server.url(""))
    };
    let uri = format!("http://u:secret@{}/a?key=secret", server.address);
    let error = fetch(settings, &uri).await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Unavailable);
    assert!(error.message.contains("did not answer in time"), "{error}");
    assert!(!error.message.contains("secret"), "{error}");
    assert_eq!(server.asked(), 2);
}

#[actix_web::test]
async fn the_deadline_holds_over_all_attempts() {
    let server = Server::start(|_, _| HttpResponse::build(StatusCode::PROCESSING).finish());
    let settings = ReferenceSettings {
        deadline: Duration::from_millis(100),
        ..settings(&server.url(""))
    };
    let begin = Instant::now();
    let error = fetch(settings, &server.url("/a")).await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Unavailable);
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
}

#[actix_web::test]
async fn a_failure_that_passes_is_retried() {
    let server = Server::start(|request, asked| match asked {
        0 | 1 => HttpResponse::ServiceUnavailable().finish(),
        _ => echo(request, asked),
    });
    assert!(
        fetch(settings(&server.url("")), &server.url("/a"))
            .await
            .unwrap()
            .starts_with("/a ")
    );
    assert_eq!(server.asked(), 3);
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
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    drop(listener);
    let error = fetch(settings(&url), &url).await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Unavailable);
    assert!(error.message.contains(&url), "{error}");
}

#[actix_web::test]
async fn https_wants_a_certificate() {
    let server = Server::start(echo);
    let url = format!("https://{}/a", server.address);
    let error = fetch(settings(&url), &url).await.unwrap_err();
    // Refused: a machine without root certificates.
    assert!(
        matches!(
            error.fault,
            ReferenceFault::Unavailable | ReferenceFault::Refused
        ),
        "{error}"
    );
    assert_eq!(server.asked(), 0);
}
