//! `cargo xtask rules`: the pages of the rules, as their registry has them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use drydock_design::rules::{self, ALL, READING};

use crate::repository::Repository;

const FOLDER: &str = "docs/rules";

/// Arguments of `cargo xtask rules`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Writes nothing, and fails when the pages are not what would be written
    #[arg(long)]
    pub(crate) check: bool,
}

/// Writes the pages, or checks them.
///
/// # Errors
/// Pages differ, are missing or too many, or cannot be read or written.
pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> Result<()> {
    settle(&repository.path(FOLDER), &pages(), arguments.check)
}

/// File name to text.
fn pages() -> BTreeMap<String, String> {
    READING
        .iter()
        .chain(ALL.iter().copied())
        .map(|rule| (rules::page_name(rule), rules::page(rule)))
        .chain([("README.md".to_owned(), rules::index())])
        .collect()
}

fn settle(folder: &Path, pages: &BTreeMap<String, String>, check: bool) -> Result<()> {
    let advice = "run `cargo xtask rules`";
    if !check {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {FOLDER}"))?;
    }
    let there = fs::read_dir(folder).with_context(|| format!("cannot read {FOLDER}; {advice}"))?;
    for entry in there {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if pages.contains_key(&name) {
            continue;
        }
        ensure!(!check, "{FOLDER}/{name} is of no rule; {advice}");
        fs::remove_file(folder.join(&name))
            .with_context(|| format!("cannot remove {FOLDER}/{name}"))?;
    }
    for (name, text) in pages {
        let path = folder.join(name);
        if check {
            let there = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {FOLDER}/{name}; {advice}"))?;
            ensure!(
                there == *text,
                "{FOLDER}/{name} is not what the registry says; {advice}"
            );
        } else {
            fs::write(&path, text).with_context(|| format!("cannot write {FOLDER}/{name}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_sees_what_differs_is_missing_or_left_over() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("rules");
        let pages = pages();
        assert!(settle(&folder, &pages, true).is_err());
        settle(&folder, &pages, false).unwrap();
        settle(&folder, &pages, true).unwrap();
        let page = folder.join("network-mtu.md");
        for spoil in [
            || -> (&str, Option<&str>) { ("network-mtu.md", Some("other")) },
            || ("network-mtu.md", None),
            || ("of-no-rule.md", Some("left over")),
        ] {
            let (name, text) = spoil();
            match text {
                Some(text) => fs::write(folder.join(name), text).unwrap(),
                None => fs::remove_file(folder.join(name)).unwrap(),
            }
            let error = settle(&folder, &pages, true).unwrap_err();
            assert!(format!("{error:#}").contains(name), "{error:#}");
            settle(&folder, &pages, false).unwrap();
            settle(&folder, &pages, true).unwrap();
        }
        assert!(fs::read_to_string(page).unwrap().contains("DD2003"));
    }
}
