//! Environments of Python packages, kept between runs in the target folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;
use crate::repository::Repository;

/// An environment with packages of exact versions. Other versions make a new environment.
pub(crate) struct Environment {
    folder: PathBuf,
    packages: Vec<&'static str>,
}

impl Environment {
    /// The environment of this name; nothing is installed yet.
    pub(crate) fn new(
        repository: &Repository,
        name: &str,
        packages: &[&'static str],
    ) -> Environment {
        Environment::at(repository.target().join(name), packages)
    }

    fn at(folder: PathBuf, packages: &[&'static str]) -> Environment {
        Environment {
            folder,
            packages: packages.to_vec(),
        }
    }

    /// Where its programs are.
    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// Its Python.
    pub(crate) fn python(&self) -> PathBuf {
        self.programs().join("python")
    }

    /// Sees to it that it holds its packages. Costs nothing when it does already.
    ///
    /// # Errors
    /// They cannot be installed.
    pub(crate) fn install(&self) -> Result<()> {
        if self.is_installed() {
            return Ok(());
        }
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("cannot remove {}", self.folder.display()))?;
        }
        command::run(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(&self.folder),
        )?;
        let mut pip = Command::new(self.python());
        pip.args(["-m", "pip", "install", "--quiet"])
            .arg("--disable-pip-version-check")
            .args(&self.packages);
        command::run(&mut pip)
            .with_context(|| format!("cannot install {}", self.packages.join(" ")))?;
        // Last, so that an installation that was cut off is begun anew.
        fs::write(self.marker(), self.packages.join("\n"))?;
        Ok(())
    }

    /// Whether these very packages are installed, and their Python is still there.
    pub(crate) fn is_installed(&self) -> bool {
        fs::read_to_string(self.marker()).is_ok_and(|there| there == self.packages.join("\n"))
            && command::works(&self.python().to_string_lossy(), &["--version"])
    }

    fn marker(&self) -> PathBuf {
        self.folder.join("drydock-packages")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_of_other_packages_or_without_python_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::at(folder.path().to_owned(), &["one==1.0", "two==2.0"]);
        assert!(!environment.is_installed());
        fs::create_dir(environment.programs()).unwrap();
        fs::write(environment.marker(), "one==1.0\ntwo==2.0").unwrap();
        assert!(!environment.is_installed(), "there is no Python");
        std::os::unix::fs::symlink(which_true(), environment.python()).unwrap();
        assert!(environment.is_installed());
        fs::write(environment.marker(), "one==1.0\ntwo==2.1").unwrap();
        assert!(!environment.is_installed(), "the versions are others");
    }

    /// A program that succeeds whatever it is asked.
    fn which_true() -> PathBuf {
        let known = ["/bin/true", "/usr/bin/true"].map(PathBuf::from);
        known.into_iter().find(|path| path.exists()).unwrap()
    }
}
