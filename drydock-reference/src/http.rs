//! HTTP as references need it: hosts by the map, no redirect on its own, no proxy, bodies with a limit.

use std::error::Error;
use std::fmt::Display;
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, Utc};
use drydock_model::reference::{ReferenceError, ReferenceFault};
use reqwest::header::{HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode};
use url::Url;

use crate::host_map::HostMap;
use crate::location::authority;
use crate::retry::Failure;
use crate::settings::ReferenceSettings;

/// Clients for `http` and `https`.
pub(crate) struct Http {
    connect_timeout: Duration,
    read_timeout: Duration,
    map: HostMap,
    extra_roots: Vec<Certificate>,
    /// Knows no root certificate, so that `http` works on a machine that has none.
    plain: Client,
    /// With the system's root certificates, which are read when the first `https` URL comes, and the extra ones.
    secure: OnceLock<Result<Client, String>>,
}

impl Http {
    /// Clients with these limits. `extra_roots` are trusted besides the system's.
    ///
    /// # Errors
    /// A set-up that fails.
    pub(crate) fn new(
        settings: &ReferenceSettings,
        map: HostMap,
        extra_roots: Vec<Certificate>,
    ) -> Result<Http, ReferenceError> {
        // reqwest is built without a default of its own; whoever installed one before keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (connect_timeout, read_timeout) = (settings.connect_timeout, settings.read_timeout);
        let plain = builder(connect_timeout, read_timeout, &map)
            .tls_certs_only([])
            .build()
            .map_err(|error| {
                ReferenceError::new(
                    ReferenceFault::Malformed,
                    format!("cannot set up HTTP: {}", chain(error)),
                )
            })?;
        Ok(Http {
            connect_timeout,
            read_timeout,
            map,
            extra_roots,
            plain,
            secure: OnceLock::new(),
        })
    }

    /// A request to where the map says that the URL's host is, its `Host` header as the URL has it. User info in the URL
    /// leaves it and becomes basic authentication (RFC 7617).
    ///
    /// # Errors
    /// No TLS on this machine, or a host that no header can hold. `named` is what messages call the place.
    pub(crate) fn request(
        &self,
        method: Method,
        url: &Url,
        named: &(dyn Display + Sync),
    ) -> Result<RequestBuilder, ReferenceError> {
        let host = HeaderValue::from_str(&authority(url)).map_err(|_| {
            ReferenceError::new(
                ReferenceFault::Malformed,
                format!("{named} has a host that no header can hold"),
            )
        })?;
        let client = self.client(url)?;
        Ok(client
            .request(method, self.map.apply(url))
            .header(HOST, host))
    }

    fn client(&self, url: &Url) -> Result<&Client, ReferenceError> {
        if url.scheme() != "https" {
            return Ok(&self.plain);
        }
        let build = || {
            builder(self.connect_timeout, self.read_timeout, &self.map)
                .tls_certs_merge(self.extra_roots.iter().cloned())
                .build()
                .map_err(chain)
        };
        self.secure.get_or_init(build).as_ref().map_err(|why| {
            let message =
                format!("cannot set up TLS: {why}; are the system's root certificates installed?");
            ReferenceError::new(ReferenceFault::Refused, message)
        })
    }
}

fn builder(
    connect_timeout: Duration,
    read_timeout: Duration,
    map: &HostMap,
) -> reqwest::ClientBuilder {
    let mut builder = Client::builder()
        .user_agent(concat!("drydock/", env!("CARGO_PKG_VERSION")))
        // Redirects are followed by whoever asks, each target checked. A proxy from the environment would lead around
        // the map.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(connect_timeout)
        .read_timeout(read_timeout);
    for (host, address) in map.names() {
        builder = builder.resolve(host, address);
    }
    builder
}

/// The body of an answer, which is given up at its first byte over the limit.
///
/// # Errors
/// Too large, or cut off.
pub(crate) async fn body(
    mut response: Response,
    max_bytes: u64,
    named: &(dyn Display + Sync),
) -> Result<Vec<u8>, Failure> {
    let too_large = || {
        let message =
            format!("{named} is larger than the {max_bytes} bytes that a reference may have");
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
        .map_err(|error| unanswered(error, named))?
    {
        let length = u64::try_from(bytes.len() + chunk.len()).unwrap_or(u64::MAX);
        if length > max_bytes {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Whether an answer of this status may be another one later.
pub(crate) fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502..=504)
}

/// How long the server asks to be left alone (RFC 9110, section 10.2.3): seconds or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    // A date that has passed: at once.
    Some((date.to_utc() - Utc::now()).to_std().unwrap_or_default())
}

/// What it means that a request got no answer, or half of one.
pub(crate) fn unanswered(error: reqwest::Error, named: &(dyn Display + Sync)) -> Failure {
    let (fault, what, next) = if error.is_builder() {
        (
            ReferenceFault::Malformed,
            "cannot be asked for",
            "check how it is written",
        )
    } else if is_distrusted(&error) {
        (
            ReferenceFault::Refused,
            "has a certificate that is not trusted",
            "have it renewed or trust its authority",
        )
    } else if error.is_timeout() {
        (
            ReferenceFault::Unavailable,
            "did not answer in time",
            "check host, port and network",
        )
    } else {
        (
            ReferenceFault::Unavailable,
            "could not be read",
            "check host, port and network",
        )
    };
    let message = format!("{named} {what}: {}; {next}", chain(error));
    ReferenceError::new(fault, message).into()
}

/// Whether TLS came to nothing over the server's certificate, which no second attempt mends.
fn is_distrusted(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        // An I/O error hands on the cause of the error in it, not that error.
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(|error| error.get_ref());
        let tls = match inner {
            Some(inner) => inner.downcast_ref::<rustls::Error>(),
            None => error.downcast_ref::<rustls::Error>(),
        };
        if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
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

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        retry_after(&headers)
    }

    #[test]
    fn understands_both_forms_of_retry_after() {
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let later = Utc::now() + Duration::from_secs(100);
        let patience = asked(&later.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).unwrap();
        assert!((90..=100).contains(&patience.as_secs()), "{patience:?}");
        assert_eq!(asked("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
