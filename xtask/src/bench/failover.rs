//! `cargo xtask bench failover`: how long work stands still when the server that leads goes away.
//!
//! Two real servers on one PostgreSQL, at the default settings. Both hold steps on BMCs that never answer. The leader is killed or asked to end;
//! from that moment it is counted until the survivor begins a task that is queued right then, and until it runs a step that the dead server
//! held. The one that went comes back as the second, and the next round kills the other.

mod servers;

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use self::servers::Servers;
use super::{Arguments, median, rounded, site};
use crate::command;
use crate::postgres::Cluster;
use crate::repository::Repository;

/// Rounds of each kind.
const ROUNDS: u32 = 5;

/// Machines whose BMC never answers.
const SILENT: u8 = 40;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often to look.
const LOOK: Duration = Duration::from_millis(10);

/// Measures the release build.
///
/// # Errors
/// The build or the database fails, or a server does not do what it should in good time.
pub(super) fn run(repository: &Repository, arguments: &Arguments) -> Result<Value> {
    command::run(
        repository
            .cargo()
            .args(["build", "--release", "--bin", "drydock"]),
    )?;
    let rounds = arguments.runs.unwrap_or(ROUNDS);
    let cluster = Cluster::start_durable()?;
    // Bound, so that nobody refuses; never read, so that nobody answers.
    let (_silent, port) = silent_bmcs()?;
    let mut servers = Servers::start(repository, &cluster, port, &silent_machines())?;
    let (mut killed, mut taken_over, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let one = sigkill(&cluster, &mut servers)?;
        eprintln!(
            "round {round} of {rounds}: SIGKILL, a new task after {:.2} s, a held step after {:.2} s",
            one.0, one.1
        );
        killed.push(one.0);
        taken_over.push(one.1);
        let seconds = sigterm(&cluster, &mut servers)?;
        eprintln!("round {round} of {rounds}: SIGTERM, a new task after {seconds:.2} s");
        ended.push(seconds);
    }
    let idle = servers.idle_rss_mb()?;
    Ok(json!({
        "benchmark": "failover",
        "rounds": rounds,
        "sigkill_seconds": rounded(median(&killed)),
        "sigkill_takeover_seconds": rounded(median(&taken_over)),
        "sigterm_seconds": rounded(median(&ended)),
        "idle_rss_mb": rounded(idle),
    }))
}

/// Kills the leader while both hold steps: whoever is first takes them all, but each that got no answer is tried again by whoever is first
/// then.
fn sigkill(cluster: &Cluster, servers: &mut Servers) -> Result<(f64, f64)> {
    let work = servers.queue("verify_nodes", &names(1..SILENT))?;
    let leader = until("both servers hold steps", || {
        let holders = cluster.ask("SELECT DISTINCT holder FROM steps WHERE status = 'running'")?;
        if holders.lines().count() < 2 {
            return Ok(None);
        }
        Ok(Some(leader(cluster)?))
    })?;
    let held = format!(
        "SELECT string_agg('''' || id || '''', ',') FROM steps WHERE holder = '{leader}' AND status = 'running'"
    );
    let begin = Instant::now();
    servers.leaves(Signal::SIGKILL)?;
    let held = cluster.ask(&held)?.trim().to_owned();
    let task = servers.queue("noop", &names(SILENT..=SILENT))?;
    let mut new_task = None;
    let taken_over = until("the survivor runs a step that the dead server held", || {
        if new_task.is_none() && has_begun(cluster, &task)? {
            new_task = Some(begin.elapsed());
        }
        let again = format!(
            "SELECT COUNT(*) FROM steps WHERE id IN ({held}) AND holder IS NOT NULL AND holder <> '{leader}'"
        );
        Ok((cluster.ask(&again)?.trim() != "0").then(|| begin.elapsed()))
    })?;
    let new_task = match new_task {
        Some(elapsed) => elapsed,
        None => until("the survivor begins a new task", || {
            Ok(has_begun(cluster, &task)?.then(|| begin.elapsed()))
        })?,
    };
    servers.terminate(&work)?;
    servers.comes_back()?;
    Ok((new_task.as_secs_f64(), taken_over.as_secs_f64()))
}

/// Asks the leader to end.
fn sigterm(cluster: &Cluster, servers: &mut Servers) -> Result<f64> {
    let begin = Instant::now();
    servers.asks(Signal::SIGTERM)?;
    let task = servers.queue("noop", &names(SILENT..=SILENT))?;
    let seconds = until("the survivor begins a new task", || {
        Ok(has_begun(cluster, &task)?.then(|| begin.elapsed()))
    })?;
    servers.comes_back()?;
    Ok(seconds.as_secs_f64())
}

fn has_begun(cluster: &Cluster, task: &str) -> Result<bool> {
    let begun = cluster.ask(&format!(
        "SELECT COUNT(*) FROM steps WHERE task = '{task}' AND started IS NOT NULL"
    ))?;
    Ok(begun.trim() != "0")
}

/// The instance that leads.
fn leader(cluster: &Cluster) -> Result<String> {
    let leader = cluster.ask("SELECT instance FROM leadership")?;
    let leader = leader.trim();
    ensure!(!leader.is_empty(), "nobody leads");
    Ok(leader.to_owned())
}

/// Looks until there is something.
fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if begin.elapsed() > PATIENCE {
            bail!("waited {} s until {what}", PATIENCE.as_secs());
        }
        // Only how often to look.
        std::thread::sleep(LOOK);
    }
}

fn silent_bmcs() -> Result<(Vec<UdpSocket>, u16)> {
    let address = |number: u8| Ipv4Addr::new(127, 77, 0, number);
    let first = UdpSocket::bind((address(1), 0)).context("cannot bind 127.77.0.1")?;
    let port = first.local_addr()?.port();
    let mut all = vec![first];
    for number in 2..=SILENT {
        let bound = UdpSocket::bind((address(number), port));
        all.push(bound.with_context(|| format!("cannot bind {}:{port}", address(number)))?);
    }
    Ok((all, port))
}

/// The last one is left to the task that comes new: tasks on the same node wait for each other.
fn names(numbers: impl IntoIterator<Item = u8>) -> Vec<String> {
    numbers.into_iter().map(name).collect()
}

fn name(number: u8) -> String {
    format!("silent-{number:02}")
}

fn silent_machines() -> String {
    site::bare((1..=SILENT).map(|number| (name(number), Ipv4Addr::new(127, 77, 0, number))))
}
