//! The state machine of a simulated machine. Pure: inputs in, effects out, no clock and no I/O.

use drydock_ipmi::Control;
use serde::{Deserialize, Serialize};

use crate::faults::MachineFaults;
use crate::timing::Wait;

/// What a machine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No power.
    Off,
    /// The power is being switched on; the BMC still says off.
    TurningOn,
    /// The power is being switched off; the BMC still says on.
    TurningOff,
    /// It asks the network what to boot.
    NetworkBoot,
    /// It runs MaaS's enlistment system.
    Enlisting,
    /// MaaS needs nothing more of it for now; it is about to switch itself off.
    Enlisted,
    /// It runs the commissioning scripts.
    Commissioning,
    /// It installs a system on its disk.
    Installing,
    /// Its installation has failed; it stays on.
    InstallFailed,
    /// It erases its disks.
    Erasing,
    /// Its disks are erased; it waits to be switched off.
    Erased,
    /// It starts the system on its disk.
    BootingDisk,
    /// The system on its disk runs.
    Running,
    /// It is on and has found nothing to boot.
    NothingToBoot,
}

/// The word of a power command in the call log.
pub(crate) fn word(control: Control) -> &'static str {
    match control {
        Control::Off => "power_off",
        Control::On => "power_on",
        Control::Cycle => "power_cycle",
        Control::Reset => "power_reset",
        Control::SoftOff => "power_soft_off",
    }
}

/// What MaaS gives a machine that boots from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootPurpose {
    /// Unknown machine: enlistment.
    Enlist,
    /// Commissioning scripts.
    Commission,
    /// The installer.
    Install,
    /// The disk eraser.
    Erase,
    /// Boot from your own disk.
    LocalDisk,
    /// Nothing to do: switch off.
    PowerOff,
}

/// What can happen to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A power command.
    Power(Control),
    /// MaaS wants it to boot from the network, from whatever state.
    NetworkBoot,
    /// The timer of this generation ran out.
    Timer(u64),
    /// The answer to the network boot of this generation.
    BootAnswer(u64, BootPurpose),
}

/// What a machine tells MaaS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// Enlistment is done.
    Enlisted,
    /// Commissioning ended.
    Commissioned {
        /// Whether it passed.
        ok: bool,
    },
    /// Installation ended.
    Deployed {
        /// Whether it passed.
        ok: bool,
    },
    /// The disks are erased.
    Erased,
    /// The power is off.
    Off,
}

/// What follows from an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Send [`Input::Timer`] of this generation after the wait.
    Timer(u64, Wait),
    /// Ask MaaS what to boot, and send [`Input::BootAnswer`].
    AskMaas(u64),
    /// Tell MaaS.
    Report(Report),
    /// The installed system is up: begin its call-back.
    SystemUp,
    /// The installed system is gone: end its call-back.
    SystemDown,
    /// The phase changed.
    Changed {
        /// The phase left.
        from: Phase,
        /// The phase entered.
        to: Phase,
    },
}

/// A command that the chassis refuses in its present state (IPMI completion code 0xD5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotNow;

/// The state of one machine.
#[derive(Debug)]
pub struct Core {
    phase: Phase,
    generation: u64,
    boot_flags: [u8; 5],
    network_next: bool,
    on_after_off: bool,
    installed: bool,
}

const FLAGS_VALID: u8 = 0x80;
const FLAGS_PERSISTENT: u8 = 0x40;
const DEVICE_BITS: u8 = 0x3c;
const DEVICE_PXE: u8 = 0x04;

impl Core {
    /// A machine that is off and empty, or on and running a system of its own.
    pub fn new(powered_on: bool) -> Self {
        Self {
            phase: if powered_on {
                Phase::Running
            } else {
                Phase::Off
            },
            generation: 0,
            boot_flags: [0; 5],
            network_next: false,
            on_after_off: false,
            installed: powered_on,
        }
    }

    /// What it is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What its BMC says of the power.
    pub fn power_on(&self) -> bool {
        !matches!(self.phase, Phase::Off | Phase::TurningOn)
    }

    /// Whether its disk holds a system.
    pub fn installed(&self) -> bool {
        self.installed
    }

    /// The boot flags in force (IPMI v2.0 section 28.13, parameter 5).
    pub fn boot_flags(&self) -> [u8; 5] {
        self.boot_flags
    }

    /// Sets the boot flags.
    pub fn set_boot_flags(&mut self, flags: [u8; 5]) {
        self.boot_flags = flags;
    }

    /// Takes one input. Only power commands can be refused; timers and answers of an older generation do nothing.
    pub fn step(&mut self, input: Input, faults: &MachineFaults) -> Result<Vec<Effect>, NotNow> {
        let mut effects = Vec::new();
        match input {
            Input::Power(verb) => {
                if matches!(verb, Control::Cycle | Control::Reset) && !self.power_on() {
                    return Err(NotNow);
                }
                if !faults.ignores_power {
                    self.power(verb, &mut effects);
                }
            }
            Input::NetworkBoot if !faults.ignores_power => {
                self.network_next = true;
                if self.power_on() {
                    self.power(Control::Cycle, &mut effects);
                } else {
                    self.power(Control::On, &mut effects);
                }
            }
            Input::Timer(generation) if generation == self.generation => {
                self.timer(faults, &mut effects);
            }
            Input::BootAnswer(generation, purpose) if generation == self.generation => {
                self.boot_answer(purpose, &mut effects);
            }
            Input::NetworkBoot | Input::Timer(_) | Input::BootAnswer(..) => {}
        }
        Ok(effects)
    }

    fn power(&mut self, verb: Control, effects: &mut Vec<Effect>) {
        match (verb, self.phase) {
            (Control::On, Phase::Off) => self.enter_for(Phase::TurningOn, Wait::Power, effects),
            (Control::On | Control::Cycle, Phase::TurningOff) => self.on_after_off = true,
            (Control::On, _) | (Control::Reset, Phase::TurningOff) => {}
            (Control::Off | Control::SoftOff, Phase::Off) => {}
            (Control::Off | Control::SoftOff, Phase::TurningOff) => self.forget_restart(),
            (Control::Off | Control::SoftOff, _) => {
                self.forget_restart();
                self.enter_for(Phase::TurningOff, Wait::Power, effects);
            }
            (Control::Cycle, _) => {
                self.on_after_off = true;
                self.enter_for(Phase::TurningOff, Wait::Power, effects);
            }
            (Control::Reset, _) => self.boot(effects),
        }
    }

    fn forget_restart(&mut self) {
        self.on_after_off = false;
        self.network_next = false;
    }

    fn timer(&mut self, faults: &MachineFaults, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::TurningOn => self.boot(effects),
            Phase::TurningOff => {
                let again = std::mem::take(&mut self.on_after_off);
                if faults.loses_boot_device {
                    self.boot_flags = [0; 5];
                }
                self.enter(Phase::Off, effects);
                effects.push(Effect::Report(Report::Off));
                if again {
                    self.enter_for(Phase::TurningOn, Wait::Power, effects);
                }
            }
            Phase::Enlisting => {
                self.enter_for(Phase::Enlisted, Wait::Linger, effects);
                effects.push(Effect::Report(Report::Enlisted));
            }
            Phase::Enlisted => self.enter_for(Phase::TurningOff, Wait::Power, effects),
            Phase::Commissioning => {
                self.enter_for(Phase::TurningOff, Wait::Power, effects);
                effects.push(Effect::Report(Report::Commissioned {
                    ok: !faults.fails_commissioning,
                }));
            }
            Phase::Installing if faults.fails_deployment => {
                self.enter(Phase::InstallFailed, effects);
                effects.push(Effect::Report(Report::Deployed { ok: false }));
            }
            Phase::Installing => {
                self.installed = true;
                self.enter_for(Phase::BootingDisk, Wait::Boot, effects);
                effects.push(Effect::Report(Report::Deployed { ok: true }));
            }
            Phase::Erasing => {
                self.installed = false;
                self.enter(Phase::Erased, effects);
                effects.push(Effect::Report(Report::Erased));
            }
            Phase::BootingDisk => {
                self.enter(Phase::Running, effects);
                effects.push(Effect::SystemUp);
            }
            Phase::Off
            | Phase::NetworkBoot
            | Phase::InstallFailed
            | Phase::Erased
            | Phase::Running
            | Phase::NothingToBoot => {}
        }
    }

    /// The firmware chooses: MaaS's wish, then the boot flags, then the disk. One-time flags are used up.
    fn boot(&mut self, effects: &mut Vec<Effect>) {
        let valid = self.boot_flags[0] & FLAGS_VALID != 0;
        let pxe = valid && self.boot_flags[1] & DEVICE_BITS == DEVICE_PXE;
        if valid && self.boot_flags[0] & FLAGS_PERSISTENT == 0 {
            self.boot_flags = [0; 5];
        }
        if std::mem::take(&mut self.network_next) || pxe {
            self.enter(Phase::NetworkBoot, effects);
            effects.push(Effect::AskMaas(self.generation));
        } else {
            self.boot_disk(effects);
        }
    }

    fn boot_disk(&mut self, effects: &mut Vec<Effect>) {
        if self.installed {
            self.enter_for(Phase::BootingDisk, Wait::Boot, effects);
        } else {
            self.enter(Phase::NothingToBoot, effects);
        }
    }

    fn boot_answer(&mut self, purpose: BootPurpose, effects: &mut Vec<Effect>) {
        match purpose {
            BootPurpose::Enlist => self.enter_for(Phase::Enlisting, Wait::Enlist, effects),
            BootPurpose::Commission => {
                self.enter_for(Phase::Commissioning, Wait::Commission, effects);
            }
            BootPurpose::Install => self.enter_for(Phase::Installing, Wait::Deploy, effects),
            BootPurpose::Erase => self.enter_for(Phase::Erasing, Wait::Erase, effects),
            BootPurpose::LocalDisk => self.boot_disk(effects),
            BootPurpose::PowerOff => self.enter_for(Phase::Enlisted, Wait::Linger, effects),
        }
    }

    fn enter_for(&mut self, phase: Phase, wait: Wait, effects: &mut Vec<Effect>) {
        self.enter(phase, effects);
        effects.push(Effect::Timer(self.generation, wait));
    }

    fn enter(&mut self, phase: Phase, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Running {
            effects.push(Effect::SystemDown);
        }
        effects.push(Effect::Changed {
            from: self.phase,
            to: phase,
        });
        self.phase = phase;
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests;
