//! The commands this crate speaks: numbers, request data and response data, for both sides.

pub(crate) mod boot;
pub(crate) mod channel;
pub(crate) mod chassis;
pub(crate) mod device;

/// Network functions of requests (IPMI v2.0 table 5-1).
pub(crate) mod netfn {
    pub(crate) const CHASSIS: u8 = 0x00;
    pub(crate) const APP: u8 = 0x06;
}

/// A command's number within its network function (IPMI v2.0 table G-1), with the name to use in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommandId {
    pub(crate) netfn: u8,
    pub(crate) cmd: u8,
}

impl CommandId {
    pub(crate) const CHASSIS_STATUS: Self = Self::new(netfn::CHASSIS, 0x01);
    pub(crate) const CHASSIS_CONTROL: Self = Self::new(netfn::CHASSIS, 0x02);
    pub(crate) const SET_BOOT_OPTIONS: Self = Self::new(netfn::CHASSIS, 0x08);
    pub(crate) const GET_BOOT_OPTIONS: Self = Self::new(netfn::CHASSIS, 0x09);
    pub(crate) const DEVICE_ID: Self = Self::new(netfn::APP, 0x01);
    pub(crate) const CHANNEL_AUTH_CAPABILITIES: Self = Self::new(netfn::APP, 0x38);
    pub(crate) const SET_PRIVILEGE: Self = Self::new(netfn::APP, 0x3b);
    pub(crate) const CLOSE_SESSION: Self = Self::new(netfn::APP, 0x3c);
    pub(crate) const CHANNEL_CIPHER_SUITES: Self = Self::new(netfn::APP, 0x54);

    /// A command by its numbers.
    pub(crate) const fn new(netfn: u8, cmd: u8) -> Self {
        Self { netfn, cmd }
    }
}
