//! What Keystone answers to a login.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, HeaderValue};
use serde::Deserialize;

/// A token, and how long it lives from when it was asked for.
pub(super) struct Granted {
    /// Marked as sensitive.
    pub(super) token: HeaderValue,
    pub(super) lifetime: Duration,
}

#[derive(Deserialize)]
struct Answer {
    token: Times,
}

#[derive(Deserialize)]
struct Times {
    expires_at: DateTime<Utc>,
    issued_at: DateTime<Utc>,
}

/// Reads an answer. The token stands in `X-Subject-Token`, its times in the body. Both times are Keystone's, so their
/// difference holds however far the clocks of the two machines are apart.
///
/// # Errors
/// What is missing; never shows what is there.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Granted, &'static str> {
    let mut token = headers
        .get("X-Subject-Token")
        .filter(|token| !token.is_empty())
        .ok_or("it has no header X-Subject-Token")?
        .clone();
    token.set_sensitive(true);
    let Answer { token: times } = serde_json::from_slice(body)
        .map_err(|_| "its body has no token.issued_at and expires_at")?;
    let lifetime = (times.expires_at - times.issued_at)
        .to_std()
        .unwrap_or_default();
    Ok(Granted { token, lifetime })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(header: Option<&'static str>, body: &str) -> Result<Granted, &'static str> {
        let mut headers = HeaderMap::new();
        if let Some(token) = header {
            headers.insert("x-subject-token", HeaderValue::from_static(token));
        }
        read(&headers, body.as_bytes())
    }

    const BODY: &str = r#"{"token": {"expires_at": "2026-11-20T17:41:18.000000Z",
        "issued_at": "2026-11-20T16:41:18.500000Z"}}"#;

    #[test]
    fn reads_a_token_and_hides_it() {
        let granted = read_with(Some("s3cr3t"), BODY).unwrap();
        assert_eq!(granted.lifetime, Duration::from_millis(3_599_500));
        assert_eq!(granted.token, "s3cr3t");
        assert!(!format!("{:?}", granted.token).contains("s3cr3t"));
    }

    #[test]
    fn says_what_is_missing() {
        for (header, body) in [
            (None, BODY),
            (Some(""), BODY),
            (Some("t"), ""),
            (Some("t"), "{}"),
            (
                Some("t"),
                r#"{"token": {"expires_at": "soon", "issued_at": "now"}}"#,
            ),
        ] {
            assert!(read_with(header, body).is_err(), "{header:?} {body}");
        }
    }

    #[test]
    fn a_token_that_ends_before_it_begins_has_no_life() {
        let body = r#"{"token": {"expires_at": "2026-11-20T16:00:00Z", "issued_at": "2026-11-20T17:00:00Z"}}"#;
        assert_eq!(read_with(Some("t"), body).unwrap().lifetime, Duration::ZERO);
    }
}
