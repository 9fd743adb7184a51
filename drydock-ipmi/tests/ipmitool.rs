//! The BMC side against a client written by others: `ipmitool` of the Debian package of that name.
#![allow(clippy::unwrap_used)]

#[path = "rig/bench.rs"]
mod bench;
#[path = "rig/inventory.rs"]
mod sample;

use std::process::Output;

use bench::{Bench, PASSWORD, USER, config};
use drydock_ipmi::bmc::Faults;
use drydock_ipmi::{CipherSuite, Control};
use tokio::process::Command;

/// Whether the tests can run. Without ipmitool they fail in continuous integration and are skipped elsewhere.
async fn have_ipmitool() -> bool {
    let found = Command::new("ipmitool").arg("-V").output().await.is_ok();
    if !found {
        let required = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(
            !required,
            "ipmitool is not installed: install the Debian package `ipmitool`"
        );
        eprintln!("skipped: ipmitool is not installed");
    }
    found
}

async fn ipmitool(bench: &Bench, suite: Option<u8>, password: &str, arguments: &str) -> Output {
    let mut command = Command::new("ipmitool");
    command
        .env("TZ", "UTC")
        .args(["-I", "lanplus", "-N", "1", "-R", "2"])
        .args(["-H", &bench.addr.ip().to_string()])
        .args(["-p", &bench.addr.port().to_string()])
        .args(["-U", USER, "-P", password]);
    if let Some(suite) = suite {
        command.args(["-C", &suite.to_string()]);
    }
    command
        .args(arguments.split(' '))
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

/// Runs ipmitool, which must succeed, and gives what it printed.
async fn ok(bench: &Bench, suite: Option<u8>, arguments: &str) -> String {
    let output = ipmitool(bench, suite, PASSWORD, arguments).await;
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn whole_tour(ip: &str, suite: u8) {
    if !have_ipmitool().await {
        return;
    }
    let bench = Bench::start(ip, config(), Faults::default()).await;
    let suite = Some(suite);
    let text = ok(&bench, suite, "chassis status").await;
    assert!(
        text.contains("System Power         : off") && text.contains("Power Restore Policy"),
        "{text}"
    );
    let text = ok(&bench, suite, "power on").await;
    assert!(text.contains("Up/On"), "{text}");
    let text = ok(&bench, suite, "power status").await;
    assert!(text.contains("is on"), "{text}");
    ok(&bench, suite, "power cycle").await;
    ok(&bench, suite, "power reset").await;
    ok(&bench, suite, "power soft").await;
    let text = ok(&bench, suite, "power status").await;
    assert!(text.contains("is off"), "{text}");
    ok(&bench, suite, "power off").await;
    assert_eq!(
        bench.machine.controls(),
        [
            Control::On,
            Control::Cycle,
            Control::Reset,
            Control::SoftOff,
            Control::Off
        ]
    );
    let refused = ipmitool(&bench, suite, PASSWORD, "power cycle").await;
    assert!(
        !refused.status.success(),
        "a machine that is off cannot be cycled"
    );

    ok(&bench, suite, "chassis bootdev pxe").await;
    let text = ok(&bench, suite, "chassis bootparam get 5").await;
    assert!(
        text.contains("Force PXE") && text.contains("Boot Flag Valid"),
        "{text}"
    );
    ok(
        &bench,
        suite,
        "chassis bootdev disk options=efiboot,persistent",
    )
    .await;
    let text = ok(&bench, suite, "chassis bootparam get 5").await;
    for words in [
        "Force Boot from default Hard-Drive",
        "all future boots",
        "EFI boot",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    ok(&bench, suite, "chassis bootparam get 0").await;
    ok(&bench, suite, "chassis bootparam get 3").await;
    ok(&bench, suite, "chassis bootparam get 4").await;

    let text = ok(&bench, suite, "mc info").await;
    assert!(text.contains("Firmware Revision         : 2.13"), "{text}");
    let unknown = ipmitool(&bench, suite, PASSWORD, "raw 0x0a 0x10").await;
    let text = String::from_utf8(unknown.stderr).unwrap();
    assert!(text.contains("rsp=0xc1"), "{text}");
    bench
        .until("every session is closed", |seen| seen.sessions == 0)
        .await;
    assert_eq!(bench.seen().closed, bench.seen().logins);
}

#[tokio::test]
async fn suite_17() {
    whole_tour("127.0.0.17", 17).await;
}

#[tokio::test]
async fn suite_3() {
    whole_tour("127.0.0.3", 3).await;
}

#[tokio::test]
async fn the_best_suite_is_found_when_none_is_named() {
    if !have_ipmitool().await {
        return;
    }
    let only = CipherSuite::ALL.map(|suite| vec![suite]);
    for suites in only.into_iter().chain([CipherSuite::ALL.to_vec()]) {
        let mut config = config();
        config.suites = suites;
        let bench = Bench::start("127.0.0.4", config, Faults::default()).await;
        ok(&bench, None, "chassis status").await;
        assert_eq!(bench.seen().suites_refused, 0);
    }
}

#[tokio::test]
async fn a_suite_that_is_not_taken_is_refused() {
    if !have_ipmitool().await {
        return;
    }
    let mut config = config();
    config.suites = vec![CipherSuite::Suite3];
    let bench = Bench::start("127.0.0.5", config, Faults::default()).await;
    let output = ipmitool(&bench, Some(17), PASSWORD, "chassis status").await;
    assert!(!output.status.success());
    assert!(bench.seen().suites_refused > 0);
    assert_eq!(bench.seen().sessions, 0);
}

#[tokio::test]
async fn a_wrong_password_fails() {
    if !have_ipmitool().await {
        return;
    }
    for suite in [17, 3] {
        let bench = Bench::start("127.0.0.6", config(), Faults::default()).await;
        let output = ipmitool(&bench, Some(suite), "wrong", "power on").await;
        assert!(!output.status.success(), "{output:?}");
        let seen = bench.seen();
        assert_eq!(seen.logins, 0);
        assert!(seen.login_attempts > 0);
        assert!(bench.machine.calls().is_empty());
    }
}

#[tokio::test]
async fn a_bmc_key_is_wanted() {
    if !have_ipmitool().await {
        return;
    }
    let mut config = config();
    config.kg = Some("0123456789".into());
    let bench = Bench::start("127.0.0.7", config, Faults::default()).await;
    let text = ok(&bench, Some(17), "-k 0123456789 power status").await;
    assert!(text.contains("is off"), "{text}");
    let output = ipmitool(&bench, Some(17), PASSWORD, "power status").await;
    assert!(!output.status.success());
}

/// Every line of `wanted` must be in what ipmitool printed.
fn has(text: &str, wanted: &[&str]) {
    // Runs of spaces differ with the version.
    let squeezed: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for line in wanted {
        assert!(
            squeezed.iter().any(|found| found.contains(line)),
            "{line:?} is not in {text}"
        );
    }
}

#[tokio::test]
async fn inventory_log_and_sensors() {
    if !have_ipmitool().await {
        return;
    }
    let bench = Bench::start("127.0.0.8", config(), Faults::default()).await;
    bench.machine.describe(sample::inventory());
    has(
        &ok(&bench, Some(17), "fru").await,
        &[
            "Chassis Type : Rack Mount Chassis",
            "Chassis Serial : C0042",
            "Board Mfg Date : Tue Nov 14 22:13:00 2023",
            "Board Mfg : Acme Boards",
            "Board Extra : rev C",
            "Product Manufacturer : Acme",
            "Product Name : Server 9000",
            "Product Part Number : S9K",
            "Product Serial : S0042",
            "Product Asset Tag : tag 7",
            "FRU Device Description : Riser (ID 1)",
        ],
    );
    let log = ok(&bench, Some(17), "sel list").await;
    assert_eq!(log.lines().count(), 40, "{log}");
    has(
        &log,
        &[
            "22:13:59 UTC | Temperature #0x30 | Upper Critical going high | Asserted",
            "22:14:00 UTC | Temperature #0x30 | Upper Critical going high | Deasserted",
        ],
    );
    has(&ok(&bench, Some(17), "sel info").await, &["Entries : 40"]);
    let sensors = [
        "CPU Temp | 42.50 degrees C | ok",
        "Fan 1 | 0 RPM | cr",
        // It shows one of the sensors that share a record.
        "PSU | 0x01 | ok",
    ];
    has(&ok(&bench, Some(17), "sdr").await, &sensors);
    has(
        &ok(&bench, Some(17), "sensor").await,
        &[
            "CPU Temp | 42.500 | degrees C | ok | na | na | na | 80.000 | 90.000 | na",
            "Fan 1 | 0.000 | RPM | cr | na | 500.000 | na | na | na | na",
        ],
    );
    has(
        &ok(&bench, Some(17), "lan print").await,
        &[
            "IP Address Source : Static Address",
            "IP Address : 127.0.0.9",
            "Subnet Mask : 255.255.255.0",
            "MAC Address : 02:00:00:ab:cd:ef",
            "Default Gateway IP : 127.0.0.1",
            "802.1q VLAN ID : 77",
        ],
    );
    has(
        &ok(&bench, Some(17), "session info active").await,
        &["session handle : 1", "privilege level : ADMINISTRATOR"],
    );
    has(
        &ok(&bench, Some(17), "mc info").await,
        &["SEL Device", "FRU Inventory Device"],
    );
}
