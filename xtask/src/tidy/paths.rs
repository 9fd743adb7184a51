//! No file names a folder of the machine it was written on.

use super::Breach;
use crate::repository::TextFile;

/// Folders below which checkouts and users live.
const PERSONAL: [&str; 3] = ["work", "root", "home"];

/// Checks one file. Exempt are those that speak of another machine: a container's image, units of a deployment, and site
/// designs.
pub(super) fn check(file: &TextFile) -> Vec<Breach> {
    let TextFile { path, text } = file;
    let of_another =
        path.starts_with("deploy") || path.file_name().is_some_and(|name| name == "Dockerfile");
    let yaml = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    if of_another || (yaml && !path.starts_with("etc")) {
        return Vec::new();
    }
    let breach = |(index, line): (usize, &str)| {
        let folder = PERSONAL.iter().find(|name| names_folder(line, name))?;
        Some(Breach::at(
            path,
            index + 1,
            format!("names a folder below /{folder} of some machine"),
        ))
    };
    text.lines().enumerate().filter_map(breach).collect()
}

/// Whether an absolute path of this folder begins in the line; `a/home/b` and `https://h/home/` have none.
fn names_folder(line: &str, folder: &str) -> bool {
    let start = format!("/{folder}/");
    line.match_indices(&start).any(|(at, _)| {
        let before = &line[..at];
        let goes_on = |c: char| c.is_alphanumeric() || "._-/~}>*)".contains(c);
        before.ends_with("file://") || !before.chars().next_back().is_some_and(goes_on)
    })
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn finds_paths_of_this_machine() {
        for folder in PERSONAL {
            for line in [
                "\"/F/a\"",
                "see `/F/a`",
                "/F/a",
                "url=sqlite:/F/a",
                "file:///F/a",
                "(/F/a)",
            ] {
                let text = "fine\n".to_owned() + &line.replace('F', folder);
                for path in ["a.rs", "docs/a.md", "etc/drydock/drydock.yaml"] {
                    let found = check(&file(path, &text));
                    assert_eq!(found.len(), 1, "{text}");
                    assert_eq!(found[0].line, Some(2));
                }
                for path in ["Dockerfile", "deploy/drydock.service", "examples/site.yaml"] {
                    assert!(check(&file(path, &text)).is_empty(), "{path}");
                }
            }
        }
    }

    #[test]
    fn leaves_other_paths_alone() {
        for line in [
            "docs/F/a",
            "https://h.example/F/a",
            "../F/a",
            "/srv/F/a",
            "/Fs/a",
            "${X}/F/a",
        ] {
            let text = line.replace('F', PERSONAL[0]);
            assert!(check(&file("a.rs", &text)).is_empty(), "{text}");
        }
    }
}
