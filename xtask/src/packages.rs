//! Debian packages that the tests use: installed when they are missing and we may.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::unistd::Uid;

use crate::{command, postgres};

/// A package, and how to see that it need not be installed.
struct Package {
    name: &'static str,
    there: fn() -> bool,
}

const PACKAGES: [Package; 6] = [
    Package {
        name: "postgresql",
        there: || postgres::programs().is_ok(),
    },
    Package {
        name: "ipmitool",
        there: || command::works("ipmitool", &["-V"]),
    },
    Package {
        name: "freeipmi-tools",
        there: || command::works("ipmipower", &["--version"]),
    },
    Package {
        name: "openipmi",
        // Without a configuration it fails, whatever it is asked; it is there when it can be started at all.
        there: || command::starts("ipmi_sim", &["--version"]),
    },
    Package {
        name: "postgresql-client",
        there: || command::works("psql", &["--version"]),
    },
    Package {
        name: "python3-venv",
        there: || command::works("python3", &["-c", "import ensurepip, venv"]),
    },
];

/// Sees to it that all are there.
///
/// # Errors
/// Some are missing and we are not root, or the installation fails; names what to install.
pub(crate) fn install_missing() -> Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|package| !(package.there)())
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    ensure!(
        Uid::effective().is_root(),
        "the tests need Debian's packages {list}: apt-get install {list}"
    );
    let install = || {
        command::run(
            apt_get()
                .args(["install", "--yes", "--no-install-recommends"])
                .args(&missing),
        )
    };
    // Without package lists, or with old ones, the first try fails.
    if install().is_err() {
        command::run(apt_get().arg("update"))?;
        install().with_context(|| format!("cannot install {list}"))?;
    }
    Ok(())
}

fn apt_get() -> Command {
    let mut apt_get = Command::new("apt-get");
    apt_get.env("DEBIAN_FRONTEND", "noninteractive");
    apt_get
}
