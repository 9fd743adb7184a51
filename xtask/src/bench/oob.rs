//! `cargo xtask bench oob`: one session with each of many simulated BMCs: how long it takes, how much is sent again, how much memory.
//!
//! `cargo xtask` itself is built without optimisation, so it starts itself again as a release build. The same by hand:
//! `cargo run --release -p xtask -- bench oob --bmcs 10000 --latency 200 --loss 1`. BMCs and clients live in one process, and
//! `rss_mb` is of both.

mod others;
mod site;

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drydock_ipmi::{
    BootDevice, BootMode, BootOptions, Client, Control, Error, Persistence, Session, Target,
    Traffic,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::site::Site;
use super::{Arguments, by_release_build, peak_rss_mb};
use crate::repository::Repository;

/// Account of the simulated BMCs.
const USER: &str = "admin";
/// Its password. It guards nothing.
const PASSWORD: &str = "simulated";
/// Sessions at a time; fewer where there are not enough file descriptors.
const AT_ONCE: usize = 2000;
/// File descriptors that are neither a BMC nor a session.
const SPARE: usize = 200;
/// How often a request is sent again. A BMC drops a repeated datagram whose answer was lost, so the first repetition of a read
/// often comes to nothing.
const RETRIES: u32 = 4;
/// How often a change whose answer was lost is looked after and made again.
const CHANGES: u32 = 4;

/// Arguments of this benchmark.
#[derive(clap::Args, Clone, Copy)]
pub(crate) struct OobArguments {
    /// How many BMCs there are, where a benchmark simulates them
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    bmcs: u32,
    /// Milliseconds that a BMC takes for each answer
    #[arg(long, default_value_t = 0)]
    latency: u64,
    /// Per cent of the datagrams that are lost, in each direction; down to tenths
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    /// Milliseconds between two requests to one BMC
    #[arg(long, default_value_t = 0)]
    gap: u64,
}

/// Measures, or has the release build measure.
///
/// # Errors
/// The release build cannot be made, or the BMCs cannot be started.
pub(super) fn run(repository: &Repository, arguments: &Arguments) -> Result<Value> {
    let arguments = arguments.oob;
    ensure!(
        (0.0..=50.0).contains(&arguments.loss),
        "--loss is per cent, 0 to 50, and not {}",
        arguments.loss
    );
    if cfg!(debug_assertions) {
        let OobArguments {
            bmcs,
            latency,
            loss,
            gap,
            ..
        } = arguments;
        let numbers = [
            bmcs.to_string(),
            latency.to_string(),
            loss.to_string(),
            gap.to_string(),
        ];
        let [bmcs, latency, loss, gap] = numbers.each_ref().map(String::as_str);
        let arguments = [
            "oob",
            "--bmcs",
            bmcs,
            "--latency",
            latency,
            "--loss",
            loss,
            "--gap",
            gap,
        ];
        return by_release_build(repository, &arguments);
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure(arguments))
}

async fn measure(arguments: OobArguments) -> Result<Value> {
    let site = Site::start(arguments).await?;
    let at_once = at_once(site.addresses.len())?;
    let traffic = Arc::new(Traffic::default());
    let begin = Instant::now();
    let failures = visit_all(&site.addresses, arguments, at_once, &traffic).await;
    let seconds = begin.elapsed().as_secs_f64();
    let peak = peak_rss_mb()?;
    for failure in failures.iter().take(5) {
        eprintln!("{failure}");
    }
    let seen = site.seen();
    eprintln!(
        "{} BMCs, {at_once} at a time: {seconds:.3} s, {peak} MB",
        arguments.bmcs
    );
    let hosts = site.addresses.clone();
    let others = tokio::task::spawn_blocking(move || others::measure(&hosts)).await?;
    Ok(json!({
        "benchmark": "oob",
        "bmcs": arguments.bmcs,
        "latency_ms": arguments.latency,
        "loss_percent": arguments.loss,
        "gap_ms": arguments.gap,
        "seconds": (seconds * 1000.0).round() / 1000.0,
        "sessions": seen.logins,
        "retransmissions": traffic.snapshot().retransmissions,
        "failures": failures.len(),
        "left_open": seen.left_open,
        "rss_mb": peak,
        "others": others,
    }))
}

/// One session with each BMC; gives what went wrong.
async fn visit_all(
    addresses: &[SocketAddr],
    arguments: OobArguments,
    at_once: usize,
    traffic: &Arc<Traffic>,
) -> Vec<String> {
    let room = Arc::new(Semaphore::new(at_once));
    let mut visits = JoinSet::new();
    let mut failures = Vec::new();
    for address in addresses {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            break;
        };
        let mut target = Target::new(*address, USER, PASSWORD.into());
        target.gap = Duration::from_millis(arguments.gap);
        target.timeout += Duration::from_millis(arguments.latency);
        target.retries = RETRIES;
        target.traffic = Arc::clone(traffic);
        visits.spawn(async move {
            let outcome = visit(target).await;
            drop(place);
            outcome.map_err(|error| error.to_string())
        });
        while let Some(outcome) = visits.try_join_next() {
            failures.extend(failed(outcome));
        }
    }
    while let Some(outcome) = visits.join_next().await {
        failures.extend(failed(outcome));
    }
    failures
}

fn failed(outcome: Result<Result<(), String>, tokio::task::JoinError>) -> Option<String> {
    match outcome {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(error) => Some(error.to_string()),
    }
}

/// Session, privilege level, status, boot device, power, status, close.
async fn visit(target: Target) -> Result<(), Error> {
    let mut session = Client::connect(target).await?;
    session.chassis_status().await?;
    set_boot_device(&mut session).await?;
    power_on(&mut session).await?;
    let addr = session.addr();
    if !session.chassis_status().await?.power_on {
        return Err(Error::Protocol(format!("BMC {addr}: it did not switch on")));
    }
    match session.close().await {
        // A BMC that has closed the session answers no second request in it, so a lost answer stays lost. Whether sessions
        // are left is seen on the other side.
        Err(Error::Timeout { .. }) => Ok(()),
        other => other,
    }
}

/// Whether a change was made is not known where its answer was lost: then it is looked for.
async fn set_boot_device(session: &mut Session) -> Result<(), Error> {
    let (device, mode) = (BootDevice::Pxe, BootMode::Uefi);
    let wanted = BootOptions::new(device, mode, Persistence::Once).raw;
    let mut changes = 1;
    loop {
        match session
            .set_boot_device(device, mode, Persistence::Once)
            .await
        {
            Err(Error::Timeout { .. }) if changes < CHANGES => {
                if session.boot_options().await?.raw == wanted {
                    return Ok(());
                }
                changes += 1;
            }
            other => return other,
        }
    }
}

async fn power_on(session: &mut Session) -> Result<(), Error> {
    let mut changes = 1;
    loop {
        match session.chassis_control(Control::On).await {
            Err(Error::Timeout { .. }) if changes < CHANGES => {
                if session.chassis_status().await?.power_on {
                    return Ok(());
                }
                changes += 1;
            }
            other => return other,
        }
    }
}

/// How many sessions there can be at a time beside so many BMCs.
fn at_once(bmcs: usize) -> Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits")
        .context("cannot read how many files may be open; is this Linux?")?;
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next())
        .map_or(Ok(usize::MAX), |soft| {
            soft.parse().or_else(|error| match soft {
                "unlimited" => Ok(usize::MAX),
                _ => Err(error),
            })
        })
        .context("the kernel does not say how many files may be open")?;
    let left = files.saturating_sub(bmcs + SPARE).min(AT_ONCE);
    ensure!(
        left > 0,
        "{bmcs} BMCs need more files than the {files} that may be open: raise `ulimit -n`"
    );
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_bmc_is_visited_and_left() {
        let arguments = OobArguments {
            bmcs: 20,
            latency: 1,
            loss: 3.0,
            gap: 1,
        };
        let site = Site::start(arguments).await.unwrap();
        let traffic = Arc::new(Traffic::default());
        let failures = visit_all(&site.addresses, arguments, 8, &traffic).await;
        assert_eq!(failures, Vec::<String>::new());
        let seen = site.seen();
        assert_eq!((seen.logins, seen.left_open, seen.on), (20, 0, 20));
    }

    #[test]
    fn files_bound_the_sessions() {
        assert!(at_once(1).unwrap() <= AT_ONCE);
        assert!(at_once(usize::MAX - SPARE).is_err());
    }
}
