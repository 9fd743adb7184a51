//! Settings of out-of-band management.

use std::path::PathBuf;

use drydock_drivers::oob::IN_FLIGHT;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::Span;

/// `oob.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Oob {
    /// IPMI.
    pub ipmi: Ipmi,
    /// Redfish.
    pub redfish: Redfish,
    /// After a reset, how long a reported power state is not believed.
    pub settle_after_reset: Span,
    /// How long a power state may take.
    pub state_timeout: Span,
    /// Commands to all controllers together that may be under way at once.
    pub in_flight: usize,
}

impl Default for Oob {
    fn default() -> Self {
        Oob {
            ipmi: Ipmi::default(),
            redfish: Redfish::default(),
            settle_after_reset: Span::seconds(15.0),
            state_timeout: Span::seconds(60.0),
            in_flight: IN_FLIGHT,
        }
    }
}

/// `oob.ipmi.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ipmi {
    /// UDP port, unless the design says otherwise.
    pub port: u16,
    /// Least pause between two commands to one controller.
    pub gap_floor: Span,
    /// Longest pause between two commands to one controller.
    pub gap_ceiling: Span,
    /// How long to wait for one answer.
    pub timeout: Span,
    /// How often to ask again.
    pub retries: u32,
    /// How often to look whether a machine has reached a power state.
    pub poll_interval: Span,
    /// Cipher suites, in order of preference.
    pub cipher_suites: Vec<u8>,
    /// `administrator`, `operator` or `user`.
    pub privilege: String,
    /// BMC key (K_g) for two-key logins, or `env:NAME`, or `file:PATH`.
    #[serde(serialize_with = "super::sample::hidden")]
    pub kg: Option<SecretString>,
}

impl Default for Ipmi {
    fn default() -> Self {
        Ipmi {
            port: 623,
            gap_floor: Span::seconds(0.1),
            gap_ceiling: Span::seconds(5.0),
            timeout: Span::seconds(2.0),
            retries: 3,
            poll_interval: Span::seconds(2.0),
            cipher_suites: vec![17, 3],
            privilege: "administrator".into(),
            kg: None,
        }
    }
}

/// `oob.redfish.*`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redfish {
    /// TCP port, unless the design says otherwise.
    pub port: u16,
    /// Least pause between two commands to one controller.
    pub gap_floor: Span,
    /// Longest pause between two commands to one controller.
    pub gap_ceiling: Span,
    /// How long one request may take.
    pub timeout: Span,
    /// How often to look whether a machine has reached a power state.
    pub poll_interval: Span,
    /// Certificates to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of certificates that are good as they are.
    pub fingerprints: Vec<String>,
    /// Take any certificate.
    pub insecure: bool,
}

impl Default for Redfish {
    fn default() -> Self {
        Redfish {
            port: 443,
            gap_floor: Span::seconds(0.1),
            gap_ceiling: Span::seconds(5.0),
            timeout: Span::seconds(30.0),
            poll_interval: Span::seconds(2.0),
            ca_file: None,
            fingerprints: Vec::new(),
            insecure: false,
        }
    }
}
