//! A client that others wrote, against the simulated site: `ipmitool` of Debian's package of that name.

use std::process::{Command, Output};

use crate::processes::{Site, said, until};

fn ipmitool(suite: &str, port: u16, password: &str, words: &[&str]) -> Output {
    Command::new("ipmitool")
        .args([
            "-I",
            "lanplus",
            "-C",
            suite,
            "-H",
            "127.41.0.10",
            "-p",
            &port.to_string(),
            "-U",
            "operator",
            "-P",
            password,
        ])
        .args(words)
        .output()
        .expect("ipmitool runs")
}

fn is_there() -> bool {
    let there = Command::new("ipmitool").arg("-V").output().is_ok();
    assert!(
        there || std::env::var("CI").is_err(),
        "ipmitool is not installed; it is Debian's package ipmitool"
    );
    if !there {
        eprintln!("skipped: ipmitool is not installed");
    }
    there
}

#[test]
fn it_reads_sets_and_switches_a_simulated_controller_with_both_suites() {
    if !is_there() {
        return;
    }
    for suite in ["17", "3"] {
        let site = Site::new("lab.yaml", "0", None);
        let port = site.bmc_port();
        let ask = |words: &[&str]| {
            let output = ipmitool(suite, port, "correct-horse", words);
            assert!(
                output.status.success(),
                "suite {suite}, {words:?}: {}",
                said(&output)
            );
            said(&output)
        };
        assert!(
            ask(&["chassis", "status"]).contains("System Power         : on"),
            "as delivered"
        );
        ask(&["chassis", "bootdev", "pxe"]);
        assert!(ask(&["chassis", "bootparam", "get", "5"]).contains("Force PXE"));
        ask(&["power", "off"]);
        until("power off", || {
            ask(&["power", "status"]).contains("is off").then_some(())
        });
        ask(&["power", "on"]);
        until("power on", || {
            ask(&["power", "status"]).contains("is on").then_some(())
        });
        assert_eq!(site.told("power_off"), [("control".to_owned(), 1)]);
        assert_eq!(site.told("power_on"), [("control".to_owned(), 1)]);
        // It booted from the network, as it was told to.
        site.until_called("network boot", |call| {
            call["kind"] == "machine" && call["to"] == "network_boot"
        });
        let refused = ipmitool(suite, port, "battery-staple", &["power", "status"]);
        assert!(!refused.status.success(), "{}", said(&refused));
    }
}
