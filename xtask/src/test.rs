//! `cargo xtask test`: everything that must hold before a change is taken.

use std::path::Path;

use anyhow::Result;

use crate::keystone::Keystone;
use crate::postgres::Cluster;
use crate::repository::Repository;
use crate::stages::Stages;
use crate::{command, fuzz, genconfig, interrupt, layers, packages, parts, rules, tidy};

/// Where the tests find PostgreSQL: the URL of a database whose user may make others.
pub(crate) const POSTGRES: &str = "DRYDOCK_TEST_POSTGRES";

/// Where the tests find Keystone: `URL,USER,PASSWORD,PROJECT`, user and project in the domain `Default`.
pub(crate) const KEYSTONE: &str = "DRYDOCK_TEST_KEYSTONE";

/// Where the tests find a Python that has the packages of [`parts`].
pub(crate) const PYTHON: &str = "DRYDOCK_TEST_PYTHON";

/// How long each fuzz target runs: long enough to try the seeds and what is near them. Real searches are `cargo xtask fuzz --seconds 600`.
const FUZZ_SECONDS: u32 = 10;

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed on to the test runner, as in `cargo xtask test -- -p drydock-model`
    #[arg(last = true)]
    runner: Vec<String>,
}

/// Runs all stages.
///
/// # Errors
/// Some failed, or the run was interrupted.
pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> Result<()> {
    interrupt::listen()?;
    let mut stages = Stages::default();
    let cargo = |arguments: &[&str]| command::run(repository.cargo().args(arguments));
    stages.run("fmt", || cargo(&["fmt", "--all", "--check"]));
    stages.run("clippy", || {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ])
    });
    stages.run("tidy", || tidy::run(repository));
    stages.run("layers", || layers::run(repository));
    stages.run("genconfig", || {
        genconfig::run(repository, &genconfig::Arguments { check: true })
    });
    stages.run("rules", || {
        rules::run(repository, &rules::Arguments { check: true })
    });
    stages.run("doctests", || {
        cargo(&["test", "--workspace", "--doc", "--quiet"])
    });
    stages.run("fuzz", || {
        fuzz::run(repository, &fuzz::Arguments::all(FUZZ_SECONDS))
    });
    let installed = stages.run("packages", packages::install_needed);
    // Tests that lack their part tell of it, and fail in continuous integration.
    let required = parts::required();
    stages.offer("real parts", required, packages::install_parts);
    let python = stages.offer("from PyPI", required, || parts::install(repository));
    // Tests that cannot reach PostgreSQL would only say so once more; few need Keystone.
    if let Some(cluster) = installed.and_then(|()| stages.run("postgres", Cluster::start)) {
        let keystone = stages.run("keystone", || Keystone::start(repository));
        stages.run("tests", || {
            let keystone = keystone.as_ref();
            tests(
                repository,
                &cluster,
                keystone,
                python.as_deref(),
                &arguments.runner,
            )
        });
    }
    stages.finish()
}

fn tests(
    repository: &Repository,
    cluster: &Cluster,
    keystone: Option<&Keystone>,
    python: Option<&Path>,
    runner: &[String],
) -> Result<()> {
    let mut cargo = repository.cargo();
    if let Some(python) = python {
        cargo.env(PYTHON, python);
    }
    if let Some(keystone) = keystone {
        cargo.env(KEYSTONE, keystone.login());
    }
    if command::works("cargo-nextest", &["nextest", "--version"]) {
        cargo
            .args(["nextest", "run", "--workspace", "--no-fail-fast"])
            .args(runner);
    } else {
        cargo
            .args(["test", "--workspace", "--all-targets", "--no-fail-fast"])
            .args(runner);
    }
    command::run(cargo.env(POSTGRES, cluster.url()))
}
