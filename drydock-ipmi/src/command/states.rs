//! Names of sensor types and of their states, and how bad each state is (IPMI v2.0 tables 42-2 and 42-3).

use std::fmt;

/// How a sensor or what it watches is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Condition {
    /// Not known: the sensor cannot be read just now.
    Unknown,
    /// As it should be.
    Normal,
    /// Out of its usual range, or something went wrong that does no harm yet.
    Warning,
    /// Outside of what is specified, or something has failed.
    Critical,
    /// Damage is likely.
    NonRecoverable,
}

impl Condition {
    /// Whether somebody should look.
    pub fn is_alarm(self) -> bool {
        self >= Self::Warning
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::NonRecoverable => "non-recoverable",
        })
    }
}

/// What a sensor watches, numbered as in table 42-3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SensorType(pub u8);

impl SensorType {
    /// Temperature.
    pub const TEMPERATURE: Self = Self(0x01);
    /// Voltage.
    pub const VOLTAGE: Self = Self(0x02);
    /// Fan.
    pub const FAN: Self = Self(0x04);
    /// Power supply.
    pub const POWER_SUPPLY: Self = Self(0x08);
    /// Drive bay.
    pub const DRIVE: Self = Self(0x0d);
}

impl fmt::Display for SensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 0x2d] = [
            "reserved",
            "temperature",
            "voltage",
            "current",
            "fan",
            "physical security",
            "platform security",
            "processor",
            "power supply",
            "power unit",
            "cooling device",
            "other sensor",
            "memory",
            "drive bay",
            "memory resize",
            "system firmware",
            "event log",
            "watchdog 1",
            "system event",
            "critical interrupt",
            "button",
            "board",
            "microcontroller",
            "add-in card",
            "chassis",
            "chip set",
            "other FRU",
            "cable",
            "terminator",
            "system boot",
            "boot error",
            "operating system boot",
            "operating system stop",
            "slot",
            "ACPI power state",
            "watchdog",
            "platform alert",
            "entity presence",
            "monitor chip",
            "LAN",
            "management subsystem",
            "battery",
            "session audit",
            "version change",
            "FRU state",
        ];
        match NAMES.get(usize::from(self.0)) {
            Some(name) => f.write_str(name),
            None => write!(f, "sensor type {:#04x}", self.0),
        }
    }
}

/// A state a sensor can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) text: &'static str,
    pub(crate) condition: Condition,
}

/// Event/reading type code of threshold sensors (table 42-1).
pub(crate) const THRESHOLD: u8 = 0x01;
/// Event/reading type code of sensors whose states follow from their type.
pub(crate) const SENSOR_SPECIFIC: u8 = 0x6f;

/// Event type, sensor type (0 where it does not matter), number of the state, words, how bad.
type Row = (u8, u8, u8, &'static str, Condition);

use Condition::{Critical as C, NonRecoverable as R, Normal as N, Warning as W};

const STATES: [Row; 102] = [
    (0x01, 0, 0x0, "lower non-critical, going low", W),
    (0x01, 0, 0x1, "lower non-critical, going high", W),
    (0x01, 0, 0x2, "lower critical, going low", C),
    (0x01, 0, 0x3, "lower critical, going high", C),
    (0x01, 0, 0x4, "lower non-recoverable, going low", R),
    (0x01, 0, 0x5, "lower non-recoverable, going high", R),
    (0x01, 0, 0x6, "upper non-critical, going low", W),
    (0x01, 0, 0x7, "upper non-critical, going high", W),
    (0x01, 0, 0x8, "upper critical, going low", C),
    (0x01, 0, 0x9, "upper critical, going high", C),
    (0x01, 0, 0xa, "upper non-recoverable, going low", R),
    (0x01, 0, 0xb, "upper non-recoverable, going high", R),
    (0x04, 0, 0x1, "failure predicted", W),
    (0x05, 0, 0x1, "limit exceeded", W),
    (0x06, 0, 0x1, "performance lags", W),
    (0x07, 0, 0x1, "became non-critical", W),
    (0x07, 0, 0x2, "became critical", C),
    (0x07, 0, 0x3, "became non-recoverable", R),
    (0x07, 0, 0x4, "less severe, still non-critical", W),
    (0x07, 0, 0x5, "less severe, still critical", C),
    (0x07, 0, 0x6, "non-recoverable", R),
    (0x08, 0, 0x0, "device absent", N),
    (0x08, 0, 0x1, "device present", N),
    (0x09, 0, 0x0, "device disabled", N),
    (0x09, 0, 0x1, "device enabled", N),
    (0x0b, 0, 0x0, "fully redundant", N),
    (0x0b, 0, 0x1, "redundancy lost", C),
    (0x0b, 0, 0x2, "redundancy degraded", W),
    (0x0b, 0, 0x3, "not redundant, enough resources", W),
    (0x0b, 0, 0x5, "not redundant, too few resources", C),
    (0x0b, 0, 0x6, "redundancy degraded from full", W),
    (0x0b, 0, 0x7, "redundancy degraded from none", W),
    (0x6f, 0x05, 0x0, "chassis intrusion", W),
    (0x6f, 0x05, 0x1, "drive bay intrusion", W),
    (0x6f, 0x05, 0x4, "LAN cable unplugged", W),
    (0x6f, 0x07, 0x0, "internal error", C),
    (0x6f, 0x07, 0x1, "thermal trip", R),
    (0x6f, 0x07, 0x2, "self-test failed", C),
    (0x6f, 0x07, 0x3, "hung in POST", C),
    (0x6f, 0x07, 0x5, "configuration error", C),
    (0x6f, 0x07, 0x6, "uncorrectable machine check in SMBIOS", C),
    (0x6f, 0x07, 0x7, "present", N),
    (0x6f, 0x07, 0x8, "disabled", W),
    (0x6f, 0x07, 0xa, "throttled", W),
    (0x6f, 0x07, 0xb, "uncorrectable machine check", C),
    (0x6f, 0x07, 0xc, "correctable machine check", W),
    (0x6f, 0x08, 0x0, "present", N),
    (0x6f, 0x08, 0x1, "failed", C),
    (0x6f, 0x08, 0x2, "failure predicted", W),
    (0x6f, 0x08, 0x3, "input lost", C),
    (0x6f, 0x08, 0x4, "input lost or out of range", C),
    (0x6f, 0x08, 0x5, "input out of range", W),
    (0x6f, 0x08, 0x6, "configuration error", W),
    (0x6f, 0x09, 0x0, "off or powered down", N),
    (0x6f, 0x09, 0x1, "power cycled", N),
    (0x6f, 0x09, 0x3, "interlock power down", W),
    (0x6f, 0x09, 0x4, "input power lost", C),
    (0x6f, 0x09, 0x5, "soft power control failed", C),
    (0x6f, 0x09, 0x6, "power unit failed", C),
    (0x6f, 0x09, 0x7, "failure predicted", W),
    (0x6f, 0x0c, 0x0, "correctable memory error", W),
    (0x6f, 0x0c, 0x1, "uncorrectable memory error", C),
    (0x6f, 0x0c, 0x2, "memory parity error", C),
    (0x6f, 0x0c, 0x3, "memory scrub failed", W),
    (0x6f, 0x0c, 0x4, "memory device disabled", W),
    (0x6f, 0x0c, 0x5, "limit of correctable errors reached", W),
    (0x6f, 0x0c, 0x6, "present", N),
    (0x6f, 0x0c, 0x7, "configuration error", C),
    (0x6f, 0x0c, 0xa, "critical over-temperature", C),
    (0x6f, 0x0d, 0x0, "drive present", N),
    (0x6f, 0x0d, 0x1, "drive fault", C),
    (0x6f, 0x0d, 0x2, "failure predicted", W),
    (0x6f, 0x0d, 0x3, "hot spare", N),
    (0x6f, 0x0d, 0x5, "array critical", C),
    (0x6f, 0x0d, 0x6, "array failed", C),
    (0x6f, 0x0d, 0x7, "rebuilding", W),
    (0x6f, 0x0d, 0x8, "rebuild aborted", W),
    (0x6f, 0x0f, 0x0, "firmware error", C),
    (0x6f, 0x0f, 0x1, "firmware hang", C),
    (0x6f, 0x0f, 0x2, "firmware progress", N),
    (
        0x6f,
        0x10,
        0x0,
        "logging of correctable memory errors off",
        W,
    ),
    (0x6f, 0x10, 0x2, "log cleared", N),
    (0x6f, 0x10, 0x4, "log full", W),
    (0x6f, 0x10, 0x5, "log almost full", W),
    (0x6f, 0x13, 0x0, "front panel interrupt", W),
    (0x6f, 0x13, 0x1, "bus timeout", C),
    (0x6f, 0x13, 0x4, "PCI parity error", C),
    (0x6f, 0x13, 0x5, "PCI system error", C),
    (0x6f, 0x13, 0x7, "correctable bus error", W),
    (0x6f, 0x13, 0x8, "uncorrectable bus error", C),
    (0x6f, 0x13, 0xa, "fatal bus error", R),
    (0x6f, 0x1b, 0x1, "cable configuration error", W),
    (0x6f, 0x1e, 0x0, "no bootable medium", W),
    (0x6f, 0x20, 0x1, "stopped while running", C),
    (0x6f, 0x23, 0x0, "timer expired", W),
    (0x6f, 0x23, 0x1, "hard reset by the watchdog", C),
    (0x6f, 0x23, 0x2, "power off by the watchdog", C),
    (0x6f, 0x23, 0x3, "power cycle by the watchdog", C),
    (0x6f, 0x28, 0x1, "management controller unavailable", W),
    (0x6f, 0x29, 0x0, "battery low", W),
    (0x6f, 0x29, 0x1, "battery failed", C),
    (0x6f, 0x29, 0x2, "battery present", N),
];

/// The state with this number; `None` where this crate has no words for it.
pub(crate) fn state(event_type: u8, sensor_type: SensorType, number: u8) -> Option<State> {
    STATES
        .iter()
        .find(|(event, kind, at, ..)| {
            *event == event_type
                && *at == number
                && (*event != SENSOR_SPECIFIC || *kind == sensor_type.0)
        })
        .map(|(_, _, _, text, condition)| State {
            text,
            condition: *condition,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_state_is_listed_twice() {
        for (at, row) in STATES.iter().enumerate() {
            let same = |other: &&Row| (other.0, other.1, other.2) == (row.0, row.1, row.2);
            assert_eq!(STATES.iter().position(|other| same(&other)), Some(at));
        }
    }

    #[test]
    fn states_follow_from_the_sensor_type_only_where_they_should() {
        let text = |event, kind, at| state(event, SensorType(kind), at).map(|state| state.text);
        assert_eq!(text(0x6f, 0x08, 1), Some("failed"));
        assert_eq!(text(0x6f, 0x29, 1), Some("battery failed"));
        assert_eq!(text(0x0b, 0x08, 1), Some("redundancy lost"));
        assert_eq!(text(0x6f, 0xc0, 1), None);
        assert_eq!(SensorType(0x2c).to_string(), "FRU state");
        assert_eq!(SensorType(0xc0).to_string(), "sensor type 0xc0");
    }
}
