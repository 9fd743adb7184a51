//! The BMC side against clients written by others: the tools of the Debian package `freeipmi-tools`.
#![allow(clippy::unwrap_used)]

#[path = "rig/bench.rs"]
mod bench;
#[path = "rig/inventory.rs"]
mod sample;

use bench::{Bench, PASSWORD, USER, config};
use drydock_ipmi::Control;
use drydock_ipmi::bmc::Faults;
use tokio::process::Command;

/// A BMC for the tools; `None` where they are not installed, which is a failure in continuous integration.
async fn started(ip: &str) -> Option<Bench> {
    if Command::new("ipmipower")
        .arg("--version")
        .output()
        .await
        .is_err()
    {
        let required = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(
            !required,
            "ipmipower is not installed: install the Debian package `freeipmi-tools`"
        );
        eprintln!("skipped: ipmipower is not installed");
        return None;
    }
    let bench = Bench::start(ip, config(), Faults::default()).await;
    bench.machine.describe(sample::inventory());
    Some(bench)
}

/// Runs a tool, which must succeed, and gives what it printed. What it keeps in a cache is kept in a folder of this call.
async fn ok(bench: &Bench, suite: u8, tool: &str, arguments: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(tool)
        .env("HOME", home.path())
        .env("TZ", "UTC")
        .args(["-D", "LAN_2_0", "-I", &suite.to_string()])
        .args(["-h", &bench.addr.to_string(), "-u", USER, "-p", PASSWORD])
        .args(["-l", "ADMIN"])
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{tool} {arguments:?}: {output:?}");
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n")
}

fn has(text: &str, wanted: &[&str]) {
    for line in wanted {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
}

#[tokio::test]
async fn power() {
    let Some(bench) = started("127.0.0.21").await else {
        return;
    };
    for suite in [17, 3] {
        has(
            &ok(&bench, suite, "ipmipower", &["--stat"]).await,
            &[": off"],
        );
        has(&ok(&bench, suite, "ipmipower", &["--on"]).await, &[": ok"]);
        has(
            &ok(&bench, suite, "ipmipower", &["--stat"]).await,
            &[": on"],
        );
        has(&ok(&bench, suite, "ipmipower", &["--off"]).await, &[": ok"]);
    }
    let (on, off) = (Control::On, Control::Off);
    assert_eq!(bench.machine.controls(), [on, off, on, off]);
    bench
        .until("every session is closed", |seen| seen.sessions == 0)
        .await;
}

#[tokio::test]
async fn inventory_log_and_sensors() {
    let Some(bench) = started("127.0.0.22").await else {
        return;
    };
    has(
        &ok(&bench, 17, "bmc-info", &[]).await,
        &[
            "SDR Repository Device : supported",
            "Firmware Revision : 2.13",
        ],
    );
    has(
        &ok(&bench, 17, "ipmi-fru", &["--device-id", "0"]).await,
        &[
            "Board Manufacturer: Acme Boards",
            "FRU Product Name: Server 9000",
            "Product Serial Number: S0042",
        ],
    );
    let log = ok(&bench, 17, "ipmi-sel", &[]).await;
    has(&log, &["Nov-14-2023", "CPU Temp"]);
    let sensors = ok(&bench, 17, "ipmi-sensors", &["--shared-sensors"]).await;
    has(
        &sensors,
        &[
            "CPU Temp | Temperature | 42.50 | C | 'OK'",
            "Fan 1 | Fan | 0.00 | RPM | 'At or Below (<=) Lower Critical Threshold'",
            "PSU 1 | Power Supply | N/A | N/A | 'Presence detected'",
            "Power Supply input lost",
        ],
    );
    bench
        .until("every session is closed", |seen| seen.sessions == 0)
        .await;
}
