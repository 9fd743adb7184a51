//! A libvirtd of our own with libvirt's test driver in it: real domains in its memory, reached by a socket.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::{Child, Command};

/// How long it may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// It runs until it is dropped.
pub struct Daemon {
    folder: TempDir,
    _libvirtd: Child,
    /// The test driver's domains live as long as somebody is connected.
    _holder: Child,
}

impl Daemon {
    /// `None`: there is no libvirt here, which is a failure in continuous integration.
    pub async fn start() -> Option<Daemon> {
        let there = |program: &'static str| async move {
            let version = Command::new(program).arg("--version").output().await;
            version.is_ok_and(|output| output.status.success())
        };
        if !there("virsh").await || !there("libvirtd").await {
            let required = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(
                !required,
                "libvirt is not installed: install the Debian packages `libvirt-daemon` and `libvirt-clients`"
            );
            eprintln!("skipped: libvirt is not installed");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("lv").tempdir().unwrap();
        let at = folder.path();
        let conf = format!(
            "unix_sock_dir = \"{}\"\nauth_unix_rw = \"none\"\nauth_unix_ro = \"none\"\n",
            at.display()
        );
        std::fs::write(at.join("libvirtd.conf"), conf).unwrap();
        std::fs::create_dir(at.join("drivers")).unwrap();
        let libvirtd = Command::new("libvirtd")
            .arg("--config")
            .arg(at.join("libvirtd.conf"))
            .arg("--pid-file")
            .arg(at.join("pid"))
            .env("HOME", at)
            .env("XDG_RUNTIME_DIR", at)
            .env("XDG_CONFIG_HOME", at)
            .env("XDG_CACHE_HOME", at)
            // The test driver is built in; the others would look at this machine.
            .env("LIBVIRT_DRIVER_DIR", at.join("drivers"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(at.join("log")).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        wait_for(&at.join("libvirt-sock"), at).await;
        let holder = Command::new("virsh")
            .args(["--connect", &uri(at)])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let daemon = Daemon {
            folder,
            _libvirtd: libvirtd,
            _holder: holder,
        };
        // A domain of ours is there for good once the holder is connected.
        let deadline = Instant::now() + PATIENCE;
        loop {
            daemon.virsh(&["define", "/dev/stdin"], Some(BARE)).await;
            let listed = daemon.virsh(&["list", "--all", "--name"], None).await;
            if listed.lines().any(|name| name == "held") {
                daemon.virsh(&["undefine", "held"], None).await;
                return Some(daemon);
            }
            assert!(Instant::now() < deadline, "nobody holds the connection");
        }
    }

    pub fn uri(&self) -> String {
        uri(self.folder.path())
    }

    /// Runs virsh, which must succeed, and gives what it prints.
    pub async fn virsh(&self, arguments: &[&str], input: Option<&str>) -> String {
        use tokio::io::AsyncWriteExt;
        let mut child = Command::new("virsh")
            .args(["--quiet", "--connect", &self.uri()])
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin
            .write_all(input.unwrap_or_default().as_bytes())
            .await
            .unwrap();
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "virsh {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

const BARE: &str = "<domain type='test'><name>held</name><memory>1024</memory>\
                    <os><type>hvm</type></os></domain>";

fn uri(folder: &Path) -> String {
    let socket = folder.join("libvirt-sock");
    format!("test+unix:///default?socket={}", socket.display())
}

async fn wait_for(socket: &Path, folder: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while tokio::net::UnixStream::connect(socket).await.is_err() {
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "libvirtd does not start: {log}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
