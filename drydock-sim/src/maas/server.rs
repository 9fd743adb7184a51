//! The HTTP door of the region: credentials, faults, journal, and the API behind them.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actix_web::dev::Server;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use chrono::Utc;

use super::form::Form;
use super::region::{Region, SharedRegion};
use super::request::{Answer, Body, Reply, Request, Verb};
use super::router;
use crate::call_log::{Call, CallLog};
use crate::error::SimError;
use crate::faults::{FaultBoard, Hit};

const PREFIX: &str = "/MAAS/api/2.0/";
/// Largest request body taken; user data of a deployment is the largest there is.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// What the door needs.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) region: SharedRegion,
    pub(crate) faults: FaultBoard,
    pub(crate) log: CallLog,
    pub(crate) in_flight: Arc<AtomicU32>,
}

/// Counts a request as long as it is being served.
struct InFlight<'a>(&'a AtomicU32);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves the API on `listener` until the server is stopped.
pub(crate) fn serve(listener: TcpListener, door: Door) -> Result<Server, SimError> {
    let door = Data::new(door);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(door.clone())
            .app_data(web::PayloadConfig::new(BODY_LIMIT))
            .default_service(web::to(handle))
    });
    let bound = server
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)
        .map_err(|source| SimError::Http {
            what: "MaaS region",
            source,
        })?;
    Ok(bound.run())
}

async fn handle(http: HttpRequest, body: Bytes, door: Data<Door>) -> HttpResponse {
    let in_flight = door.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
    let _counted = InFlight(&door.in_flight);
    let content_type = header(&http, CONTENT_TYPE).unwrap_or_default();
    let query = Form::urlencoded(http.query_string());
    let form = Form::body(content_type, &body).unwrap_or_default();
    let op = query
        .get("op")
        .or_else(|| form.get("op"))
        .map(str::to_owned);
    let path = http.path().to_owned();
    let below = path.strip_prefix(PREFIX).unwrap_or(&path).to_owned();
    let fields = journal_fields(&query, &form);
    let fault = door
        .faults
        .maas(http.method().as_str(), &below, op.as_deref());
    if !fault.delay.is_zero() {
        tokio::time::sleep(fault.delay).await;
    }
    let request = verb(&http).map(|verb| Request {
        verb,
        path: below.split('/').filter(|part| !part.is_empty()).collect(),
        op: op.clone(),
        query,
        form,
    });
    let reply = match request {
        Some(request) => answer(&door, &http, &request, fault),
        None => Reply::text(405, "Method Not Allowed"),
    };
    door.log.push(Call::Maas {
        method: http.method().to_string(),
        path: without_key(&below),
        op,
        fields,
        status: reply.status,
        in_flight,
    });
    render(reply, fault.retry_after)
}

fn header(http: &HttpRequest, name: actix_web::http::header::HeaderName) -> Option<&str> {
    http.headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
}

fn verb(http: &HttpRequest) -> Option<Verb> {
    match http.method().as_str() {
        "GET" => Some(Verb::Get),
        "POST" => Some(Verb::Post),
        "PUT" => Some(Verb::Put),
        "DELETE" => Some(Verb::Delete),
        _ => None,
    }
}

fn answer(door: &Door, http: &HttpRequest, request: &Request, fault: Hit) -> Reply {
    let mut region = door.region.lock();
    let broken = |status| Reply::text(status, "the simulated region answers this on purpose");
    match fault.status {
        Some(status) if !fault.after_work => {
            // The nonce is used up all the same, unless a 500 rolls it back.
            if let Some(authorization) = header(http, AUTHORIZATION)
                && let Ok(nonce) = region.gate.check(authorization, Utc::now().timestamp())
                && status == 500
            {
                region.gate.roll_back(&nonce);
            }
            broken(status)
        }
        lost => {
            let reply = guarded(&mut region, http, request).unwrap_or_else(|early| early);
            lost.map_or(reply, broken)
        }
    }
}

/// Path and credentials first, then the resource.
fn guarded(region: &mut Region, http: &HttpRequest, request: &Request) -> Answer {
    let path = http.path();
    let bare_partition = matches!(
        request.path.as_slice(),
        ["nodes", _, "blockdevices", _, "partition", _]
    );
    if !path.starts_with(PREFIX) || !(path.ends_with('/') || bare_partition) {
        return Err(router::unknown(path));
    }
    if request.path.as_slice() == ["version"] && request.verb == Verb::Get {
        return Ok(router::version());
    }
    let Some(authorization) = header(http, AUTHORIZATION) else {
        // Resources with an anonymous side do not know the operation; the others want credentials.
        return Err(match request.path.first() {
            Some(&("users" | "account")) => Reply::text(401, "Authorization Error: no credentials"),
            _ => request.unrecognised(),
        });
    };
    let nonce = region.gate.check(authorization, Utc::now().timestamp())?;
    let reply = router::route(region, request, path).unwrap_or_else(|early| early);
    if reply.status == 500 {
        region.gate.roll_back(&nonce);
    }
    Ok(reply)
}

fn render(reply: Reply, retry_after: Option<u32>) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if reply.status == 401 {
        response.insert_header(("WWW-Authenticate", "OAuth realm=\"OAuth\""));
    }
    if let Some(seconds) = retry_after {
        response.insert_header(("Retry-After", seconds.to_string()));
    }
    match reply.body {
        Body::Json(value) => response.json(value),
        Body::Text(text) => response
            .content_type("text/plain; charset=utf-8")
            .body(text),
        Body::Bson(bytes) => response.content_type("application/bson").body(bytes),
        Body::Empty => response.finish(),
    }
}

/// Fields for the journal; what is or may hold a secret is left out.
fn journal_fields(query: &Form, form: &Form) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in query
        .iter()
        .chain(form.iter())
        .filter(|(key, _)| *key != "op")
    {
        let secret = ["pass", "user_data", "k_g", "secret", "token"]
            .iter()
            .any(|word| key.contains(word));
        let value = if secret {
            "***".to_owned()
        } else {
            without_key(value)
        };
        fields.entry(key.to_owned()).or_default().push(value);
    }
    fields
}

/// A tag name or path without the boot-action key it may carry.
fn without_key(text: &str) -> String {
    const MARK: &str = "__baid__";
    match text.split_once(MARK) {
        None => text.to_owned(),
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            format!("{before}{MARK}***{rest}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_holds_no_secrets() {
        let form = Form::urlencoded(
            "power_parameters_power_pass=p&name=n1__baid__00ffab&hostname=n1&op=x",
        );
        let fields = journal_fields(&Form::default(), &form);
        assert_eq!(fields["power_parameters_power_pass"], ["***"]);
        assert_eq!(fields["name"], ["n1__baid__***"]);
        assert_eq!(fields["hostname"], ["n1"]);
        assert!(!fields.contains_key("op"));
        assert_eq!(without_key("tags/n1__baid__12ab/"), "tags/n1__baid__***/");
    }
}
