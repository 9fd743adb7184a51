//! Findings: what a rule or a reader has to say about a design, and where.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::design::Kind;
use crate::tree::Position;

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

impl Location {
    /// A position in a document of this source that was put together from these other texts, too.
    #[must_use]
    pub fn new(source: &Arc<str>, origins: &[Arc<str>], position: Position) -> Self {
        let other = position.origin().checked_sub(1);
        let text = other.and_then(|at| origins.get(at)).unwrap_or(source);
        Location {
            source: Arc::clone(text),
            line: position.line(),
            column: position.column(),
        }
    }
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
    /// How the first document that it concerns comes by the value: that document, the profile it names, the profile that one names, up to
    /// the one in which the value stands. Empty where nothing is inherited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<DocumentRef>,
    /// What to write instead, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

/// A text to write in place of the one at a finding's location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// What stands there: the value without its quotes, or the key.
    pub replace: String,
    /// What to write.
    pub by: String,
}

impl Finding {
    /// The chain as one line, such as `BaremetalNode n1 <- HostProfile worker <- HostProfile defaults`; `None` where nothing is inherited.
    #[must_use]
    pub fn chain_text(&self) -> Option<String> {
        let steps: Vec<String> = self.chain.iter().map(ToString::to_string).collect();
        (steps.len() > 1).then(|| steps.join(" <- "))
    }
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
