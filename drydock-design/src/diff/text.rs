//! The difference as people read it.

use std::fmt;

use serde_json::Value;

use super::{Change, ChangeKind, Concern, Difference, SitePart};

/// Names that are told before the rest is counted.
const NAMES: usize = 12;

/// Characters of a value that are told.
const WIDTH: usize = 120;

impl fmt::Display for Difference {
    /// Nodes first, grouped by equal changes, then the site, then whom it concerns. `+` is new, `-` is gone, `~` is another. Ends without a line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            f.write_str("The designs mean the same.")?;
        } else {
            write!(
                f,
                "{} added, {} removed, {} changed; {} of the site changed",
                count(self.added.len(), "node"),
                self.removed.len(),
                self.changed
                    .iter()
                    .map(|group| group.nodes.len())
                    .sum::<usize>(),
                count(self.site.len(), "other part")
            )?;
            whole_nodes(f, '-', &self.removed)?;
            whole_nodes(f, '+', &self.added)?;
            for group in &self.changed {
                let concerns: Vec<_> = group.concerns.iter().map(Concern::to_string).collect();
                write!(f, "\n\n~ {} [{}]", nodes(&group.nodes), concerns.join(", "))?;
                changes(f, &group.changes)?;
            }
            for part in &self.site {
                site_part(f, part)?;
            }
            whom(f, self)?;
        }
        if !self.not_compared.is_empty() {
            write!(
                f,
                "\n\n{} could not be compared, because one side does not tell: ",
                count(self.not_compared.len(), "secret")
            )?;
            let paths: Vec<_> = self.not_compared.iter().map(ToString::to_string).collect();
            f.write_str(&some(&paths))?;
        }
        Ok(())
    }
}

fn whole_nodes(f: &mut fmt::Formatter<'_>, mark: char, names: &[String]) -> fmt::Result {
    if names.is_empty() {
        return Ok(());
    }
    write!(f, "\n\n{mark} {}", nodes(names))
}

fn site_part(f: &mut fmt::Formatter<'_>, part: &SitePart) -> fmt::Result {
    write!(
        f,
        "\n\n{} {} [{}]",
        mark(part.kind),
        part.part,
        part.concern
    )?;
    if !part.reaches.is_empty() {
        write!(f, ", used by {}", nodes(&part.reaches))?;
    }
    changes(f, &part.changes)
}

fn changes(f: &mut fmt::Formatter<'_>, changes: &[Change]) -> fmt::Result {
    for change in changes {
        if change.path.0.is_empty() {
            // The whole part, which the line above tells.
            if let Some(value) = change.before.as_ref().or(change.after.as_ref()) {
                write!(f, "\n    {}", text(value))?;
            }
            continue;
        }
        write!(f, "\n    {} {}: ", mark(change.kind), change.path)?;
        if change.secret {
            f.write_str("a secret, not shown")?;
            continue;
        }
        match (&change.before, &change.after) {
            (Some(Value::Array(old)), Some(Value::Array(new)))
                if change.kind == ChangeKind::Changed =>
            {
                items(f, old, new)?;
            }
            (Some(old), Some(new)) => write!(f, "{} -> {}", text(old), text(new))?,
            (Some(only), None) | (None, Some(only)) => f.write_str(&text(only))?,
            (None, None) => {}
        }
    }
    Ok(())
}

/// What went from a list and what came to it.
fn items(f: &mut fmt::Formatter<'_>, old: &[Value], new: &[Value]) -> fmt::Result {
    let gone = old
        .iter()
        .filter(|item| !new.contains(item))
        .map(|item| ('-', item));
    let come = new
        .iter()
        .filter(|item| !old.contains(item))
        .map(|item| ('+', item));
    let told: Vec<_> = gone
        .chain(come)
        .map(|(mark, item)| format!("{mark}{}", text(item)))
        .collect();
    if told.is_empty() {
        // The same items, one of them more often than before.
        let whole = |items: &[Value]| text(&Value::Array(items.to_vec()));
        return write!(f, "{} -> {}", whole(old), whole(new));
    }
    f.write_str(&told.join(", "))
}

/// Whom the differences concern, and who has to be deployed anew.
fn whom(f: &mut fmt::Formatter<'_>, difference: &Difference) -> fmt::Result {
    if difference.touched.is_empty() {
        return Ok(());
    }
    f.write_str("\n\nTouched:")?;
    for (concern, names) in &difference.touched {
        let needs = if concern.needs_deployment() {
            "on a deployed machine only after a new deployment"
        } else {
            "no new deployment needed"
        };
        write!(f, "\n    {concern} ({needs}): {}", nodes(names))?;
    }
    Ok(())
}

fn mark(kind: ChangeKind) -> char {
    match kind {
        ChangeKind::Added => '+',
        ChangeKind::Removed => '-',
        ChangeKind::Changed | ChangeKind::Reordered => '~',
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn nodes(names: &[String]) -> String {
    format!("{}: {}", count(names.len(), "node"), some(names))
}

fn some(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMES)
        .map(|name| printable(name))
        .collect();
    let rest = names.len() - shown.len();
    let more = if rest == 0 {
        String::new()
    } else {
        format!(" and {rest} more")
    };
    format!("{}{more}", shown.join(", "))
}

/// A value on one line, cut where it gets long.
fn text(value: &Value) -> String {
    let whole = match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(map) => match size(map).or_else(|| address(map)) {
            Some(told) => told,
            None => {
                let set = map.iter().filter(|(_, value)| !says_nothing(value));
                let told: Vec<_> = set
                    .map(|(key, value)| format!("{key}: {}", text(value)))
                    .collect();
                format!("{{{}}}", told.join(", "))
            }
        },
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(text).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    };
    let whole = printable(&whole);
    match whole.char_indices().nth(WIDTH) {
        Some((end, _)) => format!(
            "{}... ({} characters)",
            &whole[..end],
            whole.chars().count()
        ),
        None => whole,
    }
}

/// Whether a field of something that came or went is not worth a word.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Line breaks and other control characters as escapes, so that no value of a design can pass for a line of ours or steer a terminal.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        // The marks that turn the direction of writing would let one value read as another (Unicode Standard Annex 9).
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A size in the documents' spelling: `>20g`, `50%`.
fn size(map: &serde_json::Map<String, Value>) -> Option<String> {
    let (key, number) = only(map)?;
    let number = number.as_u64()?;
    match key {
        "bytes" => Some(bytes(number)),
        "at_least" => Some(format!(">{}", bytes(number))),
        "percent" => Some(format!("{number}%")),
        "at_least_percent" => Some(format!(">{number}%")),
        _ => None,
    }
}

fn bytes(number: u64) -> String {
    const UNITS: [(u64, &str); 6] = [
        (1_000_000_000_000, "t"),
        (1 << 40, "ti"),
        (1_000_000_000, "g"),
        (1 << 30, "gi"),
        (1_000_000, "m"),
        (1 << 20, "mi"),
    ];
    let unit = UNITS
        .into_iter()
        .find(|(unit, _)| number > 0 && number.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) => format!("{}{name}", number / unit),
        None => format!("{number} bytes"),
    }
}

fn address(map: &serde_json::Map<String, Value>) -> Option<String> {
    match only(map)? {
        ("static", Value::String(address)) => Some(address.clone()),
        _ => None,
    }
}

fn only(map: &serde_json::Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = map.iter();
    let (key, value) = entries.next()?;
    entries.next().is_none().then_some((key.as_str(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_read_as_in_the_documents() {
        let cases = [
            (json!({"bytes": 20_000_000_000_u64}), "20g"),
            (json!({"at_least": 1_u64 << 30}), ">1gi"),
            (json!({"bytes": 7}), "7 bytes"),
            (json!({"percent": 50}), "50%"),
            (json!({"static": "10.0.0.1"}), "10.0.0.1"),
            (
                json!({"a": 1, "b": null, "c": [{}], "d": {}}),
                "{a: 1, c: [{}]}",
            ),
            (json!(null), "(none)"),
            (json!(""), "(empty)"),
            (json!(["a", "b"]), "[a, b]"),
            (json!("two\nlines\u{1b}[31m"), "two\\nlines\\u{1b}[31m"),
            (json!("a\u{202e}b"), "a\\u{202e}b"),
        ];
        for (value, told) in cases {
            assert_eq!(text(&value), told);
        }
        assert!(text(&json!("x".repeat(5000))).ends_with("(5000 characters)"));
    }
}
