//! Gathers findings.

use std::collections::{HashMap, HashSet};

use drydock_model::design::Document;
use drydock_model::finding::{DocumentRef, Finding, Level, Location};

use crate::rules::{self, Rule};

/// Findings in order. One that says the same of the same place is told once, with all the documents it concerns: a fault in a profile
/// is one fault, however many nodes inherit it.
#[derive(Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    told: HashMap<(&'static str, Option<Location>, String), usize>,
    /// Which documents a finding names already: with ten thousand nodes its list is too long to be searched.
    named: HashSet<(usize, DocumentRef)>,
}

impl Report {
    /// Adds a finding of a rule at the rule's level.
    pub(crate) fn add(
        &mut self,
        rule: &Rule,
        message: impl Into<String>,
        diagnostic: impl Into<String>,
        at: (Vec<DocumentRef>, Option<Location>),
    ) {
        self.add_level(rule, rule.level, message, diagnostic, at);
    }

    /// Adds a finding at a level of its own.
    pub(crate) fn add_level(
        &mut self,
        rule: &Rule,
        level: Level,
        message: impl Into<String>,
        diagnostic: impl Into<String>,
        (documents, location): (Vec<DocumentRef>, Option<Location>),
    ) {
        let message = message.into();
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
        self.findings.push(Finding {
            rule: rule.id.into(),
            code: rule.code.into(),
            level,
            message,
            diagnostic: diagnostic.into(),
            documents,
            location,
        });
    }

    /// Adds what another report has, as if it had been told here.
    pub(crate) fn absorb(&mut self, other: Report) {
        for finding in other.findings {
            match rules::find(&finding.rule) {
                Some(rule) => self.add_level(
                    rule,
                    finding.level,
                    finding.message,
                    finding.diagnostic,
                    (finding.documents, finding.location),
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
pub(crate) fn at<S: AsRef<str>>(
    document: &Document,
    path: &[S],
) -> (Vec<DocumentRef>, Option<Location>) {
    (vec![document.reference()], Some(document.location(path)))
}

/// A document as a whole: the place of its name.
pub(crate) fn whole(document: &Document) -> (Vec<DocumentRef>, Option<Location>) {
    (vec![document.reference()], Some(document.name_location()))
}
