//! The server's side of one process that renders.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use drydock_design::template::OUTPUT_LIMIT;
use drydock_orchestrator::boot::templates::TemplateError;
use nix::sys::signal::Signal;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use tracing::{debug, warn};

use super::{Limits, frame};

/// Longest wait for a process to start or to end. On a machine that is hard pressed either may take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of what a process said last that are looked at.
const LAST_WORDS: u64 = 4 << 10;

/// Why a process gave no answer.
pub(super) enum Lost {
    /// It took too long.
    Late,
    /// It ended, or what came is no answer.
    Broken(io::Error),
}

/// A process that is ready to render. Killed when it is dropped.
pub(super) struct Process {
    limits: Limits,
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    errors: ChildStderr,
}

impl Process {
    /// Starts one and waits until its limits hold.
    pub(super) async fn start(program: &Path, limits: Limits) -> Result<Self, TemplateError> {
        let failed = |what: &str| {
            warn!(what, "a renderer of templates cannot be started");
            TemplateError::transient(format!("no renderer can be started: {what}"))
        };
        let mut command = Command::new(program);
        command
            .arg0("drydock")
            .arg("template-worker")
            .args(["--memory-mib", &limits.memory_mib.to_string()])
            .args(["--cpu-seconds", &limits.time.as_secs().to_string()])
            // The server's may hold secrets.
            .env_clear()
            .current_dir("/")
            // An interrupt at the terminal is for the server, which ends this in order.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed("it has no pipes"));
        };
        let mut process = Process {
            limits,
            child,
            input,
            output,
            errors,
        };
        let ready = frame::receive(&mut process.output, frame::READY.len());
        let got = match timeout(PATIENCE, ready).await {
            Ok(Ok(got)) if got == frame::READY => return Ok(process),
            Ok(Ok(_)) => "it is another version of this program".to_owned(),
            Ok(Err(error)) => format!("it ended at once: {error}; {}", process.last_words().await),
            Err(_) => format!("it was not ready in {} s", PATIENCE.as_secs()),
        };
        process.kill().await;
        Err(failed(&got))
    }

    /// The text, or why the template has none; or why there is no answer, after which the process is of no use.
    pub(super) async fn render(
        &mut self,
        template: &str,
        context: &[u8],
    ) -> Result<Result<String, String>, Lost> {
        let exchange = async {
            frame::send(&mut self.input, context).await?;
            frame::send(&mut self.input, template.as_bytes()).await?;
            frame::receive(&mut self.output, 1 + OUTPUT_LIMIT).await
        };
        let mut answer = timeout(self.limits.time, exchange)
            .await
            .map_err(|_| Lost::Late)?
            .map_err(Lost::Broken)?;
        let broken = |said: &str| Lost::Broken(io::Error::new(io::ErrorKind::InvalidData, said));
        let kind = *answer.first().ok_or_else(|| broken("an empty answer"))?;
        let text = String::from_utf8(answer.split_off(1)).map_err(|_| broken("no UTF-8"))?;
        match kind {
            frame::RENDERED => Ok(Ok(text)),
            frame::REFUSED => Ok(Err(text)),
            _ => Err(broken("no kind of answer")),
        }
    }

    /// Until it has ended.
    pub(super) async fn gone(&mut self) {
        let ended = self.child.wait().await;
        debug!(?ended, "a renderer of templates has ended by itself");
    }

    /// Ends it in order: it ends with its input.
    pub(super) async fn end(self) {
        let Process {
            mut child, input, ..
        } = self;
        drop(input);
        if timeout(PATIENCE, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }

    /// Sees it to its end after it gave no answer, and says what that means for the template.
    pub(super) async fn end_of(mut self, lost: Lost) -> TemplateError {
        let Limits {
            memory_mib, time, ..
        } = self.limits;
        let late = || format!("it takes longer than {} s", time.as_secs_f64());
        let error = match lost {
            Lost::Late => TemplateError::of_template(late()),
            Lost::Broken(error) => match self.status().await {
                Some(status) if status.signal() == Some(Signal::SIGXCPU as i32) => {
                    TemplateError::of_template(late())
                }
                // By whom, and whether it was about this template, is unknown: the system may be out of memory.
                Some(status) if status.signal() == Some(Signal::SIGKILL as i32) => {
                    TemplateError::transient("the renderer was killed; ask again later")
                }
                Some(status) => TemplateError::of_template(verdict(
                    status,
                    &self.last_words().await,
                    memory_mib,
                )),
                None => TemplateError::of_template(format!("the renderer fails on it: {error}")),
            },
        };
        self.kill().await;
        warn!(reason = error.message, "a renderer of templates was lost");
        error
    }

    /// How it ended, if it did. An answer that broke off means that it is about to.
    async fn status(&mut self) -> Option<ExitStatus> {
        timeout(PATIENCE, self.child.wait()).await.ok()?.ok()
    }

    /// What it said last; only of a process that has ended. To be looked at, not to be shown, once it was given a
    /// context: there may be values in it.
    async fn last_words(&mut self) -> String {
        let mut words = Vec::new();
        let _ = self.status().await;
        let mut errors = (&mut self.errors).take(LAST_WORDS);
        let _ = timeout(PATIENCE, errors.read_to_end(&mut words)).await;
        String::from_utf8_lossy(&words).into_owned()
    }

    /// Kills it, if need be, and waits for it, so that no zombie stays.
    async fn kill(&mut self) {
        let _ = self.child.kill().await;
    }
}

/// The words are those of Rust's own runtime.
fn verdict(status: ExitStatus, words: &str, memory_mib: u64) -> String {
    if words.contains("memory allocation of") {
        return format!("it needs more than {memory_mib} MiB of memory");
    }
    if words.contains("overflowed its stack") {
        return "it nests too deep".to_owned();
    }
    format!("it makes its renderer fail ({status})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_what_was_too_much_and_no_more() {
        let abort = ExitStatus::from_raw(Signal::SIGABRT as i32);
        let memory = verdict(abort, "memory allocation of 99 bytes failed", 512);
        assert_eq!(memory, "it needs more than 512 MiB of memory");
        let stack = verdict(abort, "thread 'main' (1) has overflowed its stack", 512);
        assert_eq!(stack, "it nests too deep");
        let other = verdict(abort, "secret", 512);
        assert!(
            other.contains("signal: 6") && !other.contains("secret"),
            "{other}"
        );
    }
}
