//! The client against a BMC written by others: class `Bmc` of the Python package `pyghmi`.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use drydock_ipmi::{
    BootDevice, BootMode, CipherSuite, Client, CompletionCode, Control, Error, Persistence, Target,
};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::UdpSocket;
use tokio::process::{Child, ChildStdout, Command};

/// Where `cargo xtask test` tells of a Python that has pyghmi.
const PYTHON: &str = "DRYDOCK_TEST_PYTHON";

/// What the machine behind the BMC is.
const MACHINE: &str = include_str!("rig/pyghmi_bmc.py");

/// A running BMC.
struct Pyghmi {
    addr: SocketAddr,
    told: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Pyghmi {
    /// `None` where there is no pyghmi; in continuous integration that is a failure.
    async fn start() -> Option<Pyghmi> {
        let Ok(python) = std::env::var(PYTHON) else {
            let required = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(
                !required,
                "there is no pyghmi: `cargo xtask test` installs it"
            );
            eprintln!("skipped: {PYTHON} names no Python with pyghmi");
            return None;
        };
        // It cannot take port 0: a free one is found for it.
        let addr = UdpSocket::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        let mut child = Command::new(python)
            .args(["-c", MACHINE, &ip, &port, "admin", "secret"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = told.next_line().await.unwrap();
        assert_eq!(first.as_deref(), Some("up"), "it does not start");
        Some(Pyghmi {
            addr,
            told,
            _child: child,
        })
    }

    fn target(&self) -> Target {
        let mut target = Target::new(self.addr, "admin", "secret".into());
        target.timeout = Duration::from_millis(500);
        target.retries = 5;
        target
    }

    /// What was done to the machine next.
    async fn done(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(20), self.told.next_line());
        line.await.unwrap().unwrap().unwrap()
    }
}

#[tokio::test]
async fn power_and_boot_device() {
    let Some(mut bmc) = Pyghmi::start().await else {
        return;
    };
    let mut session = Client::connect(bmc.target()).await.unwrap();
    assert_eq!(
        session.suite(),
        CipherSuite::Suite3,
        "it knows suite 3 only"
    );
    assert!(!session.chassis_status().await.unwrap().power_on);
    session.chassis_control(Control::On).await.unwrap();
    assert_eq!(bmc.done().await, "power on");
    assert!(session.chassis_status().await.unwrap().power_on);
    for (device, name) in [
        (BootDevice::Pxe, "boot network"),
        (BootDevice::Disk, "boot hd"),
        (BootDevice::Cd, "boot optical"),
        (BootDevice::Bios, "boot setup"),
    ] {
        session
            .set_boot_device(device, BootMode::Uefi, Persistence::Persistent)
            .await
            .unwrap();
        assert_eq!(bmc.done().await, name);
        let kept = session.boot_options().await.unwrap().device;
        assert_eq!(kept, Some(device));
    }
    let cycle = session.chassis_control(Control::Cycle).await.unwrap_err();
    assert!(
        matches!(
            cycle,
            Error::CompletionCode {
                code: CompletionCode(0xcc),
                ..
            }
        ),
        "it has no power cycle: {cycle}"
    );
    session.chassis_control(Control::Off).await.unwrap();
    assert_eq!(bmc.done().await, "power off");
    assert!(!session.chassis_status().await.unwrap().power_on);
    session.close().await.unwrap();
}

#[tokio::test]
async fn wrong_credentials() {
    let Some(bmc) = Pyghmi::start().await else {
        return;
    };
    let mut target = bmc.target();
    target.password = "wrong".into();
    let error = Client::connect(target).await.unwrap_err();
    assert!(error.is_auth(), "{error}");
    let session = Client::connect(bmc.target()).await.unwrap();
    session.close().await.unwrap();
}

#[tokio::test]
async fn fifty_sessions_in_a_row_and_ten_at_once() {
    let Some(bmc) = Pyghmi::start().await else {
        return;
    };
    for _ in 0..50 {
        let mut session = Client::connect(bmc.target()).await.unwrap();
        session.chassis_status().await.unwrap();
        session.close().await.unwrap();
    }
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let target = bmc.target();
        all.spawn(async move {
            let mut session = Client::connect(target).await?;
            let status = session.chassis_status().await?;
            session.close().await?;
            Ok::<bool, Error>(status.power_on)
        });
    }
    for answered in all.join_all().await {
        assert!(!answered.unwrap());
    }
}
