//! Web references: one GET with its redirects, retried while the failure may pass.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use drydock_model::reference::{ReferenceError, ReferenceFault};
use reqwest::header::{HOST, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use secrecy::ExposeSecret;
use url::Url;

use crate::allow::AllowList;
use crate::host_map::HostMap;
use crate::location::{Location, Service, authority};
use crate::settings::ReferenceSettings;

/// Enough for a moved host and a moved path, twice; a loop ends here.
const MAX_REDIRECTS: usize = 5;

/// A server that asks for more patience than this gets another attempt all the same, and its deadline.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// The HTTP side of a [`Fetcher`](crate::Fetcher).
pub(crate) struct WebClient {
    settings: ReferenceSettings,
    map: HostMap,
    token: Option<HeaderValue>,
    /// Knows no root certificate, so that `http` works on a machine that has none.
    plain: Client,
    /// With the system's root certificates, which are read when the first `https` reference comes.
    secure: OnceLock<Result<Client, String>>,
}

/// An attempt that failed, with what the server said about the next one.
struct Failure {
    error: ReferenceError,
    retry_after: Option<Duration>,
}

/// What one GET came to.
enum Answer {
    Bytes(Vec<u8>),
    Redirect(Url),
}

impl WebClient {
    /// A client with these settings.
    ///
    /// # Errors
    /// A token that is no header value, or a TLS set-up that fails.
    pub(crate) fn new(
        settings: ReferenceSettings,
        map: HostMap,
    ) -> Result<WebClient, ReferenceError> {
        // reqwest is built without a default of its own; whoever installed one before keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let token = match &settings.token {
            None => None,
            Some(token) => {
                let mut value = HeaderValue::from_str(token.expose_secret()).map_err(|_| {
                    ReferenceError::new(
                        ReferenceFault::Malformed,
                        "the token for references is no header value",
                    )
                })?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let plain = builder(&settings, &map)
            .tls_certs_only([])
            .build()
            .map_err(|error| {
                ReferenceError::new(
                    ReferenceFault::Malformed,
                    format!("cannot set up HTTP: {}", chain(error)),
                )
            })?;
        Ok(WebClient {
            settings,
            map,
            token,
            plain,
            secure: OnceLock::new(),
        })
    }

    /// The bytes behind a URL that has passed the allow list.
    ///
    /// # Errors
    /// As the port says.
    pub(crate) async fn get(
        &self,
        allow: &AllowList,
        service: Service,
        url: Url,
    ) -> Result<Vec<u8>, ReferenceError> {
        let location = Location::Web {
            service,
            url: url.clone(),
        };
        let whole = self.get_with_retries(allow, service, &url);
        tokio::time::timeout(self.settings.deadline, whole)
            .await
            .unwrap_or_else(|_| {
                let message = format!(
                    "{location} took longer than {:?}; try again",
                    self.settings.deadline
                );
                Err(ReferenceError::new(ReferenceFault::Unavailable, message))
            })
    }

    async fn get_with_retries(
        &self,
        allow: &AllowList,
        service: Service,
        url: &Url,
    ) -> Result<Vec<u8>, ReferenceError> {
        let mut back_off = self.settings.back_off;
        let mut attempt = 1;
        loop {
            let failure = match self.follow(allow, service, url).await {
                Ok(bytes) => return Ok(bytes),
                Err(failure) => failure,
            };
            if failure.error.fault != ReferenceFault::Unavailable
                || attempt >= self.settings.attempts
            {
                return Err(failure.error);
            }
            tracing::debug!(attempt, error = %failure.error, "a reference is asked for again");
            // Jitter: a thousand nodes that failed together must not come back together.
            let jittered = back_off.mul_f64(rand::random_range(0.5..=1.0));
            let asked = failure
                .retry_after
                .unwrap_or_default()
                .min(LONGEST_RETRY_AFTER);
            tokio::time::sleep(jittered.max(asked)).await;
            back_off = back_off.saturating_mul(2);
            attempt += 1;
        }
    }

    async fn follow(
        &self,
        allow: &AllowList,
        service: Service,
        start: &Url,
    ) -> Result<Vec<u8>, Failure> {
        let mut url = start.clone();
        for _ in 0..=MAX_REDIRECTS {
            match self
                .get_once(service, &url, url.origin() == start.origin())
                .await?
            {
                Answer::Bytes(bytes) => return Ok(bytes),
                Answer::Redirect(target) => {
                    let target = Location::Web {
                        service,
                        url: redirected(start, target),
                    };
                    allow.check(&target).map_err(|refused| {
                        let from = Location::Web {
                            service,
                            url: url.clone(),
                        };
                        let message = format!("{from} redirects elsewhere: {}", refused.message);
                        ReferenceError::new(refused.fault, message)
                    })?;
                    let Location::Web { url: next, .. } = target else {
                        continue;
                    };
                    url = next;
                }
            }
        }
        let start = Location::Web {
            service,
            url: start.clone(),
        };
        let message = format!(
            "{start} redirects more than {MAX_REDIRECTS} times; name the last place itself"
        );
        Err(ReferenceError::new(ReferenceFault::Refused, message).into())
    }

    async fn get_once(
        &self,
        service: Service,
        url: &Url,
        own_origin: bool,
    ) -> Result<Answer, Failure> {
        let location = Location::Web {
            service,
            url: url.clone(),
        };
        let client = self.client(url)?;
        let host = HeaderValue::from_str(&authority(url)).map_err(|_| {
            ReferenceError::new(
                ReferenceFault::Malformed,
                format!("{location} has a host that no header can hold"),
            )
        })?;
        let mut request = client.get(self.map.apply(url)).header(HOST, host);
        if let Some(token) = self
            .token
            .as_ref()
            .filter(|_| own_origin && service.takes_token())
        {
            request = request.header("X-Auth-Token", token.clone());
        }
        let response = request
            .send()
            .await
            .map_err(|error| unreachable_server(&location, error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Answer::Bytes(self.body(&location, response).await?));
        }
        match redirect_target(url, &response) {
            Some(target) => Ok(Answer::Redirect(target)),
            None => Err(refusal(&location, status, response.headers())),
        }
    }

    async fn body(&self, location: &Location, mut response: Response) -> Result<Vec<u8>, Failure> {
        let max_bytes = self.settings.max_bytes;
        let too_large = || {
            let message = format!(
                "{location} is larger than the {max_bytes} bytes that a reference may have"
            );
            Failure::from(ReferenceError::new(ReferenceFault::TooLarge, message))
        };
        if response
            .content_length()
            .is_some_and(|length| length > max_bytes)
        {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| unreachable_server(location, error))?
        {
            let length = u64::try_from(bytes.len() + chunk.len()).unwrap_or(u64::MAX);
            if length > max_bytes {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn client(&self, url: &Url) -> Result<&Client, ReferenceError> {
        if url.scheme() != "https" {
            return Ok(&self.plain);
        }
        let build = || builder(&self.settings, &self.map).build().map_err(chain);
        self.secure.get_or_init(build).as_ref().map_err(|why| {
            let message =
                format!("cannot set up TLS: {why}; are the system's root certificates installed?");
            ReferenceError::new(ReferenceFault::Refused, message)
        })
    }
}

impl From<ReferenceError> for Failure {
    fn from(error: ReferenceError) -> Failure {
        Failure {
            error,
            retry_after: None,
        }
    }
}

fn builder(settings: &ReferenceSettings, map: &HostMap) -> reqwest::ClientBuilder {
    let mut builder = Client::builder()
        .user_agent(concat!("drydock/", env!("CARGO_PKG_VERSION")))
        // Redirects are followed here, each target checked. A proxy from the environment would lead around the map.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.read_timeout);
    for (host, address) in map.names() {
        builder = builder.resolve(host, address);
    }
    builder
}

/// The target of a redirect with the user info it may have: the reference's own, and only where that was meant to go.
fn redirected(start: &Url, mut target: Url) -> Url {
    let (user, password) = if target.origin() == start.origin() {
        (start.username(), start.password())
    } else {
        ("", None)
    };
    // Both fail only on URLs without a host, which the allow list refuses.
    let _ = target.set_username(user);
    let _ = target.set_password(password);
    target
}

fn redirect_target(url: &Url, response: &Response) -> Option<Url> {
    let status = response.status().as_u16();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let target = response.headers().get(LOCATION)?.to_str().ok()?;
    let target = url.join(target).ok()?;
    matches!(target.scheme(), "http" | "https").then_some(target)
}

fn refusal(location: &Location, status: StatusCode, headers: &HeaderMap) -> Failure {
    let (fault, next) = match status.as_u16() {
        404 | 410 => (ReferenceFault::NotFound, "check the path"),
        401 | 403 => (
            ReferenceFault::Refused,
            "check the user name and password in the reference, or the token",
        ),
        408 | 429 | 500 | 502..=504 => (
            ReferenceFault::Unavailable,
            "try again when the server is well",
        ),
        300..=399 => (
            ReferenceFault::Refused,
            "it redirects to nothing that can be followed; name the place itself",
        ),
        _ => (ReferenceFault::Refused, "ask the server's operator"),
    };
    let seconds = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Failure {
        error: ReferenceError::new(fault, format!("{location} answered {status}; {next}")),
        retry_after: seconds.map(Duration::from_secs),
    }
}

fn unreachable_server(location: &Location, error: reqwest::Error) -> Failure {
    let fault = if error.is_builder() {
        ReferenceFault::Malformed
    } else {
        ReferenceFault::Unavailable
    };
    let what = if error.is_timeout() {
        "did not answer in time"
    } else {
        "could not be read"
    };
    let message = format!(
        "{location} {what}: {}; check host, port and network",
        chain(error)
    );
    ReferenceError::new(fault, message).into()
}

/// An error with its causes, without the URL.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
