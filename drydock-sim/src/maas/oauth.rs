//! The OAuth 1.0 PLAINTEXT check of the MaaS API, with its texts, its nonces and its clock window.

use std::collections::{HashMap, HashSet};
use std::fmt;

use percent_encoding::percent_decode_str;
use rand::RngExt;

use super::request::Reply;

/// Seconds a timestamp may lag behind the server.
const WINDOW: i64 = 300;

/// An API key: consumer key, token key, token secret.
#[derive(Clone)]
pub(crate) struct ApiKey {
    consumer: String,
    token: String,
    secret: String,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("consumer", &self.consumer)
            .finish_non_exhaustive()
    }
}

impl ApiKey {
    /// A key nobody had before.
    pub(crate) fn random() -> Self {
        Self {
            consumer: random_word(18),
            token: random_word(18),
            secret: random_word(32),
        }
    }

    /// `consumer:token:secret`, as MaaS hands it out.
    pub(crate) fn text(&self) -> String {
        format!("{}:{}:{}", self.consumer, self.token, self.secret)
    }
}

/// `length` random letters and digits.
pub(super) fn random_word(length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let mut rng = rand::rng();
    (0..length)
        .map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]))
        .collect()
}

/// Checks headers and remembers nonces.
#[derive(Debug)]
pub(super) struct Gate {
    key: ApiKey,
    nonces: HashSet<String>,
}

impl Gate {
    pub(super) fn new(key: ApiKey) -> Self {
        Self {
            key,
            nonces: HashSet::new(),
        }
    }

    pub(super) fn key(&self) -> &ApiKey {
        &self.key
    }

    /// Lets `header` pass at `now` (Unix seconds) or answers 401. Gives the nonce, which is used up from here on.
    pub(super) fn check(&mut self, header: &str, now: i64) -> Result<String, Reply> {
        let fields = parse(header).ok_or_else(|| refuse("Authorization header is not OAuth."))?;
        let field = |name: &str| fields.get(name).map(String::as_str);
        let needed = |name: &str| {
            field(name).ok_or_else(|| refuse(&format!("'Missing required parameter: {name}'")))
        };
        if needed("oauth_consumer_key")? != self.key.consumer {
            return Err(refuse("Invalid API key."));
        }
        let token = needed("oauth_token")?;
        if token != self.key.token {
            return Err(refuse(&format!("'Invalid access token: {token}'")));
        }
        if field("oauth_signature_method") != Some("PLAINTEXT") {
            return Err(refuse("'Signature method not supported.'"));
        }
        let (timestamp, nonce) = (needed("oauth_timestamp")?, needed("oauth_nonce")?);
        let given: i64 = timestamp
            .parse()
            .map_err(|_| refuse("'Invalid timestamp'"))?;
        if now - given > WINDOW {
            return Err(refuse(&format!(
                "'Expired timestamp: given {given} and now {now} has a greater difference than threshold {WINDOW}'"
            )));
        }
        if self.nonces.contains(nonce) {
            return Err(refuse(&format!("'Nonce already used: {nonce}'")));
        }
        let wanted = format!("&{}", self.key.secret);
        if needed("oauth_signature")? != wanted {
            // The real server does show the right secret to whoever has the wrong one.
            return Err(refuse(&format!(
                "'Invalid signature. Expected signature base string: {wanted}'"
            )));
        }
        self.nonces.insert(nonce.to_owned());
        Ok(nonce.to_owned())
    }

    /// Forgets a nonce: the transaction that stored it was rolled back by a 500.
    pub(super) fn roll_back(&mut self, nonce: &str) {
        self.nonces.remove(nonce);
    }
}

fn refuse(why: &str) -> Reply {
    Reply::text(401, format!("Authorization Error: {why}"))
}

/// The fields of `OAuth a="1", b="2"`, percent-decoded; `None` for any other scheme.
fn parse(header: &str) -> Option<HashMap<String, String>> {
    let rest = header.strip_prefix("OAuth ")?;
    Some(
        rest.split(',')
            .filter_map(|piece| {
                let (key, value) = piece.trim().split_once('=')?;
                let value = value.trim_matches('"');
                let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
                Some((key.to_owned(), value))
            })
            .collect(),
    )
}
