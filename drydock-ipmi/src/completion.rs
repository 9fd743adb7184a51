//! Completion codes: the first byte of every response's data.

use std::fmt;

/// A completion code (IPMI v2.0 table 5-2). Codes 0x80 to 0xBE mean something else for each command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CompletionCode(pub u8);

impl CompletionCode {
    /// The command was carried out.
    pub const OK: Self = Self(0x00);
    /// Of boot-option commands: the parameter is not supported (sections 28.12 and 28.13); of Set Session Privilege
    /// Level: the level is not available to this user (section 22.18).
    pub const PARAMETER_NOT_SUPPORTED: Self = Self(0x80);
    /// Of Set Session Privilege Level: the level exceeds the limit of the user or channel (section 22.18).
    pub const EXCEEDS_PRIVILEGE_LIMIT: Self = Self(0x81);
    /// Of Close Session: no session with this id (section 22.19).
    pub const NO_SUCH_SESSION: Self = Self(0x87);
    /// The node is busy.
    pub const NODE_BUSY: Self = Self(0xc0);
    /// The command is not known.
    pub const INVALID_COMMAND: Self = Self(0xc1);
    /// The command is not known on this logical unit.
    pub const INVALID_FOR_LUN: Self = Self(0xc2);
    /// The BMC timed out while it processed the command.
    pub const TIMEOUT: Self = Self(0xc3);
    /// The request has too few or too many bytes.
    pub const INVALID_LENGTH: Self = Self(0xc7);
    /// The reservation that the request names is no longer valid (sections 31.4 and 33.11).
    pub const RESERVATION_CANCELLED: Self = Self(0xc5);
    /// A field of the request is longer than the command allows.
    pub const TOO_LONG: Self = Self(0xc8);
    /// That many bytes cannot be returned at once.
    pub const CANNOT_RETURN: Self = Self(0xca);
    /// The sensor, the data or the record does not exist.
    pub const NOT_PRESENT: Self = Self(0xcb);
    /// The BMC saw the request before and does not answer it again.
    pub const DUPLICATE: Self = Self(0xcf);
    /// A value of the request is outside its range.
    pub const OUT_OF_RANGE: Self = Self(0xc9);
    /// A field of the request is not valid.
    pub const INVALID_FIELD: Self = Self(0xcc);
    /// The session's privilege level is too low for the command.
    pub const INSUFFICIENT_PRIVILEGE: Self = Self(0xd4);
    /// The command is known, but not possible in the present state.
    pub const NOT_IN_THIS_STATE: Self = Self(0xd5);

    /// Whether the command was carried out.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Whether the same command may succeed a little later: node busy, time-out in the BMC, duplicated request,
    /// repository or firmware update or initialization in progress.
    pub const fn is_busy(self) -> bool {
        matches!(self.0, 0xc0 | 0xc3 | 0xcf..=0xd2)
    }

    /// Whether the BMC does not have the command at all: unknown, unknown on this unit, disabled.
    pub const fn is_unsupported(self) -> bool {
        matches!(self.0, 0xc1 | 0xc2 | 0xd6)
    }
}

impl fmt::Display for CompletionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.0 {
            0x00 => "completed",
            0xc0 => "node busy",
            0xc1 => "invalid command",
            0xc2 => "invalid command for this logical unit",
            0xc3 => "time-out while the command was processed",
            0xc4 => "out of space",
            0xc5 => "reservation cancelled",
            0xc6 => "request data truncated",
            0xc7 => "request data length invalid",
            0xc8 => "request data field too long",
            0xc9 => "parameter out of range",
            0xca => "cannot return that many bytes",
            0xcb => "requested record not present",
            0xcc => "invalid data field in request",
            0xcd => "command illegal for this sensor or record",
            0xce => "response could not be provided",
            0xcf => "duplicated request",
            0xd0 => "sensor data repository is being updated",
            0xd1 => "firmware is being updated",
            0xd2 => "the BMC is initializing",
            0xd3 => "destination unavailable",
            0xd4 => "insufficient privilege level",
            0xd5 => "not possible in the present state",
            0xd6 => "sub-function disabled or unavailable",
            0xff => "unspecified error",
            0x01..=0x7e => "defined by the maker",
            0x80..=0xbe => "specific to the command",
            _ => "reserved",
        };
        write!(f, "{:#04x} ({meaning})", self.0)
    }
}
