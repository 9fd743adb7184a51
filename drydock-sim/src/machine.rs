//! One simulated machine: its hardware, its state and the hands that operate it.

pub(crate) mod call_back;
pub mod core;
pub(crate) mod driver;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use drydock_ipmi::Control;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use self::core::{Core, Effect, Input, NotNow, Phase};
use crate::call_log::{Call, CallLog, Origin};
use crate::faults::FaultBoard;
use crate::maas::PowerWire;
use crate::shape::MachineShape;

/// A machine as seen from outside the simulation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineState {
    /// Name from the shape.
    pub name: String,
    /// Whether it has power.
    pub power_on: bool,
    /// What it is doing.
    pub phase: Phase,
    /// Whether its disk holds a system.
    pub installed: bool,
    /// Its boot flags, the five bytes of IPMI boot option parameter 5.
    pub boot_flags: [u8; 5],
    /// Names of the files its last boot fetched as boot-action assets.
    pub files: Vec<String>,
    /// Where the boot-action call-back of its last boot stands.
    pub call_back: CallBackState,
}

/// How far the call-back of an installed machine has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallBackState {
    /// It has not begun, or there is nothing to do.
    #[default]
    Idle,
    /// It is being done or retried.
    Working,
    /// Everything was fetched and reported.
    Done,
    /// It gave up, for this reason.
    GaveUp(String),
}

/// What the installed system did with its boot actions.
#[derive(Debug, Default)]
struct BootOutcome {
    files: Vec<String>,
    call_back: CallBackState,
}

/// When the power last changed.
#[derive(Debug, Default)]
struct PowerTimes {
    off: Option<Instant>,
    booted: Option<Instant>,
}

/// A machine; shared by its BMC, by MaaS's wiring and by its driver task.
///
/// Lock order: the MaaS region may be locked while a machine's core is taken, never the other way round; so effects
/// that concern MaaS are sent to the driver task, which holds no core.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) shape: MachineShape,
    core: Mutex<Core>,
    outcome: Mutex<BootOutcome>,
    times: Mutex<PowerTimes>,
    effects: mpsc::UnboundedSender<Effect>,
    faults: FaultBoard,
    log: CallLog,
}

impl Machine {
    pub(crate) fn new(
        shape: MachineShape,
        faults: FaultBoard,
        log: CallLog,
    ) -> (Self, mpsc::UnboundedReceiver<Effect>) {
        let (effects, driver) = mpsc::unbounded_channel();
        let machine = Self {
            core: Mutex::new(Core::new(shape.powered_on)),
            outcome: Mutex::default(),
            times: Mutex::default(),
            shape,
            effects,
            faults,
            log,
        };
        (machine, driver)
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcome(&self) -> MutexGuard<'_, BootOutcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `input` into the machine and hands what follows to its driver.
    pub(crate) fn step(&self, input: Input) -> Result<(), NotNow> {
        let faults = self.faults.machine(&self.shape.name);
        let mut core = self.core();
        for effect in core.step(input, &faults)? {
            if let Effect::Changed { from, to } = effect {
                self.note_times(to);
                self.log.push(Call::Machine {
                    machine: self.shape.name.clone(),
                    from,
                    to,
                });
            } else if self.effects.send(effect).is_err() {
                tracing::debug!(machine = %self.shape.name, "the machine's driver has stopped");
            }
        }
        Ok(())
    }

    fn note_times(&self, entered: Phase) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        match entered {
            Phase::Off => times.off = Some(Instant::now()),
            Phase::NetworkBoot | Phase::BootingDisk | Phase::NothingToBoot => {
                times.booted = Some(Instant::now());
            }
            _ => {}
        }
    }

    /// Whether the power went off less than this ago.
    pub(crate) fn off_within(&self, span: Duration) -> bool {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.off.is_some_and(|at| at.elapsed() < span)
    }

    /// Whether the firmware began to boot less than this ago, and the power is on.
    pub(crate) fn booted_within(&self, span: Duration) -> bool {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let booted = times.booted.is_some_and(|at| at.elapsed() < span);
        drop(times);
        booted && self.powered()
    }

    pub(crate) fn media_from_bmc(&self, image: Option<&str>) {
        let (command, detail) = match image {
            Some(image) => ("insert_media", image),
            None => ("eject_media", ""),
        };
        self.log_command(Origin::Bmc, command, detail.to_owned());
    }

    pub(crate) fn phase(&self) -> Phase {
        self.core().phase()
    }

    fn log_command(&self, origin: Origin, command: &str, detail: String) {
        self.log.push(Call::Bmc {
            machine: self.shape.name.clone(),
            origin,
            command: command.to_owned(),
            detail,
        });
    }

    pub(crate) fn powered(&self) -> bool {
        self.core().power_on()
    }

    pub(crate) fn boot_flags(&self) -> [u8; 5] {
        self.core().boot_flags()
    }

    pub(crate) fn power_from_bmc(&self, verb: Control) -> Result<(), NotNow> {
        self.log_command(Origin::Bmc, core::word(verb), String::new());
        let same = match verb {
            Control::On => self.powered(),
            Control::Off => !self.powered(),
            _ => false,
        };
        let faults = self.faults.machine(&self.shape.name);
        if faults.refuses_power || (same && faults.refuses_same_power) {
            return Err(NotNow);
        }
        self.step(Input::Power(verb))
    }

    pub(crate) fn boot_flags_from_bmc(&self, flags: [u8; 5]) {
        let hex = flags.iter().map(|byte| format!("{byte:02x}")).collect();
        self.log_command(Origin::Bmc, "set_boot", hex);
        if !self.faults.machine(&self.shape.name).forgets_boot_device {
            self.core().set_boot_flags(flags);
        }
    }

    pub(crate) fn note_call_back(&self, state: CallBackState) {
        self.outcome().call_back = state;
    }

    pub(crate) fn note_files(&self, files: Vec<String>) {
        self.outcome().files.extend(files);
    }

    pub(crate) fn forget_boot_outcome(&self) {
        *self.outcome() = BootOutcome::default();
    }

    pub(crate) fn state(&self) -> MachineState {
        let core = self.core();
        let outcome = self.outcome();
        MachineState {
            name: self.shape.name.clone(),
            power_on: core.power_on(),
            phase: core.phase(),
            installed: core.installed(),
            boot_flags: core.boot_flags(),
            files: outcome.files.clone(),
            call_back: outcome.call_back.clone(),
        }
    }
}

impl PowerWire for Machine {
    fn power_on(&self) -> bool {
        self.core().phase() != Phase::Off
    }

    fn boot_network(&self) {
        self.log_command(Origin::Maas, "boot_network", String::new());
        if self.step(Input::NetworkBoot).is_err() {
            tracing::debug!(machine = %self.shape.name, "network boot refused");
        }
    }

    fn power_off(&self) {
        self.log_command(Origin::Maas, "power_off", String::new());
        if self.step(Input::Power(Control::Off)).is_err() {
            tracing::debug!(machine = %self.shape.name, "power off refused");
        }
    }
}
