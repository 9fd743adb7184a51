//! One request, from the wire to the wire: faults, credentials, the resource, the call log.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use serde_json::Value;

use super::answer::Reply;
use super::{Service, State, read, session, write};

/// Largest request body taken.
const BODY_LIMIT: usize = 1 << 20;
/// What a delay is cut to.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the simulated service closes the connection on purpose")]
pub(super) struct CutOff;

/// A request that was read.
pub(super) struct Asked {
    pub(super) method: String,
    /// As it came, without a query.
    pub(super) path: String,
    pub(super) if_match: Option<String>,
    pub(super) body: Value,
}

impl Asked {
    /// The parts of the path below `/redfish/v1`; none if it is not there.
    pub(super) fn below_root(&self) -> Option<Vec<&str>> {
        let rest = self.path.strip_prefix("/redfish/v1")?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return None;
        }
        Some(rest.split('/').filter(|part| !part.is_empty()).collect())
    }
}

impl Service {
    /// Waits while nothing of the service is to be seen; whether the connection is to be closed then.
    pub(super) async fn unreachable(&self) -> bool {
        let mut changes = self.faults.changes();
        let mut silent = false;
        while self.faults().bmc_silent {
            silent = true;
            if changes.changed().await.is_err() {
                break;
            }
        }
        silent || self.state().pace.away()
    }
}

/// Answers a request.
pub(super) async fn handle(
    service: &Service,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, CutOff> {
    if service.unreachable().await {
        return Err(CutOff);
    }
    let faults = service.faults();
    let crashes = {
        let mut state = service.state();
        let restart = Duration::from_millis(faults.bmc.crash_ms);
        if state.pace.one_too_many(faults.bmc.crashes_above, restart) {
            state.sessions.forget();
        }
        if state.pace.away() {
            return Err(CutOff);
        }
        state.pace.crashes
    };
    let delay = Duration::from_millis(faults.bmc.delay_ms).min(LONGEST_DELAY);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let (head, body) = request.into_parts();
    let read = Limited::new(body, BODY_LIMIT).collect().await;
    let (method, path) = (head.method.to_string(), head.uri.path().to_owned());
    let Ok(body) = read.map(http_body_util::Collected::to_bytes) else {
        return Err(CutOff);
    };
    let cut = {
        let mut state = service.state();
        if state.pace.crashes != crashes {
            return Err(CutOff);
        }
        state.requests += 1;
        let every = u64::from(service.ways().is.cuts_off_every);
        every != 0 && state.requests.is_multiple_of(every)
    };
    let parsed = if body.is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_slice(&body)
    };
    let if_match = head.headers.get("If-Match");
    let asked = Asked {
        method,
        path,
        if_match: if_match
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        body: parsed.as_ref().cloned().unwrap_or_default(),
    };
    let reply = if parsed.is_ok() {
        service.answer(&head.headers, &asked)
    } else {
        Reply::refusal(
            400,
            "Base.1.18.MalformedJSON",
            "The request body submitted was malformed JSON and could not be parsed by the receiving service.",
        )
    };
    let status = (!cut).then_some(reply.status);
    service.note(&asked.method, &asked.path, status);
    if cut {
        return Err(CutOff);
    }
    Ok(reply.into_response())
}

impl Service {
    fn answer(&self, headers: &hyper::HeaderMap, asked: &Asked) -> Reply {
        let mut state = self.state();
        let faults = self.faults();
        let ways = self.ways();
        state
            .sessions
            .settle(ways.session_life(), faults.bmc_wrong_password);
        self.settle_tasks(&mut state);
        let busy = faults.bmc.busy_every.map_or(0, u64::from);
        if busy != 0 && state.requests.is_multiple_of(busy) {
            return Reply::refusal(
                503,
                "Base.1.18.ServiceTemporarilyUnavailable",
                "The service is temporarily unavailable. Retry later.",
            )
            .with("Retry-After", ways.retry_after().to_string());
        }
        self.dispatch(headers, asked, &mut state)
            .unwrap_or_else(|refusal| refusal)
    }

    fn dispatch(
        &self,
        headers: &hyper::HeaderMap,
        asked: &Asked,
        state: &mut State,
    ) -> Result<Reply, Reply> {
        if asked.path.trim_end_matches('/') == "/redfish" && asked.method == "GET" {
            return Ok(read::versions());
        }
        let Some(path) = asked.below_root() else {
            return Err(Reply::missing(&asked.path));
        };
        let log_in = asked.method == "POST"
            && asked.path.trim_end_matches('/') == session::SESSIONS
            && !self.ways().is.no_sessions;
        if log_in {
            return Ok(self.log_in(&asked.body, state));
        }
        let open = asked.method == "GET" && matches!(path.as_slice(), [] | ["odata"]);
        if !open {
            self.admit(headers, state)?;
        }
        match asked.method.as_str() {
            "GET" => self.read(&path, state).ok_or(Reply::missing(&asked.path)),
            "POST" | "PATCH" | "DELETE" => write::write(self, asked, &path, state),
            _ => Err(Reply::refusal(
                405,
                "Base.1.18.OperationNotAllowed",
                "The HTTP method is not allowed on this resource.",
            )
            .with("Allow", self.allowed(&path))),
        }
    }
}
