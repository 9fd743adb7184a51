//! A private PostgreSQL cluster on a free port of 127.0.0.1, gone when its value is dropped.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::Uid;
use tempfile::TempDir;

use crate::command;

/// Debian keeps the programs of each version beside each other and out of the path.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Not as root does PostgreSQL start; Debian's package brings this user.
const USER: &str = "postgres";

/// A port is free until somebody else takes it; then the next one is tried.
const PORTS_TO_TRY: u32 = 5;

/// A cluster that runs.
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
}

impl Cluster {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// PostgreSQL is missing or does not come up; its log is in the error.
    pub(crate) fn start() -> Result<Cluster> {
        Self::with(" -c fsync=off -c synchronous_commit=off -c full_page_writes=off")
    }

    /// As [`Cluster::start`], but with the server's own defaults: what is committed is on the disk.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub(crate) fn start_durable() -> Result<Cluster> {
        Self::with("")
    }

    fn with(options: &str) -> Result<Cluster> {
        let programs = programs()?;
        let folder = reachable_folder()?;
        let mut cluster = Cluster {
            programs,
            folder,
            port: 0,
        };
        let mut initdb = cluster.program("initdb");
        initdb.args([
            "--no-sync",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--username=postgres",
        ]);
        command::output(initdb.arg("-D").arg(cluster.data()))?;
        for _ in 0..PORTS_TO_TRY {
            cluster.port = free_port()?;
            if cluster.pg_ctl_start(options).is_ok() {
                return Ok(cluster);
            }
        }
        let log = fs::read_to_string(cluster.log()).unwrap_or_default();
        bail!("PostgreSQL does not start: {}", log.trim())
    }

    /// The URL of its first database, as its superuser.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// What the server answers to a question, one line for each row.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) fn ask(&self, sql: &str) -> Result<String> {
        let mut psql = self.program("psql");
        psql.args([&self.url(), "-At", "-c", sql]);
        command::output(&mut psql)
    }

    fn pg_ctl_start(&self, more: &str) -> Result<()> {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={} -c max_connections=300{more}",
            self.port,
            self.folder.path().display()
        );
        let mut pg_ctl = self.program("pg_ctl");
        pg_ctl
            .args(["-w", "-t", "60", "-D"])
            .arg(self.data())
            .arg("-l")
            .arg(self.log());
        // The server inherits what pg_ctl has, so a pipe would stay open for as long as it runs.
        pg_ctl
            .args(["-o", &options, "start"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = pg_ctl.status().context("cannot start pg_ctl")?;
        ensure!(status.success(), "pg_ctl ended with {status}");
        Ok(())
    }

    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if Uid::effective().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", USER, "--"]).arg(path);
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

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.data().join("postmaster.pid").exists() {
            return;
        }
        let mut pg_ctl = self.program("pg_ctl");
        pg_ctl
            .args(["-w", "-m", "immediate", "-D"])
            .arg(self.data())
            .arg("stop");
        if let Err(error) = command::output(&mut pg_ctl) {
            eprintln!(
                "the PostgreSQL in {} may still run: {error:#}",
                self.folder.path().display()
            );
        }
    }
}

/// The folder of the newest version's programs.
///
/// # Errors
/// There is none.
pub(crate) fn programs() -> Result<PathBuf> {
    newest(Path::new(VERSIONS)).with_context(|| format!("no initdb below {VERSIONS}"))
}

fn newest(versions: &Path) -> Option<PathBuf> {
    fs::read_dir(versions)
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs
                .join("initdb")
                .is_file()
                .then_some((version, programs))
        })
        .max()
        .map(|(_, programs)| programs)
}

/// A new folder that the user who runs PostgreSQL owns and can get to.
fn reachable_folder() -> Result<TempDir> {
    let mut tried = Vec::new();
    for parent in [env::temp_dir(), PathBuf::from("/tmp")] {
        let folder = tempfile::Builder::new()
            .prefix("drydock-postgres-")
            .tempdir_in(&parent)?;
        if !Uid::effective().is_root() {
            return Ok(folder);
        }
        command::output(Command::new("chown").arg(USER).arg(folder.path()))?;
        let path = folder.path().display().to_string();
        if command::works("runuser", &["-u", USER, "--", "test", "-w", &path]) {
            return Ok(folder);
        }
        tried.push(parent.display().to_string());
    }
    bail!(
        "the user {USER} cannot get to {}; set TMPDIR to a folder that all may enter",
        tried.join(" nor to ")
    )
}

fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_answers_until_it_is_dropped() {
        // `cargo xtask test` has seen to it that PostgreSQL is there; a bare `cargo test` need not have it.
        if programs().is_err() && env::var_os(crate::test::POSTGRES).is_none() {
            return;
        }
        let cluster = Cluster::start().unwrap();
        let folder = cluster.folder.path().to_owned();
        let mut psql = cluster.program("psql");
        psql.args([&cluster.url(), "-Atc", "SHOW listen_addresses"]);
        assert_eq!(command::output(&mut psql).unwrap().trim(), "127.0.0.1");
        let port = cluster.port;
        drop(cluster);
        assert!(!folder.exists());
        assert!(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }

    #[test]
    fn takes_the_newest_version_that_is_whole() {
        let versions = tempfile::tempdir().unwrap();
        for (version, program) in [
            ("9", "initdb"),
            ("15", "initdb"),
            ("16", "psql"),
            ("old", "initdb"),
        ] {
            let programs = versions.path().join(version).join("bin");
            fs::create_dir_all(&programs).unwrap();
            fs::write(programs.join(program), "").unwrap();
        }
        assert_eq!(
            newest(versions.path()),
            Some(versions.path().join("15/bin"))
        );
        assert_eq!(newest(&versions.path().join("none")), None);
    }
}
