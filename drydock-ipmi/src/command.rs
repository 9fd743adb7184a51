//! The commands this crate speaks: numbers, request data and response data, for both sides.

pub(crate) mod boot;
pub(crate) mod channel;
pub(crate) mod chassis;
pub(crate) mod conversion;
pub(crate) mod device;
pub(crate) mod fru;
pub(crate) mod lan;
pub(crate) mod sdr;
pub(crate) mod sel;
pub(crate) mod sensor;
pub(crate) mod states;
pub(crate) mod text;
pub(crate) mod thresholds;

/// Network functions of requests (IPMI v2.0 table 5-1).
pub(crate) mod netfn {
    pub(crate) const CHASSIS: u8 = 0x00;
    pub(crate) const SENSOR: u8 = 0x04;
    pub(crate) const APP: u8 = 0x06;
    pub(crate) const STORAGE: u8 = 0x0a;
    pub(crate) const TRANSPORT: u8 = 0x0c;
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
    pub(crate) const SESSION_INFO: Self = Self::new(netfn::APP, 0x3d);
    pub(crate) const CHANNEL_INFO: Self = Self::new(netfn::APP, 0x42);
    pub(crate) const CHANNEL_CIPHER_SUITES: Self = Self::new(netfn::APP, 0x54);
    pub(crate) const GET_DEVICE_SDR: Self = Self::new(netfn::SENSOR, 0x21);
    pub(crate) const RESERVE_DEVICE_SDR: Self = Self::new(netfn::SENSOR, 0x22);
    pub(crate) const SENSOR_FACTORS: Self = Self::new(netfn::SENSOR, 0x23);
    pub(crate) const SENSOR_THRESHOLDS: Self = Self::new(netfn::SENSOR, 0x27);
    pub(crate) const SENSOR_READING: Self = Self::new(netfn::SENSOR, 0x2d);
    pub(crate) const FRU_AREA_INFO: Self = Self::new(netfn::STORAGE, 0x10);
    pub(crate) const READ_FRU: Self = Self::new(netfn::STORAGE, 0x11);
    pub(crate) const SDR_INFO: Self = Self::new(netfn::STORAGE, 0x20);
    pub(crate) const RESERVE_SDR: Self = Self::new(netfn::STORAGE, 0x22);
    pub(crate) const GET_SDR: Self = Self::new(netfn::STORAGE, 0x23);
    pub(crate) const SEL_INFO: Self = Self::new(netfn::STORAGE, 0x40);
    pub(crate) const RESERVE_SEL: Self = Self::new(netfn::STORAGE, 0x42);
    pub(crate) const SEL_TIME: Self = Self::new(netfn::STORAGE, 0x48);
    pub(crate) const SEL_ENTRY: Self = Self::new(netfn::STORAGE, 0x43);
    pub(crate) const LAN_PARAMETER: Self = Self::new(netfn::TRANSPORT, 0x02);

    /// A command by its numbers.
    pub(crate) const fn new(netfn: u8, cmd: u8) -> Self {
        Self { netfn, cmd }
    }
}
