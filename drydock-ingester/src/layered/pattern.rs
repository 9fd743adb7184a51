//! Patterns of substitutions: regular expressions as Python writes them, matched in time that is known before.

use regex_lite::{NoExpand, Regex, RegexBuilder};

use super::budget::{Budget, Trouble};

/// Bytes of a compiled pattern.
const MOST_BYTES: usize = 1 << 18;

/// A pattern, and how many steps a byte of text costs it at most.
pub(super) struct Pattern {
    regex: Regex,
    steps: usize,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it is none, or limits.
    pub(super) fn new(text: &str, budget: &mut Budget) -> Result<Result<Pattern, String>, Trouble> {
        let steps = worst_case(text);
        budget.walk(steps.min(MOST_BYTES))?;
        let regex = RegexBuilder::new(&literal_braces(text))
            .size_limit(MOST_BYTES)
            .build();
        Ok(regex
            .map(|regex| Pattern { regex, steps })
            .map_err(|error| error.to_string()))
    }

    fn pay(&self, text: &str, budget: &mut Budget) -> Result<(), Trouble> {
        budget.walk(text.len().saturating_add(1).saturating_mul(self.steps))
    }

    /// The text with every match replaced, by the value as it stands.
    pub(super) fn replace(
        &self,
        text: &str,
        by: &str,
        budget: &mut Budget,
    ) -> Result<Option<String>, Trouble> {
        self.pay(text, budget)?;
        let matches = self.regex.find_iter(text).count();
        if matches == 0 {
            return Ok(None);
        }
        budget.write(text.len().saturating_add(by.len().saturating_mul(matches)))?;
        let replaced = self.regex.replace_all(text, NoExpand(by));
        Ok(Some(replaced.into_owned()))
    }

    /// The text of a group of the first match. `Ok(None)`: nothing matches. `Err`: there is no such group.
    pub(super) fn capture<'t>(
        &self,
        text: &'t str,
        group: usize,
        budget: &mut Budget,
    ) -> Result<Result<Option<&'t str>, usize>, Trouble> {
        self.pay(text, budget)?;
        let Some(captures) = self.regex.captures(text) else {
            return Ok(Ok(None));
        };
        Ok(match captures.get(group) {
            Some(found) => Ok(Some(found.as_str())),
            None => Err(captures.len() - 1),
        })
    }
}

/// Python takes a brace that repeats nothing as itself.
fn literal_braces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(rest.next());
            }
            '{' if repetition(rest.as_str()).is_none() => out.push_str("\\{"),
            c => out.push(c),
        }
    }
    out
}

/// The largest number of a repetition, of which the opening brace has been read.
fn repetition(rest: &str) -> Option<usize> {
    let (inside, _) = rest.split_once('}')?;
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (least.is_empty() && most.is_empty()) || !digits(least) || !digits(most) {
        return None;
    }
    let number = |text: &str| match text {
        "" => 1,
        text => text.parse().unwrap_or(usize::MAX),
    };
    Some(number(least).max(number(most)))
}

/// States of the pattern at most: its length, as often as it says.
fn worst_case(text: &str) -> usize {
    let repeated = text
        .match_indices('{')
        .filter_map(|(at, _)| repetition(&text[at + 1..]));
    repeated.fold(text.len() + 1, usize::saturating_mul)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::parse::Limits;

    fn replace(pattern: &str, text: &str, by: &str) -> Option<String> {
        let mut budget = Budget::new(&Limits::default());
        let pattern = Pattern::new(pattern, &mut budget).ok().unwrap().unwrap();
        pattern.replace(text, by, &mut budget).ok().unwrap()
    }

    #[test]
    fn every_match_is_replaced_by_the_value_as_it_stands() {
        let text = "a INSERT_X_HERE b INSERT_Y_HERE";
        assert_eq!(
            replace("INSERT_[A-Z]_HERE", text, r"$1\1${0}").unwrap(),
            r"a $1\1${0} b $1\1${0}"
        );
        assert_eq!(replace("NOTHING", text, "x"), None);
        assert_eq!(replace("a{2}", "caac", "x").unwrap(), "cxc");
        assert_eq!(replace("{{ x }}", "c{{ x }}", "y").unwrap(), "cy");
        assert_eq!(replace(r"\{x\}", "c{x}", "y").unwrap(), "cy");
    }

    #[test]
    fn patterns_that_cost_too_much_end() {
        let limits = Limits {
            nodes: 20_000,
            ..Limits::default()
        };
        let mut budget = Budget::new(&limits);
        let pattern = Pattern::new("(a{0,30}){0,30}b", &mut budget).ok().unwrap();
        let text = "a".repeat(10_000);
        assert!(pattern.unwrap().replace(&text, "", &mut budget).is_err());
        let mut budget = Budget::new(&Limits::default());
        for bad in ["(", "a{99999999}", "(?=x)", "[", "(((a{999}){999}){999})"] {
            assert!(
                !matches!(Pattern::new(bad, &mut budget), Ok(Ok(_))),
                "{bad}"
            );
        }
    }
}
