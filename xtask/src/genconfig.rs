//! `cargo xtask genconfig`: the sample configuration, as the settings' types have it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::command;
use crate::repository::Repository;

const SAMPLE: &str = "etc/drydock/drydock.yaml";

/// Arguments of `cargo xtask genconfig`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Writes nothing, and fails when the file is not what would be written
    #[arg(long)]
    pub(crate) check: bool,
}

/// Writes the sample, or checks it.
///
/// # Errors
/// The program cannot be built or prints nothing, or the file differs or cannot be written.
pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> Result<()> {
    let mut drydock = repository.cargo();
    drydock.args([
        "run", "--quiet", "--bin", "drydock", "--", "config", "sample",
    ]);
    let sample = command::output(&mut drydock)?;
    ensure!(
        !sample.trim().is_empty(),
        "`drydock config sample` printed nothing"
    );
    settle(&repository.path(SAMPLE), &sample, arguments.check)
}

fn settle(path: &Path, sample: &str, check: bool) -> Result<()> {
    if check {
        let there = fs::read_to_string(path).with_context(|| format!("cannot read {SAMPLE}"))?;
        ensure!(
            there == sample,
            "{SAMPLE} is not what the settings say; run `cargo xtask genconfig`"
        );
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, sample).with_context(|| format!("cannot write {SAMPLE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_sees_a_difference_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etc/drydock.yaml");
        assert!(settle(&path, "a: 1\n", true).is_err());
        settle(&path, "a: 1\n", false).unwrap();
        settle(&path, "a: 1\n", true).unwrap();
        let error = settle(&path, "a: 2\n", true).unwrap_err();
        assert!(
            error.to_string().contains("cargo xtask genconfig"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "a: 1\n");
    }
}
