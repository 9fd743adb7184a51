//! Findings: what a rule or a reader has to say about a design, and where.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::design::Kind;

/// How grave a finding is. Ordered: `Info < Warning < Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Unused, redundant, or simply: the rule found nothing.
    Info,
    /// It works, but a careful colleague would ask.
    Warning,
    /// The deployment cannot come out as designed.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        })
    }
}

/// A place in a source text. Lines and columns count from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The file, URL or upload that the text came from, as the user named it.
    pub source: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// The name of a document that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DocumentRef {
    /// The document's kind.
    pub kind: Kind,
    /// Its `metadata.name`.
    pub name: String,
}

impl fmt::Display for DocumentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// One message of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Unique id of the rule, such as `network/mtu`.
    pub rule: String,
    /// The code that clients of the Python server know, such as `DD2003`. Not unique.
    pub code: String,
    /// How grave.
    pub level: Level,
    /// What is wrong, with the names and values concerned.
    pub message: String,
    /// How to mend it.
    pub diagnostic: String,
    /// The documents concerned; the first is the one to open.
    pub documents: Vec<DocumentRef>,
    /// The place of the offending value.
    pub location: Option<Location>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(
            f,
            "{} [{} {}]: {}",
            self.level, self.rule, self.code, self.message
        )?;
        if !self.diagnostic.is_empty() {
            write!(f, " ({})", self.diagnostic)?;
        }
        Ok(())
    }
}

/// Findings as one text, each as it displays itself.
pub fn told<'a>(findings: impl IntoIterator<Item = &'a Finding>, separator: &str) -> String {
    let lines: Vec<String> = findings.into_iter().map(ToString::to_string).collect();
    lines.join(separator)
}
