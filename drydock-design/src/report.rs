//! Gathers findings.

use drydock_model::design::Document;
use drydock_model::finding::{DocumentRef, Finding, Fix, Level, Location};
use hashbrown::{HashMap, HashSet};

use crate::compile::Gaps;
use crate::rules::{self, Rule};

/// Which documents a finding is about, and where the value stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// The first is the one to open.
    pub(crate) documents: Vec<DocumentRef>,
    pub(crate) location: Option<Location>,
    /// See [`Finding::chain`].
    pub(crate) chain: Vec<DocumentRef>,
}

impl Place {
    /// The place with more documents that it is about.
    pub(crate) fn and(mut self, others: impl IntoIterator<Item = DocumentRef>) -> Self {
        self.documents.extend(others);
        self
    }
}

/// How to mend something.
pub(crate) struct Advice {
    text: String,
    fix: Option<Fix>,
}

impl Advice {
    /// Advice that comes to writing one text in place of the one at the finding's location.
    pub(crate) fn write(
        by: impl Into<String>,
        replace: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Advice {
            text: text.into(),
            fix: Some(Fix {
                replace: replace.into(),
                by: by.into(),
            }),
        }
    }
}

impl<T: Into<String>> From<T> for Advice {
    fn from(text: T) -> Self {
        Advice {
            text: text.into(),
            fix: None,
        }
    }
}

/// Findings in order. One that says the same of the same place is told once, with all the documents it concerns: a fault in a profile
/// is one fault, however many nodes inherit it.
#[derive(Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    told: HashMap<(&'static str, Option<Location>, String), usize>,
    /// Which documents a finding names already: with ten thousand nodes its list is too long to be searched.
    named: HashSet<(usize, DocumentRef)>,
    /// What was left out on the way.
    pub(crate) gaps: Gaps,
}

impl Report {
    /// Adds a finding of a rule at the rule's level.
    pub(crate) fn add(
        &mut self,
        rule: &Rule,
        message: impl Into<String>,
        advice: impl Into<Advice>,
        place: Place,
    ) {
        self.add_level(rule, rule.level, message, advice, place);
    }

    /// Adds a finding at a level of its own.
    pub(crate) fn add_level(
        &mut self,
        rule: &Rule,
        level: Level,
        message: impl Into<String>,
        advice: impl Into<Advice>,
        place: Place,
    ) {
        let message = message.into();
        let Place {
            documents,
            location,
            chain,
        } = place;
        let key = (rule.id, location.clone(), message.clone());
        if let Some(&index) = self.told.get(&key) {
            for document in documents {
                if self.named.insert((index, document.clone())) {
                    self.findings[index].documents.push(document);
                }
            }
            return;
        }
        let index = self.findings.len();
        self.told.insert(key, index);
        self.named
            .extend(documents.iter().map(|document| (index, document.clone())));
        let advice = advice.into();
        self.findings.push(Finding {
            rule: rule.id.into(),
            code: rule.code.into(),
            level,
            message,
            diagnostic: advice.text,
            documents,
            location,
            chain,
            fix: advice.fix,
        });
    }

    /// Adds what another report has, as if it had been told here.
    pub(crate) fn absorb(&mut self, mut other: Report) {
        if self.is_empty() {
            std::mem::swap(self, &mut other);
        }
        self.gaps.absorb(other.gaps);
        for finding in other.findings {
            match rules::find(&finding.rule) {
                Some(rule) => self.add_level(
                    rule,
                    finding.level,
                    finding.message,
                    Advice {
                        text: finding.diagnostic,
                        fix: finding.fix,
                    },
                    Place {
                        documents: finding.documents,
                        location: finding.location,
                        chain: finding.chain,
                    },
                ),
                None => self.findings.push(finding),
            }
        }
    }

    pub(crate) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}

/// A document and the place of a value in it.
pub(crate) fn at<S: AsRef<str>>(document: &Document, path: &[S]) -> Place {
    Place {
        documents: vec![document.reference()],
        location: Some(document.location(path)),
        chain: Vec::new(),
    }
}

/// A document as a whole: the place of its name.
pub(crate) fn whole(document: &Document) -> Place {
    Place {
        documents: vec![document.reference()],
        location: Some(document.name_location()),
        chain: Vec::new(),
    }
}
