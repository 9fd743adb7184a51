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

/// Without these there are no tests.
const NEEDED: [Package; 3] = [
    Package {
        name: "postgresql",
        there: || postgres::programs().is_ok(),
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

/// Parts written by others that some tests run against.
const PARTS: [Package; 5] = [
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
        name: "libvirt-clients",
        there: || command::works("virsh", &["--version"]),
    },
    Package {
        name: "libvirt-daemon",
        there: || command::works("libvirtd", &["--version"]),
    },
];

/// Sees to it that what the tests need is there.
///
/// # Errors
/// Some is missing and we are not root, or the installation fails; names what to install.
pub(crate) fn install_needed() -> Result<()> {
    install(&NEEDED)
}

/// Sees to it that the parts written by others are there.
///
/// # Errors
/// As [`install_needed`]; names the parts that are not to be had.
pub(crate) fn install_parts() -> Result<()> {
    if install(&PARTS).is_ok() {
        return Ok(());
    }
    // Together or none: one that is not to be had must not keep the others away.
    let refused: Vec<String> = PARTS
        .iter()
        .filter_map(|part| install(std::slice::from_ref(part)).err())
        .map(|error| format!("{error:#}"))
        .collect();
    ensure!(refused.is_empty(), "{}", refused.join("; "));
    Ok(())
}

fn install(packages: &[Package]) -> Result<()> {
    let missing: Vec<&str> = packages
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
