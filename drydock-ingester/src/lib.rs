//! Reads design documents from text.
//!
//! Purpose: bytes to [`Document`]s, each value with its line and column, and every finding that a text deserves. One plugin per
//! surface form: `yaml`, `deckhand`; `auto` takes whatever each document says of itself.
//!
//! Non-goals: no I/O (who calls has fetched the text), no judgement of a design as a whole (that is `drydock-design`).

mod deckhand;
mod emit;
mod form;
pub mod parse;
mod yaml;

use drydock_model::design::Document;
use drydock_model::finding::{Finding, Level, Location};
use drydock_model::ingest::{Format, Ingester, Source};
use drydock_model::tree::Tree;

pub use emit::to_yaml;
use form::{Form, Outcome};
use parse::{Fault, Limits};

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
    fn ingest(&self, sources: &[Source]) -> Result<Vec<Document>, Vec<Finding>> {
        let mut findings = Vec::new();
        let mut documents = Vec::new();
        for source in sources {
            let (outcomes, faults) =
                parse::parse_each(&source.text, &self.limits, &|tree| read(tree, source));
            findings.extend(
                faults
                    .into_iter()
                    .map(|fault| unreadable(fault, &source.name)),
            );
            documents.reserve(outcomes.len());
            for outcome in outcomes {
                match outcome {
                    Outcome::Document(document)
                        if source.without.contains(&document.reference()) => {}
                    Outcome::Document(document) => documents.push(*document),
                    Outcome::PassedOver => {}
                    Outcome::Refused(finding) => findings.push(*finding),
                }
            }
        }
        if findings.is_empty() {
            Ok(documents)
        } else {
            Err(findings)
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

fn read(tree: Tree, source: &Source) -> Outcome {
    let forms: [&dyn Form; 2] = [&yaml::YamlForm, &deckhand::DeckhandForm];
    let says = forms.into_iter().find(|form| form.recognises(&tree));
    let wanted = match source.format {
        Format::Yaml => Some(forms[0]),
        Format::Deckhand => Some(forms[1]),
        Format::Auto => None,
    };
    match (wanted, says) {
        (Some(wanted), Some(says)) if wanted.name() != says.name() => {
            form::wrong_form(&tree, wanted, says, source)
        }
        (Some(wanted), _) => wanted.read(tree, source),
        (None, Some(says)) => says.read(tree, source),
        (None, None) => form::no_form(&tree, source),
    }
}

fn unreadable(fault: Fault, source: &std::sync::Arc<str>) -> Finding {
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
