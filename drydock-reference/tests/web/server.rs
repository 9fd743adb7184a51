//! A server that says what it was asked, and how references are fetched from it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use drydock_model::reference::{ReferenceError, References};
use drydock_reference::{Fetcher, ReferenceSettings};

/// A server on a free port, whose one handler counts what it is asked.
pub struct Server {
    pub address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(answer: fn(&HttpRequest, usize) -> HttpResponse) -> Server {
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

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

pub fn settings(allow: &str) -> ReferenceSettings {
    ReferenceSettings {
        allow_refs: vec![allow.to_owned()],
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(5),
        back_off: Duration::from_millis(1),
        max_bytes: 1000,
        ..ReferenceSettings::default()
    }
}

pub async fn fetch(settings: ReferenceSettings, uri: &str) -> Result<String, ReferenceError> {
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
pub fn echo(request: &HttpRequest, _: usize) -> HttpResponse {
    HttpResponse::Ok().body(format!(
        "{} host={} authorization={} token={}",
        request.uri(),
        header(request, "host"),
        header(request, "authorization"),
        header(request, "x-auth-token"),
    ))
}
