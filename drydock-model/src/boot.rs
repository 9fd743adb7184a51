//! Boot-action contexts: what a deployed machine may fetch, and what it has reported.

use std::str::FromStr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::driver::DriverError;
use crate::id::{BootActionId, Digest, TaskId};

/// State of one boot action of one deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BootStatus {
    /// Not reported yet.
    Incomplete,
    /// Will not report (`signaling: false`).
    Unreported,
    /// Went well.
    Success,
    /// Did not.
    Failure,
}

impl BootStatus {
    /// The word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BootStatus::Incomplete => "incomplete",
            BootStatus::Unreported => "unreported",
            BootStatus::Success => "success",
            BootStatus::Failure => "failure",
        }
    }
}

impl FromStr for BootStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "incomplete" => Ok(BootStatus::Incomplete),
            "unreported" => Ok(BootStatus::Unreported),
            "success" => Ok(BootStatus::Success),
            "failure" => Ok(BootStatus::Failure),
            other => Err(format!("unknown boot action status {other:?}")),
        }
    }
}

/// One boot action of one deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootEntry {
    /// Id, as the machine reports by.
    pub action_id: BootActionId,
    /// Name in the design.
    pub name: String,
    /// State.
    pub status: BootStatus,
}

/// The deployment of a node, as its boot actions see it. There is one a node: a fresh deployment voids the old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootContext {
    /// Node name.
    pub node: String,
    /// The task that a client created.
    pub task: TaskId,
    /// The design it is deployed by.
    pub digest: Digest,
    /// The reference the task was created with.
    pub design_ref: String,
    /// SHA-256 of the key, 32 bytes. The key itself is stored nowhere.
    pub key_hash: Vec<u8>,
    /// When it was opened.
    pub created: DateTime<Utc>,
    /// The boot actions, in design order.
    pub entries: Vec<BootEntry>,
}

/// Where a deployment gets its key. Given to drivers, since only a driver knows how to bring it to the machine.
#[async_trait]
pub trait BootKeys: Send + Sync {
    /// Opens a fresh context for the step's node: new key, new entries; what was there before is void. Returns the key in lower-case
    /// hex (64 digits), the only time it is known.
    ///
    /// # Errors
    /// When the store cannot take it.
    async fn mint(&self) -> Result<SecretString, DriverError>;

    /// Whether this key (hex) opens the current context of the step's node, if that context belongs to the step's task.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn is_current(&self, key_hex: &str) -> Result<bool, DriverError>;
}
