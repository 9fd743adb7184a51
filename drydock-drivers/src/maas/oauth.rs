//! OAuth 1 with the PLAINTEXT method, as MaaS takes it (RFC 5849 section 3.4.4).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// The unreserved characters of RFC 3986 stay (RFC 5849 section 3.6).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A MaaS API key, `consumer_key:token_key:token_secret`.
#[derive(Clone, Debug)]
pub(crate) struct ApiKey {
    consumer: String,
    token: String,
    secret: SecretString,
}

impl ApiKey {
    /// Splits the key. The error holds no part of it.
    pub(crate) fn parse(key: &SecretString) -> Result<Self, &'static str> {
        let parts: Vec<&str> = key.expose_secret().trim().split(':').collect();
        match parts.as_slice() {
            [consumer, token, secret]
                if !consumer.is_empty() && !token.is_empty() && !secret.is_empty() =>
            {
                Ok(ApiKey {
                    consumer: (*consumer).to_owned(),
                    token: (*token).to_owned(),
                    secret: SecretString::from(*secret),
                })
            }
            _ => Err("it is not of the form consumer_key:token_key:token_secret"),
        }
    }

    /// The header of one attempt. A nonce is good for one request only, so every attempt asks anew.
    pub(crate) fn sign(&self) -> SecretString {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs();
        self.header(&Uuid::new_v4().simple().to_string(), now)
    }

    fn header(&self, nonce: &str, timestamp: u64) -> SecretString {
        let quote = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
        // The signature is consumer secret (empty) & token secret, and is itself quoted once more as a header value.
        let signature = quote(&format!("&{}", quote(self.secret.expose_secret())));
        format!(
            "OAuth oauth_version=\"1.0\", oauth_signature_method=\"PLAINTEXT\", oauth_consumer_key=\"{}\", \
             oauth_token=\"{}\", oauth_signature=\"{signature}\", oauth_nonce=\"{}\", oauth_timestamp=\"{timestamp}\"",
            quote(&self.consumer),
            quote(&self.token),
            quote(nonce),
        )
        .into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_that_of_the_recorded_client() {
        let key = ApiKey::parse(&"C:T:S".to_owned().into()).unwrap();
        assert_eq!(
            key.header("N", 1_795_179_427).expose_secret(),
            "OAuth oauth_version=\"1.0\", oauth_signature_method=\"PLAINTEXT\", oauth_consumer_key=\"C\", \
             oauth_token=\"T\", oauth_signature=\"%26S\", oauth_nonce=\"N\", oauth_timestamp=\"1795179427\""
        );
    }

    #[test]
    fn no_two_attempts_share_a_nonce() {
        let key = ApiKey::parse(&"C:T:S".to_owned().into()).unwrap();
        let nonce = |header: SecretString| {
            header
                .expose_secret()
                .split("oauth_nonce=")
                .nth(1)
                .unwrap()
                .split(',')
                .next()
                .unwrap()
                .to_owned()
        };
        assert_ne!(nonce(key.sign()), nonce(key.sign()));
    }

    #[test]
    fn a_malformed_key_is_refused_and_not_shown() {
        for text in ["", "topsecret", "a:topsecret", "a:b:", "a:b:topsecret:d"] {
            let error = ApiKey::parse(&text.to_owned().into()).unwrap_err();
            assert!(!error.contains("topsecret"));
        }
        let key = ApiKey::parse(&"C:T:topsecret".to_owned().into()).unwrap();
        assert!(!format!("{key:?}").contains("topsecret"));
    }
}
