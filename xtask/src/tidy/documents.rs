//! Documents: their links lead somewhere, and each decision record has a number of its own.

use std::collections::BTreeMap;
use std::path::Path;

use super::Breach;
use crate::repository::TextFile;

/// Where the decision records are.
const RECORDS: &str = "docs/adr";

/// Checks the relative links of one Markdown file; `exists` answers for a path from the root.
pub(super) fn check_links(file: &TextFile, exists: impl Fn(&Path) -> bool) -> Vec<Breach> {
    let TextFile { path, text } = file;
    if path.extension().is_none_or(|extension| extension != "md") {
        return Vec::new();
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut breaches = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code || line.starts_with("    ") {
            continue;
        }
        for target in link_targets(line) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !exists(&folder.join(file)) {
                breaches.push(Breach::at(
                    path,
                    index + 1,
                    format!("the link {target} leads nowhere"),
                ));
            }
        }
    }
    breaches
}

/// The numbers of the decision records: four digits each, and none twice.
pub(super) fn check_records(files: &[TextFile]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut taken: BTreeMap<&str, &Path> = BTreeMap::new();
    for TextFile { path, .. } in files {
        if path.parent() != Some(Path::new(RECORDS)) {
            continue;
        }
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let number = name.split_once('-').map_or("", |(number, _)| number);
        if number.len() != 4
            || !number.bytes().all(|b| b.is_ascii_digit())
            || !name.ends_with(".md")
        {
            breaches.push(Breach::of_file(
                path,
                "a decision record is called NNNN-title.md",
            ));
        } else if let Some(other) = taken.insert(number, path) {
            breaches.push(Breach::of_file(
                path,
                format!("{} has the number {number} too", other.display()),
            ));
        }
    }
    breaches
}

/// Targets of `[text](target)` that are paths, outside of code spans.
fn link_targets(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    // Every second piece between back-ticks is code.
    for (index, piece) in line.split('`').enumerate() {
        // A link whose text is code begins in the piece after it.
        if index % 2 == 1 {
            continue;
        }
        for (at, _) in piece.match_indices("](") {
            let rest = &piece[at + 2..];
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                targets.push(target);
            }
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn relative_links_lead_somewhere() {
        let text = "\
See [a](a.md), [up](../README.md#use), [`code`](gone.md \"title\"), [web](https://h.example/x.md), [here](#top).
`[span](gone.md)`
```
[fenced](gone.md)
```
    [indented](gone.md)
![picture](gone.svg)
";
        let there =
            |path: &Path| path == Path::new("docs/a.md") || path == Path::new("docs/../README.md");
        let found: Vec<String> = check_links(&file("docs/x.md", text), there)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "docs/x.md:1: the link gone.md leads nowhere",
                "docs/x.md:7: the link gone.svg leads nowhere",
            ]
        );
        assert!(check_links(&file("docs/x.rs", text), |_| false).is_empty());
    }

    #[test]
    fn records_have_their_own_numbers() {
        let records = |names: &[&str]| {
            let files: Vec<TextFile> = names
                .iter()
                .map(|name| file(&format!("docs/adr/{name}"), ""))
                .collect();
            check_records(&files).len()
        };
        assert_eq!(records(&["0001-a.md", "0002-b.md"]), 0);
        assert_eq!(records(&["0001-a.md", "0001-b.md"]), 1);
        assert_eq!(records(&["1-a.md", "notes.md", "0003-c.txt"]), 3);
        assert!(check_records(&[file("docs/notes.md", "")]).is_empty());
    }
}
