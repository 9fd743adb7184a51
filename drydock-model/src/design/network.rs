//! NetworkLink and Network as written.

use serde::Deserialize;

use super::scalar::{CommaList, Ordered, Scalar};

/// A NetworkLink.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkPart {
    /// Labels.
    pub labels: Option<Ordered<Scalar>>,
    /// Bonding.
    pub bonding: Option<BondingPart>,
    /// MTU in bytes.
    pub mtu: Option<i64>,
    /// Speed and duplex.
    pub linkspeed: Option<String>,
    /// Trunking.
    pub trunking: Option<TrunkingPart>,
    /// Networks that may be used on the link.
    pub allowed_networks: Option<Vec<String>>,
}

/// Bonding of a link.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BondingPart {
    /// `disabled`, `802.3ad`, `active-backup`, `balance-rr` or `balanced-rr`.
    pub mode: Option<String>,
    /// Transmit hash policy.
    pub hash: Option<String>,
    /// LACP rate.
    pub peer_rate: Option<String>,
    /// MII monitoring interval in ms.
    pub mon_rate: Option<i64>,
    /// Delay in ms.
    pub up_delay: Option<i64>,
    /// Delay in ms.
    pub down_delay: Option<i64>,
}

/// Trunking of a link.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrunkingPart {
    /// `disabled` or `802.1q`.
    pub mode: Option<String>,
    /// The network of untagged frames.
    pub default_network: Option<String>,
}

/// A Network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkPart {
    /// Labels.
    pub labels: Option<Ordered<Scalar>>,
    /// Prefix.
    pub cidr: Option<String>,
    /// Address ranges.
    pub ranges: Option<Vec<RangePart>>,
    /// DNS.
    pub dns: Option<DnsPart>,
    /// DHCP relay.
    pub dhcp_relay: Option<RelayPart>,
    /// MTU in bytes.
    pub mtu: Option<i64>,
    /// 802.1q id, as a text or a number.
    pub vlan: Option<String>,
    /// Route domain.
    pub routedomain: Option<String>,
    /// Routes.
    pub routes: Option<Vec<RoutePart>>,
}

/// An address range.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RangePart {
    /// `static`, `dhcp` or `reserved`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// First address.
    pub start: Option<String>,
    /// Last address.
    pub end: Option<String>,
}

/// DNS of a network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DnsPart {
    /// Domain.
    pub domain: Option<String>,
    /// Servers.
    pub servers: Option<CommaList>,
}

/// DHCP relay of a network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayPart {
    /// The relay's own address.
    pub self_ip: Option<String>,
    /// Where it forwards to.
    pub upstream_target: Option<String>,
}

/// A route: to a subnet, or to every network of a route domain.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoutePart {
    /// Destination.
    pub subnet: Option<String>,
    /// Gateway.
    pub gateway: Option<String>,
    /// Preference.
    pub metric: Option<i64>,
    /// Destination route domain.
    pub routedomain: Option<String>,
}
