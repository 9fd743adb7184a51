//! Changing a design: by revision, so that nobody undoes unseen what another did meanwhile.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::IF_MATCH;
use drydock_model::finding::{DocumentRef, Finding, Level, told};
use drydock_model::ingest::Source;
use drydock_model::store::{StoreError, StoredDesign};
use drydock_orchestrator::designs::{CompiledSite, DesignError, Designs};

use super::designs::find;
use crate::error::ApiError;
use crate::state::ApiState;

/// How often a change that did not ask for a revision is tried on top of others that came in between.
const ATTEMPTS: usize = 8;

/// The entity tag of a design and of its parts.
pub(super) fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// What `If-Match` asks for (RFC 9110 section 13.1.1).
pub(super) enum Expected {
    /// Nothing.
    Any,
    /// One of these entity tags, quotes included.
    OneOf(Vec<String>),
}

impl Expected {
    /// Reads the header.
    pub(super) fn new(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut tags = Vec::new();
        for value in request.headers().get_all(IF_MATCH) {
            let text = String::from_utf8_lossy(value.as_bytes());
            for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                let bare = tag.strip_prefix("W/").unwrap_or(tag);
                if tag != "*" && !(bare.len() >= 2 && bare.starts_with('"') && bare.ends_with('"'))
                {
                    return Err(ApiError::bad_request(format!(
                        "If-Match: {tag} is no entity tag; send what ETag said, the quotes included"
                    )));
                }
                tags.push(tag.to_owned());
            }
        }
        if tags.is_empty() || tags.iter().any(|tag| tag == "*") {
            Ok(Expected::Any)
        } else {
            Ok(Expected::OneOf(tags))
        }
    }

    /// 412 when the design is at another revision. Weak tags match nothing here.
    fn check(&self, design: &StoredDesign) -> Result<(), ApiError> {
        let stands = etag(design.revision);
        match self {
            Expected::OneOf(tags) if !tags.contains(&stands) => {
                Err(ApiError::precondition_failed(format!(
                    "design {} is at {stands}, not at {}; read it again and repeat",
                    design.id,
                    tags.join(", ")
                )))
            }
            _ => Ok(()),
        }
    }
}

/// How a change is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// By its own documents: a design is uploaded piece by piece, and is not whole before the last.
    Alone,
    /// By the design that comes of it: no error may be there that was not there before.
    AsAWhole,
}

/// Replaces the sources of a design by what `make` makes of it, and gives the new revision. Nothing is changed on an error.
pub(super) async fn change<F>(
    state: &ApiState,
    id: &str,
    expected: &Expected,
    judged: Judged,
    make: F,
) -> Result<i64, ApiError>
where
    F: AsyncFn(&StoredDesign) -> Result<Vec<Source>, ApiError>,
{
    for _ in 0..ATTEMPTS {
        let design = find(state, id).await?;
        expected.check(&design)?;
        let sources = make(&design).await?;
        if judged == Judged::AsAWhole {
            let before = state.designs.compile(design.sources.clone()).await;
            let after = state.designs.compile(sources.clone()).await;
            let new = new_errors(&errors(before)?, errors(after)?);
            if !new.is_empty() {
                return Err(ApiError::findings(
                    format!(
                        "nothing was changed, since the design would get {} new error(s): {}",
                        new.len(),
                        told(&new, "; ")
                    ),
                    &new,
                ));
            }
        }
        let written = state
            .store
            .replace_sources(design.id, design.revision, &sources)
            .await;
        match (written, expected) {
            (Ok(revision), _) => return Ok(revision),
            (Err(StoreError::Conflict(text)), Expected::OneOf(_)) => {
                return Err(ApiError::precondition_failed(text));
            }
            // Somebody was faster, and the client did not say on top of what: on top of that, then.
            (Err(StoreError::Conflict(_)), Expected::Any) => {}
            (Err(StoreError::NotFound), _) => {
                return Err(ApiError::not_found(format!("there is no design {id}")));
            }
            (Err(other), _) => return Err(other.into()),
        }
    }
    Err(ApiError::conflict(format!(
        "design {id} is changed by others all the time; nothing was changed by this request"
    )))
}

/// The sources without a document, and whether it was there. A source of which nothing else counts goes altogether.
pub(super) fn without(
    designs: &Designs,
    sources: &[Source],
    document: &DocumentRef,
) -> (Vec<Source>, bool) {
    let mut kept = Vec::with_capacity(sources.len() + 1);
    let mut found = false;
    for source in sources {
        let documents = designs
            .ingest(std::slice::from_ref(source))
            .unwrap_or_default();
        let hits = documents
            .iter()
            .filter(|other| other.kind == document.kind && other.name == document.name)
            .count();
        found |= hits > 0;
        if hits == 0 {
            kept.push(source.clone());
        } else if hits < documents.len() {
            let mut source = source.clone();
            source.without.push(document.clone());
            kept.push(source);
        }
    }
    (kept, found)
}

fn errors(compiled: Result<Arc<CompiledSite>, DesignError>) -> Result<Vec<Finding>, ApiError> {
    match compiled {
        Ok(site) => Ok(site.errors().cloned().collect()),
        Err(DesignError::Unreadable(mut findings)) => {
            findings.retain(|finding| finding.level == Level::Error);
            Ok(findings)
        }
        Err(other) => Err(other.into()),
    }
}

/// The errors that were not there before. Where they stand does not count: a replaced document stands elsewhere.
fn new_errors(before: &[Finding], after: Vec<Finding>) -> Vec<Finding> {
    let mut old: Vec<&Finding> = before.iter().collect();
    after
        .into_iter()
        .filter(|finding| {
            let same = old.iter().position(|other| {
                other.rule == finding.rule
                    && other.message == finding.message
                    && other.documents == finding.documents
            });
            match same {
                Some(at) => {
                    old.swap_remove(at);
                    false
                }
                None => true,
            }
        })
        .collect()
}
