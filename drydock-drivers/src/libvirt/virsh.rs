//! One call of `virsh`: a process with its arguments, never through a shell.

use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::uri::HypervisorUri;

/// The longest answer that is read, in bytes: the description of a large domain has some tens of thousands.
const LONGEST: u64 = 4 << 20;

/// Why a call came to nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such program, or it cannot be started.
    #[error("virsh cannot be started: {0}")]
    NoVirsh(String),
    /// It took too long, and was killed.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The hypervisor cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// SSH or the hypervisor did not let us in.
    #[error("{0}")]
    NotAdmitted(String),
    /// There is no such domain.
    #[error("{0}")]
    NoDomain(String),
    /// The domain is so already.
    #[error("{0}")]
    SoAlready(String),
    /// The domain is busy with something else.
    #[error("{0}")]
    Busy(String),
    /// Anything else, in virsh's own words.
    #[error("{0}")]
    Other(String),
}

/// Runs `virsh` with these arguments at the hypervisor, and gives what it prints. `input` is what it can read as `/dev/stdin`.
///
/// # Errors
/// See [`Refusal`]. The process is killed when time is up or nobody waits for it any more.
pub(super) async fn run(
    program: &str,
    uri: &HypervisorUri,
    arguments: &[&str],
    input: Option<&str>,
    timeout: Duration,
) -> Result<String, Refusal> {
    let call = call(program, uri, arguments, input);
    tokio::time::timeout(timeout, call)
        .await
        .unwrap_or(Err(Refusal::TimedOut(timeout)))
}

async fn call(
    program: &str,
    uri: &HypervisorUri,
    arguments: &[&str],
    input: Option<&str>,
) -> Result<String, Refusal> {
    let mut command = Command::new(program);
    command
        .args(["--quiet", "--connect"])
        .arg(uri.to_string())
        .args(arguments)
        // What it says is read by a program, and by an operator who may speak any language.
        .env("LC_ALL", "C")
        .env_remove("LIBVIRT_DEBUG")
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let cannot = |error: std::io::Error| Refusal::NoVirsh(error.to_string());
    let mut child = command.spawn().map_err(cannot)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let (Some(mut pipe), Some(input)) = (stdin, input) {
            // A process that ends early says why itself.
            drop(pipe.write_all(input.as_bytes()).await);
        }
    };
    let (out, said, ()) = tokio::join!(read(stdout), read(stderr), write);
    let status = child.wait().await.map_err(cannot)?;
    if status.success() {
        return out;
    }
    let said = said?;
    Err(refusal(if said.is_empty() {
        status.to_string()
    } else {
        said
    }))
}

async fn read<R: tokio::io::AsyncRead + Unpin>(pipe: Option<R>) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(LONGEST + 1)
            .read_to_end(&mut bytes)
            .await
            .map_err(|error| Refusal::Other(format!("its answer cannot be read: {error}")))?;
    }
    if bytes.len() as u64 > LONGEST {
        return Err(Refusal::Other(format!("it says more than {LONGEST} bytes")));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Refusal::Other("what it says is not UTF-8".to_owned()))?;
    Ok(text.trim().to_owned())
}

/// What virsh says, by what it means for us. Its words are of libvirt 9.0 (`src/util/virerror.c`, `tools/virsh-domain.c`) and OpenSSH 9.2.
fn refusal(said: String) -> Refusal {
    let is = |words: &[&str]| words.iter().any(|word| said.contains(word));
    // What is denied to one domain, such as the image of its disk, says nothing of who may speak to the hypervisor.
    let is_of_domain = is(&[
        "Failed to start domain",
        "Failed to destroy domain",
        "Failed to define domain",
        "failed to get domain",
        "Domain not found",
    ]);
    let is_of_ssh = is(&["Host key verification failed", "Permission denied ("]);
    let is_of_connecting = is(&["failed to connect to the hypervisor"])
        && is(&[
            "Permission denied",
            "authentication failed",
            "Authentication failed",
            "access denied",
        ]);
    if !is_of_domain && (is_of_ssh || is_of_connecting) {
        return Refusal::NotAdmitted(one_line(&said));
    }
    if is(&[
        "failed to connect to the hypervisor",
        "Cannot recv data",
        "End of file while reading data",
        "client socket is closed",
        "Connection reset by peer",
    ]) {
        return Refusal::Unreachable(one_line(&said));
    }
    if is(&["failed to get domain", "Domain not found"]) {
        return Refusal::NoDomain(one_line(&said));
    }
    if is(&[
        "Domain is already active",
        "domain is not running",
        "domain is already running",
    ]) {
        return Refusal::SoAlready(one_line(&said));
    }
    if is(&["cannot acquire state change lock", "resource busy"]) {
        return Refusal::Busy(one_line(&said));
    }
    Refusal::Other(one_line(&said))
}

fn one_line(said: &str) -> String {
    let lines = said
        .lines()
        .map(|line| line.trim().trim_start_matches("error: "));
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::allow::AllowNetworks;

    fn uri() -> HypervisorUri {
        HypervisorUri::parse("test:///default", &AllowNetworks::unlimited()).unwrap()
    }

    #[test]
    fn words_of_virsh_and_ssh_are_understood() {
        for (said, meant) in [
            (
                "error: failed to connect to the hypervisor\nerror: Cannot recv data: me@h: Permission denied (publickey).: Connection reset by peer",
                "NotAdmitted",
            ),
            (
                "error: failed to connect to the hypervisor\nerror: Cannot recv data: Host key verification failed.: Connection reset by peer",
                "NotAdmitted",
            ),
            (
                "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/x': Permission denied",
                "NotAdmitted",
            ),
            (
                "error: failed to connect to the hypervisor\nerror: authentication failed: access denied by policy",
                "NotAdmitted",
            ),
            (
                "error: Failed to start domain 'n1'\nerror: Cannot access storage file '/d1' (as uid:64055, gid:64055): Permission denied",
                "Other",
            ),
            (
                "error: Failed to start domain 'n1'\nerror: internal error: process exited while connecting to monitor: Could not open '/d1': Permission denied",
                "Other",
            ),
            (
                "error: Failed to define domain from /dev/stdin\nerror: access denied: 'domain' denied access",
                "Other",
            ),
            (
                "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/x': No such file or directory",
                "Unreachable",
            ),
            ("error: failed to get domain 'n1'", "NoDomain"),
            ("error: Domain is already active", "SoAlready"),
            (
                "error: Failed to destroy domain 'n1'\nerror: Requested operation is not valid: domain is not running",
                "SoAlready",
            ),
            (
                "error: Failed to start domain 'n1'\nerror: Timed out during operation: cannot acquire state change lock (held by monitor)",
                "Busy",
            ),
            ("error: internal error: something else", "Other"),
        ] {
            let refusal = refusal(said.to_owned());
            assert!(
                format!("{refusal:?}").starts_with(meant),
                "{said}: {refusal:?}"
            );
            assert!(!refusal.to_string().contains('\n'));
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_and_one_that_never_ends_speaking() {
        let long = Duration::from_secs(60);
        let missing = run("/nonexistent/virsh", &uri(), &["version"], None, long).await;
        assert!(matches!(missing, Err(Refusal::NoVirsh(_))), "{missing:?}");
        let endless = run("yes", &uri(), &[], None, long).await;
        assert!(matches!(endless, Err(Refusal::Other(_))), "{endless:?}");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (program, pid) = (folder.path().join("virsh"), folder.path().join("pid"));
        let script = format!("#!/bin/sh\necho $$ > {}\nexec sleep 600\n", pid.display());
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let short = Duration::from_millis(500);
        let hanging = run(program.to_str().unwrap(), &uri(), &[], None, short).await;
        assert_eq!(hanging, Err(Refusal::TimedOut(short)));
        let process = std::fs::read_to_string(&pid).unwrap();
        let process = format!("/proc/{}/stat", process.trim());
        // Killed at once; it is gone when the runtime has reaped it.
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        let runs = || std::fs::read_to_string(&process).is_ok_and(|stat| !stat.contains(") Z"));
        while runs() {
            assert!(std::time::Instant::now() < deadline, "it still runs");
            tokio::task::yield_now().await;
        }
    }
}
