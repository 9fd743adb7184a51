//! What other clients take for less: the power status of the same BMCs, by `ipmipower` and by parallel `ipmitool`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::{PASSWORD, USER};
use crate::command;

/// UDP port of IPMI over LAN.
const REGISTERED: u16 = 623;
/// More at once than ipmipower can open files for.
const IPMIPOWER_BMCS: usize = 1000;
/// ipmitool is slow: so many BMCs are enough for a mean.
const IPMITOOL_BMCS: usize = 200;
/// How many of them run at a time.
const IPMITOOLS: usize = 16;

/// Measures those that are installed.
pub(super) fn measure(hosts: &[SocketAddr]) -> Value {
    let mut found = Map::new();
    if command::works("ipmipower", &["--version"]) {
        found.insert("ipmipower".into(), ipmipower(hosts));
    }
    if command::works("ipmitool", &["-V"]) {
        found.insert("ipmitool".into(), ipmitool(hosts));
    }
    Value::Object(found)
}

fn result(what: &str, begin: Instant, answered: usize, asked: usize) -> Value {
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!("{what}: status of {answered} of {asked} in {seconds:.3} s");
    json!({
        "does": "power status only",
        "bmcs": asked,
        "answered": answered,
        "seconds": (seconds * 1000.0).round() / 1000.0,
    })
}

/// Hosts as ipmipower takes them. On the registered port those of one network are one range, because ten thousand single
/// addresses are longer than an argument may be.
fn host_list(hosts: &[SocketAddr]) -> String {
    if hosts.iter().any(|host| host.port() != REGISTERED) {
        let list: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        return list.join(",");
    }
    let mut networks: BTreeMap<[u8; 3], (u8, u8)> = BTreeMap::new();
    for host in hosts {
        if let IpAddr::V4(address) = host.ip() {
            let [a, b, c, d] = address.octets();
            let (first, last) = networks.entry([a, b, c]).or_insert((d, d));
            (*first, *last) = ((*first).min(d), (*last).max(d));
        }
    }
    let ranges: Vec<String> = networks
        .iter()
        .map(|([a, b, c], (first, last))| format!("{a}.{b}.{c}.[{first}-{last}]"))
        .collect();
    ranges.join(",")
}

fn ipmipower(hosts: &[SocketAddr]) -> Value {
    let hosts = hosts.get(..IPMIPOWER_BMCS).unwrap_or(hosts);
    let begin = Instant::now();
    let printed = Command::new("ipmipower")
        .args(["-D", "LAN_2_0", "-I", "17", "-u", USER, "-p", PASSWORD])
        .args(["-l", "ADMIN", "--stat", "-h", &host_list(hosts)])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let answered = printed
        .lines()
        .filter(|line| line.ends_with(": on") || line.ends_with(": off"))
        .count();
    result("ipmipower", begin, answered, hosts.len())
}

fn ipmitool(hosts: &[SocketAddr]) -> Value {
    let hosts = hosts.get(..IPMITOOL_BMCS).unwrap_or(hosts);
    let (next, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..IPMITOOLS {
            scope.spawn(|| {
                while let Some(host) = hosts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (ip, port) = (host.ip().to_string(), host.port().to_string());
                    let arguments = ["-I", "lanplus", "-C", "17", "-H", &ip, "-p", &port];
                    let rest = ["-U", USER, "-P", PASSWORD, "power", "status"];
                    if command::works("ipmitool", &[arguments.as_slice(), &rest].concat()) {
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    result(
        "ipmitool, 16 at a time",
        begin,
        answered.into_inner(),
        hosts.len(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_named_in_ranges() {
        let host = |c, d, port| SocketAddr::from(([127, 64, c, d], port));
        let both = [host(0, 1, 623), host(0, 2, 623), host(1, 1, 623)];
        assert_eq!(host_list(&both), "127.64.0.[1-2],127.64.1.[1-1]");
        assert_eq!(
            host_list(&[host(0, 1, 7), host(0, 2, 7)]),
            "127.64.0.1:7,127.64.0.2:7"
        );
    }
}
