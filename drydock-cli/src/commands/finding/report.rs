//! What a validation has to tell, and the forms it is told in.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Result;
use drydock_design::rules::is_remark;
use drydock_model::finding::{DocumentRef, Finding, Level, Location};
use drydock_model::ingest::Source;
use serde_json::{Value, json};

use super::texts::Texts;
use super::{github, sarif, show};
use crate::args::{Output, ReportFormat};
use crate::print;

/// Findings and what is needed to tell them.
pub struct Report<'a> {
    /// All that count.
    findings: &'a [Finding],
    /// Those that are shown.
    shown: Vec<&'a Finding>,
    /// The texts they point into.
    pub texts: Texts<'a>,
    /// Where documents stand, as far as it is known.
    pub places: HashMap<DocumentRef, Location>,
    /// The folder that paths are told from.
    pub folder: PathBuf,
    /// Whether there was a design to judge.
    pub readable: bool,
}

impl<'a> Report<'a> {
    /// Of these findings, from the working folder, no document's place being known.
    pub fn new(
        findings: &'a [Finding],
        sources: &'a [Source],
        shows: impl Fn(&Finding) -> bool,
    ) -> Self {
        Report {
            findings,
            shown: findings.iter().filter(|finding| shows(finding)).collect(),
            texts: Texts::new(sources),
            places: HashMap::new(),
            // Without one, paths are told as they were named.
            folder: std::env::current_dir().unwrap_or_default(),
            readable: true,
        }
    }

    /// How many findings there are of a level. That a rule found nothing is none.
    pub fn count(&self, level: Level) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.level == level && !is_remark(finding))
            .count()
    }

    /// The findings that are shown, without the messages of rules that found nothing.
    pub fn found(&self) -> impl Iterator<Item = &'a Finding> {
        self.shown
            .iter()
            .copied()
            .filter(|finding| !is_remark(finding))
    }

    /// The last line for people.
    pub fn sum(&self) -> String {
        format!(
            "{} error(s), {} warning(s)",
            self.count(Level::Error),
            self.count(Level::Warning)
        )
    }

    /// Prints it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn print(&self, format: ReportFormat) -> Result<()> {
        match format {
            ReportFormat::Table => print::value(Output::Table, &Value::Null, |_| self.table()),
            ReportFormat::Json => print::value(Output::Json, &self.value(), |_| String::new()),
            ReportFormat::Yaml => print::value(Output::Yaml, &self.value(), |_| String::new()),
            ReportFormat::Sarif => print::value(Output::Json, &sarif::log(self), |_| String::new()),
            ReportFormat::Github => {
                print::value(Output::Table, &Value::Null, |_| github::lines(self))
            }
        }
    }

    fn table(&self) -> String {
        let mut text = String::new();
        for finding in &self.shown {
            text.push_str(&show(finding, &self.texts));
            text.push_str("\n\n");
        }
        text.push_str(&self.sum());
        text
    }

    fn value(&self) -> Value {
        json!({
            "errors": self.count(Level::Error),
            "warnings": self.count(Level::Warning),
            "infos": self.count(Level::Info),
            "findings": self.shown,
        })
    }
}
