//! Status codes of the RMCP+ handshake.

use std::fmt;

/// RMCP+ and RAKP message status code (IPMI v2.0 table 13-15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandshakeStatus(pub u8);

impl HandshakeStatus {
    /// No errors.
    pub const OK: Self = Self(0x00);
    /// Insufficient resources to create a session.
    pub const NO_SLOT: Self = Self(0x01);
    /// Invalid session id.
    pub const INVALID_SESSION: Self = Self(0x02);
    /// Inactive session id.
    pub const INACTIVE_SESSION: Self = Self(0x08);
    /// Unauthorized role or privilege level requested.
    pub const UNAUTHORIZED_ROLE: Self = Self(0x0a);
    /// Insufficient resources to create a session at the requested role.
    pub const NO_SLOT_FOR_ROLE: Self = Self(0x0b);
    /// Unauthorized name.
    pub const UNAUTHORIZED_NAME: Self = Self(0x0d);
    /// Invalid integrity check value.
    pub const INVALID_INTEGRITY: Self = Self(0x0f);
    /// No cipher suite match with proposed security algorithms.
    pub const NO_SUITE_MATCH: Self = Self(0x11);
    /// Illegal or unrecognized parameter.
    pub const ILLEGAL_PARAMETER: Self = Self(0x12);

    /// Whether the proposed algorithms were refused, so that another suite may work.
    pub const fn refuses_algorithms(self) -> bool {
        matches!(self.0, 0x04..=0x07 | 0x10 | 0x11)
    }

    /// Whether all session slots of the BMC are taken.
    pub const fn refuses_slot(self) -> bool {
        matches!(self.0, 0x01 | 0x0b)
    }

    /// Whether the BMC does not know the session any more.
    pub const fn forgot_session(self) -> bool {
        matches!(self.0, 0x02 | 0x08)
    }

    /// Whether name, password, K_g or privilege were refused.
    pub const fn refuses_credentials(self) -> bool {
        matches!(self.0, 0x02 | 0x09 | 0x0a | 0x0c..=0x0f)
    }
}

impl fmt::Display for HandshakeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.0 {
            0x00 => "no error",
            0x01 => "insufficient resources to create a session",
            0x02 => "invalid session id",
            0x03 => "invalid payload type",
            0x04 => "invalid authentication algorithm",
            0x05 => "invalid integrity algorithm",
            0x06 => "no matching authentication payload",
            0x07 => "no matching integrity payload",
            0x08 => "inactive session id",
            0x09 => "invalid role",
            0x0a => "unauthorized role or privilege level",
            0x0b => "insufficient resources for a session with this role",
            0x0c => "invalid name length",
            0x0d => "unauthorized name",
            0x0e => "unauthorized GUID",
            0x0f => "invalid integrity check value",
            0x10 => "invalid confidentiality algorithm",
            0x11 => "no cipher suite match",
            0x12 => "illegal or unrecognized parameter",
            _ => "reserved status",
        };
        write!(f, "{:#04x} ({meaning})", self.0)
    }
}
