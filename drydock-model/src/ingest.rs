//! The ingester's port: bytes to design documents.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::design::Document;
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

/// Reads sources. Pure: the same text gives the same documents.
pub trait Ingester: Send + Sync {
    /// The documents of the sources together, in the order of the texts, those of [`Source::without`] left out. Together, since documents of one may
    /// be layered over documents of another. All or nothing: when anything in them cannot be taken, every finding that says why.
    ///
    /// # Errors
    /// The findings (at least one of level error), each with its place in a text.
    fn ingest(&self, sources: &[Source]) -> Result<Vec<Document>, Vec<Finding>>;
}
