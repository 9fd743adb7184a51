//! The task that gives a machine time, network and voice: it runs timers, asks MaaS, reports to it, and calls back.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::core::{Effect, Input, Report};
use super::{Machine, call_back};
use crate::call_log::CallLog;
use crate::faults::FaultBoard;
use crate::maas::SharedRegion;
use crate::timing::Timing;

/// What a machine's driver needs of the world.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) region: SharedRegion,
    pub(crate) timing: Timing,
    pub(crate) client: reqwest::Client,
    pub(crate) call_back_url: watch::Receiver<Option<String>>,
    pub(crate) faults: FaultBoard,
    pub(crate) log: CallLog,
}

/// Serves the effects of `machine` until it is dropped or this future is.
pub(crate) async fn drive(
    machine: Arc<Machine>,
    mut effects: mpsc::UnboundedReceiver<Effect>,
    world: Arc<Surroundings>,
) {
    let mut tasks = JoinSet::new();
    let mut call_back: Option<AbortHandle> = None;
    loop {
        let effect = tokio::select! {
            effect = effects.recv() => effect,
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    tracing::error!(machine = %machine.shape.name, %error, "a task of a simulated machine panicked");
                }
                continue;
            }
        };
        match effect {
            None => return,
            Some(Effect::Timer(generation, wait)) => {
                let (machine, delay) = (Arc::clone(&machine), world.timing.of(wait));
                tasks.spawn(async move {
                    tokio::time::sleep(delay).await;
                    feed(&machine, Input::Timer(generation));
                });
            }
            Some(Effect::AskMaas(generation)) => {
                let purpose = world.region.lock().boot_purpose(&machine.shape.macs());
                feed(&machine, Input::BootAnswer(generation, purpose));
            }
            Some(Effect::Report(report)) => tell(&machine, &world, report),
            Some(Effect::SystemUp) => {
                machine.forget_boot_outcome();
                let (machine, world) = (Arc::clone(&machine), Arc::clone(&world));
                call_back = Some(tasks.spawn(call_back::run(machine, world)));
            }
            Some(Effect::SystemDown) => {
                if let Some(task) = call_back.take() {
                    task.abort();
                }
            }
            Some(Effect::Changed { .. }) => {}
        }
    }
}

fn feed(machine: &Machine, input: Input) {
    if machine.step(input).is_err() {
        tracing::debug!(machine = %machine.shape.name, ?input, "refused");
    }
}

fn tell(machine: &Machine, world: &Surroundings, report: Report) {
    let macs = machine.shape.macs();
    let mut region = world.region.lock();
    match report {
        Report::Enlisted => region.enlist(&machine.shape),
        Report::Commissioned { ok } => region.commissioning_ended(&macs, ok),
        Report::Deployed { ok } => region.deployment_ended(&macs, ok),
        Report::Erased => region.erasure_ended(&macs),
        Report::Off => region.power_seen_off(&macs),
    }
}
