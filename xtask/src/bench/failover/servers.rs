//! Two servers on one database, the first of which leads.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use super::{leader, until};
use crate::command;
use crate::postgres::Cluster;
use crate::repository::Repository;

/// A server process; killed with its value.
pub(super) struct Server {
    process: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The servers, the leading one first.
pub(super) struct Servers {
    program: PathBuf,
    settings: Vec<String>,
    folder: TempDir,
    running: Vec<Server>,
    design: String,
}

impl Servers {
    /// Starts one, waits until it leads, starts the other; uploads the site.
    pub(super) fn start(
        repository: &Repository,
        cluster: &Cluster,
        port: u16,
        site: &str,
    ) -> Result<Self> {
        let folder = tempfile::tempdir().context("no folder for the site")?;
        let mut servers = Servers {
            program: repository.target().join("release/drydock"),
            settings: vec![
                format!("database.url={}", cluster.url()),
                "api.listen=127.0.0.1:0".to_owned(),
                "drivers.node=".to_owned(),
                "drivers.allow_networks=[127.0.0.0/8]".to_owned(),
                format!("oob.ipmi.port={port}"),
                "log.level=error".to_owned(),
            ],
            folder,
            running: Vec::new(),
            design: String::new(),
        };
        let first = servers.one()?;
        servers.running.push(first);
        until("the first server leads", || Ok(leader(cluster).ok()))?;
        let second = servers.one()?;
        servers.running.push(second);
        let file = servers.folder.path().join("site.yaml");
        fs::write(&file, site)?;
        let uploaded = servers.ask(&[
            "design",
            "upload",
            &file.display().to_string(),
            "-o",
            "json",
        ])?;
        servers.design = uploaded["design_ref"]
            .as_str()
            .context("the server does not say what the design is called")?
            .to_owned();
        Ok(servers)
    }

    /// Queues a task on some nodes at the survivor; its id.
    pub(super) fn queue(&self, action: &str, nodes: &[String]) -> Result<String> {
        let task = self.ask(&[
            "task",
            "create",
            "-a",
            action,
            "-d",
            &self.design,
            "-n",
            &nodes.join(","),
            "-o",
            "json",
        ])?;
        Ok(task["task_id"]
            .as_str()
            .context("the server does not say what the task is called")?
            .to_owned())
    }

    /// Stops a task.
    pub(super) fn terminate(&self, task: &str) -> Result<()> {
        self.ask(&["task", "terminate", task, "-o", "json"])
            .map(drop)
    }

    /// Sends the leader a signal.
    pub(super) fn asks(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.running[0].process.id())?;
        kill(Pid::from_raw(pid), signal).context("the leader cannot be signalled")
    }

    /// Sends the leader a signal and waits until it is gone.
    pub(super) fn leaves(&mut self, signal: Signal) -> Result<()> {
        self.asks(signal)?;
        self.running[0]
            .process
            .wait()
            .map(drop)
            .context("the leader is not to be waited for")
    }

    /// The one that went comes back as the second.
    pub(super) fn comes_back(&mut self) -> Result<()> {
        self.running[0].process.wait()?;
        let again = self.one()?;
        self.running.remove(0);
        self.running.push(again);
        Ok(())
    }

    /// What a server without work holds, in units of 1,000,000 bytes: the one that was started last.
    pub(super) fn idle_rss_mb(&self) -> Result<f64> {
        let server = self.running.last().context("no server runs")?;
        let status = fs::read_to_string(format!("/proc/{}/status", server.process.id()))?;
        let kibibytes: f64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix("kB"))
            .and_then(|number| number.trim().parse().ok())
            .context("the kernel does not say how much memory the server holds")?;
        Ok(kibibytes * 1024.0 / 1e6)
    }

    fn one(&self) -> Result<Server> {
        let mut serve = Command::new(&self.program);
        serve
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        serve.current_dir(self.folder.path());
        for setting in &self.settings {
            serve.args(["--set", setting]);
        }
        let mut process = serve.spawn().context("cannot start drydock serve")?;
        let printed = process.stdout.take().context("the server has no output")?;
        let mut server = Server {
            process,
            url: String::new(),
        };
        let mut line = String::new();
        BufReader::new(printed).read_line(&mut line)?;
        let url = line.trim().strip_prefix("drydock listens on ");
        ensure!(url.is_some(), "the server did not come up: {line:?}");
        server.url = url.unwrap_or_default().to_owned();
        Ok(server)
    }

    /// Has the command line ask the survivor.
    fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let survivor = self.running.last().context("no server runs")?;
        let mut drydock = Command::new(&self.program);
        drydock.args(["--url", &survivor.url]).args(arguments);
        let printed = command::output(&mut drydock)?;
        serde_json::from_str(&printed).context("the command line did not print JSON")
    }
}
