//! The ingester's port: bytes to design documents.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::design::{Document, Kind};
use crate::finding::{DocumentRef, Finding};

/// The surface form of a source, named as the API's `ingester` parameter names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `apiVersion: drydock/v1`, `kind`, `metadata`, `spec`.
    Yaml,
    /// `schema: drydock/<Kind>/v1`, `metadata`, `data`.
    Deckhand,
    /// Whatever each document says of itself; both forms may stand in one stream.
    Auto,
}

/// One text of a design, with the name to use when pointing into it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// File path, URL or a name given to an upload.
    pub name: Arc<str>,
    /// Which ingester reads it.
    pub format: Format,
    /// The text itself: one or many YAML documents.
    pub text: String,
    /// Documents of the text that no longer count: they were replaced or deleted one by one. The text stays as it was sent, so that
    /// places in it stay right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<DocumentRef>,
}

impl fmt::Debug for Source {
    /// Without the text, in which credentials may stand.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("format", &self.format)
            .field("bytes", &self.text.len())
            .field("without", &self.without)
            .finish()
    }
}

/// A document that is there and cannot be taken, by as much of its head as can be read. Nothing that names it dangles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Unread {
    /// `None`: it may be of any kind.
    pub kind: Option<Kind>,
    /// `None`: it may go by any name.
    pub name: Option<String>,
}

/// What sources come to.
#[derive(Clone, Debug, Default)]
pub struct Ingested {
    /// The documents that can be taken, in the order of the texts, those of [`Source::without`] left out.
    pub documents: Vec<Document>,
    /// The others. A text that breaks off may hold anything: it counts as a document of any kind and name.
    pub unread: Vec<Unread>,
    /// Why they cannot be taken, each with its place in a text; all of level error. Without one, nothing is unread.
    pub findings: Vec<Finding>,
}

impl Ingested {
    /// Whether all texts are YAML within the limits, so that only documents in them may be at fault.
    #[must_use]
    pub fn is_text(&self) -> bool {
        !self
            .findings
            .iter()
            .any(|finding| finding.rule == "document/readable")
    }
}

/// Reads sources. Pure: the same text gives the same documents.
pub trait Ingester: Send + Sync {
    /// What the sources come to together, since documents of one may be layered over documents of another. For whoever judges a design: a document
    /// that cannot be taken keeps no other from being judged.
    fn read(&self, sources: &[Source]) -> Ingested;

    /// The documents of the sources, for whoever acts on a design. All or nothing: when anything in them cannot be taken, every finding that
    /// says why.
    ///
    /// # Errors
    /// The findings (at least one of level error), each with its place in a text.
    fn ingest(&self, sources: &[Source]) -> Result<Vec<Document>, Vec<Finding>> {
        let ingested = self.read(sources);
        if ingested.findings.is_empty() {
            Ok(ingested.documents)
        } else {
            Err(ingested.findings)
        }
    }
}
