//! Findings as people read them: what, where, the line itself, how it came there, and how to mend it.

pub mod github;
pub mod judgement;
pub mod line;
pub mod place;
pub mod received;
pub mod report;
pub mod sarif;
pub mod texts;

use drydock_model::finding::{DocumentRef, Finding, Location};
use drydock_model::ingest::Source;

use texts::Texts;

/// Characters of a source line that are shown; a longer one is shown around the place.
const WIDTH: usize = 120;

/// Documents that a finding names, unless it concerns only a few more.
const NAMED: usize = 5;

/// Findings with the lines they point at, as far as those are at hand.
pub fn show_all<'a>(findings: impl IntoIterator<Item = &'a Finding>, sources: &[Source]) -> String {
    let texts = Texts::new(sources);
    let shown: Vec<String> = findings
        .into_iter()
        .map(|finding| show(finding, &texts))
        .collect();
    shown.join("\n\n")
}

/// A finding with the line it points at, when that line is at hand.
pub fn show(finding: &Finding, texts: &Texts<'_>) -> String {
    let mut text = format!(
        "{} [{} {}]: {}",
        finding.level, finding.rule, finding.code, finding.message
    );
    if let Some(location) = &finding.location {
        text.push_str(&format!("\n  --> {location}"));
        if let Some(lines) = excerpt(finding, location, texts) {
            text.push_str(&lines);
        }
    }
    if !finding.diagnostic.is_empty() {
        text.push_str(&format!("\n  = {}", finding.diagnostic));
    }
    for remark in remarks(finding) {
        text.push_str(&format!("\n  = {remark}"));
    }
    text
}

/// What is to be said besides message and advice: the chain, the documents when there are several, and the fix.
pub fn remarks(finding: &Finding) -> Vec<String> {
    let chain = finding
        .chain_text()
        .map(|chain| format!("through: {chain}"));
    let concerned =
        (finding.documents.len() > 1).then(|| format!("concerns: {}", named(&finding.documents)));
    // Advice that is the fix already need not be followed by it.
    let fix = finding.fix.as_ref().filter(|fix| {
        let advice = &finding.diagnostic;
        *advice != format!("write {}", fix.by)
    });
    let fix = fix.map(|fix| format!("write: {}", fix.by));
    chain.into_iter().chain(concerned).chain(fix).collect()
}

/// The first documents by name, the others by number. One kind is named once.
fn named(documents: &[DocumentRef]) -> String {
    // "and 1 more" would be as long as its name.
    let count = if documents.len() <= NAMED + 1 {
        documents.len()
    } else {
        NAMED
    };
    let mut kind = None;
    let names: Vec<String> = documents[..count]
        .iter()
        .map(|document| {
            let same = kind.replace(document.kind) == Some(document.kind);
            if same {
                document.name.clone()
            } else {
                document.to_string()
            }
        })
        .collect();
    let more = match documents.len() - count {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", names.join(", "))
}

/// The line and a caret under the place; under all of the text that the fix replaces, where that stands there.
fn excerpt(finding: &Finding, location: &Location, texts: &Texts<'_>) -> Option<String> {
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let line = texts.shown(location)?;
    // Behind the end of the line there is nothing to point at.
    let (shown, before) = line.around(line.byte(column)?, WIDTH);
    let length = texts
        .fix_span(finding)
        .and_then(|span| usize::try_from(span.end.saturating_sub(location.column)).ok())
        .map_or(1, |length| length.min(WIDTH.saturating_sub(before)));
    let margin = location.line.to_string();
    let blank = " ".repeat(margin.len());
    Some(format!(
        "\n {margin} | {}\n {blank} | {}{}",
        shown.trim_end(),
        " ".repeat(before),
        "^".repeat(length.max(1)),
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use drydock_model::design::Kind;
    use drydock_model::finding::{Fix, Level};
    use drydock_model::ingest::Format;
    use drydock_model::tree::REDACTED;

    use super::*;

    pub(crate) fn finding(source: &str, line: u32, column: u32) -> Finding {
        Finding {
            rule: "network/allowed".into(),
            code: "DD1007".into(),
            level: Level::Error,
            message: "not allowed".into(),
            diagnostic: "allow it".into(),
            documents: Vec::new(),
            location: Some(Location {
                source: source.into(),
                line,
                column,
            }),
            chain: Vec::new(),
            fix: None,
        }
    }

    pub(crate) fn source(name: &str, text: &str) -> Source {
        Source {
            name: name.into(),
            format: Format::Auto,
            text: text.into(),
            without: Vec::new(),
        }
    }

    pub(crate) fn document(kind: Kind, name: &str) -> DocumentRef {
        DocumentRef {
            kind,
            name: name.into(),
        }
    }

    fn shown(text: &str, line: u32, column: u32) -> String {
        show_all(
            &[finding("site.yaml", line, column)],
            &[source("site.yaml", text)],
        )
    }

    #[test]
    fn the_caret_stands_under_the_value() {
        assert_eq!(
            shown("networks:\n  - mgmt\n  - private\n", 3, 5),
            "error [network/allowed DD1007]: not allowed\n  --> site.yaml:3:5\n 3 |   - private\n   |     ^\n  = allow it"
        );
    }

    #[test]
    fn chain_documents_and_fix_are_told() {
        let mut finding = finding("site.yaml", 1, 7);
        finding.documents = (1..=42)
            .map(|number| document(Kind::BaremetalNode, &format!("n{number}")))
            .collect();
        finding.chain = vec![
            document(Kind::BaremetalNode, "n1"),
            document(Kind::HostProfile, "worker"),
        ];
        finding.fix = Some(Fix {
            replace: "10.0.0.5/24".into(),
            by: "10.0.0.0/24".into(),
        });
        let text = show_all(&[finding], &[source("site.yaml", "cidr: 10.0.0.5/24\n")]);
        assert_eq!(
            text,
            "error [network/allowed DD1007]: not allowed\n  --> site.yaml:1:7\n 1 | cidr: 10.0.0.5/24\n   |       ^^^^^^^^^^^\n  = allow it\n  = through: BaremetalNode n1 <- HostProfile worker\n  = concerns: BaremetalNode n1, n2, n3, n4, n5 and 37 more\n  = write: 10.0.0.0/24"
        );
    }

    #[test]
    fn what_names_a_secret_is_shown_without_it() {
        for line in [
            "  credential: hush",
            "  'ipmi_password' : \"hush\" # hush",
            "- {a: b, token: hush, c: d}",
            "data: hush",
            "  credential: 'http://hush:hush@h'",
        ] {
            let shown = shown(&format!("{line}\n"), 1, 3);
            assert!(!shown.contains("hush"), "{shown}");
            assert!(shown.contains(REDACTED), "{shown}");
        }
        let harmless = "  data: a # a: b\n";
        assert!(shown(harmless, 1, 3).contains(harmless.trim_end()));
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let shown = shown(&text, 1, 501);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[2].find('X'), lines[3].find('^'), "{shown}");
        assert!(lines[2].len() < 140, "{shown}");
    }

    #[test]
    fn a_place_that_is_not_in_the_text_is_only_named() {
        for (line, column) in [(9, 1), (1, 99), (0, 0)] {
            assert_eq!(
                shown("a: b\n", line, column).lines().count(),
                3,
                "{line}:{column}"
            );
        }
    }
}
