//! A BMC written by others: `ipmi_sim` of the Debian package `openipmi`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use drydock_ipmi::Target;
use tokio::net::UdpSocket;
use tokio::process::{Child, Command};

/// How many sessions it takes at a time.
pub const SLOTS: usize = 63;

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

const COMMANDS: &str = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n\
     sel_enable 0x20 1000 0x0a\n";

/// A running ipmi_sim in a folder of its own.
pub struct Simulator {
    /// Where it listens.
    pub addr: SocketAddr,
    folder: tempfile::TempDir,
    _child: Child,
}

impl Simulator {
    /// `None` where ipmi_sim is not installed; in continuous integration that is a failure.
    pub async fn start() -> Option<Simulator> {
        Self::with("").await
    }

    /// Likewise, with more commands about its machine.
    pub async fn with(commands: &str) -> Option<Simulator> {
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
                 user 2 true \"admin\" \"secret\" admin 63 none md2 md5 straight\n",
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
            .arg(write("bmc.emu", &format!("{COMMANDS}{commands}")))
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

    /// How to log in to it.
    pub fn target(&self) -> Target {
        let mut target = Target::new(self.addr, "admin", "secret".into());
        // It takes a moment to open its port.
        target.timeout = Duration::from_millis(500);
        target.retries = 9;
        target
    }

    /// What was done to the machine, in order.
    pub fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

fn make_executable(script: &PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
}
