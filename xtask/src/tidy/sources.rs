//! Rust files: what they begin with, how long and how named they are, and what may not be left in them.

use std::path::Path;

use super::Breach;
use crate::repository::TextFile;

/// Longer files have more than one subject.
const MAX_LINES: usize = 500;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "mod",
];

/// Macros that mark something as unfinished. Without their exclamation mark, so that this file passes its own check.
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Notes that mark something as unfinished.
const NOTES: [&str; 2] = [concat!("FIX", "ME"), concat!("X", "XX")];

/// Checks one file; other than Rust files have no breach.
pub(super) fn check(file: &TextFile) -> Vec<Breach> {
    let TextFile { path, text } = file;
    if path.extension().is_none_or(|extension| extension != "rs") {
        return Vec::new();
    }
    let mut breaches = Vec::new();
    if !text.starts_with("//! ") {
        breaches.push(Breach::at(
            path,
            1,
            "the first line says what the file is about: //! ...",
        ));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        let message = format!("{lines} lines, more than {MAX_LINES}; split it by noun");
        breaches.push(Breach::of_file(path, message));
    }
    let names = path
        .iter()
        .filter_map(|part| part.to_str())
        .map(|part| part.trim_end_matches(".rs"));
    for name in names.filter(|name| EMPTY_NAMES.contains(name)) {
        breaches.push(Breach::of_file(path, format!("{name} names no subject")));
    }
    let mut in_tests = is_test_file(path);
    for (index, line) in text.lines().enumerate() {
        in_tests |= line.trim() == "#[cfg(test)]";
        breaches.extend(
            line_breaches(line, in_tests)
                .into_iter()
                .map(|message| Breach::at(path, index + 1, message)),
        );
    }
    breaches
}

fn line_breaches(line: &str, in_tests: bool) -> Vec<String> {
    let mut messages = Vec::new();
    for name in UNFINISHED {
        if has_word(line, &format!("{name}!")) {
            messages.push(format!("{name}! is not for what we keep"));
        }
    }
    for note in NOTES {
        if has_word(line, note) {
            messages.push(format!(
                "{note} is no place for work to be done; open an issue"
            ));
        }
    }
    let code = line.trim_start();
    if code.starts_with(concat!("#[", "ignore")) {
        messages.push("a test that is not run is no test".to_owned());
    }
    if !in_tests && !code.starts_with("//") && code.contains(concat!(".expect", "(\"")) {
        messages.push("outside of tests an error goes to the caller".to_owned());
    }
    let module = code
        .split_once("mod ")
        .filter(|(before, _)| before.is_empty() || before.starts_with("pub"));
    if let Some((_, rest)) = module {
        let name = rest
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default();
        if EMPTY_NAMES.contains(&name) {
            messages.push(format!("a module {name} names no subject"));
        }
    }
    messages
}

fn is_test_file(path: &Path) -> bool {
    path.iter()
        .any(|part| part == "tests" || part == "tests.rs" || part == "benches")
}

/// Whether the word occurs, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let inner = |c: char| c.is_alphanumeric() || c == '_';
        let before = line[..at].chars().next_back().is_some_and(inner);
        let after = line[at + word.len()..].chars().next().is_some_and(inner);
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check(&file(path, text))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_file_says_what_it_is_about_and_stays_short() {
        let line = "// more\n";
        assert!(
            messages(
                "a.rs",
                &("//! One subject.\n".to_owned() + &line.repeat(499))
            )
            .is_empty()
        );
        let long = messages(
            "a.rs",
            &("//! One subject.\n".to_owned() + &line.repeat(500)),
        );
        assert_eq!(long, ["a.rs: 501 lines, more than 500; split it by noun"]);
        for text in [
            "",
            "fn main() {}\n",
            "// One subject.\n",
            "\n//! One subject.\n",
        ] {
            assert_eq!(messages("a.rs", text).len(), 1, "{text:?}");
        }
        assert!(messages("a.py", "no Rust").is_empty());
    }

    #[test]
    fn nothing_unfinished_is_kept() {
        let marks = UNFINISHED
            .map(|name| format!("    {name}!()"))
            .into_iter()
            .chain([
                format!("// {}: later", NOTES[0]),
                format!("// {} later", NOTES[1]),
                format!("    #[{}]", "ignore"),
                format!("    #[{} = \"slow\"]", "ignore"),
                format!("    it.{}(\"there\");", "expect"),
            ]);
        for mark in marks {
            let found = check(&file("a.rs", &format!("//! A.\n{mark}\n")));
            assert_eq!(found.len(), 1, "{mark}");
            assert_eq!(found[0].line, Some(2), "{mark}");
        }
        let fine = "//! A.\nlet mut methodology = my_todo!(); // XXXX, unfixed\nparser.expect(Token::End)?;\n";
        assert!(messages("a.rs", fine).is_empty());
    }

    #[test]
    fn tests_may_expect() {
        let line = format!("fn t() {{ it.{}(\"there\"); }}\n", "expect");
        assert!(messages("crate/tests/a.rs", &format!("//! A.\n{line}")).is_empty());
        assert!(messages("src/a/tests.rs", &format!("//! A.\n{line}")).is_empty());
        assert!(
            messages(
                "src/a.rs",
                &format!("//! A.\n#[cfg(test)]\nmod tests {{\n{line}}}\n")
            )
            .is_empty()
        );
        assert_eq!(
            messages(
                "src/a.rs",
                &format!("//! A.\n{line}#[cfg(test)]\nmod tests {{}}\n")
            )
            .len(),
            1
        );
    }

    #[test]
    fn names_have_a_subject() {
        for path in ["src/utils.rs", "src/common/a.rs", "src/a/mod.rs"] {
            assert_eq!(messages(path, "//! A.\n").len(), 1, "{path}");
        }
        for line in ["mod helpers;", "pub mod misc {", "pub(crate) mod utils;"] {
            assert_eq!(
                messages("a.rs", &format!("//! A.\n{line}\n")).len(),
                1,
                "{line}"
            );
        }
        assert!(messages("src/commons.rs", "//! A.\nmod commonplace;\n// mod misc\n").is_empty());
    }
}
