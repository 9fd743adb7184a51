//! How the BMC itself is reached: Get LAN Configuration Parameters and Get Session Info (IPMI v2.0 sections 23.2 and 22.20).

use std::net::Ipv4Addr;

use crate::privilege::Privilege;
use crate::wire::bytes::Reader;

/// Parameters of table 23-4 that this crate reads.
pub(crate) mod parameter {
    pub(crate) const SET_IN_PROGRESS: u8 = 0;
    pub(crate) const AUTHENTICATION_SUPPORT: u8 = 1;
    pub(crate) const AUTHENTICATION_ENABLES: u8 = 2;
    pub(crate) const ADDRESS: u8 = 3;
    pub(crate) const SOURCE: u8 = 4;
    pub(crate) const MAC: u8 = 5;
    pub(crate) const MASK: u8 = 6;
    pub(crate) const GATEWAY: u8 = 12;
    pub(crate) const VLAN: u8 = 20;
}

/// "The channel this comes in by" as a channel number.
pub(crate) const PRESENT_CHANNEL: u8 = 0x0e;

/// Where the BMC's address comes from (table 23-4, parameter 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressSource {
    /// It does not say.
    Unspecified,
    /// Set by hand.
    Static,
    /// From a DHCP server.
    Dhcp,
    /// Set by the firmware or the operating system of the machine.
    System,
    /// Otherwise.
    Other,
}

impl AddressSource {
    pub(crate) fn from_number(number: u8) -> Self {
        match number & 0x0f {
            0 => Self::Unspecified,
            1 => Self::Static,
            2 => Self::Dhcp,
            3 => Self::System,
            _ => Self::Other,
        }
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::Static => 1,
            Self::Dhcp => 2,
            Self::System => 3,
            Self::Other => 4,
        }
    }
}

/// The BMC's network settings; `None` where it does not have the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LanConfiguration {
    /// Address.
    pub address: Option<Ipv4Addr>,
    /// Where the address comes from.
    pub source: Option<AddressSource>,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Subnet mask.
    pub mask: Option<Ipv4Addr>,
    /// Default gateway.
    pub gateway: Option<Ipv4Addr>,
    /// VLAN id, 1 to 4094; `None` also where it is off.
    pub vlan: Option<u16>,
}

/// An address from parameter data; 0.0.0.0 is none.
pub(crate) fn address(data: &[u8]) -> Option<Ipv4Addr> {
    let address = Ipv4Addr::from(*data.first_chunk::<4>()?);
    (!address.is_unspecified()).then_some(address)
}

/// A VLAN id from parameter data: bit 15 is "on".
pub(crate) fn vlan(data: &[u8]) -> Option<u16> {
    let word = u16::from_le_bytes(*data.first_chunk()?);
    (word & 0x8000 != 0).then_some(word & 0x0fff)
}

impl LanConfiguration {
    /// Data of a parameter; `None` for one that the BMC does not have.
    pub(crate) fn parameter(&self, number: u8) -> Option<Vec<u8>> {
        let octets =
            |address: Option<Ipv4Addr>| address.unwrap_or(Ipv4Addr::UNSPECIFIED).octets().to_vec();
        Some(match number {
            parameter::SET_IN_PROGRESS => vec![0],
            // No authentication type of IPMI v1.5, at any level.
            parameter::AUTHENTICATION_SUPPORT => vec![0],
            parameter::AUTHENTICATION_ENABLES => vec![0; 5],
            parameter::ADDRESS => octets(self.address),
            parameter::SOURCE => vec![self.source.unwrap_or(AddressSource::Unspecified).number()],
            parameter::MAC => self.mac?.to_vec(),
            parameter::MASK => octets(self.mask),
            parameter::GATEWAY => octets(self.gateway),
            parameter::VLAN => {
                let word = self.vlan.map_or(0, |id| id & 0x0fff | 0x8000);
                word.to_le_bytes().to_vec()
            }
            _ => return None,
        })
    }
}

/// What the BMC says of the session that asks (section 22.20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionInfo {
    /// How many sessions there may be at a time.
    pub possible: u8,
    /// How many are active now.
    pub active: u8,
    /// Who asks; `None` where the BMC leaves it out.
    pub own: Option<OwnSession>,
}

/// The session that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnSession {
    /// Number of the account.
    pub user: u8,
    /// Present privilege level; `None` for a number without a name.
    pub privilege: Option<Privilege>,
}

impl SessionInfo {
    /// From response data after the completion code.
    pub(crate) fn decode(data: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(data);
        let [_handle, possible, active] = reader.array()?;
        let own = reader.array().map(|[user, privilege]| OwnSession {
            user: user & 0x3f,
            privilege: Privilege::from_number(privilege & 0x0f),
        });
        Some(Self {
            possible: possible & 0x3f,
            active: active & 0x3f,
            own,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_back() {
        let lan = LanConfiguration {
            address: Some(Ipv4Addr::new(10, 0, 0, 9)),
            vlan: Some(4094),
            mac: Some([1, 2, 3, 4, 5, 6]),
            ..LanConfiguration::default()
        };
        let data = |number| lan.parameter(number).unwrap_or_default();
        assert_eq!(address(&data(parameter::ADDRESS)), lan.address);
        assert_eq!(address(&data(parameter::GATEWAY)), None);
        assert_eq!(vlan(&data(parameter::VLAN)), Some(4094));
        assert_eq!(vlan(&[0xff, 0x0f]), None, "switched off");
        assert_eq!(data(parameter::MAC), [1, 2, 3, 4, 5, 6]);
        assert_eq!(LanConfiguration::default().parameter(parameter::MAC), None);
        for number in 0..16 {
            let source = AddressSource::from_number(number);
            assert_eq!(AddressSource::from_number(source.number()), source);
        }
    }

    #[test]
    fn short_session_info() {
        let short = SessionInfo::decode(&[1, 5, 2]);
        assert_eq!(short.map(|info| (info.possible, info.own)), Some((5, None)));
        assert_eq!(SessionInfo::decode(&[1, 5]), None);
    }
}
