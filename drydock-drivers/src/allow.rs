//! The addresses that drivers may contact (setting `drivers.allow_networks`).

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use thiserror::Error;

/// The networks that drivers may send packets to; unset means no limit.
#[derive(Clone, Debug, Default)]
pub struct AllowNetworks(Option<Arc<[IpNet]>>);

/// An address lies outside the allowed networks. Nothing was sent.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "{address} lies outside the networks that drivers may contact (setting drivers.allow_networks: {allowed}); nothing was sent"
)]
pub struct AddressRefused {
    /// The address.
    pub address: IpAddr,
    /// The allowed networks, as text.
    pub allowed: String,
}

impl AllowNetworks {
    /// Every address is allowed.
    #[must_use]
    pub fn unlimited() -> Self {
        AllowNetworks(None)
    }

    /// Only these networks; an empty list allows nothing.
    #[must_use]
    pub fn only(networks: Vec<IpNet>) -> Self {
        AllowNetworks(Some(networks.into()))
    }

    /// From the setting: `None` is no limit.
    #[must_use]
    pub fn from_setting(networks: Option<Vec<IpNet>>) -> Self {
        networks.map_or_else(Self::unlimited, Self::only)
    }

    /// Whether every address is allowed.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a packet may go to this address. An IPv4 address mapped into IPv6 counts as the IPv4 address it is.
    ///
    /// # Errors
    /// When it lies outside every allowed network.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressRefused> {
        let Some(networks) = &self.0 else {
            return Ok(());
        };
        let plain = address.to_canonical();
        if networks.iter().any(|network| network.contains(&plain)) {
            return Ok(());
        }
        let allowed: Vec<String> = networks.iter().map(ToString::to_string).collect();
        let allowed = if allowed.is_empty() {
            "none".to_owned()
        } else {
            allowed.join(", ")
        };
        Err(AddressRefused { address, allowed })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_is_allowed() {
        let allow = AllowNetworks::only(vec![
            "127.0.0.0/8".parse().unwrap(),
            "::1/128".parse().unwrap(),
        ]);
        for (address, allowed) in [
            ("127.3.4.5", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("::ffff:10.0.0.1", false),
            ("10.0.0.1", false),
            ("::2", false),
        ] {
            assert_eq!(
                allow.check(address.parse().unwrap()).is_ok(),
                allowed,
                "{address}"
            );
        }
        assert!(
            AllowNetworks::only(Vec::new())
                .check("127.0.0.1".parse().unwrap())
                .is_err()
        );
        assert!(
            AllowNetworks::unlimited()
                .check("10.0.0.1".parse().unwrap())
                .is_ok()
        );
    }

    #[test]
    fn a_refusal_names_address_and_setting() {
        let allow = AllowNetworks::only(vec!["127.0.0.0/8".parse().unwrap()]);
        let text = allow
            .check("10.1.2.3".parse().unwrap())
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("10.1.2.3")
                && text.contains("drivers.allow_networks")
                && text.contains("127.0.0.0/8")
        );
    }
}
