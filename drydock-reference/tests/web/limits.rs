//! How much, how long and how often.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use drydock_model::reference::ReferenceFault;
use drydock_reference::ReferenceSettings;

use crate::server::{Server, echo, fetch, settings};

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
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    drop(listener);
    let error = fetch(settings(&url), &url).await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Unavailable);
    assert!(error.message.contains(&url), "{error}");
}

/// Answers one request with a head and then whatever `send` does with the connection.
fn raw_server<T: Send + 'static>(
    send: impl FnOnce(std::net::TcpStream) -> T + Send + 'static,
) -> (String, thread::JoinHandle<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            .unwrap();
        send(stream)
    });
    (url, thread)
}

/// What a server ended with. Waits beside the runtime, which has connections to close.
async fn joined<T: Send + 'static>(server: thread::JoinHandle<T>) -> T {
    let ended = tokio::task::spawn_blocking(move || server.join());
    ended.await.unwrap().unwrap()
}

#[actix_web::test]
async fn a_stream_without_end_is_cut_off() {
    const LIMIT: u64 = 4 << 20;
    // A gigabyte, if it is let; how much was taken says how much was read.
    let (url, server) = raw_server(|mut stream| {
        let chunk = vec![b'x'; 1 << 16];
        let mut sent: u64 = 0;
        while sent < 1 << 30 && stream.write_all(&chunk).is_ok() {
            sent += 1 << 16;
        }
        sent
    });
    let settings = ReferenceSettings {
        max_bytes: LIMIT,
        ..settings(&url)
    };
    let error = fetch(settings, &url).await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::TooLarge, "{error}");
    let sent = joined(server).await;
    // What was read, and what the two sockets hold.
    assert!((LIMIT..LIMIT + (32 << 20)).contains(&sent), "{sent} bytes");
}

#[actix_web::test]
async fn a_body_that_drips_ends_with_the_deadline() {
    let (url, server) = raw_server(|mut stream| {
        let pause = Duration::from_millis(20);
        while stream.write_all(b"x").is_ok() {
            thread::sleep(pause);
        }
    });
    let settings = ReferenceSettings {
        deadline: Duration::from_millis(400),
        max_bytes: 1 << 20,
        ..settings(&url)
    };
    let begin = Instant::now();
    let error = fetch(settings, &url).await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Unavailable);
    assert!(error.message.contains("400ms"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    // The connection is closed, too, or this would not end.
    joined(server).await;
}

#[actix_web::test]
async fn a_host_that_takes_no_connection_is_given_up() {
    // With its queue full, Linux drops what asks for a connection.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = tokio::time::timeout(
        Duration::from_millis(200),
        tokio::net::TcpStream::connect(address),
    )
    .await
    {
        queued.push(stream.unwrap());
        assert!(queued.len() < 100, "the queue has no end");
    }
    let url = format!("http://{address}/a");
    let settings = ReferenceSettings {
        connect_timeout: Duration::from_millis(100),
        attempts: 2,
        ..settings(&url)
    };
    let begin = Instant::now();
    let error = fetch(settings, &url).await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Unavailable);
    assert!(error.message.contains("did not answer in time"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(4));
}

#[actix_web::test]
async fn a_server_is_left_alone_for_as_long_as_it_asks() {
    let server = Server::start(|request, asked| match asked {
        0 => HttpResponse::TooManyRequests()
            .insert_header(("retry-after", "1"))
            .finish(),
        _ => echo(request, asked),
    });
    let begin = Instant::now();
    fetch(settings(&server.url("")), &server.url("/a"))
        .await
        .unwrap();
    assert_eq!(server.asked(), 2);
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[actix_web::test]
async fn no_pause_is_begun_that_the_deadline_would_cut_short() {
    let server = Server::start(|_, _| {
        HttpResponse::ServiceUnavailable()
            .insert_header(("retry-after", "20"))
            .finish()
    });
    let settings = ReferenceSettings {
        deadline: Duration::from_secs(10),
        ..settings(&server.url(""))
    };
    let begin = Instant::now();
    let error = fetch(settings, &server.url("/a")).await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::Unavailable);
    assert!(error.message.contains("503"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(server.asked(), 1);
}

#[actix_web::test]
async fn a_connection_that_breaks_off_is_tried_again_from_the_start() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        for sent in ["ab", "abcd"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).unwrap() > 0);
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n{sent}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    assert_eq!(fetch(settings(&url), &url).await.unwrap(), "abcd");
    joined(server).await;
}
