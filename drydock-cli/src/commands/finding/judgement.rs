//! `--level`, `--allow` and `--deny`: which findings count, how grave they are, and which are shown.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use drydock_design::rules::{ALL, READING, is_remark};
use drydock_model::finding::{Finding, Level};
use drydock_model::tree::nearest;

use crate::exit::{Exit, Failure};

/// What the command line says of the findings.
#[derive(Debug)]
pub struct Judgement {
    least: Level,
    verdicts: BTreeMap<&'static str, Verdict>,
}

/// What is said of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// What it finds is none.
    Allowed,
    /// What it finds is an error.
    Denied,
}

/// The rules that one word names; the narrower one has the say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    All,
    Group,
    Rule,
}

impl Judgement {
    /// Shows what is at least this grave. Rules are named by id, as `network/*`, or as `all`; an id has the say over its group, and a group over
    /// `all`.
    ///
    /// # Errors
    /// A usage error: there is no such rule, it cannot be allowed, or one word both allows and denies.
    pub fn new(least: Level, allow: &[String], deny: &[String]) -> Result<Self> {
        let mut said: BTreeMap<&'static str, (Reach, Verdict)> = BTreeMap::new();
        for (flag, words, verdict) in [
            ("--allow", allow, Verdict::Allowed),
            ("--deny", deny, Verdict::Denied),
        ] {
            for word in words {
                let (reach, rules) = named(flag, word)?;
                for rule in rules {
                    if verdict == Verdict::Allowed && is_reading(rule) {
                        if reach == Reach::Rule {
                            return Err(usage(format!(
                                "{flag} {word}: reading finds this, and without its documents there is no design to judge; it cannot be allowed"
                            )));
                        }
                        continue;
                    }
                    match said.get(rule) {
                        Some((before, other)) if *before == reach && *other != verdict => {
                            return Err(usage(format!(
                                "{flag} {word}: {rule} is both allowed and denied; name it in one of the two"
                            )));
                        }
                        Some((before, _)) if *before > reach => {}
                        _ => {
                            said.insert(rule, (reach, verdict));
                        }
                    }
                }
            }
        }
        let verdicts = said
            .into_iter()
            .map(|(rule, (_, verdict))| (rule, verdict))
            .collect();
        Ok(Judgement { least, verdicts })
    }

    /// The findings that count, at the levels they count with.
    pub fn judge(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let judge = |mut finding: Finding| match self.verdicts.get(finding.rule.as_str()) {
            Some(Verdict::Allowed) => None,
            Some(Verdict::Denied) if !is_remark(&finding) => {
                finding.level = Level::Error;
                Some(finding)
            }
            _ => Some(finding),
        };
        findings.into_iter().filter_map(judge).collect()
    }

    /// Whether it is grave enough to be shown.
    pub fn shows(&self, finding: &Finding) -> bool {
        finding.level >= self.least
    }
}

fn ids() -> impl Iterator<Item = &'static str> {
    let rules = ALL.iter().copied().chain(READING.iter());
    rules.map(|rule| rule.id)
}

fn is_reading(id: &str) -> bool {
    READING.iter().any(|rule| rule.id == id)
}

fn named(flag: &str, word: &str) -> Result<(Reach, Vec<&'static str>)> {
    if word == "all" {
        return Ok((Reach::All, ids().collect()));
    }
    let (reach, rules): (_, Vec<_>) = match word.strip_suffix('*') {
        Some(prefix) if prefix.ends_with('/') => (
            Reach::Group,
            ids().filter(|id| id.starts_with(prefix)).collect(),
        ),
        _ => (Reach::Rule, ids().filter(|id| *id == word).collect()),
    };
    if rules.is_empty() {
        return Err(usage(format!(
            "{flag} {word}: there is no such rule; {}",
            meant(word)
        )));
    }
    Ok((reach, rules))
}

/// What to write instead of a word that names no rule.
fn meant(word: &str) -> String {
    let rules = ALL.iter().copied().chain(READING.iter());
    let of_code: Vec<&str> = rules
        .filter(|rule| rule.code.eq_ignore_ascii_case(word))
        .map(|rule| rule.id)
        .collect();
    if !of_code.is_empty() {
        return format!("that is the code of {}", of_code.join(", "));
    }
    let groups: BTreeSet<String> = ids()
        .filter_map(|id| id.split_once('/'))
        .map(|(group, _)| format!("{group}/*"))
        .collect();
    let mut known: Vec<&str> = ids().collect();
    known.extend(groups.iter().map(String::as_str));
    known.push("all");
    match nearest(word, known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!(
            "docs/rules lists them; groups are {}",
            Vec::from_iter(groups).join(", ")
        ),
    }
}

fn usage(message: String) -> anyhow::Error {
    Failure::error(Exit::Usage, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::tests::finding;
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// The level of a warning of this rule; `None` when it is none.
    fn judged(rule: &str, allow: &[&str], deny: &[&str]) -> Option<Level> {
        let judgement = Judgement::new(Level::Warning, &words(allow), &words(deny)).unwrap();
        let warning = Finding {
            rule: rule.into(),
            level: Level::Warning,
            ..finding("site.yaml", 1, 1)
        };
        let judged = judgement.judge(vec![warning]);
        judged.first().map(|finding| finding.level)
    }

    #[test]
    fn the_narrower_word_has_the_say() {
        let (rule, group) = ("network/mtu", "network/*");
        let cases: [(&[&str], &[&str], Option<Level>); 8] = [
            (&[], &[], Some(Level::Warning)),
            (&[rule], &[], None),
            (&[group], &[], None),
            (&["all"], &[], None),
            (&[], &["all"], Some(Level::Error)),
            (&[rule], &[group], None),
            (&["all"], &[group], Some(Level::Error)),
            (&[group], &[rule, "all"], Some(Level::Error)),
        ];
        for (allow, deny, level) in cases {
            assert_eq!(judged(rule, allow, deny), level, "{allow:?} {deny:?}");
        }
        assert_eq!(
            judged("host/name", &[rule, group], &[]),
            Some(Level::Warning)
        );
    }

    #[test]
    fn words_that_make_no_sense_are_refused() {
        let cases: [(&[&str], &[&str], &str); 7] = [
            (&["network/mut"], &[], "did you mean network/mtu?"),
            (&["netwrok/*"], &[], "did you mean network/*?"),
            (&["DD2006"], &[], "that is the code of network/cidr"),
            (&["soup"], &[], "groups are boot/*, document/*"),
            (&["*"], &[], "no such rule"),
            (&["document/readable"], &[], "cannot be allowed"),
            (
                &["network/mtu"],
                &["network/mtu"],
                "both allowed and denied",
            ),
        ];
        for (allow, deny, told) in cases {
            let error = Judgement::new(Level::Info, &words(allow), &words(deny)).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
            assert_eq!(crate::exit::of(&error), Exit::Usage);
        }
    }

    #[test]
    fn a_rule_that_found_nothing_is_not_denied() {
        let judgement = Judgement::new(Level::Info, &[], &words(&["all"])).unwrap();
        let rule = ALL[0];
        let passed = Finding {
            rule: rule.id.into(),
            level: Level::Info,
            message: format!("{}: Validation successful.", rule.name),
            location: None,
            ..finding("site.yaml", 1, 1)
        };
        let judged = judgement.judge(vec![passed]);
        assert_eq!(judged[0].level, Level::Info);
    }
}
