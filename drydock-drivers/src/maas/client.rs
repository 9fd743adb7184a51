//! The HTTP client of a MaaS region: signs, sends, reads, and sorts what comes back.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use drydock_model::driver::{DriverError, ErrorClass};
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Method, Response, StatusCode, redirect};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use url::{Host, Url};

use super::MaasSettings;
use super::form::Form;
use super::oauth::ApiKey;
use super::redaction::mask_keys;
use crate::allow::AllowNetworks;

/// Longest body that is read: a list of 5000 machines has 180 MB on a real server (36 kB each).
const MAX_BODY: usize = 256 << 20;
/// How much of an error's body is shown, characters.
const SHOWN: usize = 400;
/// Some answer parts in a row may each be slow; the whole may not be endless.
const WHOLE_PER_READ: u32 = 10;

/// A connection to one region.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    key: ApiKey,
    allow: AllowNetworks,
    slots: Semaphore,
}

impl Client {
    /// Checks the settings; sends nothing.
    pub(crate) fn new(settings: &MaasSettings, allow: AllowNetworks) -> Result<Self, DriverError> {
        let refused = |setting: &str, got: String| {
            DriverError::permanent(
                "setting up the MaaS driver",
                format!("setting drivers.maas.{setting}"),
                got,
                "correct the setting",
            )
        };
        let key =
            ApiKey::parse(&settings.api_key).map_err(|why| refused("api_key", why.to_owned()))?;
        let base = api_base(&settings.url).map_err(|why| refused("url", why))?;
        // Another part of the process may have installed one first; that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("drydock/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout)
            .timeout(settings.read_timeout.saturating_mul(WHOLE_PER_READ))
            // A redirect or a proxy could lead outside the allowed networks.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(AllowedNames(allow.clone())));
        if let Some(path) = &settings.ca_file {
            let pem = std::fs::read(path)
                .map_err(|error| refused("ca_file", format!("{}: {error}", path.display())))?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|error| refused("ca_file", format!("{}: {error}", path.display())))?;
            if certificates.is_empty() {
                return Err(refused(
                    "ca_file",
                    format!("{} holds no certificate", path.display()),
                ));
            }
            builder = builder.tls_certs_only(certificates);
        }
        let http = builder
            .build()
            .map_err(|error| refused("url", chain(&error)))?;
        Ok(Client {
            http,
            base,
            key,
            allow,
            slots: Semaphore::new(settings.max_requests.max(1)),
        })
    }

    /// Reads a resource. `path` is relative to `api/2.0/` and ends in `/`; a query may follow.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, DriverError> {
        self.send(Method::GET, path, &Form::new())
            .await
            .and_then(|body| decode(Method::GET, path, self.name(), &body))
    }

    /// Reads a resource that is not JSON.
    pub(crate) async fn get_bytes(&self, path: &str) -> Result<Vec<u8>, DriverError> {
        self.send(Method::GET, path, &Form::new()).await
    }

    /// Sends a form by POST; the answer as JSON, `null` when it is none.
    pub(crate) async fn post(&self, path: &str, form: &Form) -> Result<Value, DriverError> {
        Ok(loose(&self.send(Method::POST, path, form).await?))
    }

    /// Sends a form by PUT; fields that are absent keep their value.
    pub(crate) async fn put(&self, path: &str, form: &Form) -> Result<Value, DriverError> {
        Ok(loose(&self.send(Method::PUT, path, form).await?))
    }

    /// Deletes; what is not there is as good as deleted.
    pub(crate) async fn delete(&self, path: &str) -> Result<bool, DriverError> {
        match self.send(Method::DELETE, path, &Form::new()).await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The region as errors name it.
    pub(crate) fn name(&self) -> String {
        let mut shown = self.base.clone();
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        format!("MaaS {}", shown.as_str().trim_end_matches("/api/2.0/"))
    }

    async fn send(&self, method: Method, path: &str, form: &Form) -> Result<Vec<u8>, DriverError> {
        let tried = mask_keys(&format!("{method} {path}"));
        let url = self.base.join(path).map_err(|error| {
            DriverError::permanent(
                &tried,
                self.name(),
                format!("not a path: {error}"),
                "report this as a defect",
            )
        })?;
        self.check_literal(&tried)?;
        let Ok(_slot) = self.slots.acquire().await else {
            return Err(DriverError::transient(
                &tried,
                self.name(),
                "the driver is shutting down",
                "",
            ));
        };
        let mut authorization =
            HeaderValue::from_str(self.key.sign().expose_secret()).map_err(|_| {
                DriverError::auth(
                    &tried,
                    self.name(),
                    "the API key holds characters no header can",
                    "correct drivers.maas.api_key",
                )
            })?;
        authorization.set_sensitive(true);
        let mut request = self
            .http
            .request(method.clone(), url)
            .header(AUTHORIZATION, authorization);
        if method != Method::GET && method != Method::DELETE {
            request = request.form(form.pairs());
        }
        let began = std::time::Instant::now();
        let response = request
            .send()
            .await
            .map_err(|error| self.lost(&tried, &error))?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = self.read(&tried, response).await?;
        tracing::debug!(
            call = %tried,
            status = status.as_u16(),
            ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes = body.len(),
            "maas answered"
        );
        if status.is_success() {
            Ok(body)
        } else {
            Err(self.refusal(&tried, status, retry_after, &body, form))
        }
    }

    async fn read(&self, tried: &str, mut response: Response) -> Result<Vec<u8>, DriverError> {
        let mut body = Vec::new();
        while let Some(part) = response
            .chunk()
            .await
            .map_err(|error| self.lost(tried, &error))?
        {
            if body.len() + part.len() > MAX_BODY {
                return Err(DriverError::permanent(
                    tried,
                    self.name(),
                    format!("the answer is longer than {} MiB", MAX_BODY >> 20),
                    "look at what the server sends",
                ));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    /// A URL with a literal address never reaches the resolver, so it is checked here.
    fn check_literal(&self, tried: &str) -> Result<(), DriverError> {
        let address: IpAddr = match self.base.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            _ => return Ok(()),
        };
        self.allow.check(address).map_err(|refused| {
            DriverError::permanent(
                tried,
                self.name(),
                refused.to_string(),
                "change drivers.maas.url or drivers.allow_networks",
            )
        })
    }

    /// Without an answer nobody knows whether it was done.
    fn lost(&self, tried: &str, error: &reqwest::Error) -> DriverError {
        let text = chain(error);
        if text.contains(REFUSED_BY_POLICY) {
            return DriverError::permanent(
                tried,
                self.name(),
                text,
                "change drivers.maas.url or drivers.allow_networks",
            );
        }
        DriverError::transient(
            tried,
            self.name(),
            text,
            "see whether MaaS runs and is reachable from here",
        )
    }

    fn refusal(
        &self,
        tried: &str,
        status: StatusCode,
        retry_after: Option<Duration>,
        body: &[u8],
        form: &Form,
    ) -> DriverError {
        let class = class_of(status, retry_after);
        let said = if status == StatusCode::UNAUTHORIZED {
            // MaaS puts the right secret into the text of a 401.
            "the answer is not shown, since it may hold the secret".to_owned()
        } else {
            let text = mask_keys(&form.mask(&String::from_utf8_lossy(body)));
            text.trim().chars().take(SHOWN).collect()
        };
        let advice = match class {
            ErrorClass::Auth => {
                "check drivers.maas.api_key and that its user is an administrator; also this host's clock"
            }
            ErrorClass::Transient => "",
            ErrorClass::Permanent => "see what MaaS says",
        };
        let mut error = DriverError::new(
            class,
            tried,
            self.name(),
            format!("{status}: {said}"),
            advice,
        );
        error.retry_after = retry_after;
        error
    }
}

/// Whether MaaS said that the thing is not there.
pub(crate) fn is_missing(error: &DriverError) -> bool {
    error.got.starts_with("404 ")
}

/// Whether MaaS refused the values or the state (400, 409): what was asked may be done already.
pub(crate) fn is_objection(error: &DriverError) -> bool {
    error.class == ErrorClass::Permanent
        && (error.got.starts_with("400 ") || error.got.starts_with("409 "))
}

/// 409 is either a conflict of state or a lost database race; only the latter carries `Retry-After`.
fn class_of(status: StatusCode, retry_after: Option<Duration>) -> ErrorClass {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorClass::Auth,
        StatusCode::CONFLICT if retry_after.is_some() => ErrorClass::Transient,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => ErrorClass::Transient,
        status if status.is_server_error() => ErrorClass::Transient,
        _ => ErrorClass::Permanent,
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: u64 = response
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.min(600)))
}

fn decode<T: DeserializeOwned>(
    method: Method,
    path: &str,
    target: String,
    body: &[u8],
) -> Result<T, DriverError> {
    serde_json::from_slice(body).map_err(|error| {
        // A cut body counts as a lost one; another shape will not change by asking again.
        let class = if error.is_eof() {
            ErrorClass::Transient
        } else {
            ErrorClass::Permanent
        };
        DriverError::new(
            class,
            mask_keys(&format!("{method} {path}")),
            target,
            format!(
                "an answer that is not as expected (line {}, column {})",
                error.line(),
                error.column()
            ),
            "see whether drivers.maas.url names a MaaS of a known version",
        )
    })
}

fn loose(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

/// `{url}/api/2.0/`.
fn api_base(url: &Url) -> Result<Url, String> {
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("it is not an http or https URL with a host".to_owned());
    }
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    let path = format!("{}/api/2.0/", url.path().trim_end_matches('/'));
    base.set_path(&path);
    Ok(base)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    mask_keys(&text)
}

const REFUSED_BY_POLICY: &str = "lies outside the networks that drivers may contact";

/// Resolves names to allowed addresses only, so that what was checked is what is connected to.
struct AllowedNames(AllowNetworks);

impl reqwest::dns::Resolve for AllowedNames {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let allow = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let mut refused = None;
            let mut allowed = Vec::with_capacity(found.len());
            for address in found {
                match allow.check(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(error) => refused = Some(error),
                }
            }
            match refused {
                Some(error) if allowed.is_empty() => Err(error.into()),
                _ => Ok(Box::new(allowed.into_iter()) as reqwest::dns::Addrs),
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_status() {
        let wait = Some(Duration::from_secs(5));
        for (status, retry_after, class) in [
            (400, None, ErrorClass::Permanent),
            (401, None, ErrorClass::Auth),
            (403, None, ErrorClass::Auth),
            (404, None, ErrorClass::Permanent),
            (409, None, ErrorClass::Permanent),
            (409, wait, ErrorClass::Transient),
            (429, None, ErrorClass::Transient),
            (500, None, ErrorClass::Transient),
            (503, wait, ErrorClass::Transient),
            (302, None, ErrorClass::Permanent),
        ] {
            assert_eq!(
                class_of(StatusCode::from_u16(status).unwrap(), retry_after),
                class,
                "{status}"
            );
        }
    }

    #[test]
    fn the_base_ends_in_the_api() {
        let base = |text: &str| api_base(&text.parse().unwrap()).map(|url| url.to_string());
        assert_eq!(
            base("http://127.0.0.1:5240/MAAS").unwrap(),
            "http://127.0.0.1:5240/MAAS/api/2.0/"
        );
        assert_eq!(
            base("http://127.0.0.1:5240/MAAS/?x=1").unwrap(),
            "http://127.0.0.1:5240/MAAS/api/2.0/"
        );
        assert!(base("ftp://127.0.0.1/").is_err());
    }

    #[test]
    fn a_cut_answer_is_transient_and_a_wrong_one_is_not() {
        let read = |body: &[u8]| {
            decode::<Vec<u32>>(Method::GET, "x/", "MaaS".into(), body)
                .unwrap_err()
                .class
        };
        assert_eq!(read(b"[1, 2"), ErrorClass::Transient);
        assert_eq!(read(b"{\"a\": 1}"), ErrorClass::Permanent);
    }
}
