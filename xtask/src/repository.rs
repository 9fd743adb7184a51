//! The repository: where it is and which files belong to it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command;

/// A checkout.
pub(crate) struct Repository {
    root: PathBuf,
}

/// A text file of the repository.
pub(crate) struct TextFile {
    /// Relative to the root.
    pub(crate) path: PathBuf,
    /// What is in it.
    pub(crate) text: String,
}

impl Repository {
    /// The checkout that this program was started from.
    pub(crate) fn find() -> Result<Repository> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").context("start this as `cargo xtask`")?;
        let root = Path::new(&manifest)
            .parent()
            .context("the xtask crate has no parent folder")?;
        Ok(Repository {
            root: root.to_owned(),
        })
    }

    /// A folder that stands for a checkout.
    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Repository {
        Repository {
            root: root.to_owned(),
        }
    }

    /// A path in the checkout.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Where Cargo builds.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.path("target"), |target| self.path(target))
    }

    /// Cargo, started in the root.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        cargo
    }

    /// All text files that are tracked, or would be if they were added now; sorted.
    pub(crate) fn text_files(&self) -> Result<Vec<TextFile>> {
        let mut git = Command::new("git");
        git.args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]);
        let listed = command::output(git.current_dir(&self.root))?;
        let mut files = Vec::new();
        for path in listed.split('\0').filter(|path| !path.is_empty()) {
            // A file may be tracked and deleted; a link is checked where it leads.
            let full = self.root.join(path);
            if !full
                .symlink_metadata()
                .is_ok_and(|metadata| metadata.is_file())
            {
                continue;
            }
            let bytes = fs::read(&full).with_context(|| format!("cannot read {path}"))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(TextFile {
                    path: path.into(),
                    text,
                });
            }
        }
        ensure!(
            !files.is_empty(),
            "git lists no file in {}",
            self.root.display()
        );
        files.sort_by(|one, other| one.path.cmp(&other.path));
        files.dedup_by(|one, other| one.path == other.path);
        Ok(files)
    }
}
