//! What of a source line may be shown: not what stands behind a key that names a secret, and no password in a URL. What is printed ends in the
//! logs of a pipeline.

use std::ops::Range;

use drydock_model::tree::{REDACTED, is_secret_key, url_secrets};

/// No key is longer.
const KEY: usize = 128;

/// A line and the parts of it that are not shown.
pub struct Line<'a> {
    text: &'a str,
    /// Byte ranges in order, none within another.
    hidden: Vec<Range<usize>>,
    ascii: bool,
}

impl<'a> Line<'a> {
    /// Reads a line once; showing it takes time for what is shown only.
    pub fn new(text: &'a str) -> Self {
        let mut all = secrets(text);
        all.extend(url_secrets(text));
        all.sort_by_key(|range| range.start);
        let mut hidden: Vec<Range<usize>> = Vec::new();
        for range in all {
            match hidden.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => hidden.push(range),
            }
        }
        Line {
            text,
            hidden,
            ascii: text.is_ascii(),
        }
    }

    /// Where a character stands, counted from 0; the end of the line for the one after the last.
    pub fn byte(&self, character: usize) -> Option<usize> {
        if self.ascii {
            return (character <= self.text.len()).then_some(character);
        }
        let mut starts = self.text.char_indices().map(|(at, _)| at);
        starts.by_ref().chain([self.text.len()]).nth(character)
    }

    /// At most so many characters around a place, and how many of them stand before it. Tabs become blanks: they would put a caret elsewhere
    /// than the terminal puts the character.
    pub fn around(&self, place: usize, width: usize) -> (String, usize) {
        let mut at = if self.text.len() > width {
            place.saturating_sub(width / 2)
        } else {
            0
        };
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let (mut shown, mut count, mut before) = (String::new(), 0, None);
        while at < self.text.len() && count < width {
            if at >= place && before.is_none() {
                before = Some(count);
            }
            let next = self.hidden.partition_point(|range| range.end <= at);
            if let Some(range) = self.hidden.get(next).filter(|range| range.contains(&at)) {
                if range.contains(&place) && before.is_none() {
                    before = Some(count);
                }
                shown.push_str(REDACTED);
                count += REDACTED.len();
                at = range.end;
                continue;
            }
            let Some(c) = self.text[at..].chars().next() else {
                break;
            };
            shown.push(if c.is_control() { ' ' } else { c });
            count += 1;
            at += c.len_utf8();
        }
        (shown, before.unwrap_or(count))
    }
}

/// What stands behind a key that names a secret, or behind the `data` of a document that is one text (a Deckhand passphrase or key).
fn secrets(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut in_flow = false;
    let mut from = 0;
    while let Some(at) = line[from..].find([':', '{', '[']).map(|at| from + at) {
        from = at + 1;
        if !line[at..].starts_with(':') {
            in_flow = true;
            continue;
        }
        let mut least = at.saturating_sub(KEY);
        while !line.is_char_boundary(least) {
            least += 1;
        }
        let key = line[least..at]
            .rsplit([' ', '\t', '{', '[', ',', ':'])
            .find(|word| !word.is_empty())
            .unwrap_or_default()
            .trim_matches(['"', '\'']);
        let is_text = line[..at].trim_matches(['"', '\'']) == "data";
        if !is_secret_key(key) && !is_text {
            continue;
        }
        let value = value(line, from, in_flow);
        if !value.is_empty() {
            from = value.end;
            found.push(value);
        }
    }
    found
}

/// The scalar that follows a colon; nothing where a map, a list or a block follows, whose own lines have their own keys.
fn value(line: &str, after: usize, in_flow: bool) -> Range<usize> {
    let rest = &line[after..];
    let begin = after + (rest.len() - rest.trim_start().len());
    let rest = &line[begin..];
    let end = match rest.chars().next() {
        None | Some('{' | '[' | '|' | '>' | '&' | '#') => 0,
        // A comment may tell the former one.
        Some(_) if !in_flow => rest.len(),
        Some(quote @ ('"' | '\'')) => rest[1..].find(quote).map_or(rest.len(), |at| at + 2),
        Some(_) => rest.find([',', '}', ']']).unwrap_or(rest.len()),
    };
    begin..begin + line[begin..begin + end].trim_end().len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Line::new(text).around(0, 200).0
    }

    #[test]
    fn secrets_are_hidden_and_the_rest_is_shown() {
        for (line, expected) in [
            ("  credential: hush # me", "  credential: ********"),
            (
                "oob: {credential: hush, account: root}",
                "oob: {credential: ********, account: root}",
            ),
            ("'password': \"hu, sh\"", "'password': ********"),
            ("data: hush", "data: ********"),
            (
                "data: {cidr: 10.0.0.0/24, mtuu: 1500}",
                "data: {cidr: 10.0.0.0/24, mtuu: 1500}",
            ),
            ("data:", "data:"),
            ("  credential: |", "  credential: |"),
            (
                "location: http://u:p@h/a?token=hush",
                "location: http://********@h/a?token=********",
            ),
            ("cidr: 10.0.0.0/24", "cidr: 10.0.0.0/24"),
        ] {
            assert_eq!(shown(line), expected);
        }
    }

    #[test]
    fn a_place_behind_a_secret_is_still_found() {
        let text = "oob: {credential: hush, acount: root}";
        let line = Line::new(text);
        let place = text.find("acount").unwrap();
        let (shown, before) = line.around(place, 200);
        assert_eq!(&shown[before..before + 6], "acount");
    }

    #[test]
    fn characters_are_not_bytes() {
        let line = Line::new("ü: é");
        assert_eq!(
            (line.byte(0), line.byte(3), line.byte(4), line.byte(5)),
            (Some(0), Some(4), Some(6), None)
        );
        assert_eq!(line.around(4, 200), ("ü: é".to_owned(), 3));
    }

    #[test]
    fn of_a_long_line_only_the_surroundings_are_shown() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let (shown, before) = Line::new(&text).around(500, 120);
        assert_eq!((shown.len(), &shown[before..before + 1]), (120, "X"));
    }
}
