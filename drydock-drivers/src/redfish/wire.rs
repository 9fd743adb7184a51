//! One request and its answer, over HTTPS: what is sent with it, how much is read, and whose session it is.
//!
//! Whatever address an answer names, only its path is used: nothing is ever sent to another host.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drydock_model::driver::DriverError;
use reqwest::header::{
    AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_MATCH, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::RedfishSettings;
use super::trouble::{Refusal, Trouble};
use crate::oob::account::Account;

/// Longest body that is read. Pages of an event log have some hundred kB.
const MAX_BODY: usize = 8 << 20;
/// Longest pause that an answer may ask for.
const LONGEST_PAUSE: u64 = 600;
/// As long as a connection needs to be ready for the next request. Asked earlier, the client would open a second one, which occupies a
/// BMC for nothing.
const RETURN: Duration = Duration::from_millis(2);
/// How often a request is sent again that was put off, and for how long at most.
const PUT_OFF: u32 = 3;
const MOMENT: Duration = Duration::from_secs(5);
/// How long the end of a session may take.
const FAREWELL: Duration = Duration::from_secs(5);
/// BMCs close connections that are idle for a few seconds.
const IDLE: Duration = Duration::from_secs(3);

/// The client of a process; it keeps connections for all BMCs.
///
/// # Errors
/// What is wrong with the settings for TLS.
pub(super) fn client(settings: &RedfishSettings) -> Result<reqwest::Client, DriverError> {
    reqwest::Client::builder()
        .user_agent(concat!("drydock/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(settings.tls.client()?)
        .connect_timeout(settings.timeout.min(Duration::from_secs(10)))
        .timeout(settings.timeout)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1)
        .build()
        .map_err(|error| {
            DriverError::permanent(
                "setting up the redfish driver",
                "settings oob.redfish",
                error.to_string(),
                "report this as a defect",
            )
        })
}

/// How we prove who we are.
#[derive(Clone, Debug)]
enum Proof {
    /// Not at all: what anybody may read.
    None,
    /// The token of a session, and the path of that session.
    Session {
        token: SecretString,
        path: Option<String>,
    },
    /// User and password with each request, as the value of its header.
    Basic(SecretString),
    /// The same, since all session slots are used up.
    InsteadOfSession(SecretString),
}

/// An answer that is no error.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) location: Option<String>,
    pub(super) retry_after: Option<Duration>,
    token: Option<SecretString>,
}

/// The way to one BMC.
pub(super) struct Wire {
    http: reqwest::Client,
    base: Url,
    proof: Mutex<Proof>,
    /// Pause between two requests, and when the last one ended.
    pace: Mutex<(Duration, Option<Instant>)>,
    /// Counts what is sent.
    requests: Arc<AtomicU64>,
    put_off: AtomicBool,
}

impl Wire {
    pub(super) fn new(
        http: reqwest::Client,
        address: SocketAddr,
        requests: Arc<AtomicU64>,
    ) -> Result<Self, Trouble> {
        let base = Url::parse(&format!("https://{address}/"))
            .map_err(|error| Trouble::Unreachable(error.to_string()))?;
        Ok(Wire {
            http,
            base,
            proof: Mutex::new(Proof::None),
            pace: Mutex::default(),
            requests,
            put_off: AtomicBool::default(),
        })
    }

    /// From now on this long passes between two requests.
    pub(super) fn set_gap(&self, gap: Duration) {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).0 = gap;
    }

    fn proof(&self) -> Proof {
        self.proof
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_proof(&self, proof: Proof) {
        *self.proof.lock().unwrap_or_else(PoisonError::into_inner) = proof;
    }

    /// Opens a session (DSP0266, section "Redfish session login authentication").
    pub(super) async fn log_in(&self, sessions: &str, account: &Account) -> Result<(), Trouble> {
        let body = serde_json::json!({
            "UserName": account.user,
            "Password": account.password.expose_secret(),
        });
        let sent = self.send(Method::POST, sessions, Some(&body), None).await;
        let answer = sent.map_err(|trouble| match trouble {
            // The service may quote the password that it refuses.
            Trouble::Refused(refusal) => {
                Trouble::Refused(refusal.without_quotes(account.password.expose_secret()))
            }
            Trouble::Credentials(said) if said.contains(account.password.expose_secret()) => {
                Trouble::Credentials("401".to_owned())
            }
            other => other,
        })?;
        let token = answer
            .token
            .ok_or_else(|| Trouble::Garbage("a new session without X-Auth-Token".to_owned()))?;
        let id = answer.body["@odata.id"].as_str().map(str::to_owned);
        let path = answer.location.or(id);
        self.set_proof(Proof::Session { token, path });
        Ok(())
    }

    /// Sends user and password with each request from now on.
    pub(super) fn use_basic(&self, account: &Account) {
        self.set_proof(Proof::Basic(basic(account)));
    }

    /// The same, since all session slots are used up: that it may be refused says nothing of the credentials.
    pub(super) fn use_basic_instead(&self, account: &Account) {
        self.set_proof(Proof::InsteadOfSession(basic(account)));
    }

    /// Ends the session, if there is one.
    pub(super) async fn log_out(&self) -> Result<(), Trouble> {
        let Proof::Session {
            path: Some(path), ..
        } = self.proof()
        else {
            return Ok(());
        };
        let sent = self.send(Method::DELETE, &path, None, None);
        let ended = tokio::time::timeout(FAREWELL, sent).await;
        self.set_proof(Proof::None);
        match ended {
            Ok(ended) => ended.map(|_| ()),
            Err(_) => Err(Trouble::Silent("in time for a farewell".to_owned())),
        }
    }

    /// Sends one request. What is refused is an error; 401 is a lost session, or refused credentials where there is none. What is put
    /// off for a moment is sent again after it: otherwise a command of several requests might never get through.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        if_match: Option<&str>,
    ) -> Result<Answer, Trouble> {
        let mut left = PUT_OFF;
        loop {
            let outcome = self.send_once(method.clone(), path, body, if_match).await;
            let moment = match &outcome {
                Err(Trouble::Refused(refusal)) => refusal.moment(),
                _ => None,
            };
            let Some(moment) = moment.filter(|moment| *moment <= MOMENT && left > 0) else {
                return outcome;
            };
            left -= 1;
            self.put_off.store(true, Ordering::Relaxed);
            tokio::time::sleep(moment).await;
        }
    }

    /// Whether a request was put off since this was last asked.
    pub(super) fn was_put_off(&self) -> bool {
        self.put_off.swap(false, Ordering::Relaxed)
    }

    async fn send_once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        if_match: Option<&str>,
    ) -> Result<Answer, Trouble> {
        self.pause().await;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let outcome = self.exchange(method.clone(), path, body, if_match).await;
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(Instant::now());
        tracing::debug!(
            bmc = %self.base,
            call = %format!("{method} {path}"),
            status = outcome.as_ref().map_or_else(Trouble::status, |answer| Some(answer.status)),
            ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "redfish answered"
        );
        outcome
    }

    async fn pause(&self) {
        let (gap, last) = *self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = gap.max(RETURN);
        if let Some(rest) = last.and_then(|last| gap.checked_sub(last.elapsed())) {
            tokio::time::sleep(rest).await;
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        if_match: Option<&str>,
    ) -> Result<Answer, Trouble> {
        let reads = method == Method::GET;
        let proof = self.proof();
        let mut request = self
            .http
            .request(method, self.at(path))
            .headers(headers(&proof, if_match)?);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| lost(&error))?;
        let status = response.status();
        let answer = Answer {
            status: status.as_u16(),
            location: text(response.headers(), LOCATION.as_str()).map(|text| path_of(&text)),
            retry_after: retry_after(response.headers()),
            token: text(response.headers(), "X-Auth-Token").map(Into::into),
            body: Value::Null,
        };
        let etag = text(response.headers(), ETAG.as_str());
        let bytes = read(response).await?;
        let parsed: Result<Value, _> = serde_json::from_slice(&bytes);
        if status.is_success() {
            let mut body = match parsed {
                Ok(body) => body,
                Err(error) if reads && status != StatusCode::NO_CONTENT => {
                    return Err(garbage(&bytes, &error));
                }
                Err(_) => Value::Null,
            };
            // The body's own tag is the one to believe: some services quote that of the header twice
            // (ansible-collections/community.general pull request 3268).
            if let (Some(etag), Some(fields)) = (etag, body.as_object_mut()) {
                fields.entry("@odata.etag").or_insert(Value::String(etag));
            }
            return Ok(Answer { body, ..answer });
        }
        let body = parsed.unwrap_or(Value::Null);
        let mut refusal = Refusal::of(status.as_u16(), &body, answer.retry_after);
        if refusal.text.is_empty() {
            refusal.text = status.canonical_reason().unwrap_or("").to_owned();
        }
        Err(match (status, proof) {
            // What it says of credentials may quote them; the ids of its messages do not.
            (StatusCode::UNAUTHORIZED, Proof::Basic(_) | Proof::None) => {
                Trouble::Credentials(format!("401 {}", refusal.words.join(" ")))
            }
            (StatusCode::UNAUTHORIZED, Proof::InsteadOfSession(_)) => Trouble::SessionsOnly,
            (StatusCode::UNAUTHORIZED, Proof::Session { .. }) => Trouble::SessionLost,
            _ => Trouble::Refused(refusal),
        })
    }

    /// This path on the BMC itself.
    fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let path = path_of(path);
        let (path, query) = path
            .split_once('?')
            .map_or((path.as_str(), None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query);
        url
    }
}

fn basic(account: &Account) -> SecretString {
    let both = format!("{}:{}", account.user, account.password.expose_secret());
    format!("Basic {}", STANDARD.encode(both)).into()
}

/// Path and query of a reference, which may be a whole URL.
pub(super) fn path_of(reference: &str) -> String {
    match Url::parse(reference) {
        Ok(url) => url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
        Err(_) => reference.split('#').next().unwrap_or_default().to_owned(),
    }
}

fn headers(proof: &Proof, if_match: Option<&str>) -> Result<HeaderMap, Trouble> {
    let mut headers = HeaderMap::new();
    headers.insert("OData-Version", HeaderValue::from_static("4.0"));
    headers.insert("Accept", HeaderValue::from_static("application/json"));
    let (name, secret) = match proof {
        Proof::None => (None, None),
        Proof::Session { token, .. } => (Some("X-Auth-Token"), Some(token)),
        Proof::Basic(value) | Proof::InsteadOfSession(value) => {
            (Some(AUTHORIZATION.as_str()), Some(value))
        }
    };
    if let (Some(name), Some(secret)) = (name, secret) {
        let mut value = HeaderValue::from_str(secret.expose_secret())
            .map_err(|_| Trouble::Garbage("a token that no header can hold".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    if let Some(etag) = if_match {
        let value = HeaderValue::from_str(etag)
            .map_err(|_| Trouble::Garbage("an entity tag that no header can hold".to_owned()))?;
        headers.insert(IF_MATCH, value);
    }
    Ok(headers)
}

async fn read(mut response: Response) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + part.len() > MAX_BODY {
            return Err(Trouble::Garbage(format!(
                "it is longer than {} MiB",
                MAX_BODY >> 20
            )));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

fn garbage(bytes: &[u8], error: &serde_json::Error) -> Trouble {
    // A body that was cut off counts as lost.
    if error.is_eof() && !bytes.is_empty() {
        return Trouble::Silent("the answer ends in the middle".to_owned());
    }
    Trouble::Garbage(format!(
        "no JSON (line {}, column {})",
        error.line(),
        error.column()
    ))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Seconds; a date is not understood, and as good as nothing.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = text(headers, RETRY_AFTER.as_str())?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_PAUSE)))
}

fn lost(error: &reqwest::Error) -> Trouble {
    let mut causes: Vec<String> = Vec::new();
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(why) = untrusted(cause) {
            return Trouble::Certificate(why);
        }
        let text = cause.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        source = cause.source();
    }
    // The first is the request's own, which says no more than where it went.
    let why = causes.get(1..).filter(|rest| !rest.is_empty());
    let why = why.map_or_else(|| causes.join(": "), |rest| rest.join(": "));
    if error.is_connect() {
        Trouble::Unreachable(why)
    } else {
        Trouble::Silent(why)
    }
}

/// What the verifier has against a certificate, if that is what is wrong: its own errors name the fingerprint that was shown.
fn untrusted(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(io) = error.downcast_ref::<std::io::Error>() {
        return io.get_ref().and_then(|inner| untrusted(inner));
    }
    match error.downcast_ref::<rustls::Error>()? {
        rustls::Error::General(why) => Some(why.clone()),
        other @ rustls::Error::InvalidCertificate(_) => Some(other.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_reference_never_leads_to_another_host() {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(super::super::TlsPolicy::default().client().unwrap())
            .build()
            .unwrap();
        let wire = Wire::new(http, "127.0.0.9:8443".parse().unwrap(), Arc::default()).unwrap();
        for (reference, path) in [
            ("/redfish/v1/Systems/1", "/redfish/v1/Systems/1"),
            ("https://10.0.0.1/redfish/v1/X?a=b", "/redfish/v1/X?a=b"),
            ("//10.0.0.1/redfish/v1", "//10.0.0.1/redfish/v1"),
            ("@10.0.0.1/x", "/@10.0.0.1/x"),
            ("/redfish/v1/A#/B", "/redfish/v1/A"),
            ("", "/"),
        ] {
            let url = wire.at(reference);
            assert_eq!(url.host_str(), Some("127.0.0.9"), "{reference}");
            assert_eq!(url.port(), Some(8443), "{reference}");
            let rest = &url[url::Position::BeforePath..];
            assert_eq!(rest, path, "{reference}");
        }
    }
}
