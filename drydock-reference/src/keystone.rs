//! Tokens of a Keystone (Identity API v3, password authentication): fetched once, shared by all who ask meanwhile, and
//! fetched anew when they near their end or a peer refuses them.

mod answer;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use drydock_model::reference::{ReferenceError, ReferenceFault};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Method, StatusCode};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::host_map::HostMap;
use crate::http::{Http, body, may_pass, retry_after, unanswered};
use crate::retry::Failure;
use crate::settings::{KeystoneSettings, ReferenceSettings};

/// Longest answer that is read, bytes. Without its catalogue a token has about one thousand.
const MAX_ANSWER: u64 = 1 << 20;

/// A token is not used in its last minute, or, if it is short-lived, in the last quarter of its life.
const LONGEST_MARGIN: Duration = Duration::from_secs(60);

/// A Keystone, and the token that it gave last.
pub(crate) struct Keystone {
    settings: KeystoneSettings,
    place: Place,
    http: Http,
    /// How long one token may take to come.
    patience: Duration,
    /// Whoever fetches holds the lock, so that the others wait for what it gets.
    state: Mutex<State>,
}

/// A token as a header. Its `Debug` hides it.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    value: HeaderValue,
    /// Which one it is, counted from the first.
    number: u64,
    renew_at: Instant,
}

/// The URL that gives tokens; shown without user info, which it does not have.
struct Place(Url);

#[derive(Default)]
struct State {
    fetched: u64,
    token: Option<Token>,
    /// The last fetch, if it failed, and when it ended.
    failed: Option<(Instant, Failure)>,
}

impl Token {
    /// What `X-Auth-Token` is set to.
    pub(crate) fn header(&self) -> HeaderValue {
        self.value.clone()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keystone at {}", self.0)
    }
}

impl Keystone {
    /// A Keystone with these settings; reads the file of certificates, sends nothing.
    ///
    /// # Errors
    /// The setting that cannot be used.
    pub(crate) fn new(
        keystone: KeystoneSettings,
        references: &ReferenceSettings,
        map: HostMap,
    ) -> Result<Keystone, ReferenceError> {
        let place = Place(tokens_url(&keystone.auth_url)?);
        let roots = match &keystone.ca_file {
            None => Vec::new(),
            Some(path) => certificates(path)?,
        };
        Ok(Keystone {
            place,
            http: Http::new(references, map, roots)?,
            patience: references
                .connect_timeout
                .saturating_add(references.read_timeout),
            settings: keystone,
            state: Mutex::default(),
        })
    }

    /// The token that is good now. Callers that come while one is fetched share what comes of it, be it a token or a
    /// failure.
    ///
    /// # Errors
    /// Keystone refuses the login (permanent) or does not answer (transient).
    pub(crate) async fn token(&self) -> Result<Token, Failure> {
        let came = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(token) = state.token.as_ref().filter(|t| Instant::now() < t.renew_at) {
            return Ok(token.clone());
        }
        if let Some((ended, failure)) = &state.failed
            && *ended >= came
        {
            return Err(failure.clone());
        }
        state.token = None;
        match self.fetch(state.fetched + 1).await {
            Ok(token) => {
                tracing::debug!(number = token.number, "Keystone gave a token");
                state.fetched = token.number;
                state.failed = None;
                state.token = Some(token.clone());
                Ok(token)
            }
            Err(failure) => {
                state.failed = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    /// Forgets a token that a peer refused, unless another one has taken its place already.
    pub(crate) async fn refused(&self, token: &Token) {
        let mut state = self.state.lock().await;
        if state
            .token
            .as_ref()
            .is_some_and(|current| current.number == token.number)
        {
            state.token = None;
        }
    }

    async fn fetch(&self, number: u64) -> Result<Token, Failure> {
        let begin = Instant::now();
        let response = self
            .http
            .request(Method::POST, &self.place.0, &self.place)?
            .header(CONTENT_TYPE, "application/json")
            .timeout(self.patience)
            .body(self.login())
            .send()
            .await
            .map_err(|error| unanswered(error, &self.place))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if !status.is_success() {
            return Err(self.refusal(status, &headers));
        }
        let body = body(response, MAX_ANSWER, &self.place).await?;
        let granted = answer::read(&headers, &body).map_err(|why| {
            let message = format!(
                "{} answered {status} without a token that can be used: {why}; is \
                 references.keystone.auth_url that of an Identity API v3?",
                self.place
            );
            ReferenceError::new(ReferenceFault::Refused, message)
        })?;
        let margin = LONGEST_MARGIN.min(granted.lifetime / 4);
        Ok(Token {
            value: granted.token,
            number,
            renew_at: begin + (granted.lifetime - margin),
        })
    }

    /// The body of the request (Identity API v3, "Password authentication with scoped authorization").
    fn login(&self) -> Vec<u8> {
        let KeystoneSettings {
            username,
            password,
            user_domain,
            project,
            project_domain,
            ..
        } = &self.settings;
        let user = json!({
            "name": username,
            "domain": {"name": user_domain},
            "password": password.expose_secret(),
        });
        let request = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": project, "domain": {"name": project_domain}}},
        }});
        request.to_string().into_bytes()
    }

    fn refusal(&self, status: StatusCode, headers: &HeaderMap) -> Failure {
        let (fault, next) = match status.as_u16() {
            _ if may_pass(status) => (
                ReferenceFault::Unavailable,
                "try again when Keystone is well",
            ),
            401 | 403 => (
                ReferenceFault::Refused,
                "it does not take the login; check references.keystone.username, password, user_domain, project and \
                 project_domain",
            ),
            _ => (
                ReferenceFault::Refused,
                "check references.keystone.auth_url, which names the Identity API v3 itself",
            ),
        };
        let message = format!("{} answered {status}; {next}", self.place);
        Failure {
            error: ReferenceError::new(fault, message),
            retry_after: retry_after(headers),
        }
    }
}

/// Where tokens are asked for: `auth_url` with or without its `/v3`. The catalogue, which is long, is left out.
fn tokens_url(auth_url: &str) -> Result<Url, ReferenceError> {
    let faulty = |why: &str| {
        let message = format!(
            "references.keystone.auth_url cannot be used: {why}; write it as https://keystone.example:5000/v3"
        );
        ReferenceError::new(ReferenceFault::Malformed, message)
    };
    let mut url = Url::parse(auth_url.trim()).map_err(|error| faulty(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(faulty("its scheme is neither http nor https"));
    }
    let plain = url.username().is_empty() && url.password().is_none();
    if !plain || url.query().is_some() || url.fragment().is_some() {
        return Err(faulty("it has user info, a query or a fragment"));
    }
    let base = url.path().trim_end_matches('/');
    let version = if base.ends_with("/v3") { "" } else { "/v3" };
    let path = format!("{base}{version}/auth/tokens");
    url.set_path(&path);
    url.set_query(Some("nocatalog"));
    Ok(url)
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, ReferenceError> {
    let faulty = |why: String| {
        let message = format!(
            "references.keystone.ca_file: {}: {why}; name a file of PEM certificates",
            path.display()
        );
        ReferenceError::new(ReferenceFault::Malformed, message)
    };
    let pem = std::fs::read(path).map_err(|error| faulty(error.to_string()))?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| faulty(error.to_string()))?;
        let usable = |certificate: &CertificateDer<'static>| {
            // One that is no certificate would only show up at the first login.
            RootCertStore::empty()
                .add(certificate.clone())
                .map_err(|error| error.to_string())?;
            Certificate::from_der(certificate).map_err(|error| error.to_string())
        };
        certificates.push(usable(&certificate).map_err(&faulty)?);
    }
    if certificates.is_empty() {
        return Err(faulty("it holds no certificate".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_place_of_tokens() {
        for (auth_url, place) in [
            (
                "http://k.example:5000",
                "http://k.example:5000/v3/auth/tokens?nocatalog",
            ),
            (
                "http://k.example:5000/v3",
                "http://k.example:5000/v3/auth/tokens?nocatalog",
            ),
            (
                "https://k.example/identity/v3/",
                "https://k.example/identity/v3/auth/tokens?nocatalog",
            ),
            (
                "https://k.example/identity/",
                "https://k.example/identity/v3/auth/tokens?nocatalog",
            ),
        ] {
            assert_eq!(tokens_url(auth_url).unwrap().as_str(), place);
        }
    }

    #[test]
    fn a_faulty_place_is_not_shown() {
        for auth_url in [
            "k.secret.example",
            "ftp://k.secret.example/",
            "http://u:secret@k.example/v3",
            "http://k.example/v3?secret",
        ] {
            let error = tokens_url(auth_url).unwrap_err();
            assert_eq!(error.fault, ReferenceFault::Malformed, "{auth_url}");
            assert!(
                error.message.contains("references.keystone.auth_url")
                    && !error.message.contains("secret"),
                "{error}"
            );
        }
    }
}
