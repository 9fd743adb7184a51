//! NetworkLink and Network as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::{CommaList, Ordered, Scalar};
use super::schema::pattern;

/// Layer 1 and 2 of a link: what a machine and the switch it is plugged into must agree on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinkPart {
    /// Labels of your own. `noconfig` (whatever its value) marks a link that is used for provisioning only and is not configured on
    /// the deployed system.
    pub labels: Option<Ordered<Scalar>>,
    /// How several ports become one. Without it each port stands alone.
    pub bonding: Option<BondingPart>,
    /// Largest packet on the link, in bytes: 1280 to 65536. Default: 1500; jumbo frames: 9000 to 9100. No network on the link may have
    /// more.
    #[schemars(extend("minimum" = 1280, "maximum" = 65536, "examples" = [1500, 9000, 9100]))]
    pub mtu: Option<i64>,
    /// Speed and duplex: `auto`, or megabits (or `g` for gigabits) with `full` or `half`, such as `100full`. `auto` is best.
    #[schemars(extend("type" = ["string", "number", "null"], "pattern" = pattern::LINKSPEED, "examples" = ["auto", "100full", "10gfull"]))]
    pub linkspeed: Option<String>,
    /// How several networks share the link.
    pub trunking: Option<TrunkingPart>,
    /// Names of the Networks that may be used on the link. A network is on one link only.
    #[schemars(extend("x-refers-to" = "Network", "x-unique" = "list"))]
    pub allowed_networks: Option<Vec<String>>,
}

/// How the ports of an interface become one.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BondingPart {
    /// `disabled` (default), `802.3ad` (LACP), `active-backup`, or `balance-rr` (also spelled `balanced-rr`).
    #[schemars(extend("enum" = ["disabled", "802.3ad", "active-backup", "balance-rr", "balanced-rr"]))]
    pub mode: Option<String>,
    /// What decides which port a packet leaves by; for 802.3ad only. Default: `layer3+4`.
    #[schemars(extend("enum" = ["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4"]))]
    pub hash: Option<String>,
    /// How often the peer sends LACP frames: `fast` (every second, default) or `slow` (every 30 seconds); for 802.3ad only.
    #[schemars(extend("enum" = ["fast", "slow"]))]
    pub peer_rate: Option<String>,
    /// Milliseconds between two looks whether a port has a link. Default for 802.3ad: 100.
    #[schemars(extend("minimum" = 0, "maximum" = 4_294_967_295_u32, "examples" = [100]))]
    pub mon_rate: Option<i64>,
    /// Milliseconds from a port coming up to its use; not less than `mon_rate`. Default for 802.3ad: 200.
    #[schemars(extend("minimum" = 0, "maximum" = 4_294_967_295_u32, "examples" = [200]))]
    pub up_delay: Option<i64>,
    /// Milliseconds from a port going down to its disuse; not less than `mon_rate`. Default for 802.3ad: 200.
    #[schemars(extend("minimum" = 0, "maximum" = 4_294_967_295_u32, "examples" = [200]))]
    pub down_delay: Option<i64>,
}

/// How several networks share a link.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrunkingPart {
    /// `disabled` (default): one network, untagged. `802.1q`: VLANs with tags.
    #[schemars(extend("enum" = ["disabled", "802.1q"]))]
    pub mode: Option<String>,
    /// Name of the Network of untagged frames. Needed without trunking.
    #[schemars(extend("x-refers-to" = "Network"))]
    pub default_network: Option<String>,
}

/// Layer 3 of a network: its addresses, ranges and routes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkPart {
    /// Labels of your own. `noconfig` (whatever its value) marks a network that is used for provisioning only.
    pub labels: Option<Ordered<Scalar>>,
    /// The network in CIDR notation, IPv4 or IPv6, without host bits. Example: `10.0.1.0/24`.
    #[schemars(required, extend("x-required" = true, "pattern" = pattern::PREFIX, "format" = "ip-prefix", "examples" = ["10.0.1.0/24", "fd00:1::/64"]))]
    pub cidr: Option<String>,
    /// Ranges of addresses. They lie within `cidr` and do not overlap.
    pub ranges: Option<Vec<RangePart>>,
    /// Name service of the network.
    pub dns: Option<DnsPart>,
    /// The DHCP relay that forwards requests from this network to the provisioner. Drydock does not set it up.
    pub dhcp_relay: Option<RelayPart>,
    /// Largest packet in bytes: 1280 to 65536, and not above that of the link. Default: that of the link.
    #[schemars(extend("minimum" = 1280, "maximum" = 65536, "examples" = [1500, 9000]))]
    pub mtu: Option<i64>,
    /// VLAN id, 1 to 4094. Leave it out, or write 0, for untagged frames.
    #[schemars(extend("type" = ["integer", "string", "null"], "minimum" = 0, "maximum" = 4094, "pattern" = pattern::VLAN, "examples" = ["100"], "x-unique" = "value"))]
    pub vlan: Option<String>,
    /// Name of the group of networks that this one belongs to. Routes of other networks can lead to all members of a group at once.
    pub routedomain: Option<String>,
    /// Static routes of machines on this network.
    pub routes: Option<Vec<RoutePart>>,
}

/// A range of addresses.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RangePart {
    /// `static`: for the addresses that nodes are given. `dhcp`: for the provisioner to hand out. `reserved`: used by neither.
    #[serde(rename = "type")]
    #[schemars(required, extend("x-required" = true, "enum" = ["static", "dhcp", "reserved"]))]
    pub kind: Option<String>,
    /// First address of the range.
    #[schemars(required, extend("x-required" = true, "pattern" = pattern::ADDRESS, "format" = "ip-address", "examples" = ["10.0.1.10"]))]
    pub start: Option<String>,
    /// Last address of the range, which belongs to it.
    #[schemars(required, extend("x-required" = true, "pattern" = pattern::ADDRESS, "format" = "ip-address", "examples" = ["10.0.1.50"]))]
    pub end: Option<String>,
}

/// Name service of a network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DnsPart {
    /// Domain of the nodes that have this as their primary network. Default: `local`.
    #[schemars(extend("type" = ["string", "number", "boolean", "null"], "pattern" = pattern::DOMAIN, "examples" = ["site.example.com"]))]
    pub domain: Option<String>,
    /// Addresses of name servers: a list, or one text with commas.
    #[schemars(extend("format" = "ip-address", "examples" = ["10.0.1.2,10.0.1.3"]))]
    pub servers: Option<CommaList>,
}

/// DHCP relay of a network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RelayPart {
    /// The relay's own address on this network.
    #[schemars(extend("pattern" = pattern::ADDRESS, "format" = "ip-address", "examples" = ["10.0.0.4"]))]
    pub self_ip: Option<String>,
    /// The DHCP server that it forwards to; may lie outside the design.
    #[schemars(extend("pattern" = pattern::ADDRESS, "format" = "ip-address", "examples" = ["10.9.0.5"]))]
    pub upstream_target: Option<String>,
}

/// A route: to a subnet, or to every network of a route domain.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["subnet"]}, {"required": ["routedomain"]}]))]
pub struct RoutePart {
    /// Where the route leads, in CIDR notation. `0.0.0.0/0` is the default route.
    #[schemars(extend("pattern" = pattern::PREFIX, "format" = "ip-prefix", "examples" = ["0.0.0.0/0"]))]
    pub subnet: Option<String>,
    /// The router: an address on this network.
    #[schemars(required, extend("x-required" = true, "pattern" = pattern::ADDRESS, "format" = "ip-address", "examples" = ["10.0.1.1"]))]
    pub gateway: Option<String>,
    /// Preference among routes to the same place, from 0; the least wins. Default: 0.
    #[schemars(extend("minimum" = 0, "maximum" = 4_294_967_295_u32, "examples" = [10]))]
    pub metric: Option<i64>,
    /// Route domain instead of a subnet: one route to each other network of the domain.
    #[schemars(extend("x-refers-to" = "RouteDomain"))]
    pub routedomain: Option<String>,
}
