//! What has to be sent to a BMC: pure, from what was seen and what the step's journal says.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use drydock_ipmi::{BootDevice, BootMode, BootOptions, Persistence};
use drydock_model::build_data::{Collected, Element};
use drydock_model::change::{Change, ChangeOutcome, JournalEntry, Remembered, Risk, remembered};
use drydock_model::driver::{DriverError, Report, StepContext, StepPlan, Then};
use drydock_model::effective::Node;
use drydock_model::step::StepAction;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::inventory::GENERATOR;
use super::{IpmiSettings, foreign};

pub(super) const POWER_OFF: &str = "power_off";
pub(super) const POWER_ON: &str = "power_on";
pub(super) const SET_BOOT: &str = "set_boot_device";

/// What was seen of a BMC.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// Its address and port.
    pub(super) bmc: String,
    /// Whether the machine is on.
    pub(super) power_on: Option<bool>,
    /// What it will boot from.
    pub(super) boot: Option<Boot>,
    /// What it says it is.
    pub(super) device: Option<String>,
    /// What else it tells of the machine.
    pub(super) inventory: Option<serde_json::Value>,
}

/// The boot override of a BMC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Boot {
    /// `pxe`, `disk`, ...; `none` when there is no override.
    pub(super) device: String,
    pub(super) uefi: bool,
    pub(super) persistent: bool,
}

impl Boot {
    pub(super) fn of(options: &BootOptions) -> Self {
        let device = match options.device {
            _ if !options.valid => "none",
            Some(BootDevice::None) => "none",
            Some(BootDevice::Pxe) => "pxe",
            Some(BootDevice::Disk) => "disk",
            Some(BootDevice::Cd) => "cd",
            Some(BootDevice::Bios) => "setup",
            None => "another",
        };
        Boot {
            device: device.to_owned(),
            uefi: options.mode == BootMode::Uefi,
            persistent: options.persistence == Persistence::Persistent,
        }
    }

    /// Some BMCs keep only the device, so only that is compared.
    pub(super) fn is_network(&self) -> bool {
        self.device == "pxe"
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how_long = if self.persistent { "always" } else { "once" };
        write!(
            f,
            "boot device {} ({}, {how_long})",
            self.device,
            if self.uefi { "UEFI" } else { "legacy" }
        )
    }
}

/// What the journal keeps of a power command that was refused because the machine was so already.
pub(super) const SO_ALREADY: &str = "was so already";

/// What the journal keeps of the look right after switching on.
pub(super) fn power_evidence(on: Option<bool>) -> String {
    match on {
        Some(true) => "acknowledged, seen on",
        Some(false) => "acknowledged, not on yet",
        None => "acknowledged",
    }
    .to_owned()
}

pub(super) fn plan(
    cx: &StepContext,
    settings: &IpmiSettings,
    seen: &Seen,
    journal: &[JournalEntry],
) -> Result<StepPlan, DriverError> {
    use StepAction as A;
    if cx.action == A::ValidateOobServices {
        return Ok(StepPlan::done(
            "IPMI needs no service in between: each node's BMC is asked by its own steps",
        ));
    }
    let node = cx.node()?;
    let step = Step {
        node,
        settings,
        seen,
        journal,
    };
    Ok(match cx.action {
        A::ConfigNodePxe => StepPlan::done(format!(
            "IPMI cannot choose the boot card of {}: nothing to do, network boot is asked for at each boot",
            node.name
        )),
        A::InterrogateOob => step.interrogate(),
        A::SetNodeBoot => step.set_boot(),
        A::PowerOffNode => step.power(false),
        A::PowerOnNode => step.power(true),
        A::PowerCycleNode => step.cycle(),
        _ => return Err(foreign(cx)),
    })
}

struct Step<'a> {
    node: &'a Node,
    settings: &'a IpmiSettings,
    seen: &'a Seen,
    journal: &'a [JournalEntry],
}

impl Step<'_> {
    fn on(&self) -> bool {
        self.seen.power_on == Some(true)
    }

    fn boots_network(&self) -> bool {
        self.seen.boot.as_ref().is_some_and(Boot::is_network)
    }

    fn boot_text(&self) -> String {
        self.seen
            .boot
            .as_ref()
            .map_or_else(|| "boot device unknown".to_owned(), ToString::to_string)
    }

    fn remembered(&self, verb: &str) -> Remembered {
        remembered(self.journal, verb)
    }

    fn change(&self, verb: &str, after: serde_json::Value, risk: Risk, why: String) -> StepPlan {
        StepPlan::apply(vec![Change {
            target: format!("bmc {}", self.seen.bmc),
            verb: verb.to_owned(),
            before: json!({"power": word(self.on()), "boot": self.seen.boot}),
            after,
            risk,
            why,
        }])
    }

    fn interrogate(&self) -> StepPlan {
        let power = word(self.on());
        let device = self.seen.device.as_deref().unwrap_or("unknown device");
        let mut report = Report::new(format!(
            "BMC {} of {} takes the credentials: {device}; power is {power}",
            self.seen.bmc, self.node.name
        ))
        .fact("power", power);
        if let Some(inventory) = &self.seen.inventory {
            report.build_data.push(Collected {
                generator: GENERATOR.to_owned(),
                element: Element::Json(inventory.clone()),
            });
        }
        StepPlan {
            changes: Vec::new(),
            then: Then::Done(report),
        }
    }

    fn set_boot(&self) -> StepPlan {
        if self.boots_network() {
            return StepPlan::done(format!(
                "{} boots from the network next: {}",
                self.node.name,
                self.boot_text()
            ));
        }
        if self.remembered(SET_BOOT) == Remembered::Done {
            return self.not_honoured("set network boot", &self.boot_text());
        }
        self.boot_from_network()
    }

    fn boot_from_network(&self) -> StepPlan {
        let uefi = super::mode_of(self.node) == BootMode::Uefi;
        let after = json!({"device": "pxe", "uefi": uefi, "persistent": false});
        let why = format!("{} has to boot from the network once", self.node.name);
        self.change(SET_BOOT, after, Risk::Reversible, why)
    }

    fn power(&self, wanted: bool) -> StepPlan {
        let verb = if wanted { POWER_ON } else { POWER_OFF };
        let sent = self.remembered(verb);
        if self.on() == wanted || (wanted && self.was_seen_on()) {
            let changed = if sent == Remembered::Never {
                "; nothing was changed"
            } else {
                ""
            };
            return StepPlan::done(format!("{} is {}{changed}", self.node.name, word(wanted)));
        }
        if sent == Remembered::Done {
            return self.await_power(verb, wanted);
        }
        let why = format!("{} has to be {}", self.node.name, word(wanted));
        self.change(verb, json!({"power": word(wanted)}), Risk::Reboots, why)
    }

    /// Off, wait until off, boot device as it was, on, wait until on. Once `power_on` was acknowledged nothing is
    /// switched off any more, so that a step that is resumed never cycles twice.
    fn cycle(&self) -> StepPlan {
        let node = &self.node.name;
        match self.remembered(POWER_ON) {
            Remembered::Done if self.on() || self.was_seen_on() => {
                return StepPlan::done(format!("{node} was switched off and on"));
            }
            Remembered::Done => return self.await_power(POWER_ON, true),
            // It was off when this was sent and is on now: the command got through.
            Remembered::Perhaps if self.on() => {
                return StepPlan::done(format!("{node} was switched off and on"));
            }
            Remembered::Perhaps | Remembered::Never => {}
        }
        if self.on() {
            return match self.remembered(POWER_OFF) {
                Remembered::Done => self.await_power(POWER_OFF, false),
                // Off again is safe: nothing was switched on since.
                Remembered::Perhaps | Remembered::Never => {
                    let why =
                        format!("{node} is power-cycled; it is switched on again once it is off");
                    self.change(POWER_OFF, json!({"power": "off"}), Risk::Reboots, why)
                }
            };
        }
        if self.had_network_boot() && !self.boots_network() {
            if self.was_set_for_this_boot() {
                return self.not_honoured("set network boot", &self.boot_text());
            }
            return self.boot_from_network();
        }
        let why = format!("{node} is power-cycled, and it is off now");
        self.change(POWER_ON, json!({"power": "on"}), Risk::Reboots, why)
    }

    /// Whether network boot was asked for before the machine was switched off: some BMCs forget it then.
    fn had_network_boot(&self) -> bool {
        self.journal.iter().any(|entry| {
            entry.change.verb == POWER_OFF && entry.change.before["boot"]["device"] == "pxe"
        })
    }

    /// Whether network boot was acknowledged since the machine was last switched on, perhaps in vain: a start uses it up.
    fn was_set_for_this_boot(&self) -> bool {
        let after_start = self
            .journal
            .iter()
            .rev()
            .take_while(|entry| entry.change.verb != POWER_ON);
        after_start
            .filter(|entry| entry.change.verb == SET_BOOT)
            .any(|entry| entry.outcome == Some(ChangeOutcome::Done))
    }

    fn was_seen_on(&self) -> bool {
        let seen_on = power_evidence(Some(true));
        self.journal.iter().any(|entry| {
            entry.change.verb == POWER_ON
                && entry
                    .evidence
                    .as_deref()
                    .is_some_and(|evidence| evidence == seen_on || evidence == SO_ALREADY)
        })
    }

    /// The command was acknowledged and the state is not there yet.
    fn await_power(&self, verb: &str, wanted: bool) -> StepPlan {
        let since = self
            .journal
            .iter()
            .filter(|entry| entry.change.verb == verb)
            .map(|entry| entry.intended)
            .max();
        let limit = self
            .settings
            .state_timeout
            .max(self.settings.settle_after_reset);
        let limit = TimeDelta::from_std(limit).unwrap_or(TimeDelta::MAX);
        if since.is_some_and(|since| self.seen.at.signed_duration_since(since) >= limit) {
            return self.not_honoured(verb, &format!("power {}", word(!wanted)));
        }
        StepPlan::wait(
            format!("{} to be {}", self.node.name, word(wanted)),
            self.settings.poll,
        )
    }

    fn not_honoured(&self, tried: &str, read_back: &str) -> StepPlan {
        StepPlan::fail(DriverError::permanent(
            format!("{tried} of {}", self.node.name),
            format!("BMC {} of {}", self.seen.bmc, self.node.name),
            format!("it said yes, read back {read_back}"),
            "do it by hand, or update or reset the BMC",
        ))
    }
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests;
