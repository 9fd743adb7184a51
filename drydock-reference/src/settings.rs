//! What the operator says about references.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// The limits that a [`Fetcher`](crate::Fetcher) keeps.
#[derive(Clone, Debug)]
pub struct ReferenceSettings {
    /// `design.allow_refs`: URL prefixes (`https://repo.example/designs`) and folders (`/srv/designs`,
    /// `file:///srv/designs`) that a reference may name. Empty: none.
    ///
    /// A URL prefix covers its own scheme only, `deckhand+http` and `http` being two schemes; its path ends at a segment
    /// boundary.
    pub allow_refs: Vec<String>,
    /// `references.map`: host to address, with a port (`127.0.0.1:8080`, `[::1]:8080`) or without. Looked at after the
    /// allow list; a mapped host is never looked up in the DNS, and the `Host` header stays as the reference has it.
    pub map: BTreeMap<String, String>,
    /// How long a TCP and TLS connection may take to come up.
    pub connect_timeout: Duration,
    /// How long the other side may be silent.
    pub read_timeout: Duration,
    /// How long one reference may take in all, with its redirects and its retries.
    pub deadline: Duration,
    /// Bytes that one reference may have.
    pub max_bytes: u64,
    /// How often a reference is asked for while the failure is one that may pass (not reachable, 408, 429, 5xx).
    pub attempts: u32,
    /// The wait before the second attempt; each later one waits twice as long.
    pub back_off: Duration,
    /// `references.keystone`: who gives the tokens for `deckhand+` and `promenade+` references. Absent: these are refused.
    pub keystone: Option<KeystoneSettings>,
}

/// `references.keystone`: a login at a Keystone (Identity API v3). Its token is sent as `X-Auth-Token` to `deckhand+` and
/// `promenade+` references within the allow list, and to nothing else.
#[derive(Clone, Debug)]
pub struct KeystoneSettings {
    /// Where it is, with or without `/v3`: `https://keystone.example:5000/v3`. Its host is looked up in the map, too.
    pub auth_url: String,
    /// Who logs in.
    pub username: String,
    /// With what. `Debug` does not show it.
    pub password: SecretString,
    /// Name of the domain that the user is in.
    pub user_domain: String,
    /// Name of the project that the token is for.
    pub project: String,
    /// Name of the domain that the project is in.
    pub project_domain: String,
    /// Certificates (PEM) to trust besides the system's, for Keystone alone.
    pub ca_file: Option<PathBuf>,
}

impl Default for ReferenceSettings {
    fn default() -> Self {
        ReferenceSettings {
            allow_refs: Vec::new(),
            map: BTreeMap::new(),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            deadline: Duration::from_secs(180),
            max_bytes: 64 * 1024 * 1024,
            attempts: 3,
            back_off: Duration::from_millis(500),
            keystone: None,
        }
    }
}
