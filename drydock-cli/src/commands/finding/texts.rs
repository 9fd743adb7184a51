//! The texts that findings point into, with their lines found once.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use drydock_model::finding::{Finding, Location};
use drydock_model::ingest::Source;

use super::line::Line;

/// Texts by name. A design may have a hundred thousand findings, so a line is not looked for from the top each time.
pub struct Texts<'a> {
    by_name: HashMap<&'a str, Text<'a>>,
}

struct Text<'a> {
    text: &'a str,
    lines: OnceCell<Vec<&'a str>>,
    /// The line that was shown last. A design may be one line, with thousands of findings.
    last: RefCell<Option<(u32, Rc<Line<'a>>)>>,
}

/// Characters of one line, columns counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub start: u32,
    /// The one after the last.
    pub end: u32,
}

impl<'a> Texts<'a> {
    /// Over these sources; the first of a name counts.
    pub fn new(sources: &'a [Source]) -> Self {
        let mut by_name = HashMap::new();
        for source in sources {
            by_name.entry(&*source.name).or_insert_with(|| Text {
                text: &source.text,
                lines: OnceCell::new(),
                last: RefCell::new(None),
            });
        }
        Texts { by_name }
    }

    /// The line of a place, without its end; `None` when it is not at hand.
    pub fn line(&self, location: &Location) -> Option<&'a str> {
        let text = self.by_name.get(&*location.source)?;
        let number = usize::try_from(location.line).ok()?.checked_sub(1)?;
        let lines = text.lines.get_or_init(|| text.text.lines().collect());
        lines.get(number).copied()
    }

    /// The line of a place as it may be shown; `None` when it is not at hand.
    pub fn shown(&self, location: &Location) -> Option<Rc<Line<'a>>> {
        let text = self.by_name.get(&*location.source)?;
        let mut last = text.last.borrow_mut();
        if let Some((_, line)) = last.as_ref().filter(|(number, _)| *number == location.line) {
            return Some(Rc::clone(line));
        }
        let line = Rc::new(Line::new(self.line(location)?));
        *last = Some((location.line, Rc::clone(&line)));
        Some(line)
    }

    /// Where the text stands that a finding's fix replaces, when it can be replaced letter by letter: it really stands at the place, as a whole
    /// value or key, and what is written instead means itself there.
    pub fn fix_span(&self, finding: &Finding) -> Option<Span> {
        let (location, fix) = (finding.location.as_ref()?, finding.fix.as_ref()?);
        let line = self.line(location)?;
        let skipped = usize::try_from(location.column).ok()?.checked_sub(1)?;
        let at = self.shown(location)?.byte(skipped)?;
        let rest = &line[at..];
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let inside = quote.map_or(rest, |_| &rest[1..]);
        let after = inside.strip_prefix(fix.replace.as_str())?;
        let stands = !fix.replace.is_empty()
            && match quote {
                Some(quote) => after.starts_with(quote) && !fix.by.contains(['"', '\'', '\\']),
                None => ends_plain(after) && is_plain(&fix.by),
            };
        let length = u32::try_from(fix.replace.chars().count()).ok()?;
        let start = location.column + u32::from(quote.is_some());
        stands.then_some(Span {
            start,
            end: start.checked_add(length)?,
        })
    }
}

/// Whether a plain scalar may end before this rest of a line.
fn ends_plain(rest: &str) -> bool {
    let mut letters = rest.chars();
    match letters.next() {
        None => true,
        Some(',' | ']' | '}') => true,
        Some(':') => letters.next().is_none_or(|c| c == ' '),
        // What follows a blank belongs to the scalar unless it is a comment.
        Some(' ' | '\t') => {
            let rest = rest.trim_start();
            rest.is_empty() || rest.starts_with(['#', ':', ',', ']', '}'])
        }
        Some(_) => false,
    }
}

/// Whether a text can stand unquoted anywhere: letters, digits, and signs that YAML gives no meaning inside of a word.
fn is_plain(text: &str) -> bool {
    let sign = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '_'))
        && text.ends_with(sign)
        && text.chars().all(|c| sign(c) || c == ':')
}

#[cfg(test)]
mod tests {
    use drydock_model::finding::Fix;

    use super::super::tests::{finding, source};
    use super::*;

    fn span(line: &str, column: u32, replace: &str, by: &str) -> Option<(u32, u32)> {
        let sources = [source("site.yaml", &format!("a: b\n{line}\n"))];
        let mut finding = finding("site.yaml", 2, column);
        finding.fix = Some(Fix {
            replace: replace.into(),
            by: by.into(),
        });
        let span = Texts::new(&sources).fix_span(&finding)?;
        Some((span.start, span.end))
    }

    #[test]
    fn what_stands_at_the_place_can_be_replaced() {
        assert_eq!(
            span("cidr: 10.0.0.5/24", 7, "10.0.0.5/24", "10.0.0.0/24"),
            Some((7, 18))
        );
        assert_eq!(
            span("cidr: '10.0.0.5/24' # why", 7, "10.0.0.5/24", "10.0.0.0/24"),
            Some((8, 19))
        );
        assert_eq!(span("ü: {nmae: x}", 5, "nmae", "name"), Some((5, 9)));
        assert_eq!(span("é: [a, wroker]", 8, "wroker", "worker"), Some((8, 14)));
        assert_eq!(span("a: fd00:: # c", 4, "fd00::", "fd01::1"), Some((4, 10)));
    }

    #[test]
    fn what_does_not_stand_there_cannot() {
        let cases = [
            ("cidr: *net", 7, "10.0.0.5/24", "10.0.0.0/24"),
            ("cidr: 10.0.0.5/248", 7, "10.0.0.5/24", "10.0.0.0/24"),
            ("name: two words", 7, "two", "one"),
            ("name: \"one\\x20\"", 7, "one ", "two"),
            ("name: x", 7, "x", "y: z"),
            ("name: x", 7, "x", "*y"),
            ("name: 'x'", 7, "x", "it's"),
            ("name: x", 99, "x", "y"),
            ("name: x", 0, "x", "y"),
            ("name: x", 7, "", "y"),
        ];
        for (line, column, replace, by) in cases {
            assert_eq!(span(line, column, replace, by), None, "{line}: {replace}");
        }
    }
}
