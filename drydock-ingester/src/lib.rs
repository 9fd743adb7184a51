//! Reads design documents from text.
//!
//! Purpose: bytes to [`Document`]s, each value with its line and column, and every finding that a text deserves. One plugin per
//! surface form: `yaml`, `deckhand`; `auto` takes whatever each document says of itself. Unrendered site trees in Deckhand form, known by
//! their layering policy, are rendered first (`layered`).
//!
//! Non-goals: no I/O (who calls has fetched the text), no judgement of a design as a whole (that is `drydock-design`).

mod deckhand;
mod emit;
mod form;
mod layered;
pub mod parse;
mod rendered;
mod yaml;

use std::sync::Arc;

use drydock_model::finding::{Finding, Level, Location};
use drydock_model::ingest::{Format, Ingested, Ingester, Source, Unread};
use drydock_model::tree::Tree;

pub use emit::to_yaml;
use form::{Form, Outcome, Text};
use layered::Site;
use parse::{Fault, Limits};
pub use rendered::{Rendered, to_stream};

/// Reads sources of every [`Format`].
#[derive(Clone, Copy, Debug, Default)]
pub struct DesignIngester {
    limits: Limits,
}

impl DesignIngester {
    /// An ingester with limits of one's own.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        DesignIngester { limits }
    }
}

impl Ingester for DesignIngester {
    fn read(&self, sources: &[Source]) -> Ingested {
        let mut collected = Collected::default();
        if let Some(site) = layered::render(sources, &self.limits) {
            let Site { origins, documents } = match site {
                Ok(site) => site,
                // Which documents a tree comes to is known when all of it is rendered.
                Err(findings) => {
                    return Ingested {
                        unread: vec![Unread::default()],
                        findings,
                        ..Ingested::default()
                    };
                }
            };
            for laid in documents {
                let text = Text {
                    source: &sources[laid.text],
                    origins: Arc::clone(&origins),
                };
                let unread = laid.unread();
                let mut outcome = read(laid.tree, &text);
                if let Outcome::Document(document) = &mut outcome {
                    document.ignored.extend(unread);
                }
                collected.take(outcome, &text);
            }
            return collected.0;
        }
        for source in sources {
            let text = Text {
                source,
                origins: Arc::default(),
            };
            let (outcomes, faults) =
                parse::parse_each(&source.text, &self.limits, &|tree| read(tree, &text));
            collected.faults(faults, source);
            collected.0.documents.reserve(outcomes.len());
            for outcome in outcomes {
                collected.take(outcome, &text);
            }
        }
        collected.0
    }
}

/// What was read so far.
#[derive(Default)]
struct Collected(Ingested);

impl Collected {
    fn faults(&mut self, faults: Vec<Fault>, source: &Source) {
        if !faults.is_empty() {
            self.0.unread.push(Unread::default());
        }
        let faults = faults.into_iter();
        self.0
            .findings
            .extend(faults.map(|fault| unreadable(fault, &source.name)));
    }

    fn take(&mut self, outcome: Outcome, text: &Text<'_>) {
        match outcome {
            Outcome::Document(document) if text.source.without.contains(&document.reference()) => {}
            Outcome::Document(document) => self.0.documents.push(*document),
            Outcome::PassedOver => {}
            Outcome::Refused(refusal) => {
                self.0.findings.extend(refusal.findings);
                self.0.unread.push(refusal.unread);
            }
        }
    }
}

/// Reads any YAML, such as settings: all documents of the text that are not empty.
///
/// # Errors
/// Why the text is not YAML, and where; at least one finding.
pub fn parse_tree(text: &str, source_name: &str) -> Result<Vec<Tree>, Vec<Finding>> {
    let parsed = parse::parse(text, &Limits::default());
    if parsed.faults.is_empty() {
        return Ok(parsed.documents);
    }
    let name = source_name.into();
    Err(parsed
        .faults
        .into_iter()
        .map(|fault| unreadable(fault, &name))
        .collect())
}

/// Reads one document. Of one that is refused, the outcome says what it would have been.
fn read(tree: Tree, text: &Text<'_>) -> Outcome {
    let unread = form::head(&tree);
    let mut outcome = read_body(tree, text);
    if let Outcome::Refused(refusal) = &mut outcome {
        refusal.unread = unread;
    }
    outcome
}

fn read_body(tree: Tree, text: &Text<'_>) -> Outcome {
    let forms: [&dyn Form; 2] = [&yaml::YamlForm, &deckhand::DeckhandForm];
    let says = forms.into_iter().find(|form| form.recognises(&tree));
    let wanted = match text.source.format {
        Format::Yaml => Some(forms[0]),
        Format::Deckhand => Some(forms[1]),
        Format::Auto => None,
    };
    match (wanted, says) {
        (Some(wanted), Some(says)) if wanted.name() != says.name() => {
            form::wrong_form(&tree, wanted, says, text)
        }
        (Some(wanted), _) => wanted.read(tree, text),
        (None, Some(says)) => says.read(tree, text),
        (None, None) => form::no_form(&tree, text),
    }
}

fn unreadable(fault: Fault, source: &Arc<str>) -> Finding {
    Finding {
        rule: "document/readable".into(),
        code: "DD000".into(),
        level: Level::Error,
        message: fault.message,
        diagnostic: fault.advice,
        documents: Vec::new(),
        location: fault
            .position
            .map(|position| Location::new(source, &[], position)),
        chain: Vec::new(),
        fix: None,
    }
}
