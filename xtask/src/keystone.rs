//! A private Keystone on a free port of 127.0.0.1, gone when its value is dropped.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Gid, Pid, Uid};
use tempfile::TempDir;

use crate::python::Environment;
use crate::repository::Repository;
use crate::{command, interrupt};

/// What is installed, by pip, into an environment of its own. Another version makes a new environment.
const PACKAGES: [&str; 2] = ["keystone==30.0.0", "gunicorn==27.0.1"];

/// What `keystone-manage bootstrap` makes: the user of this name, and a project of the same name, in the domain `Default`.
const ADMIN: &str = "admin";

/// The password of that user. It opens nothing but this Keystone.
const PASSWORD: &str = "correct horse battery staple";

/// How long it may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How often to look.
const POLL: Duration = Duration::from_millis(50);

/// Gunicorn's own configuration. It gets no arguments: Keystone would read them as its own. Port 0 is any free one, which
/// it writes down once it listens. One thread: each login writes to the database, and SQLite is locked for the second of two
/// at once. No control socket: it would stand in the home folder.
const GUNICORN: &str = r#"import os

bind = "127.0.0.1:0"
wsgi_app = "keystone.wsgi.api:application"
workers = 1
threads = 1
control_socket_disable = True
graceful_timeout = 1


def when_ready(server):
    with open("port.new", "w") as file:
        file.write(str(server.LISTENERS[0].sock.getsockname()[1]))
    os.rename("port.new", "port")
"#;

/// A Keystone that runs: SQLite, Fernet tokens.
pub(crate) struct Keystone {
    programs: PathBuf,
    folder: TempDir,
    server: Option<Child>,
    port: u16,
}

impl Keystone {
    /// Installs Keystone unless it is there already, makes its database and starts it.
    ///
    /// # Errors
    /// It cannot be installed or does not come up; its log is in the error.
    pub(crate) fn start(repository: &Repository) -> Result<Keystone> {
        let environment = environment(repository);
        environment.install()?;
        let folder = tempfile::Builder::new()
            .prefix("drydock-keystone-")
            .tempdir()?;
        let mut keystone = Keystone {
            programs: environment.programs(),
            folder,
            server: None,
            port: 0,
        };
        keystone.set_up()?;
        let log = fs::File::create(keystone.log())?;
        let mut gunicorn = keystone.program("gunicorn");
        // A group of its own, so that its workers can be ended with it.
        gunicorn
            .process_group(0)
            .stdout(log.try_clone()?)
            .stderr(log);
        keystone.server = Some(gunicorn.spawn().context("cannot start gunicorn")?);
        if let Err(error) = keystone.wait_until_it_answers() {
            let log = fs::read_to_string(keystone.log()).unwrap_or_default();
            bail!("Keystone does not start: {error:#}: {}", log.trim());
        }
        Ok(keystone)
    }

    /// What the tests are told: URL, user, password, project.
    pub(crate) fn login(&self) -> String {
        format!(
            "http://127.0.0.1:{}/v3,{ADMIN},{PASSWORD},{ADMIN}",
            self.port
        )
    }

    fn set_up(&self) -> Result<()> {
        let folder = self.folder.path();
        let keys = folder.join("fernet-keys");
        fs::create_dir(&keys)?;
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o700))?;
        // The fewest rounds that there may be: the tests are not about the strength of this password.
        let configuration = format!(
            "[database]\nconnection = sqlite:///{}\n\n[token]\nprovider = fernet\n\n[fernet_tokens]\n\
             key_repository = {}\n\n[identity]\npassword_hash_rounds = 4\n",
            folder.join("keystone.db").display(),
            keys.display()
        );
        fs::write(self.configuration(), configuration)?;
        fs::write(folder.join("gunicorn.conf.py"), GUNICORN)?;
        // Whose the keys are to be: whoever runs this, for Keystone runs as the same.
        let (user, group) = (Uid::effective().to_string(), Gid::effective().to_string());
        for chore in [
            &["db_sync"][..],
            &[
                "fernet_setup",
                "--keystone-user",
                &user,
                "--keystone-group",
                &group,
            ],
            &["bootstrap", "--bootstrap-username", ADMIN],
        ] {
            let mut manage = self.program("keystone-manage");
            manage
                .arg("--config-file")
                .arg(self.configuration())
                .args(chore)
                .env("OS_BOOTSTRAP_PASSWORD", PASSWORD)
                .env("OS_BOOTSTRAP_PROJECT_NAME", ADMIN);
            command::output(&mut manage)?;
            ensure!(!interrupt::came(), "interrupted");
        }
        Ok(())
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            ensure!(!interrupt::came(), "interrupted");
            if let Some(server) = &mut self.server
                && let Some(status) = server.try_wait()?
            {
                bail!("gunicorn ended with {status}");
            }
            if let Ok(port) = fs::read_to_string(self.folder.path().join("port")) {
                self.port = port.trim().parse().context("gunicorn named no port")?;
                if answers(self.port) {
                    return Ok(());
                }
            }
            ensure!(
                Instant::now() < deadline,
                "no answer within {} s",
                PATIENCE.as_secs()
            );
            thread::sleep(POLL);
        }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command
            .current_dir(self.folder.path())
            .env("OS_KEYSTONE_CONFIG_FILES", self.configuration())
            .env("PYTHONWARNINGS", "ignore")
            .env_remove("PYTHONPATH")
            .env_remove("GUNICORN_CMD_ARGS")
            .stdin(Stdio::null());
        command
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("keystone.conf")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Keystone {
    fn drop(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        if let Err(error) = stop(&mut server) {
            eprintln!(
                "the Keystone in {} may still run: {error:#}",
                self.folder.path().display()
            );
        }
    }
}

fn stop(server: &mut Child) -> Result<()> {
    if server.try_wait()?.is_some() {
        return Ok(());
    }
    let process = Pid::from_raw(i32::try_from(server.id())?);
    kill(process, Signal::SIGTERM)?;
    let deadline = Instant::now() + GRACE;
    while server.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            killpg(process, Signal::SIGKILL)?;
            server.wait()?;
            return Ok(());
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Whether the Identity API v3 describes itself there.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /v3 HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(1 << 16).read_to_end(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| {
        let answer = String::from_utf8_lossy(&answer);
        answer.split(' ').nth(1) == Some("200") && answer.contains("identity-v3")
    })
}

/// The Python environment that it is in.
fn environment(repository: &Repository) -> Environment {
    Environment::new(repository, "keystone", &PACKAGES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keystone_answers_until_it_is_dropped() {
        let repository = Repository::find().unwrap();
        // `cargo xtask test` has seen to it that Keystone is there; a bare `cargo test` need not have it.
        if std::env::var_os(crate::test::KEYSTONE).is_none()
            && !environment(&repository).is_installed()
        {
            return;
        }
        let keystone = Keystone::start(&repository).unwrap();
        let folder = keystone.folder.path().to_owned();
        let port = keystone.port;
        assert!(answers(port));
        drop(keystone);
        assert!(!folder.exists());
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }
}
