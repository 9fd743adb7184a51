//! Findings as people read them: what, where, the line itself, and how to mend it.

use drydock_model::finding::{Finding, Location};
use drydock_model::ingest::Source;

/// Characters of a source line that are shown; a longer one is shown around the place.
const WIDTH: usize = 120;

/// A finding with the line it points at, when that line is at hand.
pub fn show(finding: &Finding, sources: &[Source]) -> String {
    let mut text = format!(
        "{} [{} {}]: {}",
        finding.level, finding.rule, finding.code, finding.message
    );
    if let Some(location) = &finding.location {
        text.push_str(&format!("\n  --> {location}"));
        if let Some(lines) = excerpt(location, sources) {
            text.push_str(&lines);
        }
    }
    if !finding.diagnostic.is_empty() {
        text.push_str(&format!("\n  = {}", finding.diagnostic));
    }
    text
}

/// The line and a caret under the place.
fn excerpt(location: &Location, sources: &[Source]) -> Option<String> {
    let source = sources
        .iter()
        .find(|source| source.name == location.source)?;
    let number = usize::try_from(location.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    // Tabs would put the caret elsewhere than the terminal puts the character.
    let line: Vec<char> = source
        .text
        .lines()
        .nth(number)?
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if column > line.len() {
        return None;
    }
    let from = if line.len() > WIDTH {
        column.saturating_sub(WIDTH / 2)
    } else {
        0
    };
    let shown: String = line.iter().skip(from).take(WIDTH).collect();
    let margin = location.line.to_string();
    let blank = " ".repeat(margin.len());
    Some(format!(
        "\n {margin} | {}\n {blank} | {}^",
        shown.trim_end(),
        " ".repeat(column - from)
    ))
}

#[cfg(test)]
mod tests {
    use drydock_model::finding::Level;
    use drydock_model::ingest::Format;

    use super::*;

    fn finding(line: u32, column: u32) -> Finding {
        Finding {
            rule: "network/allowed".into(),
            code: "DD1007".into(),
            level: Level::Error,
            message: "not allowed".into(),
            diagnostic: "allow it".into(),
            documents: Vec::new(),
            location: Some(Location {
                source: "site.yaml".into(),
                line,
                column,
            }),
            chain: Vec::new(),
            fix: None,
        }
    }

    fn shown(text: &str, line: u32, column: u32) -> String {
        let source = Source {
            name: "site.yaml".into(),
            format: Format::Auto,
            text: text.into(),
            without: Vec::new(),
        };
        show(&finding(line, column), &[source])
    }

    #[test]
    fn the_caret_stands_under_the_value() {
        assert_eq!(
            shown("networks:\n  - mgmt\n  - private\n", 3, 5),
            "error [network/allowed DD1007]: not allowed\n  --> site.yaml:3:5\n 3 |   - private\n   |     ^\n  = allow it"
        );
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
