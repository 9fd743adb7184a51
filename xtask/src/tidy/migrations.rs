//! Migrations come in pairs: the same numbers for PostgreSQL and for SQLite.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Breach;
use crate::repository::TextFile;

/// One folder for each store.
const FOLDERS: [&str; 2] = ["migrations/postgres", "migrations/sqlite"];

/// Checks that each number is in both folders, and in each of them once.
pub(super) fn check(files: &[TextFile]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut numbered = [BTreeMap::<u64, PathBuf>::new(), BTreeMap::new()];
    for TextFile { path, .. } in files {
        let Some(store) = FOLDERS
            .iter()
            .position(|folder| path.parent() == Some(Path::new(folder)))
        else {
            continue;
        };
        match number(path) {
            None => breaches.push(Breach::of_file(
                path,
                "a migration is called NNNN_title.sql",
            )),
            Some(number) => {
                if let Some(other) = numbered[store].insert(number, path.clone()) {
                    breaches.push(Breach::of_file(
                        path,
                        format!("{} has the same number", other.display()),
                    ));
                }
            }
        }
    }
    for (store, other) in [(0, 1), (1, 0)] {
        for (number, path) in &numbered[store] {
            if !numbered[other].contains_key(number) {
                let message = format!("{} has no migration of the same number", FOLDERS[other]);
                breaches.push(Breach::of_file(path, message));
            }
        }
    }
    breaches
}

fn number(path: &Path) -> Option<u64> {
    let (number, title) = path
        .file_name()?
        .to_str()?
        .strip_suffix(".sql")?
        .split_once('_')?;
    if title.is_empty() {
        None
    } else {
        number.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn breaches(paths: &[&str]) -> usize {
        let files: Vec<TextFile> = paths
            .iter()
            .map(|path| file(&format!("migrations/{path}"), ""))
            .collect();
        check(&files).len()
    }

    #[test]
    fn numbers_come_in_pairs() {
        assert_eq!(breaches(&["postgres/0001_a.sql", "sqlite/0001_a.sql"]), 0);
        assert_eq!(breaches(&["postgres/0001_a.sql", "sqlite/0002_a.sql"]), 2);
        assert_eq!(breaches(&["postgres/0001_a.sql"]), 1);
        assert_eq!(
            breaches(&[
                "postgres/0001_a.sql",
                "postgres/0001_b.sql",
                "sqlite/0001_a.sql"
            ]),
            1
        );
        assert_eq!(breaches(&["postgres/a.sql", "README.md"]), 1);
    }
}
