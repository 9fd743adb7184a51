//! `cargo xtask tidy`: the conventions of the repository, as checks over its files.

mod documents;
mod migrations;
mod paths;
mod sources;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::repository::Repository;

/// A breach of a convention.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    path: PathBuf,
    /// From 1; `None`: the file as a whole.
    line: Option<usize>,
    message: String,
}

impl Breach {
    fn of_file(path: &Path, message: impl Into<String>) -> Breach {
        Breach {
            path: path.to_owned(),
            line: None,
            message: message.into(),
        }
    }

    fn at(path: &Path, line: usize, message: impl Into<String>) -> Breach {
        Breach {
            path: path.to_owned(),
            line: Some(line),
            message: message.into(),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Runs all checks and prints each breach.
///
/// # Errors
/// There is a breach, or the files cannot be read.
pub(crate) fn run(repository: &Repository) -> Result<()> {
    let breaches = breaches(repository)?;
    for breach in &breaches {
        eprintln!("{breach}");
    }
    if !breaches.is_empty() {
        bail!("{} breaches of the conventions", breaches.len());
    }
    Ok(())
}

fn breaches(repository: &Repository) -> Result<Vec<Breach>> {
    let files = repository.text_files()?;
    let mut breaches = Vec::new();
    for file in &files {
        breaches.extend(sources::check(file));
        breaches.extend(paths::check(file));
        breaches.extend(documents::check_links(file, |path| {
            repository.path(path).exists()
        }));
    }
    breaches.extend(documents::check_records(&files));
    breaches.extend(migrations::check(&files));
    Ok(breaches)
}

/// A file for the tests of the checks.
#[cfg(test)]
fn file(path: &str, text: &str) -> crate::repository::TextFile {
    crate::repository::TextFile {
        path: path.into(),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn looks_at_files_that_git_would_take_and_at_no_others() {
        let root = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            let done = Command::new("git")
                .args(arguments)
                .current_dir(root.path())
                .output()
                .unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        let write = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "fn nameless() {}\n").unwrap();
        };
        git(&["init", "--quiet"]);
        fs::write(root.path().join(".gitignore"), "/target\n").unwrap();
        for path in ["tracked.rs", "deleted.rs", "new.rs", "target/built.rs"] {
            write(path);
        }
        git(&["add", "tracked.rs", "deleted.rs"]);
        fs::remove_file(root.path().join("deleted.rs")).unwrap();
        let found = breaches(&Repository::at(root.path())).unwrap();
        let paths: Vec<&str> = found
            .iter()
            .map(|breach| breach.path.to_str().unwrap())
            .collect();
        assert_eq!(paths, ["new.rs", "tracked.rs"]);
        assert!(run(&Repository::at(root.path())).is_err());
    }

    #[test]
    fn a_clean_tree_passes() {
        let root = tempfile::tempdir().unwrap();
        let init = Command::new("git")
            .args(["init", "--quiet"])
            .current_dir(root.path())
            .status();
        assert!(init.unwrap().success());
        fs::write(root.path().join("lib.rs"), "//! A subject.\n").unwrap();
        run(&Repository::at(root.path())).unwrap();
    }
}
