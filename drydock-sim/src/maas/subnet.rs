//! Subnets, address ranges, static routes and domains.

use std::net::IpAddr;

use ipnet::IpNet;

use super::region::Region;
use super::render;
use super::request::{Answer, Reply, Request, Verb};

/// A subnet.
#[derive(Debug, Clone)]
pub(super) struct Subnet {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) cidr: IpNet,
    pub(super) vlan: u32,
    pub(super) gateway: Option<IpAddr>,
    pub(super) dns_servers: Vec<String>,
    pub(super) managed: bool,
    pub(super) allow_proxy: bool,
    pub(super) allow_dns: bool,
    pub(super) rdns_mode: u8,
}

/// A range of addresses of a subnet.
#[derive(Debug, Clone)]
pub(super) struct IpRange {
    pub(super) id: u32,
    pub(super) dynamic: bool,
    pub(super) start: IpAddr,
    pub(super) end: IpAddr,
    pub(super) subnet: u32,
    pub(super) comment: String,
}

/// A route between subnets.
#[derive(Debug, Clone)]
pub(super) struct StaticRoute {
    pub(super) id: u32,
    pub(super) source: u32,
    pub(super) destination: u32,
    pub(super) gateway: IpAddr,
    pub(super) metric: u32,
}

/// A DNS domain.
#[derive(Debug, Clone)]
pub(super) struct Domain {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) authoritative: bool,
    pub(super) ttl: Option<u32>,
}

impl Domain {
    pub(super) fn default_domain() -> Self {
        Self {
            id: 0,
            name: "maas".to_owned(),
            authoritative: true,
            ttl: None,
        }
    }
}

impl Subnet {
    /// A subnet with MaaS's defaults.
    pub(super) fn new(id: u32, cidr: IpNet, vlan: u32) -> Self {
        Self {
            id,
            name: cidr.to_string(),
            cidr,
            vlan,
            gateway: None,
            dns_servers: Vec::new(),
            managed: true,
            allow_proxy: true,
            allow_dns: true,
            rdns_mode: 2,
        }
    }
}

/// `subnets/` and `subnets/{id}/`.
pub(super) fn handle(region: &mut Region, request: &Request, path: &[&str]) -> Answer {
    match (request.verb, path) {
        (Verb::Get, []) => Ok(Reply::json(
            region
                .subnets
                .values()
                .map(|subnet| render::subnet(region, subnet))
                .collect(),
        )),
        (Verb::Post, []) => {
            let cidr = parse_cidr(request.required("cidr")?)?;
            if region.subnets.values().any(|subnet| subnet.cidr == cidr) {
                return Err(Reply::invalid(
                    "cidr",
                    "Subnet with this Cidr already exists.",
                ));
            }
            let untagged = |vlan: &&super::fabric::Vlan| vlan.fabric == 0 && vlan.vid == 0;
            let vlan = region
                .vlans
                .values()
                .find(untagged)
                .map_or(0, |vlan| vlan.id);
            let id = region.new_id();
            let subnet = write(region, request, Subnet::new(id, cidr, vlan))?;
            region.subnets.insert(id, subnet);
            one(region, id)
        }
        (verb, [text]) => {
            let id: u32 = text.parse().map_err(|_| Reply::missing("Subnet"))?;
            let subnet = region.subnets.get(&id).cloned();
            let subnet = subnet.ok_or_else(|| Reply::missing("Subnet"))?;
            match verb {
                Verb::Get => one(region, id),
                Verb::Put => {
                    let subnet = write(region, request, subnet)?;
                    region.subnets.insert(id, subnet);
                    one(region, id)
                }
                Verb::Delete => {
                    region.subnets.remove(&id);
                    region.ranges.retain(|_, range| range.subnet != id);
                    region
                        .routes
                        .retain(|_, route| route.source != id && route.destination != id);
                    Ok(Reply::deleted())
                }
                Verb::Post => Err(request.unrecognised()),
            }
        }
        _ => Err(request.unrecognised()),
    }
}

fn one(region: &Region, id: u32) -> Answer {
    region
        .subnets
        .get(&id)
        .map(|subnet| Reply::json(render::subnet(region, subnet)))
        .ok_or_else(|| Reply::missing("Subnet"))
}

fn parse_cidr(text: &str) -> Result<IpNet, Reply> {
    text.parse::<IpNet>()
        .map(|net| net.trunc())
        .map_err(|_| Reply::invalid("cidr", "Required format: <network>/<prefix length>."))
}

fn write(region: &Region, request: &Request, mut subnet: Subnet) -> Result<Subnet, Reply> {
    if let Some(name) = request.field("name").filter(|name| !name.is_empty()) {
        subnet.name = name.to_owned();
    }
    if let Some(cidr) = request.field("cidr").filter(|cidr| !cidr.is_empty()) {
        subnet.cidr = parse_cidr(cidr)?;
    }
    if let Some(vlan) = request.number::<u32>("vlan")? {
        if !region.vlans.contains_key(&vlan) {
            return Err(Reply::invalid(
                "vlan",
                &format!("None found with id={vlan}."),
            ));
        }
        subnet.vlan = vlan;
    }
    match request.field("gateway_ip") {
        None => {}
        Some("") => subnet.gateway = None,
        Some(text) => match text.parse::<IpAddr>() {
            Ok(ip) if subnet.cidr.contains(&ip) => subnet.gateway = Some(ip),
            Ok(_) => {
                return Err(Reply::invalid(
                    "gateway_ip",
                    "Gateway IP must be within CIDR range.",
                ));
            }
            Err(_) => {
                return Err(Reply::invalid(
                    "gateway_ip",
                    "Enter a valid IPv4 or IPv6 address.",
                ));
            }
        },
    }
    if let Some(servers) = request.field("dns_servers") {
        subnet.dns_servers = servers
            .split([',', ' '])
            .filter(|server| !server.is_empty())
            .map(str::to_owned)
            .collect();
    }
    subnet.managed = request.flag("managed")?.unwrap_or(subnet.managed);
    subnet.allow_proxy = request.flag("allow_proxy")?.unwrap_or(subnet.allow_proxy);
    subnet.allow_dns = request.flag("allow_dns")?.unwrap_or(subnet.allow_dns);
    subnet.rdns_mode = request.number("rdns_mode")?.unwrap_or(subnet.rdns_mode);
    Ok(subnet)
}

/// `ipranges/` and `ipranges/{id}/`.
pub(super) fn ranges(region: &mut Region, request: &Request, path: &[&str]) -> Answer {
    match (request.verb, path) {
        (Verb::Get, []) => Ok(Reply::json(
            region
                .ranges
                .values()
                .map(|range| render::range(region, range))
                .collect(),
        )),
        (Verb::Post, []) => create_range(region, request),
        (verb, [text]) => {
            let missing = || Reply::missing("IPRange");
            let id: u32 = text.parse().map_err(|_| missing())?;
            let range = region.ranges.get_mut(&id).ok_or_else(missing)?;
            match verb {
                Verb::Get => {}
                Verb::Put => {
                    if let Some(comment) = request.field("comment") {
                        range.comment = comment.to_owned();
                    }
                }
                Verb::Delete => {
                    region.ranges.remove(&id);
                    return Ok(Reply::deleted());
                }
                Verb::Post => return Err(request.unrecognised()),
            }
            let range = range.clone();
            Ok(Reply::json(render::range(region, &range)))
        }
        _ => Err(request.unrecognised()),
    }
}

fn create_range(region: &mut Region, request: &Request) -> Answer {
    let dynamic = match request.required("type")? {
        "dynamic" => true,
        "reserved" => false,
        other => {
            return Err(Reply::invalid(
                "type",
                &format!(
                    "'{other}' is not a valid type.  It should be one of: 'dynamic', 'reserved'."
                ),
            ));
        }
    };
    let address = |field: &str| {
        request
            .required(field)?
            .parse::<IpAddr>()
            .map_err(|_| Reply::invalid(field, "Enter a valid IPv4 or IPv6 address."))
    };
    let (start, end) = (address("start_ip")?, address("end_ip")?);
    let subnet = match request.number::<u32>("subnet")? {
        Some(id) => region.subnets.get(&id),
        None => region.subnets.values().find(|s| s.cidr.contains(&start)),
    };
    let subnet = subnet.ok_or_else(|| {
        Reply::invalid("subnet", "Unable to identify subnet; please specify one.")
    })?;
    if !subnet.cidr.contains(&start) || !subnet.cidr.contains(&end) {
        return Err(Reply::invalid(
            "start_ip",
            "IP addresses must be within subnet.",
        ));
    }
    if end < start {
        return Err(Reply::invalid(
            "end_ip",
            "End IP address must not be less than Start IP address.",
        ));
    }
    let subnet = subnet.id;
    let overlaps = |range: &IpRange| {
        range.subnet == subnet
            && range.start <= end
            && start <= range.end
            && (dynamic || range.dynamic || (range.start, range.end) == (start, end))
    };
    let used = dynamic
        && region
            .addresses_in_use(subnet)
            .iter()
            .any(|ip| start <= *ip && *ip <= end);
    if used || region.ranges.values().any(overlaps) {
        let kind = if dynamic { "dynamic" } else { "reserved" };
        let why = format!("Requested {kind} range conflicts with an existing IP address or range.");
        return Err(Reply {
            status: 400,
            body: super::request::Body::Json(
                serde_json::json!({"start_ip": [why], "end_ip": [why]}),
            ),
        });
    }
    let range = IpRange {
        id: region.new_id(),
        dynamic,
        start,
        end,
        subnet,
        comment: request.field("comment").unwrap_or_default().to_owned(),
    };
    region.ranges.insert(range.id, range.clone());
    Ok(Reply::json(render::range(region, &range)))
}

/// `static-routes/` and `static-routes/{id}/`.
pub(super) fn routes(region: &mut Region, request: &Request, path: &[&str]) -> Answer {
    match (request.verb, path) {
        (Verb::Get, []) => Ok(Reply::json(
            region
                .routes
                .values()
                .map(|route| render::route(region, route))
                .collect(),
        )),
        (Verb::Post, []) => {
            let end = |field: &str| {
                request.required(field)?;
                request
                    .number::<u32>(field)?
                    .filter(|id| region.subnets.contains_key(id))
                    .ok_or_else(|| Reply::invalid(field, "Select a valid choice."))
            };
            let (source, destination) = (end("source")?, end("destination")?);
            let gateway: IpAddr = request
                .required("gateway_ip")?
                .parse()
                .map_err(|_| Reply::invalid("gateway_ip", "Enter a valid IPv4 or IPv6 address."))?;
            let on_source = |subnet: &Subnet| subnet.cidr.contains(&gateway);
            if !region.subnets.get(&source).is_some_and(on_source) {
                return Err(Reply::invalid(
                    "gateway_ip",
                    "Enter an IP address in the source subnet.",
                ));
            }
            let metric = request.number("metric")?.unwrap_or(0);
            let id = region.new_id();
            let route = StaticRoute {
                id,
                source,
                destination,
                gateway,
                metric,
            };
            region.routes.insert(id, route.clone());
            Ok(Reply::json(render::route(region, &route)))
        }
        (verb, [text]) => {
            let missing = || Reply::missing("StaticRoute");
            let id: u32 = text.parse().map_err(|_| missing())?;
            let route = region.routes.get(&id).cloned().ok_or_else(missing)?;
            match verb {
                Verb::Get => Ok(Reply::json(render::route(region, &route))),
                Verb::Delete => {
                    region.routes.remove(&id);
                    Ok(Reply::deleted())
                }
                _ => Err(request.unrecognised()),
            }
        }
        _ => Err(request.unrecognised()),
    }
}

/// `domains/` and `domains/{id}/`.
pub(super) fn domains(region: &mut Region, request: &Request, path: &[&str]) -> Answer {
    match (request.verb, path) {
        (Verb::Get, []) => Ok(Reply::json(
            region.domains.values().map(render::domain).collect(),
        )),
        (Verb::Post, []) => {
            let name = request.required("name")?;
            if region.domains.values().any(|domain| domain.name == name) {
                return Err(Reply::invalid(
                    "name",
                    "Domain with this Name already exists.",
                ));
            }
            let domain = Domain {
                name: name.to_owned(),
                authoritative: request.flag("authoritative")?.unwrap_or(true),
                ttl: request.number("ttl")?,
                id: region.new_id(),
            };
            region.domains.insert(domain.id, domain.clone());
            Ok(Reply::json(render::domain(&domain)))
        }
        (Verb::Get, [text]) => text
            .parse()
            .ok()
            .and_then(|id: u32| region.domains.get(&id))
            .map(|domain| Reply::json(render::domain(domain)))
            .ok_or_else(|| Reply::missing("Domain")),
        _ => Err(request.unrecognised()),
    }
}
