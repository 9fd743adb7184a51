//! Findings as GitHub annotates them: workflow commands, one line each
//! (docs.github.com, "Workflow commands for GitHub Actions", "Setting an error message").

use drydock_model::finding::{Finding, Level};

use super::report::Report;
use super::{place, remarks};

/// One command for each finding that is shown and is one. Commands are read from the log, so the sum may stand below them.
pub fn lines(report: &Report<'_>) -> String {
    let found = report.found();
    let mut lines: Vec<String> = found.map(|finding| line(finding, report)).collect();
    lines.push(report.sum());
    lines.join("\n")
}

fn line(finding: &Finding, report: &Report<'_>) -> String {
    let command = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "notice",
    };
    let mut properties = Vec::new();
    if let Some(location) = &finding.location {
        let file = place::relative(&location.source, &report.folder);
        properties.push(("file", file));
        properties.push(("line", location.line.to_string()));
        properties.push(("col", location.column.to_string()));
        if let Some(span) = report.texts.fix_span(finding) {
            // Inclusive, as the editor marks it.
            properties.push(("endColumn", (span.end - 1).to_string()));
        }
    }
    properties.push(("title", format!("{} {}", finding.rule, finding.code)));
    let properties: Vec<String> = properties
        .into_iter()
        .map(|(key, value)| format!("{key}={}", property(&value)))
        .collect();
    let mut said = vec![finding.message.clone()];
    said.extend(Some(finding.diagnostic.clone()).filter(|advice| !advice.is_empty()));
    said.extend(remarks(finding));
    format!(
        "::{command} {}::{}",
        properties.join(","),
        data(&said.join("\n"))
    )
}

/// The text after the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finding, source};
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        let mut found = finding("a,b:c.yaml", 3, 5);
        found.message = "50% of\r\nit: a, b\n::error::no".into();
        found.diagnostic = String::new();
        let findings = [found];
        let sources = [source("a,b:c.yaml", "")];
        let report = Report::new(&findings, &sources, |_| true);
        assert_eq!(
            lines(&report),
            "::error file=a%2Cb%3Ac.yaml,line=3,col=5,title=network/allowed DD1007::50%25 of%0D%0Ait: a, b%0A::error::no\n1 error(s), 0 warning(s)"
        );
    }

    #[test]
    fn a_finding_without_a_place_has_no_file() {
        let mut found = finding("site.yaml", 1, 1);
        found.location = None;
        found.level = Level::Warning;
        let findings = [found];
        let report = Report::new(&findings, &[], |_| true);
        assert!(
            lines(&report).starts_with("::warning title=network/allowed DD1007::not allowed%0A")
        );
    }
}
