//! Bonds, VLAN interfaces, and links to subnets.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::node::{Interface, InterfaceKind, Link};
use super::region::Region;
use super::request::{Answer, Reply, Request};

/// Writes the fields every kind of interface has: VLAN, MTU, hardware address, tags.
pub(super) fn write_shared(
    region: &Region,
    request: &Request,
    nic: &mut Interface,
) -> Result<(), Reply> {
    match request.field("vlan") {
        None => {}
        Some("") => nic.vlan = None,
        Some(text) => {
            let vlan = text.parse().ok().filter(|id| region.vlans.contains_key(id));
            nic.vlan = Some(vlan.ok_or_else(|| {
                Reply::invalid(
                    "vlan",
                    "Select a valid choice. That choice is not one of the available choices.",
                )
            })?);
        }
    }
    match request.field("mtu") {
        None => {}
        Some("") => {
            nic.params.remove("mtu");
        }
        Some(_) => {
            let mtu: u64 = request.number("mtu")?.unwrap_or_default();
            if !(552..=65535).contains(&mtu) {
                return Err(Reply::invalid(
                    "mtu",
                    "Ensure this value is greater than or equal to 552.",
                ));
            }
            nic.params.insert("mtu".into(), mtu.into());
        }
    }
    if let Some(mac) = request.field("mac_address").filter(|mac| !mac.is_empty()) {
        nic.mac = mac.to_ascii_lowercase();
    }
    if request.field("tags").is_some() {
        nic.tags = request.form.list("tags");
    }
    Ok(())
}

fn named(
    region: &mut Region,
    index: usize,
    name: &str,
    kind: InterfaceKind,
) -> Result<Interface, Reply> {
    let node = &region.machines[index];
    if node.interfaces.iter().any(|nic| nic.name == name) {
        return Err(Reply::invalid(
            "name",
            &format!(
                "Node {} ({}) already has an interface named '{name}'.",
                node.system_id, node.hostname
            ),
        ));
    }
    Ok(Interface {
        id: region.new_id(),
        name: name.to_owned(),
        kind,
        mac: String::new(),
        enabled: true,
        vlan: None,
        parents: Vec::new(),
        params: Map::new(),
        tags: Vec::new(),
        links: Vec::new(),
    })
}

pub(super) fn create_bond(region: &mut Region, request: &Request, index: usize) -> Answer {
    let mut parents = Vec::new();
    for text in request.form.list("parents") {
        let position = region
            .interface_index(index, &text)
            .map_err(|_| Reply::invalid("parents", "Select a valid choice."))?;
        parents.push(position);
    }
    if parents.is_empty() {
        return Err(Reply::invalid("parents", "This field is required."));
    }
    let interfaces = &region.machines[index].interfaces;
    let in_use: Vec<&str> = parents
        .iter()
        .map(|position| &interfaces[*position])
        .filter(|nic| {
            interfaces
                .iter()
                .any(|other| other.parents.contains(&nic.id))
        })
        .map(|nic| nic.name.as_str())
        .collect();
    if !in_use.is_empty() {
        let why = format!("Interfaces already in-use: {}.", in_use.join(", "));
        return Err(Reply::invalid("parents", &why));
    }
    let first = interfaces[parents[0]].clone();
    let mut bond = named(
        region,
        index,
        request.required("name")?,
        InterfaceKind::Bond,
    )?;
    bond.mac = first.mac;
    bond.vlan = first.vlan;
    bond.params = bond_params(request)?;
    write_shared(region, request, &mut bond)?;
    for position in parents {
        let parent = &mut region.machines[index].interfaces[position];
        parent.links.clear();
        parent.vlan = bond.vlan;
        bond.parents.push(parent.id);
    }
    let at = region.machines[index].interfaces.len();
    region.machines[index].interfaces.push(bond);
    region.drop_empty_fabrics();
    Ok(region.one_interface(index, at))
}

fn bond_params(request: &Request) -> Result<Map<String, Value>, Reply> {
    let mut params = Map::new();
    let word = |name: &str, default: &str| {
        let given = request.field(name).filter(|value| !value.is_empty());
        Value::from(given.unwrap_or(default))
    };
    params.insert("bond_mode".into(), word("bond_mode", "active-backup"));
    params.insert("bond_lacp_rate".into(), word("bond_lacp_rate", "slow"));
    params.insert(
        "bond_xmit_hash_policy".into(),
        word("bond_xmit_hash_policy", "layer2"),
    );
    for (name, default) in [
        ("bond_miimon", 100_u64),
        ("bond_updelay", 0),
        ("bond_downdelay", 0),
        ("bond_num_grat_arp", 1),
    ] {
        let value = request.number(name)?.unwrap_or(default);
        params.insert(name.to_owned(), value.into());
    }
    Ok(params)
}

pub(super) fn create_vlan(region: &mut Region, request: &Request, index: usize) -> Answer {
    let parent = request
        .field("parent")
        .or_else(|| request.field("parents"))
        .filter(|parent| !parent.is_empty())
        .ok_or_else(|| Reply::invalid("parent", "This field is required."))?;
    let parent = region
        .interface_index(index, parent)
        .map_err(|_| Reply::invalid("parent", "Select a valid choice."))?;
    let parent = region.machines[index].interfaces[parent].clone();
    request.required("vlan")?;
    let vlan = request
        .number::<u32>("vlan")?
        .and_then(|id| region.vlans.get(&id))
        .ok_or_else(|| Reply::invalid("vlan", "Select a valid choice."))?;
    if vlan.vid == 0 {
        return Err(Reply::invalid(
            "vlan",
            "A VLAN interface can only belong to a tagged VLAN.",
        ));
    }
    let name = format!("{}.{}", parent.name, vlan.vid);
    let mut nic = named(region, index, &name, InterfaceKind::Vlan)?;
    nic.mac = parent.mac;
    nic.parents = vec![parent.id];
    write_shared(region, request, &mut nic)?;
    let at = region.machines[index].interfaces.len();
    region.machines[index].interfaces.push(nic);
    Ok(region.one_interface(index, at))
}

pub(super) fn link(region: &mut Region, request: &Request, index: usize, nic: usize) -> Answer {
    let mode = match request.required("mode")?.to_ascii_lowercase().as_str() {
        "auto" => "auto",
        "dhcp" => "dhcp",
        "static" => "static",
        "link_up" => "link_up",
        other => {
            return Err(Reply::invalid(
                "mode",
                &format!(
                    "'{other}' is not a valid mode.  It should be one of: 'AUTO', 'DHCP', 'LINK_UP', 'STATIC'."
                ),
            ));
        }
    };
    let vlan = region.machines[index].interfaces[nic].vlan;
    let wanted = request.number::<u32>("subnet")?;
    let subnet = wanted
        .and_then(|id| region.subnets.get(&id))
        .filter(|subnet| Some(subnet.vlan) == vlan)
        .cloned();
    if let (Some(id), None) = (wanted, &subnet) {
        return Err(Reply {
            status: 400,
            body: super::request::Body::Json(json!({
                "subnet": [format!("None found with id={id}."), "This field is required."],
            })),
        });
    }
    if subnet.is_none() && mode != "link_up" {
        return Err(Reply::invalid("subnet", "This field is required."));
    }
    let ip = match (mode, &subnet) {
        ("static", Some(subnet)) => Some(static_address(region, request, subnet)?),
        _ => None,
    };
    let default_gateway = request.flag("default_gateway")?.unwrap_or(false);
    if default_gateway
        && subnet
            .as_ref()
            .is_none_or(|subnet| subnet.gateway.is_none())
    {
        return Err(Reply::invalid(
            "default_gateway",
            "Cannot set as default gateway because the subnet has no gateway.",
        ));
    }
    let id = region.new_id();
    if default_gateway {
        clear_default_gateway(region, index);
    }
    let links = &mut region.machines[index].interfaces[nic].links;
    links.retain(|link| link.mode != "link_up");
    links.push(Link {
        id,
        mode,
        subnet: subnet.map(|subnet| subnet.id),
        ip: ip.map(|ip| ip.to_string()),
        default_gateway,
    });
    Ok(region.one_interface(index, nic))
}

fn static_address(
    region: &Region,
    request: &Request,
    subnet: &super::subnet::Subnet,
) -> Result<IpAddr, Reply> {
    let Some(text) = request.field("ip_address").filter(|text| !text.is_empty()) else {
        return region
            .free_address(subnet)
            .ok_or_else(|| Reply::text(503, "No more IPs available in the subnet."));
    };
    let ip: IpAddr = text
        .parse()
        .map_err(|_| Reply::invalid("ip_address", "Enter a valid IPv4 or IPv6 address."))?;
    if !subnet.cidr.contains(&ip) {
        let vid = region.vlans.get(&subnet.vlan).map_or(0, |vlan| vlan.vid);
        let why = format!(
            "IP address is not in the given subnet '{}:{}(vid={vid})'.",
            subnet.name, subnet.cidr
        );
        return Err(Reply::invalid("ip_address", &why));
    }
    let in_dynamic = region.ranges.values().any(|range| {
        range.dynamic && range.subnet == subnet.id && range.start <= ip && ip <= range.end
    });
    if in_dynamic {
        return Err(Reply::invalid(
            "ip_address",
            "IP address is inside a dynamic range.",
        ));
    }
    if region.addresses_in_use(subnet.id).contains(&ip) {
        return Err(Reply::text(404, "IP address is already in use."));
    }
    Ok(ip)
}

pub(super) fn unlink(region: &mut Region, request: &Request, index: usize, nic: usize) -> Answer {
    let id = request.required("id")?;
    let links = &mut region.machines[index].interfaces[nic].links;
    let Some(at) = links.iter().position(|link| id.parse() == Ok(link.id)) else {
        let known: Vec<String> = links.iter().map(|link| format!("'{}'", link.id)).collect();
        let why = format!(
            "'{id}' is not a valid id.  It should be one of: {}.",
            known.join(", ")
        );
        return Err(Reply::invalid("id", &why));
    };
    links.remove(at);
    Ok(region.one_interface(index, nic))
}

fn clear_default_gateway(region: &mut Region, index: usize) {
    let links = region.machines[index]
        .interfaces
        .iter_mut()
        .flat_map(|nic| &mut nic.links);
    for link in links {
        link.default_gateway = false;
    }
}

pub(super) fn set_default_gateway(region: &mut Region, index: usize, nic: usize) -> Answer {
    let has_gateway = |link: &Link| {
        link.subnet
            .and_then(|id| region.subnets.get(&id))
            .is_some_and(|subnet| subnet.gateway.is_some())
    };
    let links = &region.machines[index].interfaces[nic].links;
    let at = links
        .iter()
        .position(has_gateway)
        .ok_or_else(|| Reply::text(400, "This interface has no usable gateways."))?;
    clear_default_gateway(region, index);
    region.machines[index].interfaces[nic].links[at].default_gateway = true;
    Ok(region.one_interface(index, nic))
}
