//! Chassis status and chassis control (IPMI v2.0 sections 28.2 and 28.3).

use std::fmt;

/// What chassis control can be asked to do (section 28.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// Power off at once, without asking the operating system.
    Off,
    /// Power on.
    On,
    /// Power off and, after at least one second, on. Many BMCs refuse it while the power is off.
    Cycle,
    /// Hard reset.
    Reset,
    /// Ask the operating system to shut down (ACPI).
    SoftOff,
}

impl Control {
    /// The action's number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::On => 1,
            Self::Cycle => 2,
            Self::Reset => 3,
            Self::SoftOff => 5,
        }
    }

    /// The action with this number; `None` for diagnostic interrupt (4) and reserved numbers.
    pub const fn from_number(number: u8) -> Option<Control> {
        match number {
            0 => Some(Self::Off),
            1 => Some(Self::On),
            2 => Some(Self::Cycle),
            3 => Some(Self::Reset),
            5 => Some(Self::SoftOff),
            _ => None,
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "power off",
            Self::On => "power on",
            Self::Cycle => "power cycle",
            Self::Reset => "reset",
            Self::SoftOff => "soft off",
        })
    }
}

/// What the chassis does when mains power comes back (section 28.2, byte 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RestorePolicy {
    /// Stays off.
    StayOff,
    /// Goes back to what it was.
    Previous,
    /// Powers on.
    AlwaysOn,
    /// Not known to the BMC.
    Unknown,
}

/// State of the chassis (section 28.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChassisStatus {
    /// Whether the system's power is on.
    pub power_on: bool,
    /// Switched off because of overload.
    pub overload: bool,
    /// Switched off by an interlock, such as an open cover.
    pub interlock: bool,
    /// A fault of the main power subsystem.
    pub power_fault: bool,
    /// The BMC tried to change the power state and the system did not follow.
    pub control_fault: bool,
    /// What happens when mains power comes back.
    pub restore_policy: RestorePolicy,
    /// Last power event, bits as in byte 3 of section 28.2.
    pub last_event: u8,
    /// Further state (intrusion, lock-out, drive fault, cooling fault, identify), bits as in byte 4 of section 28.2.
    pub misc: u8,
}

impl ChassisStatus {
    /// A chassis without faults and with nothing to tell but its power state.
    pub const fn from_power(power_on: bool) -> Self {
        Self {
            power_on,
            overload: false,
            interlock: false,
            power_fault: false,
            control_fault: false,
            restore_policy: RestorePolicy::StayOff,
            last_event: 0,
            misc: 0,
        }
    }

    /// From response data after the completion code.
    pub(crate) fn decode(data: &[u8]) -> Option<Self> {
        let [power, last_event, misc, ..] = *data else {
            return None;
        };
        let bit = |n: u8| power & (1 << n) != 0;
        Some(Self {
            power_on: bit(0),
            overload: bit(1),
            interlock: bit(2),
            power_fault: bit(3),
            control_fault: bit(4),
            restore_policy: match (power >> 5) & 0x03 {
                0 => RestorePolicy::StayOff,
                1 => RestorePolicy::Previous,
                2 => RestorePolicy::AlwaysOn,
                _ => RestorePolicy::Unknown,
            },
            last_event,
            misc,
        })
    }

    /// To response data after the completion code.
    pub(crate) fn encode(&self) -> [u8; 3] {
        let policy = match self.restore_policy {
            RestorePolicy::StayOff => 0,
            RestorePolicy::Previous => 1,
            RestorePolicy::AlwaysOn => 2,
            RestorePolicy::Unknown => 3u8,
        };
        let power = u8::from(self.power_on)
            | u8::from(self.overload) << 1
            | u8::from(self.interlock) << 2
            | u8::from(self.power_fault) << 3
            | u8::from(self.control_fault) << 4
            | policy << 5;
        [power, self.last_event, self.misc]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_byte_comes_back() {
        for power in 0..0x80 {
            let decoded = ChassisStatus::decode(&[power, 1, 2, 3]);
            assert_eq!(decoded.map(|status| status.encode()), Some([power, 1, 2]));
        }
        assert_eq!(ChassisStatus::decode(&[1, 0]), None);
    }
}
