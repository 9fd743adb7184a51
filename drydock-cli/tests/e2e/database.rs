//! Databases of PostgreSQL for tests: one on the server that the test run has started, or a whole server of the test's own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::processes::{free_port, said, until};

/// A database of this test's own on the server that the test run has started.
pub struct TestDatabase {
    base: String,
    name: String,
    pub url: String,
}

impl TestDatabase {
    /// `None`: there is no server, and this is nobody's fault.
    pub fn new() -> Option<Self> {
        let Ok(base) = std::env::var("DRYDOCK_TEST_POSTGRES") else {
            assert!(
                std::env::var("CI").is_err(),
                "DRYDOCK_TEST_POSTGRES is not set; run the tests by `cargo xtask test`"
            );
            eprintln!("skipped: DRYDOCK_TEST_POSTGRES is not set");
            return None;
        };
        let name = format!("e2e_{}_{}", std::process::id(), free_port());
        psql(&base, &format!("CREATE DATABASE {name}"));
        let (server, _) = base.rsplit_once('/').expect("a database in the URL");
        let url = format!("{server}/{name}");
        Some(TestDatabase { base, name, url })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        psql(
            &self.base,
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        );
    }
}

/// Has a server do this.
fn psql(url: &str, sql: &str) {
    let output = until("psql", || {
        Command::new("psql").args([url, "-qc", sql]).output().ok()
    });
    assert!(
        output.status.success() || std::thread::panicking(),
        "{}",
        said(&output)
    );
}

/// One value from a database; `None`: it did not answer, or there is none.
pub fn ask(url: &str, sql: &str) -> Option<String> {
    let output = Command::new("psql")
        .args([url, "-qAtc", sql])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// A server of the test's own, to be stopped and started. What is committed is on the disk.
pub struct Cluster {
    programs: Option<PathBuf>,
    folder: TempDir,
    port: u16,
}

impl Cluster {
    /// `None`: PostgreSQL is not there, and this is nobody's fault.
    pub fn start() -> Option<Self> {
        if std::env::var("DRYDOCK_TEST_POSTGRES").is_err() && std::env::var("CI").is_err() {
            eprintln!("skipped: DRYDOCK_TEST_POSTGRES is not set");
            return None;
        }
        let folder = tempfile::Builder::new()
            .prefix("drydock-e2e-")
            .tempdir_in("/tmp")
            .expect("a folder");
        if nix::unistd::Uid::effective().is_root() {
            let mut chown = Command::new("chown");
            let output = chown.arg("postgres").arg(folder.path()).output();
            assert!(output.expect("chown").status.success());
        }
        let cluster = Cluster {
            programs: programs(),
            folder,
            port: free_port(),
        };
        let mut initdb = cluster.program("initdb");
        initdb.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        initdb.arg("--username=postgres");
        let output = initdb
            .arg("-D")
            .arg(cluster.data())
            .output()
            .expect("initdb");
        assert!(output.status.success(), "{}", said(&output));
        cluster.come_back();
        Some(cluster)
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// As a power cut: nobody is told anything.
    pub fn vanish(&self) {
        self.pg_ctl(&["-m", "immediate", "stop"]);
    }

    /// Starts it again.
    pub fn come_back(&self) {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={}",
            self.port,
            self.folder.path().display()
        );
        self.pg_ctl(&["-o", &options, "start"]);
    }

    fn pg_ctl(&self, arguments: &[&str]) {
        let log = self.folder.path().join("log");
        let mut pg_ctl = self.program("pg_ctl");
        pg_ctl.args(["-w", "-t", "60", "-D"]).arg(self.data());
        pg_ctl.arg("-l").arg(&log).args(arguments);
        // The server inherits what pg_ctl has: a pipe would stay open for as long as it runs.
        pg_ctl.stdout(Stdio::null()).stderr(Stdio::null());
        let status = pg_ctl.status().expect("pg_ctl");
        let log = std::fs::read_to_string(log).unwrap_or_default();
        assert!(
            status.success() || std::thread::panicking(),
            "pg_ctl {arguments:?}: {log}"
        );
    }

    /// PostgreSQL does not run as root.
    fn program(&self, name: &str) -> Command {
        let path = self
            .programs
            .as_ref()
            .map_or_else(|| name.into(), |folder| folder.join(name));
        let mut command = if nix::unistd::Uid::effective().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            self.vanish();
        }
    }
}

/// Debian keeps the programs of each version beside each other and out of the path.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let newest = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs
                .join("initdb")
                .is_file()
                .then_some((version, programs))
        })
        .max();
    newest.map(|(_, programs)| programs)
}
