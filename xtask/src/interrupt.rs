//! Ctrl-C and SIGTERM: passed on to the program that runs, so that we live to clean up after it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

static CAME: AtomicBool = AtomicBool::new(false);

/// Process id of the program that runs; 0: none.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// Takes the two signals from here on. Whoever runs something must look at [`came`].
///
/// # Errors
/// The handlers cannot be set.
pub(crate) fn listen() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot set up signals")?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot take SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot take SIGTERM")?;
    drop(guard);
    thread::spawn(move || {
        runtime.block_on(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                CAME.store(true, Ordering::SeqCst);
                stop_running();
            }
        });
    });
    Ok(())
}

/// Whether one of the signals came.
pub(crate) fn came() -> bool {
    CAME.load(Ordering::SeqCst)
}

/// Names the program that is to be stopped when a signal comes; until the answer is dropped.
pub(crate) fn forward_to(process: u32) -> Forwarding {
    RUNNING.store(process, Ordering::SeqCst);
    if came() {
        stop_running();
    }
    Forwarding
}

/// See [`forward_to`].
pub(crate) struct Forwarding;

impl Drop for Forwarding {
    fn drop(&mut self) {
        RUNNING.store(0, Ordering::SeqCst);
    }
}

fn stop_running() {
    let process = RUNNING.load(Ordering::SeqCst);
    if let Some(process) = i32::try_from(process).ok().filter(|process| *process > 0) {
        // It may have ended this moment; then there is nothing to stop.
        let _ = kill(Pid::from_raw(process), Signal::SIGTERM);
    }
}
