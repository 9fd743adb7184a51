//! Links and networks, with the routes of route domains.

use std::net::IpAddr;

use drydock_model::design::{
    BondingPart, DnsPart, Document, Kind, LinkPart, NetworkPart, RoutePart,
};
use drydock_model::effective::{
    BondMode, Bonding, DhcpRelay, Link, Network, Range, RangeKind, Route,
};
use hashbrown::HashMap;
use ipnet::IpNet;

use super::read::Reader;
use super::{refer, texts};
use crate::index::Index;
use crate::report::{Report, at};
use crate::rules::host::is_name;
use crate::rules::network::VLAN;

/// MTU of a link that names none (published field reference).
const DEFAULT_MTU: u32 = 1500;

/// The links in design order.
pub(super) fn links(index: &Index<'_>, report: &mut Report) -> Vec<Link> {
    index
        .links()
        .map(|(document, part)| link(index, document, part, report))
        .collect()
}

fn link(index: &Index<'_>, document: &Document, part: &LinkPart, report: &mut Report) -> Link {
    let trunking = part.trunking.as_ref();
    let default_network = trunking.and_then(|trunking| trunking.default_network.clone());
    let allowed_networks = part.allowed_networks.clone().unwrap_or_default();
    let used = format!("NetworkLink {}", document.name);
    for network in &allowed_networks {
        refer(index, report, Kind::Network, network, &used, || {
            at(document, &["allowed_networks", network])
        });
    }
    if let Some(network) = &default_network {
        refer(index, report, Kind::Network, network, &used, || {
            at(document, &["trunking", "default_network"])
        });
    }
    let mut reader = Reader { document, report };
    if let Some(speed) = part.linkspeed.as_deref().filter(|speed| !is_speed(speed)) {
        let message = format_args!("{speed:?} is not a speed");
        reader.odd(&["linkspeed"], message, "write auto, or such as 100full");
    }
    let trunked = match trunking.and_then(|trunking| trunking.mode.as_deref()) {
        Some("802.1q") => true,
        Some("disabled") | None => false,
        Some(other) => {
            let message = format!("{other:?} is not a trunking mode");
            reader.bad(&["trunking", "mode"], message, "use disabled or 802.1q");
            let link = document.name.clone();
            reader.report.gaps.trunking.insert(link);
            false
        }
    };
    Link {
        name: document.name.clone(),
        labels: texts(part.labels.as_ref()),
        bonding: bonding(&mut reader, part.bonding.as_ref()),
        mtu: reader.number(part.mtu, &["mtu"]).unwrap_or(DEFAULT_MTU),
        linkspeed: part.linkspeed.clone(),
        trunked,
        default_network,
        allowed_networks,
    }
}

/// `auto`, or megabits (`g`: gigabits) with the duplex.
fn is_speed(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let number = text
        .trim_end_matches("full")
        .trim_end_matches("half")
        .trim_end_matches(['g', 'm']);
    text == "auto" || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What the kernel (bonding.rst: xmit_hash_policy, lacp_rate) and MaaS take.
const HASHES: [&str; 5] = ["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4"];
const PEER_RATES: [&str; 2] = ["fast", "slow"];

/// Bonding with the defaults of the published field reference for 802.3ad: hash `layer3+4`, rate `fast`, 100 ms, 200 ms, 200 ms.
fn bonding(reader: &mut Reader<'_, '_>, part: Option<&BondingPart>) -> Bonding {
    let Some(part) = part else {
        return Bonding::default();
    };
    let mode = match part.mode.as_deref() {
        Some("disabled") | None => BondMode::Disabled,
        Some("802.3ad") => BondMode::Lacp,
        Some("active-backup") => BondMode::ActiveBackup,
        Some("balance-rr" | "balanced-rr") => BondMode::BalanceRr,
        Some(other) => {
            let message = format!("{other:?} is not a bonding mode");
            reader.bad(
                &["bonding", "mode"],
                message,
                "use disabled, 802.3ad, active-backup or balance-rr",
            );
            let link = reader.document.name.clone();
            reader.report.gaps.bonding.insert(link);
            BondMode::Disabled
        }
    };
    let words = [
        ("hash", &part.hash, HASHES.as_slice()),
        ("peer_rate", &part.peer_rate, PEER_RATES.as_slice()),
    ];
    for (field, word, known) in words {
        if let Some(word) = word.as_deref().filter(|word| !known.contains(word)) {
            let message = format_args!("{word:?} is not known");
            let advice = format!("use {}", known.join(", "));
            reader.bad(&["bonding", field], message, &advice);
        }
    }
    let lacp = mode == BondMode::Lacp;
    let mut milliseconds = |value, name, default| {
        reader
            .number(value, &["bonding", name])
            .or(lacp.then_some(default))
    };
    Bonding {
        mode,
        mon_rate: milliseconds(part.mon_rate, "mon_rate", 100),
        up_delay: milliseconds(part.up_delay, "up_delay", 200),
        down_delay: milliseconds(part.down_delay, "down_delay", 200),
        hash: part
            .hash
            .clone()
            .or_else(|| lacp.then(|| "layer3+4".into())),
        peer_rate: part
            .peer_rate
            .clone()
            .or_else(|| lacp.then(|| "fast".into())),
    }
}

/// The networks in design order.
pub(super) fn networks(index: &Index<'_>, report: &mut Report) -> Vec<Network> {
    let mut link_mtu: HashMap<&str, u32> = HashMap::new();
    for (_, part) in index.links() {
        let mtu = part
            .mtu
            .and_then(|mtu| u32::try_from(mtu).ok())
            .unwrap_or(DEFAULT_MTU);
        for network in part.allowed_networks.iter().flatten() {
            link_mtu.entry(network).or_insert(mtu);
        }
    }
    let mut networks = Vec::new();
    let mut wanted = Vec::new();
    for (document, part) in index.networks() {
        let mut reader = Reader { document, report };
        let Some(mut network) = network(&mut reader, part) else {
            continue;
        };
        network.mtu = reader
            .number(part.mtu, &["mtu"])
            .or_else(|| link_mtu.get(network.name.as_str()).copied());
        wanted.push(routes(&mut reader, part, &mut network));
        networks.push(network);
    }
    add_domain_routes(&mut networks, &wanted);
    networks
}

fn network(reader: &mut Reader<'_, '_>, part: &NetworkPart) -> Option<Network> {
    let cidr = reader.required(part.cidr.as_deref(), &["cidr"])?;
    let cidr = reader.prefix(&cidr, &["cidr"])?;
    let dns = part.dns.as_ref();
    name_service(reader, dns);
    let relay = part.dhcp_relay.as_ref().map(|relay| DhcpRelay {
        self_ip: reader.address(relay.self_ip.as_deref(), &["dhcp_relay", "self_ip"]),
        upstream_target: reader.address(
            relay.upstream_target.as_deref(),
            &["dhcp_relay", "upstream_target"],
        ),
    });
    Some(Network {
        name: reader.document.name.clone(),
        labels: texts(part.labels.as_ref()),
        vlan: vlan(reader, part.vlan.as_deref()),
        mtu: None,
        cidr,
        routedomain: part.routedomain.clone(),
        ranges: ranges(reader, part),
        routes: Vec::new(),
        dns_domain: dns.and_then(|dns| dns.domain.clone()),
        dns_servers: dns
            .and_then(|dns| dns.servers.clone())
            .map(|servers| servers.0)
            .unwrap_or_default(),
        dhcp_relay: relay,
    })
}

fn name_service(reader: &mut Reader<'_, '_>, dns: Option<&DnsPart>) {
    let Some(dns) = dns else { return };
    if let Some(domain) = dns.domain.as_deref().filter(|domain| !is_name(domain)) {
        let message = format_args!("{domain:?} is not a DNS name");
        reader.odd(
            &["dns", "domain"],
            message,
            "use letters, digits and hyphens between dots (RFC 1035)",
        );
    }
    for server in dns.servers.iter().flat_map(|servers| &servers.0) {
        reader.address(Some(server), &["dns", "servers", server]);
    }
}

/// IEEE 802.1Q-2018, section 9.6: 0 is a priority tag without a VLAN, 4095 is reserved.
fn vlan(reader: &mut Reader<'_, '_>, text: Option<&str>) -> Option<u16> {
    let text = text?.trim();
    match text.parse::<u16>() {
        Ok(0) => None,
        Ok(id @ 1..=4094) => Some(id),
        _ => {
            let message = format!(
                "Network {}: {text:?} is not a VLAN id",
                reader.document.name
            );
            reader.report.add(
                &VLAN,
                message,
                "use 1 to 4094; leave vlan out for untagged frames",
                at(reader.document, &["vlan"]),
            );
            None
        }
    }
}

fn ranges(reader: &mut Reader<'_, '_>, part: &NetworkPart) -> Vec<Range> {
    let mut ranges = Vec::new();
    for (number, part) in part.ranges.iter().flatten().enumerate() {
        let number = number.to_string();
        let path = |field: &'static str| ["ranges", number.as_str(), field].map(str::to_owned);
        let kind = match part.kind.as_deref() {
            Some("static") => RangeKind::Static,
            Some("dhcp") => RangeKind::Dhcp,
            Some("reserved") => RangeKind::Reserved,
            other => {
                let message = other.map_or("is missing".into(), |other| {
                    format!("{other:?} is not a type of range")
                });
                reader.bad(
                    &borrowed(&path("type")),
                    message,
                    "use static, dhcp or reserved",
                );
                continue;
            }
        };
        let (start_path, end_path) = (path("start"), path("end"));
        let Some(start) = reader.required(part.start.as_deref(), &borrowed(&start_path)) else {
            continue;
        };
        let Some(end) = reader.required(part.end.as_deref(), &borrowed(&end_path)) else {
            continue;
        };
        let start = reader.address(Some(&start), &borrowed(&start_path));
        let end = reader.address(Some(&end), &borrowed(&end_path));
        let (Some(start), Some(end)) = (start, end) else {
            continue;
        };
        if start.is_ipv4() != end.is_ipv4() || start > end {
            let message = format!("the range runs from {start} to {end}, which is backwards");
            reader.bad(&borrowed(&end_path), message, "exchange start and end");
            continue;
        }
        ranges.push(Range { kind, start, end });
    }
    ranges
}

fn borrowed(path: &[String; 3]) -> [&str; 3] {
    [&path[0], &path[1], &path[2]]
}

/// A wish for routes to a route domain.
struct DomainRoute {
    domain: String,
    gateway: Option<IpAddr>,
    metric: u32,
}

/// Sets the explicit routes and returns the wishes.
fn routes(
    reader: &mut Reader<'_, '_>,
    part: &NetworkPart,
    network: &mut Network,
) -> Vec<DomainRoute> {
    let mut wishes = Vec::new();
    for (number, route) in part.routes.iter().flatten().enumerate() {
        let number = number.to_string();
        let RoutePart {
            subnet,
            gateway,
            metric,
            routedomain,
        } = route;
        let gateway = reader.address(gateway.as_deref(), &["routes", &number, "gateway"]);
        let metric = reader
            .number(*metric, &["routes", &number, "metric"])
            .unwrap_or(0);
        if subnet.is_none() && routedomain.is_none() {
            reader.bad(
                &["routes", &number],
                "the route goes nowhere",
                "set subnet or routedomain",
            );
        }
        if let Some(subnet) = subnet
            && let Some(destination) = reader.prefix(subnet, &["routes", &number, "subnet"])
        {
            if destination.trunc() != destination {
                let message = format_args!("{destination} has host bits");
                let advice = format!("write {}", destination.trunc());
                reader.odd(&["routes", &number, "subnet"], message, &advice);
            }
            network.routes.push(Route {
                destination,
                gateway,
                metric,
            });
        }
        if let Some(domain) = routedomain {
            wishes.push(DomainRoute {
                domain: domain.clone(),
                gateway,
                metric,
            });
        }
    }
    wishes
}

/// Whether an address and a network are both IPv4, or both IPv6.
pub(crate) fn same_family(address: IpAddr, network: IpNet) -> bool {
    address.is_ipv4() == network.addr().is_ipv4()
}

/// One route to every other network of the domain that its gateway can lead to; an explicit route to the same prefix wins.
fn add_domain_routes(networks: &mut [Network], wanted: &[Vec<DomainRoute>]) {
    let mut domains: HashMap<String, Vec<(usize, IpNet)>> = HashMap::new();
    for (number, network) in networks.iter().enumerate() {
        if let Some(domain) = &network.routedomain {
            domains
                .entry(domain.clone())
                .or_default()
                .push((number, network.cidr));
        }
    }
    for (number, wishes) in wanted.iter().enumerate() {
        for wish in wishes {
            for &(other, destination) in domains.get(&wish.domain).into_iter().flatten() {
                // A domain may have networks of both families; a gateway leads to those of its own.
                if wish
                    .gateway
                    .is_some_and(|gateway| !same_family(gateway, destination))
                {
                    continue;
                }
                let network = &mut networks[number];
                let known = network
                    .routes
                    .iter()
                    .any(|route| route.destination == destination);
                if other != number && destination != network.cidr && !known {
                    network.routes.push(Route {
                        destination,
                        gateway: wish.gateway,
                        metric: wish.metric,
                    });
                }
            }
        }
    }
}
