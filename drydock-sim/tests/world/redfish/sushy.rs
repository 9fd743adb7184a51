//! A client written by others - the Python package `sushy` - against the simulated services.

use std::process::Stdio;

use drydock_sim::{BmcFaults, Faults, Transport, Vendor};
use serde_json::{Value, json};
use tokio::process::Command;

use super::super::site::{Site, broken};
use super::{commands, site, wire};

/// Where `cargo xtask test` tells of a Python that has sushy.
const PYTHON: &str = "DRYDOCK_TEST_PYTHON";

/// What the client is asked to do.
const TOUR: &str = include_str!("tour.py");

/// `None` where there is no sushy; in continuous integration that is a failure.
fn python() -> Option<String> {
    let python = std::env::var(PYTHON).ok();
    if python.is_none() {
        let required = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(
            !required,
            "there is no sushy: `cargo xtask test` installs it"
        );
        eprintln!("skipped: {PYTHON} names no Python with sushy");
    }
    python
}

async fn tour(python: &str, site: &Site, certificate: Option<&str>) -> Value {
    let url = site.world.redfish_url("n1").unwrap();
    let output = Command::new(python)
        .args(["-c", TOUR, url, "root", "calvin"])
        .args(certificate)
        .env("PYTHONWARNINGS", "ignore")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn it_finds_its_way_at_every_maker_of_services() {
    let Some(python) = python() else { return };
    for (net, vendor) in (150..).zip([
        Vendor::Plain,
        Vendor::Openbmc,
        Vendor::Supermicro,
        Vendor::Idrac,
        Vendor::Ilo,
        Vendor::Xcc,
        Vendor::Minimal,
    ]) {
        let faults = wire(BmcFaults {
            vendor,
            ..BmcFaults::default()
        });
        let site = site(net, Transport::Http, broken(faults)).await;
        let told = tour(&python, &site, None).await;
        assert_eq!(told["power"], "Off", "{vendor:?}: {told}");
        assert_eq!(told["serial"], "n1", "{vendor:?}: {told}");
        assert_eq!(told["macs"].as_array().unwrap().len(), 3, "{told}");
        let boot = json!(["Pxe", "Once", "UEFI"]);
        assert_eq!(told["boot"], boot, "{vendor:?}: {told}");
        assert_eq!(told["inserted"], true, "{vendor:?}: {told}");
        assert_eq!(told["ejected"], true, "{vendor:?}: {told}");
        assert_eq!(told["session"], vendor != Vendor::Minimal, "{vendor:?}");
        assert_eq!(told["supplies"], json!(["OK", "OK"]), "{told}");
        assert_eq!(told["firmware"].as_array().unwrap().len(), 2, "{told}");
        assert_eq!(
            commands(&site),
            ["set_boot", "insert_media", "eject_media", "power_on"],
            "{vendor:?}"
        );
    }
}

#[tokio::test]
async fn it_trusts_the_worlds_authority() {
    let Some(python) = python() else { return };
    let site = site(160, Transport::Issued, Faults::default()).await;
    let folder = std::env::temp_dir().join(format!("drydock-ca-{:x}", rand::random::<u64>()));
    std::fs::write(&folder, site.world.redfish_ca()).unwrap();
    let told = tour(&python, &site, folder.to_str()).await;
    std::fs::remove_file(folder).unwrap();
    assert_eq!(told["serial"], "n1", "{told}");
}
