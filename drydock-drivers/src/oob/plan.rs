//! What has to be sent to a controller: pure, from what was seen and what the step's journal says.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use drydock_model::build_data::{Collected, Element};
use drydock_model::change::{Change, ChangeOutcome, JournalEntry, Remembered, Risk, remembered};
use drydock_model::driver::{DriverError, Report, StepContext, StepPlan, Then};
use drydock_model::effective::Node;
use drydock_model::step::StepAction;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::driver::foreign;
use super::{Boot, BootDevice, Override, Switched, Timing, Words};

pub(super) const POWER_OFF: &str = "power_off";
pub(super) const POWER_ON: &str = "power_on";
pub(super) const SET_BOOT: &str = "set_boot_device";

/// An operating system that was asked to shut down may take so long.
const SHUTDOWN: Duration = Duration::from_secs(600);

/// What was seen of a controller.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// Where it is.
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

/// What the journal keeps of a power command that was refused because the machine was so already.
pub(super) const SO_ALREADY: &str = "was so already";
/// What it keeps of one that asks the operating system to shut down.
const ASKED_TO_SHUT_DOWN: &str = "acknowledged, the operating system is asked to shut down";

/// What the journal keeps of a power command.
pub(super) fn evidence(switched: Switched) -> String {
    match switched {
        Switched::Acknowledged => "acknowledged",
        Switched::AskedToShutDown => ASKED_TO_SHUT_DOWN,
        Switched::SoAlready => SO_ALREADY,
    }
    .to_owned()
}

/// What the journal keeps of the look right after switching on.
pub(super) fn power_evidence(on: Option<bool>) -> String {
    match on {
        Some(true) => "acknowledged, seen on",
        Some(false) => "acknowledged, not on yet",
        None => "acknowledged",
    }
    .to_owned()
}

/// What a plan depends on besides the step, what was seen, and the journal.
#[derive(Clone, Copy)]
pub(super) struct Kind<'a> {
    pub(super) words: Words,
    pub(super) timing: Timing,
    /// What to ask for so that a node boots from a device.
    pub(super) wish: &'a dyn Fn(&Node, BootDevice) -> Boot,
    /// Whether what was seen is what is wanted.
    pub(super) honoured: &'a dyn Fn(&Boot, &Boot) -> bool,
}

pub(super) fn plan(
    cx: &StepContext,
    kind: Kind<'_>,
    seen: &Seen,
    journal: &[JournalEntry],
) -> Result<StepPlan, DriverError> {
    use StepAction as A;
    let Words {
        title, controller, ..
    } = kind.words;
    if cx.action == A::ValidateOobServices {
        return Ok(StepPlan::done(format!(
            "{title} needs no service in between: each node's {controller} is asked by its own steps"
        )));
    }
    let node = cx.node()?;
    let step = Step {
        node,
        kind,
        seen,
        journal,
    };
    Ok(match cx.action {
        A::ConfigNodePxe => StepPlan::done(format!(
            "{title} cannot choose the boot card of {}: nothing to do, network boot is asked for at each boot",
            node.name
        )),
        A::InterrogateOob => step.interrogate(),
        A::SetNodeBoot => step.set_boot(cx.boot_device.into()),
        A::PowerOffNode => step.power(false),
        A::PowerOnNode => step.power(true),
        A::PowerCycleNode => step.cycle(),
        _ => return Err(foreign(cx, kind.words)),
    })
}

struct Step<'a> {
    node: &'a Node,
    kind: Kind<'a>,
    seen: &'a Seen,
    journal: &'a [JournalEntry],
}

impl Step<'_> {
    fn on(&self) -> bool {
        self.seen.power_on == Some(true)
    }

    fn boots(&self, device: BootDevice) -> bool {
        let wanted = (self.kind.wish)(self.node, device);
        self.seen
            .boot
            .as_ref()
            .is_some_and(|seen| (self.kind.honoured)(&wanted, seen))
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
            target: format!("{} {}", self.kind.words.target, self.seen.bmc),
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
            "{} {} of {} takes the credentials: {device}; power is {power}",
            self.kind.words.controller, self.seen.bmc, self.node.name
        ))
        .fact("power", power);
        if let Some(inventory) = &self.seen.inventory {
            report.build_data.push(Collected {
                generator: self.kind.words.generator.to_owned(),
                element: Element::Json(inventory.clone()),
            });
        }
        StepPlan {
            changes: Vec::new(),
            then: Then::Done(report),
        }
    }

    fn set_boot(&self, device: BootDevice) -> StepPlan {
        if self.boots(device) {
            return StepPlan::done(format!(
                "{} boots {} next: {}",
                self.node.name,
                device.source(),
                self.boot_text()
            ));
        }
        if self.remembered(SET_BOOT) == Remembered::Done {
            return self.not_honoured(&format!("set {}", device.boot()), &self.boot_text());
        }
        self.boot_from(device)
    }

    fn boot_from(&self, device: BootDevice) -> StepPlan {
        let after = json!((self.kind.wish)(self.node, device));
        let why = format!("{} has to boot {} once", self.node.name, device.source());
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
        if sent == Remembered::Done || self.is_at_work(verb) {
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
            Remembered::Never => {}
            // It was off when this was sent: the command got through.
            _ if self.on() => {
                return StepPlan::done(format!("{node} was switched off and on"));
            }
            _ if self.has_used_its_boot_device() => {
                return StepPlan::done(format!(
                    "{node} was switched off and on; it is off again, and what it was to boot from once is used up"
                ));
            }
            Remembered::Done if self.was_seen_on() => {
                return StepPlan::done(format!("{node} was switched off and on"));
            }
            Remembered::Done => return self.await_power(POWER_ON, true),
            Remembered::Perhaps if self.is_at_work(POWER_ON) => {
                return self.await_power(POWER_ON, true);
            }
            Remembered::Perhaps => {}
        }
        if self.on() {
            if self.remembered(POWER_OFF) == Remembered::Done || self.is_at_work(POWER_OFF) {
                return self.await_power(POWER_OFF, false);
            }
            // Off again is safe: nothing was switched on since.
            let why = format!("{node} is power-cycled; it is switched on again once it is off");
            return self.change(POWER_OFF, json!({"power": "off"}), Risk::Reboots, why);
        }
        if let Some(device) = self.had_boot_device()
            && !self.boots(device)
        {
            if self.was_set_for_this_boot() {
                return self.not_honoured(&format!("set {}", device.boot()), &self.boot_text());
            }
            return self.boot_from(device);
        }
        let why = format!("{node} is power-cycled, and it is off now");
        self.change(POWER_ON, json!({"power": "on"}), Risk::Reboots, why)
    }

    /// What the machine was to boot from before it was switched off: some controllers forget it then.
    fn had_boot_device(&self) -> Option<BootDevice> {
        self.journal
            .iter()
            .filter(|entry| entry.change.verb == POWER_OFF)
            .find_map(|entry| BootDevice::deserialize(&entry.change.before["boot"]["device"]).ok())
    }

    /// Whether a boot device was acknowledged since the machine was last switched on, perhaps in vain: a start uses it up.
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

    /// Whether the boot override for one start that stood when the machine was switched on is gone. A start uses it up, also one of a machine
    /// that has switched itself off again before anybody looked, as after its enlistment.
    fn has_used_its_boot_device(&self) -> bool {
        let stood = |entry: &JournalEntry| {
            let boot = Boot::deserialize(&entry.change.before["boot"]);
            boot.is_ok_and(|it| matches!(it.device, Override::To(_)) && !it.persistent)
        };
        let is_gone = |boot: &Boot| boot.device == Override::None;
        self.seen.boot.as_ref().is_some_and(is_gone) && self.begun(POWER_ON).is_some_and(stood)
    }

    /// The last command of this kind that may have got through.
    fn begun(&self, verb: &str) -> Option<&JournalEntry> {
        self.journal
            .iter()
            .filter(|entry| entry.change.verb == verb)
            .filter(|entry| entry.outcome != Some(ChangeOutcome::Refused))
            .max_by_key(|entry| entry.intended)
    }

    /// Whether a command whose answer was lost may be at work still: a state that contradicts it is not believed yet, so that it is not sent twice.
    /// It may have been sent as late as the attempt ended.
    fn is_at_work(&self, verb: &str) -> bool {
        let settle = TimeDelta::from_std(self.kind.timing.settle_after_reset);
        let settle = settle.unwrap_or(TimeDelta::MAX);
        self.begun(verb).is_some_and(|entry| {
            // Another instance may have written it, by another clock.
            let since = self.seen.at.signed_duration_since(ended(entry));
            since.abs() < settle
        })
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

    /// The command was acknowledged, or may be at work, and the state is not there yet.
    fn await_power(&self, verb: &str, wanted: bool) -> StepPlan {
        let sent = self.begun(verb);
        let since = sent.map(ended);
        let Timing {
            settle_after_reset,
            state_timeout,
            poll,
        } = self.kind.timing;
        let mut limit = state_timeout.max(settle_after_reset);
        if sent.is_some_and(|entry| entry.evidence.as_deref() == Some(ASKED_TO_SHUT_DOWN)) {
            limit = limit.max(SHUTDOWN);
        }
        let limit = TimeDelta::from_std(limit).unwrap_or(TimeDelta::MAX);
        if since.is_some_and(|since| self.seen.at.signed_duration_since(since) >= limit) {
            return self.not_honoured(verb, &format!("power {}", word(!wanted)));
        }
        StepPlan::wait(format!("{} to be {}", self.node.name, word(wanted)), poll)
    }

    fn not_honoured(&self, tried: &str, read_back: &str) -> StepPlan {
        StepPlan::fail(DriverError::permanent(
            format!("{tried} of {}", self.node.name),
            format!(
                "{} {} of {}",
                self.kind.words.controller, self.seen.bmc, self.node.name
            ),
            format!("it said yes, read back {read_back}"),
            "do it by hand, or update or reset the BMC",
        ))
    }
}

/// When the attempt was over. Before it sends anything, it waits for the controller's gap and for its place among all commands, and an
/// answer that never comes is waited for through all tries: that is far longer than a machine takes to settle. An attempt without an
/// end, as of a process that died, is only known to have begun.
fn ended(entry: &JournalEntry) -> DateTime<Utc> {
    let lasted = entry.latency_ms.map_or(0, |latency| latency.max(0));
    TimeDelta::try_milliseconds(lasted)
        .and_then(|lasted| entry.intended.checked_add_signed(lasted))
        .unwrap_or(entry.intended)
}

fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[cfg(test)]
mod tests;
