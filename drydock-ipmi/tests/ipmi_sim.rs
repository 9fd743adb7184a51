//! The client against a BMC written by others: `ipmi_sim` of the Debian package `openipmi`.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use drydock_ipmi::{
    BootDevice, BootMode, CipherSuite, Client, Control, Error, Persistence, Target,
};
use tokio::net::UdpSocket;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// What the simulated machine does: power and boot device are files.
const CHASSIS: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
op=$1
shift
case $op in
get) for key in "$@"; do echo "$key:$(cat "$key")"; done ;;
set) while [ $# -gt 1 ]; do echo "$2" >"$1"; echo "$1 $2" >>log; shift 2; done ;;
esac
"#;

const COMMANDS: &str =
    "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n";

/// A running ipmi_sim in a folder of its own.
struct Simulator {
    addr: SocketAddr,
    folder: tempfile::TempDir,
    _child: Child,
}

impl Simulator {
    /// `None` where ipmi_sim is not installed; in continuous integration that is a failure.
    async fn start() -> Option<Simulator> {
        // ipmi_sim cannot take port 0: a free one is found for it.
        let addr = UdpSocket::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| {
            std::fs::write(file(name), text).unwrap();
            file(name)
        };
        write("power", "0");
        write("boot", "none");
        write("log", "");
        let script = write("chassis", CHASSIS);
        make_executable(&script);
        std::fs::create_dir(file("state")).unwrap();
        let configuration = write(
            "lan.conf",
            &format!(
                "name \"bmc\"\nset_working_mc 0x20\nstartlan 1\naddr {} {}\npriv_limit admin\n\
                 guid a123456789abcdefa123456789abcdef\nendlan\nchassis_control \"{}\"\n\
                 user 2 true \"admin\" \"secret\" admin 10 none md2 md5 straight\n",
                addr.ip(),
                addr.port(),
                script.display()
            ),
        );
        let child = Command::new("ipmi_sim")
            .arg("-n")
            .arg("-c")
            .arg(configuration)
            .arg("-f")
            .arg(write("bmc.emu", COMMANDS))
            .arg("-s")
            .arg(file("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let Ok(child) = child else {
            let required = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(
                !required,
                "ipmi_sim is not installed: install the Debian package `openipmi`"
            );
            eprintln!("skipped: ipmi_sim is not installed");
            return None;
        };
        Some(Simulator {
            addr,
            folder,
            _child: child,
        })
    }

    fn target(&self) -> Target {
        let mut target = Target::new(self.addr, "admin", "secret".into());
        // It takes a moment to open its port.
        target.timeout = Duration::from_millis(500);
        target.retries = 9;
        target
    }

    /// What was done to the machine, in order.
    fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

fn make_executable(script: &PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Stands between a client and a BMC and loses every n-th answer.
async fn losing_answers(bmc: SocketAddr, every: usize) -> (SocketAddr, JoinHandle<()>) {
    let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    back.connect(bmc).await.unwrap();
    let addr = front.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut there, mut here) = ([0u8; 1024], [0u8; 1024]);
        let (mut console, mut answers) = (None, 0);
        loop {
            tokio::select! {
                Ok((len, from)) = front.recv_from(&mut there) => {
                    console = Some(from);
                    back.send(&there[..len]).await.unwrap();
                }
                Ok(len) = back.recv(&mut here) => {
                    answers += 1;
                    if let Some(console) = console.filter(|_| answers % every != 0) {
                        front.send_to(&here[..len], console).await.unwrap();
                    }
                }
            }
        }
    });
    (addr, task)
}

#[tokio::test]
async fn power_and_boot_device() {
    let Some(simulator) = Simulator::start().await else {
        return;
    };
    let mut session = Client::connect(simulator.target()).await.unwrap();
    assert_eq!(
        session.suite(),
        CipherSuite::Suite3,
        "ipmi_sim knows suite 3 only"
    );
    assert_eq!(session.device_id().await.unwrap().firmware_major, 9);
    assert!(!session.chassis_status().await.unwrap().power_on);
    session.chassis_control(Control::On).await.unwrap();
    assert!(session.chassis_status().await.unwrap().power_on);
    session
        .set_boot_device(BootDevice::Pxe, BootMode::Bios, Persistence::Once)
        .await
        .unwrap();
    let options = session.boot_options().await.unwrap();
    assert_eq!(options.device, Some(BootDevice::Pxe));
    session.chassis_control(Control::Off).await.unwrap();
    assert!(!session.chassis_status().await.unwrap().power_on);
    session.close().await.unwrap();
    assert_eq!(simulator.log(), ["power 1", "boot pxe", "power 0"]);
}

#[tokio::test]
async fn wrong_credentials() {
    let Some(simulator) = Simulator::start().await else {
        return;
    };
    let mut target = simulator.target();
    target.password = "wrong".into();
    let error = Client::connect(target).await.unwrap_err();
    assert!(error.is_auth(), "{error}");
    let mut target = simulator.target();
    target.username = "nobody".to_owned();
    let error = Client::connect(target).await.unwrap_err();
    assert!(error.is_auth(), "{error}");
    Client::connect(simulator.target()).await.unwrap();
}

/// It has 63 slots, and the account may have 10 sessions.
#[tokio::test]
async fn a_hundred_sessions() {
    let Some(simulator) = Simulator::start().await else {
        return;
    };
    for round in 0..100 {
        let mut session = Client::connect(simulator.target()).await.unwrap();
        session.chassis_status().await.unwrap();
        if round % 2 == 0 {
            session.close().await.unwrap();
        }
    }
}

/// ipmi_sim carries out repeated packets again: a reset whose answer was lost must still happen once. Reads get their
/// answer all the same.
#[tokio::test]
async fn lost_answers() {
    let Some(simulator) = Simulator::start().await else {
        return;
    };
    let mut session = Client::connect(simulator.target()).await.unwrap();
    session.chassis_control(Control::On).await.unwrap();
    session.close().await.unwrap();

    let (addr, proxy) = losing_answers(simulator.addr, 4).await;
    let mut target = simulator.target();
    target.addr = addr;
    target.timeout = Duration::from_millis(100);
    target.retries = 4;
    let mut session = Client::connect(target).await.unwrap();
    let mut open = 0;
    for round in 0..8 {
        match session.chassis_control(Control::Reset).await {
            Ok(()) => {}
            Err(Error::Timeout { .. }) => open += 1,
            Err(error) => panic!("{error}"),
        }
        let mut expected = vec!["power 1"];
        expected.resize(round + 2, "reset 1");
        assert_eq!(simulator.log(), expected);
        assert!(session.chassis_status().await.unwrap().power_on);
    }
    assert!(open > 0, "no answer to a reset was lost");
    proxy.abort();
}
