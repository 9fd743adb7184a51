//! References: where documents and assets come from.

use std::fmt;

use async_trait::async_trait;

/// Fetches what a URI names, within the limits that the operator set.
#[async_trait]
pub trait References: Send + Sync {
    /// Whether the operator allows this reference at all. Does no I/O.
    ///
    /// # Errors
    /// Why not, with the setting to change.
    fn check(&self, uri: &str) -> Result<(), ReferenceError>;

    /// The bytes behind a reference. Checks it first; no redirect leads outside what is allowed.
    ///
    /// # Errors
    /// Refused, not found, too large, unreachable.
    async fn fetch(&self, uri: &str) -> Result<Vec<u8>, ReferenceError>;
}

/// Why a reference gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceFault {
    /// Not a reference we understand.
    Malformed,
    /// Outside of `design.allow_refs`.
    NotAllowed,
    /// The other side says there is no such thing.
    NotFound,
    /// Larger than the limit.
    TooLarge,
    /// Not reachable, or an answer that may be another one later.
    Unavailable,
    /// Any other answer.
    Refused,
}

/// An error with the text for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceError {
    /// The kind.
    pub fault: ReferenceFault,
    /// What was tried, what came back, what to do. Without user info or query of the URI, which may hold secrets.
    pub message: String,
}

impl ReferenceError {
    /// An error of this kind.
    pub fn new(fault: ReferenceFault, message: impl Into<String>) -> Self {
        ReferenceError {
            fault,
            message: message.into(),
        }
    }
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReferenceError {}
