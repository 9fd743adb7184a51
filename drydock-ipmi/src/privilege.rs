//! Privilege levels of a session.

use std::fmt;

/// Privilege level (IPMI v2.0 section 6.8, numbers as in section 22.18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    /// May do little more than open and close a session.
    Callback = 1,
    /// May read.
    User = 2,
    /// May control the chassis, but not change how the BMC is reached.
    Operator = 3,
    /// May do everything.
    Administrator = 4,
    /// Defined by the maker of the BMC.
    Oem = 5,
}

impl Privilege {
    /// The level's number on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The level with this number; `None` for 0 ("highest" or "unchanged", depending on the message) and above 5.
    pub const fn from_number(number: u8) -> Option<Privilege> {
        match number {
            1 => Some(Self::Callback),
            2 => Some(Self::User),
            3 => Some(Self::Operator),
            4 => Some(Self::Administrator),
            5 => Some(Self::Oem),
            _ => None,
        }
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Callback => "callback",
            Self::User => "user",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
            Self::Oem => "oem",
        })
    }
}
