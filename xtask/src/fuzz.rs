//! `cargo xtask fuzz`: coverage-guided fuzzing with libFuzzer, on the stable toolchain.
//!
//! `cargo fuzz` wants a nightly toolchain for its address sanitizer, which finds little where unsafe code is forbidden. The coverage that
//! libFuzzer needs comes from a pass of LLVM that stable compilers have, too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::command;
use crate::repository::Repository;

/// What the compiler does so that libFuzzer sees which way a run took.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The longest text that is tried, in bytes: beyond the published documents' usual size nothing new is found.
const LONGEST: usize = 32 << 10;

/// The most memory that a run may take, in MB.
const MEMORY: u32 = 1024;

/// The longest that one input may take, in seconds; the slowest honest ones take milliseconds.
const SLOWEST: u32 = 10;

/// What a target begins with: files, and all files of folders.
const SEEDS: [(&str, &[&str]); 10] = [
    (
        "deckhand_form",
        &[
            "fuzz/seeds/deckhand_form",
            "examples/designs/fullsite-deckhand.yaml",
        ],
    ),
    ("ipmi_bmc_commands", &["fuzz/seeds/ipmi_bmc_commands"]),
    ("ipmi_bmc_datagrams", &["fuzz/seeds/ipmi_bmc_datagrams"]),
    ("ipmi_client_login", &["fuzz/seeds/ipmi_client_login"]),
    ("ipmi_client_session", &["fuzz/seeds/ipmi_client_session"]),
    ("ipmi_datagram", &["fuzz/seeds/ipmi_datagram"]),
    ("ipmi_records", &["fuzz/seeds/ipmi_records"]),
    ("redfish_document", &["fuzz/seeds/redfish_document"]),
    ("template", &["fuzz/seeds/template"]),
    (
        "yaml_form",
        &[
            "drydock-design/tests/suite/base.yaml",
            "examples/designs/fullsite-yaml.yaml",
        ],
    ),
];

/// Targets whose input is bytes of a protocol and no text: words are of no use to them, and a datagram is short.
const BINARY: &str = "ipmi_";

/// The longest conversation that is tried, in bytes.
const LONGEST_BINARY: usize = 4 << 10;

/// Lines of a failed target's last words that are shown.
const TOLD: usize = 60;

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which targets; all of them by default. `list` shows them
    targets: Vec<String>,
    /// How long each of them runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

impl Arguments {
    /// All targets.
    pub(crate) fn all(seconds: u32) -> Arguments {
        Arguments {
            targets: Vec::new(),
            seconds,
        }
    }
}

/// Runs targets one after the other; what they find lies in `fuzz/artifacts/TARGET`, and what they learn in `fuzz/corpus/TARGET`.
///
/// # Errors
/// A target cannot be built, or found an input that it dies of.
pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> Result<()> {
    let all = targets(repository)?;
    if arguments.targets.iter().any(|name| name == "list") {
        for name in all {
            println!("{name}");
        }
        return Ok(());
    }
    if let Some(unknown) = arguments.targets.iter().find(|name| !all.contains(name)) {
        bail!(
            "there is no fuzz target {unknown}; there are {}",
            all.join(", ")
        );
    }
    let chosen = if arguments.targets.is_empty() {
        &all
    } else {
        &arguments.targets
    };
    let built = build(repository, chosen)?;
    for name in chosen {
        fuzz(repository, &built.join(name), name, arguments.seconds)?;
    }
    Ok(())
}

/// The targets are the files of their folder.
fn targets(repository: &Repository) -> Result<Vec<String>> {
    let folder = repository.path("fuzz/targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).context("cannot read fuzz/targets")? {
        let path = entry?.path();
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    ensure!(!names.is_empty(), "fuzz/targets holds no target");
    Ok(names)
}

/// Builds targets; the folder that they are in. They have a target folder of their own, since their flags differ from all others'.
fn build(repository: &Repository, names: &[String]) -> Result<PathBuf> {
    let host = host()?;
    let target = repository.target().join("fuzz");
    let mut cargo = repository.cargo();
    cargo
        .args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"])
        // With a target named, build scripts and macros are built without the flags.
        .args(["--target", &host])
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTFLAGS", FLAGS);
    for name in names {
        cargo.args(["--bin", name]);
    }
    command::run(&mut cargo)?;
    Ok(target.join(host).join("release"))
}

/// The platform that the compiler runs on.
fn host() -> Result<String> {
    let printed = command::output(Command::new("rustc").arg("-vV"))?;
    printed
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc -vV does not say what platform it runs on")
}

fn fuzz(repository: &Repository, program: &Path, name: &str, seconds: u32) -> Result<()> {
    let corpus = repository.path("fuzz/corpus").join(name);
    let artifacts = repository.path("fuzz/artifacts").join(name);
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let mut target = Command::new(program);
    target
        .arg(&corpus)
        .arg(format!(
            "-seed_inputs={}",
            seeds(repository, name)?.join(",")
        ))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-timeout={SLOWEST}"))
        .arg("-print_final_stats=1");
    if name.starts_with(BINARY) {
        target.arg(format!("-max_len={LONGEST_BINARY}"));
    } else {
        let words = repository.path("fuzz/words.dict");
        target.arg(format!("-max_len={LONGEST}"));
        target.arg(format!("-dict={}", words.display()));
    }
    eprintln!("$ {name} -max_total_time={seconds}");
    // It talks all the while; only how it ended is worth reading.
    let output = target
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    if output.status.success() {
        for line in lines.iter().filter(|line| line.starts_with("stat::")) {
            eprintln!("{line}");
        }
        return Ok(());
    }
    for line in lines.iter().skip(lines.len().saturating_sub(TOLD)) {
        eprintln!("{line}");
    }
    bail!(
        "{name} found an input that it dies of ({}); it lies in fuzz/artifacts/{name}",
        output.status
    );
}

/// The files that a target begins with.
fn seeds(repository: &Repository, name: &str) -> Result<Vec<String>> {
    let (_, places) = SEEDS
        .iter()
        .find(|(target, _)| *target == name)
        .with_context(|| format!("the fuzz target {name} has no seeds"))?;
    let mut files = Vec::new();
    for place in *places {
        let path = repository.path(place);
        if path.is_dir() {
            for entry in fs::read_dir(&path).with_context(|| format!("cannot read {place}"))? {
                files.push(entry?.path());
            }
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files
        .iter()
        .map(|file| file.display().to_string())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_its_file_its_entry_and_its_seeds() {
        let repository = Repository::find().unwrap();
        let manifest: toml::Table = fs::read_to_string(repository.path("fuzz/Cargo.toml"))
            .unwrap()
            .parse()
            .unwrap();
        let mut entries: Vec<&str> = manifest["bin"]
            .as_array()
            .unwrap()
            .iter()
            .map(|bin| bin["name"].as_str().unwrap())
            .collect();
        entries.sort_unstable();
        assert_eq!(entries, targets(&repository).unwrap());
        for name in entries {
            let seeds = seeds(&repository, name).unwrap();
            assert!(!seeds.is_empty(), "{name}");
            assert!(
                seeds.iter().all(|seed| Path::new(seed).is_file()),
                "{seeds:?}"
            );
        }
    }
}
