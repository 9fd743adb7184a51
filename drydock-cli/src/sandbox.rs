//! Templates of boot actions, rendered by processes of this same program that the operating system limits.
//!
//! What a design asks a template language to do may take any time and any memory. Here it takes a child process at most: one that is over its
//! time is killed, one that is over its memory ends, and the next template gets a new one. `docs/adr/0005` says why nothing less will do.

// By their paths, so that the tests, which have only the program and no library, can take this module by its path, too.
#[path = "sandbox/frame.rs"]
mod frame;
#[path = "sandbox/process.rs"]
mod process;
#[path = "sandbox/worker.rs"]
pub mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use drydock_design::template::TEMPLATE_LIMIT;
use drydock_orchestrator::boot::templates::{TemplateError, Templates};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use process::Process;

/// How long a template waits for its turn. A server has no more time for it than the machine that asks.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process that had nothing to do for so long is ended: machines boot together or not at all, and what it rendered it may still hold.
const IDLE: Duration = Duration::from_secs(60);

/// What templates may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Memory of one process above what it starts with, in MiB.
    pub memory_mib: u64,
    /// Time of one template.
    pub time: Duration,
    /// Processes at a time.
    pub processes: usize,
}

impl Limits {
    /// A server's. The published boot actions take milliseconds and next to no memory.
    pub const SERVER: Limits = Limits {
        memory_mib: 512,
        time: Duration::from_secs(5),
        processes: 3,
    };
}

/// Renders templates in processes of its own, which start with the first template and end with this.
pub struct Sandbox {
    limits: Limits,
    jobs: mpsc::Sender<Job>,
    stop: CancellationToken,
    keepers: Mutex<JoinSet<()>>,
}

/// A template to render. Without `Debug`: the context holds the key of a deployment.
struct Job {
    template: String,
    context: Vec<u8>,
    answer: oneshot::Sender<Result<String, TemplateError>>,
}

impl Sandbox {
    /// `program`: this program, see [`this_program`].
    #[must_use]
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        let jobs = Arc::new(Mutex::new(receiver));
        let program: Arc<Path> = program.into();
        let stop = CancellationToken::new();
        let mut keepers = JoinSet::new();
        for _ in 0..limits.processes {
            let keeper = Keeper {
                program: Arc::clone(&program),
                limits,
                jobs: Arc::clone(&jobs),
                stop: stop.clone(),
                process: None,
            };
            keepers.spawn(keeper.run());
        }
        Sandbox {
            limits,
            jobs: sender,
            stop,
            keepers: Mutex::new(keepers),
        }
    }

    /// Ends the processes, once those that render have answered.
    pub async fn stop(&self) {
        self.stop.cancel();
        let mut keepers = self.keepers.lock().await;
        while keepers.join_next().await.is_some() {}
    }
}

/// The file of this program. The kernel's own link to it holds even when the file was replaced by another version meanwhile.
///
/// # Errors
/// The system does not say.
pub fn this_program() -> std::io::Result<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        return Ok(link);
    }
    std::env::current_exe()
}

#[async_trait]
impl Templates for Sandbox {
    async fn render(&self, template: &str, context: &Value) -> Result<String, TemplateError> {
        if template.len() > TEMPLATE_LIMIT {
            return Err(TemplateError::of_template(format!(
                "it has {} bytes; at most {TEMPLATE_LIMIT} are taken",
                template.len()
            )));
        }
        let (answer, answered) = oneshot::channel();
        let job = Job {
            template: template.to_owned(),
            context: context.to_string().into_bytes(),
            answer,
        };
        let stopping = || TemplateError::transient("the server is stopping");
        match timeout(PATIENCE, self.jobs.send(job)).await {
            Ok(Ok(())) => answered.await.unwrap_or_else(|_| Err(stopping())),
            Ok(Err(_)) => Err(stopping()),
            Err(_) => Err(TemplateError::transient(format!(
                "all {} renderers have been busy for {} s; ask again later",
                self.limits.processes,
                PATIENCE.as_secs()
            ))),
        }
    }
}

/// Looks after one process: starts it for a job, and again when it is gone.
struct Keeper {
    program: Arc<Path>,
    limits: Limits,
    jobs: Arc<Mutex<mpsc::Receiver<Job>>>,
    stop: CancellationToken,
    process: Option<Process>,
}

impl Keeper {
    async fn run(mut self) {
        let jobs = Arc::clone(&self.jobs);
        let next = async || jobs.lock().await.recv().await;
        loop {
            let job = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                // Waited for, so that no zombie stays.
                () = gone(&mut self.process) => {
                    self.process = None;
                    continue;
                }
                job = next() => job,
                () = sleep(IDLE), if self.process.is_some() => {
                    self.end().await;
                    continue;
                }
            };
            let Some(job) = job else { break };
            if !job.answer.is_closed() {
                let answer = self.render(&job.template, &job.context).await;
                // Whoever asked may have gone.
                let _ = job.answer.send(answer);
            }
        }
        self.end().await;
    }

    async fn render(&mut self, template: &str, context: &[u8]) -> Result<String, TemplateError> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => Process::start(&self.program, self.limits).await?,
        };
        match process.render(template, context).await {
            Ok(rendered) => {
                self.process = Some(process);
                rendered.map_err(TemplateError::of_template)
            }
            Err(lost) => Err(process.end_of(lost).await),
        }
    }

    async fn end(&mut self) {
        if let Some(process) = self.process.take() {
            process.end().await;
        }
    }
}

/// Until the process has ended by itself.
async fn gone(process: &mut Option<Process>) {
    match process {
        Some(process) => process.gone().await,
        None => std::future::pending().await,
    }
}
