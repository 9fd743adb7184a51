//! `cargo xtask bench`: measurements of the release build. The last line of each is JSON.

mod design;
mod engine;
mod failover;
mod oob;
mod site;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::command;
use crate::repository::Repository;

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which one; `list` shows them
    name: String,
    /// The site design to work on, where a benchmark takes one; the bundled example by default
    #[arg(long)]
    design: Option<PathBuf>,
    /// How often; as the benchmark has it by default
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    /// How many nodes the site has, where a benchmark makes one
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    nodes: u32,
    /// Which database, where a benchmark takes one
    #[arg(long, value_enum, default_value_t)]
    store: BackEnd,
    #[command(flatten)]
    oob: oob::OobArguments,
}

/// The databases that an engine can be measured on.
#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum BackEnd {
    /// A file
    #[default]
    Sqlite,
    /// A private PostgreSQL that flushes each commit to the disk
    Postgres,
}

impl BackEnd {
    fn as_str(self) -> &'static str {
        match self {
            BackEnd::Sqlite => "sqlite",
            BackEnd::Postgres => "postgres",
        }
    }
}

struct Benchmark {
    name: &'static str,
    about: &'static str,
    run: fn(&Repository, &Arguments) -> Result<Value>,
}

/// Every benchmark there is.
const BENCHMARKS: [Benchmark; 5] = [
    Benchmark {
        name: "demo",
        about: "a whole deployment on simulators without their delays: seconds from start to exit",
        run: demo,
    },
    Benchmark {
        name: "design",
        about: "a site of --nodes nodes read, compiled and judged: milliseconds of each and of the second time, and memory",
        run: design::run,
    },
    Benchmark {
        name: "engine",
        about: "deploy_nodes on --nodes nodes with drivers that need no time, on --store: steps each second",
        run: engine::run,
    },
    Benchmark {
        name: "failover",
        about: "two servers on PostgreSQL, the leader killed or ended: seconds until the other goes on",
        run: failover::run,
    },
    Benchmark {
        name: "oob",
        about: "a session with each of --bmcs simulated BMCs, with --latency, --loss and --gap: seconds, and memory",
        run: oob::run,
    },
];

/// How often the demo runs.
const DEMO_RUNS: u32 = 5;

/// Runs one benchmark and prints its result as one line of JSON, or lists them all.
///
/// # Errors
/// There is no such benchmark, or it fails.
pub(crate) fn run(repository: &Repository, arguments: &Arguments) -> Result<()> {
    if arguments.name == "list" {
        for Benchmark { name, about, .. } in &BENCHMARKS {
            println!("{name:<12} {about}");
        }
        return Ok(());
    }
    let Some(benchmark) = BENCHMARKS
        .iter()
        .find(|benchmark| benchmark.name == arguments.name)
    else {
        bail!(
            "there is no benchmark {:?}; `cargo xtask bench list` shows them",
            arguments.name
        );
    };
    println!("{}", (benchmark.run)(repository, arguments)?);
    Ok(())
}

fn demo(repository: &Repository, arguments: &Arguments) -> Result<Value> {
    command::run(
        repository
            .cargo()
            .args(["build", "--release", "--bin", "drydock"]),
    )?;
    let runs = arguments.runs.unwrap_or(DEMO_RUNS);
    let mut seconds = Vec::new();
    let mut last = Value::Null;
    for run in 1..=runs {
        let mut drydock = Command::new(repository.target().join("release/drydock"));
        drydock
            .arg("demo")
            .args(&arguments.design)
            .args(["--time-scale", "0", "--json"]);
        let begin = Instant::now();
        let printed = command::output(&mut drydock)?;
        seconds.push(begin.elapsed().as_secs_f64());
        last = demo_result(&printed)?;
        eprintln!("run {run} of {runs}: {:.3} s", seconds[seconds.len() - 1]);
    }
    Ok(json!({
        "benchmark": "demo",
        "design": arguments.design,
        "median_seconds": median(&seconds),
        "seconds": seconds,
        "nodes": last["nodes"],
        "changes": last["changes"],
    }))
}

/// The last line that the demo prints; an error unless it deployed every node, and at least one.
fn demo_result(printed: &str) -> Result<Value> {
    let line = printed.lines().last().unwrap_or_default();
    let result: Value = serde_json::from_str(line)
        .with_context(|| format!("the demo's last line is not JSON: {line:?}"))?;
    let deployed = result["nodes"].as_u64().is_some_and(|nodes| nodes > 0)
        && result["nodes"] == result["deployed"];
    ensure!(deployed, "the demo did not deploy every node: {line}");
    Ok(result)
}

/// Has the release build measure. `cargo xtask` itself is built without optimisation.
fn by_release_build(repository: &Repository, arguments: &[&str]) -> Result<Value> {
    let mut release = repository.cargo();
    release.args(["run", "--release", "--quiet", "--package", "xtask", "--"]);
    let printed = command::output(release.arg("bench").args(arguments))?;
    let line = printed.lines().last().unwrap_or_default();
    serde_json::from_str(line)
        .with_context(|| format!("the release build's last line is not JSON: {line:?}"))
}

/// The most memory that this process ever held, in units of 1,000,000 bytes (proc(5), `VmHWM`).
fn peak_rss_mb() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")
        .context("cannot read how much memory this process took; is this Linux?")?;
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse().ok())
        .context("the kernel does not say how much memory this process took")?;
    Ok((kibibytes * 1024.0 / 100_000.0).round() / 10.0)
}

/// With two decimals.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// The middle one; of an even number the mean of the middle two.
fn median(seconds: &[f64]) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_demo_that_left_nodes_behind_is_no_measurement() {
        let line =
            |deployed| format!("table\n{{\"nodes\":5,\"deployed\":{deployed},\"changes\":9}}\n");
        assert_eq!(demo_result(&line(5)).unwrap()["changes"], 9);
        for printed in [
            line(4),
            String::new(),
            "done".to_owned(),
            r#"{"nodes":0,"deployed":0}"#.to_owned(),
        ] {
            assert!(demo_result(&printed).is_err(), "{printed}");
        }
    }
}
