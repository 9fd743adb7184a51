//! The JSON of every resource, in the shapes recorded from real servers.

use serde_json::{Map, Value, json};

use super::fabric::{Fabric, Vlan};
use super::node::{Interface, Link, Node};
use super::region::Region;
use super::storage;
use super::subnet::{Domain, IpRange, StaticRoute, Subnet};

const API: &str = "/MAAS/api/2.0";

pub(super) fn vlan(region: &Region, vlan: &Vlan) -> Value {
    let fabric = region.fabrics.get(&vlan.fabric).map(|f| f.name.as_str());
    json!({
        "vid": vlan.vid, "mtu": vlan.mtu, "dhcp_on": vlan.dhcp_on, "external_dhcp": null,
        "relay_vlan": vlan.relay_vlan.and_then(|id| region.vlans.get(&id)).map(|relay| json!({
            "id": relay.id, "vid": relay.vid, "name": relay.name, "fabric_id": relay.fabric,
        })),
        "fabric": fabric, "fabric_id": vlan.fabric, "space": "undefined",
        "primary_rack": vlan.primary_rack, "secondary_rack": vlan.secondary_rack,
        "name": vlan.name, "id": vlan.id, "resource_uri": format!("{API}/vlans/{}/", vlan.id),
    })
}

fn vlan_by_id(region: &Region, id: Option<u32>) -> Value {
    id.and_then(|id| region.vlans.get(&id))
        .map_or(Value::Null, |found| vlan(region, found))
}

pub(super) fn fabric(region: &Region, fabric: &Fabric) -> Value {
    let vlans: Vec<Value> = region
        .vlans
        .values()
        .filter(|candidate| candidate.fabric == fabric.id)
        .map(|found| vlan(region, found))
        .collect();
    json!({
        "class_type": fabric.class_type, "name": fabric.name, "id": fabric.id, "vlans": vlans,
        "resource_uri": format!("{API}/fabrics/{}/", fabric.id),
    })
}

pub(super) fn subnet(region: &Region, subnet: &Subnet) -> Value {
    json!({
        "name": subnet.name, "description": "", "vlan": vlan_by_id(region, Some(subnet.vlan)),
        "cidr": subnet.cidr.to_string(), "rdns_mode": subnet.rdns_mode,
        "gateway_ip": subnet.gateway, "dns_servers": subnet.dns_servers,
        "allow_dns": subnet.allow_dns, "allow_proxy": subnet.allow_proxy, "active_discovery": false,
        "managed": subnet.managed, "disabled_boot_architectures": [], "space": "undefined",
        "id": subnet.id, "resource_uri": format!("{API}/subnets/{}/", subnet.id),
    })
}

fn subnet_by_id(region: &Region, id: u32) -> Value {
    region
        .subnets
        .get(&id)
        .map_or(Value::Null, |found| subnet(region, found))
}

pub(super) fn user() -> Value {
    json!({
        "is_superuser": true, "username": "admin", "email": "admin@example.com", "is_local": true,
        "resource_uri": format!("{API}/users/admin/"),
    })
}

pub(super) fn range(region: &Region, range: &IpRange) -> Value {
    json!({
        "subnet": subnet_by_id(region, range.subnet),
        "type": if range.dynamic { "dynamic" } else { "reserved" },
        "start_ip": range.start, "end_ip": range.end, "user": user(), "comment": range.comment,
        "id": range.id, "resource_uri": format!("{API}/ipranges/{}/", range.id),
    })
}

pub(super) fn route(region: &Region, route: &StaticRoute) -> Value {
    json!({
        "source": subnet_by_id(region, route.source),
        "destination": subnet_by_id(region, route.destination),
        "gateway_ip": route.gateway, "metric": route.metric, "id": route.id,
        "resource_uri": format!("{API}/static-routes/{}/", route.id),
    })
}

pub(super) fn domain(domain: &Domain) -> Value {
    json!({
        "authoritative": domain.authoritative, "ttl": domain.ttl, "resource_record_count": 0,
        "is_default": domain.id == 0, "name": domain.name, "id": domain.id,
        "resource_uri": format!("{API}/domains/{}/", domain.id),
    })
}

fn link(region: &Region, link: &Link) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), link.id.into());
    out.insert("mode".into(), link.mode.into());
    if let Some(ip) = &link.ip {
        out.insert("ip_address".into(), ip.as_str().into());
    }
    if let Some(id) = link.subnet {
        out.insert("subnet".into(), subnet_by_id(region, id));
    }
    Value::Object(out)
}

pub(super) fn interface(region: &Region, node: &Node, nic: &Interface) -> Value {
    let name_of = |id: &u32| {
        node.interfaces
            .iter()
            .find(|other| other.id == *id)
            .map(|other| other.name.clone())
    };
    let parents: Vec<String> = nic.parents.iter().filter_map(name_of).collect();
    let children: Vec<&str> = node
        .interfaces
        .iter()
        .filter(|other| other.parents.contains(&nic.id))
        .map(|other| other.name.as_str())
        .collect();
    let vlan_mtu = nic
        .vlan
        .and_then(|id| region.vlans.get(&id))
        .map_or(1500, |vlan| u64::from(vlan.mtu));
    let params = if nic.params.is_empty() {
        json!("")
    } else {
        Value::Object(nic.params.clone())
    };
    let links: Vec<Value> = nic.links.iter().map(|l| link(region, l)).collect();
    json!({
        "id": nic.id, "name": nic.name, "type": nic.kind.word(), "mac_address": nic.mac,
        "enabled": nic.enabled, "effective_mtu": nic.mtu().unwrap_or(vlan_mtu),
        "vlan": vlan_by_id(region, nic.vlan), "links": links, "parents": parents,
        "children": children, "params": params, "tags": nic.tags, "discovered": null,
        "system_id": node.system_id, "numa_node": 0, "link_connected": true, "link_speed": 10000,
        "interface_speed": 10000, "vendor": null, "product": null, "firmware_version": null,
        "sriov_max_vf": 0,
        "resource_uri": format!("{API}/nodes/{}/interfaces/{}/", node.system_id, nic.id),
    })
}

/// A machine or a rack controller, whole.
pub(super) fn node(region: &Region, node: &Node) -> Value {
    let mut out = identity(region, node);
    out.extend(state(region, node));
    out.extend(networking(region, node));
    out.extend(disks(node));
    out.extend(constants());
    if node.rack {
        // As on the real server, a rack controller has services in place of a life cycle.
        for key in [
            "status",
            "status_name",
            "status_message",
            "owner_data",
            "workload_annotations",
        ] {
            out.remove(key);
        }
        out.insert("service_set".into(), services());
        out.insert("version".into(), json!("3.4.10"));
    }
    Value::Object(out)
}

fn services() -> Value {
    let set = [
        ("dns_rack", "running"),
        ("dhcpd", "off"),
        ("bind9", "unknown"),
        ("rackd", "running"),
        ("http", "running"),
        ("proxy_rack", "running"),
        ("reverse_proxy", "unknown"),
        ("syslog_region", "unknown"),
        ("proxy", "unknown"),
        ("ntp_region", "unknown"),
        ("ntp_rack", "running"),
        ("regiond", "dead"),
        ("dhcpd6", "off"),
        ("tftp", "running"),
        ("syslog_rack", "running"),
    ];
    set.iter()
        .map(|(name, status)| json!({"name": name, "status": status, "status_info": ""}))
        .collect()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn identity(region: &Region, node: &Node) -> Map<String, Value> {
    let home = region.domains.get(&node.domain);
    let domain_name = home.map_or("maas", |domain| domain.name.as_str());
    let kind = if node.rack {
        "rackcontrollers"
    } else {
        "machines"
    };
    object(json!({
        "system_id": node.system_id, "hostname": node.hostname,
        "fqdn": format!("{}.{domain_name}", node.hostname), "domain": home.map(domain),
        "description": node.description, "architecture": "amd64/generic",
        "node_type": if node.rack { 4 } else { 0 },
        "node_type_name": if node.rack { "Region and rack controller" } else { "Machine" },
        "cpu_count": node.hardware.cpu_count, "memory": node.hardware.memory_mib, "cpu_speed": 0,
        "tag_names": node.tags, "owner": node.owner, "owner_data": node.owner_data,
        "workload_annotations": node.owner_data, "locked": node.locked, "pod": null,
        "pool": {"name": "default", "description": "Default pool", "id": 0,
                 "resource_uri": format!("{API}/resourcepool/0/")},
        "zone": {"name": "default", "description": "", "id": 1,
                 "resource_uri": format!("{API}/zones/default/")},
        "resource_uri": format!("{API}/{kind}/{}/", node.system_id),
    }))
}

fn state(region: &Region, node: &Node) -> Map<String, Value> {
    let power_state = match region.hand(node) {
        Some(hand) if hand.power_on() => "on",
        Some(_) => "off",
        None => "unknown",
    };
    let result = |ended: Option<bool>| match ended {
        None => (0, "Pending"),
        Some(true) => (2, "Passed"),
        Some(false) => (3, "Failed"),
    };
    let (commissioning, commissioning_name) = result(node.commissioned);
    object(json!({
        "status": node.status.number(), "status_name": node.status.name(),
        "status_message": node.status.name(), "status_action": "",
        "power_type": node.power_type, "power_state": power_state,
        "osystem": node.osystem, "distro_series": node.series, "hwe_kernel": node.kernel,
        "min_hwe_kernel": "", "netboot": node.status != super::status::Status::Deployed,
        "commissioning_status": commissioning, "commissioning_status_name": commissioning_name,
        "testing_status": -1, "testing_status_name": "Unknown", "ephemeral_deploy": false,
        "current_commissioning_result_id": null, "current_installation_result_id": null,
        "current_testing_result_id": null,
    }))
}

fn networking(region: &Region, node: &Node) -> Map<String, Value> {
    let all: Vec<Value> = node
        .interfaces
        .iter()
        .map(|nic| interface(region, node, nic))
        .collect();
    let boot = node
        .interfaces
        .iter()
        .position(|nic| nic.id == node.boot_interface);
    let gateway = node
        .interfaces
        .iter()
        .flat_map(|nic| &nic.links)
        .filter(|link| link.default_gateway || link.ip.is_some())
        .max_by_key(|link| link.default_gateway)
        .and_then(|link| Some((link.id, region.subnets.get(&link.subnet?)?.gateway?)));
    object(json!({
        "boot_interface": boot.map(|index| all[index].clone()),
        "interface_set": all,
        "ip_addresses": node.interfaces.iter().flat_map(|nic| &nic.links)
            .filter_map(|link| link.ip.clone()).collect::<Vec<_>>(),
        "default_gateways": {
            "ipv4": {"gateway_ip": gateway.map(|(_, ip)| ip), "link_id": gateway.map(|(id, _)| id)},
            "ipv6": {"gateway_ip": null, "link_id": null},
        },
    }))
}

fn disks(node: &Node) -> Map<String, Value> {
    let all = storage::render_disks(&node.system_id, &node.storage);
    let of_type = |kind: &str| -> Vec<Value> {
        all.iter()
            .filter(|disk| disk["type"] == kind)
            .cloned()
            .collect()
    };
    let total: u64 = node.hardware.disks.iter().map(|disk| disk.size_bytes).sum();
    let boot = node.storage.boot_disk;
    let groups: Vec<Value> = node
        .storage
        .groups
        .iter()
        .map(|group| json!({"system_id": node.system_id, "id": group.id, "__incomplete__": true}))
        .collect();
    object(json!({
        "boot_disk": all.iter().find(|disk| disk["id"].as_u64() == boot.map(u64::from)),
        "physicalblockdevice_set": of_type("physical"), "virtualblockdevice_set": of_type("virtual"),
        "volume_groups": groups, "storage": total / 1_000_000,
        "blockdevice_set": all,
    }))
}

/// Fields nothing here changes.
fn constants() -> Map<String, Value> {
    let mut out = object(json!({
        "address_ttl": null, "bcaches": [], "bios_boot_method": null, "cache_sets": [],
        "disable_ipv4": false, "enable_hw_sync": false, "hardware_uuid": null, "last_sync": null,
        "next_sync": null, "numanode_set": [], "parent": null, "raids": [],
        "special_filesystems": [], "swap_size": null, "sync_interval": null, "virtualmachine_id": null,
    }));
    for kind in ["cpu", "memory", "storage", "network", "interface", "other"] {
        out.insert(format!("{kind}_test_status"), json!(-1));
        out.insert(format!("{kind}_test_status_name"), json!("Unknown"));
    }
    let unknown = |names: &[&str]| -> Map<String, Value> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), json!("Unknown")))
            .collect()
    };
    let hardware = unknown(&[
        "system_vendor",
        "system_product",
        "system_family",
        "system_version",
        "system_sku",
        "system_serial",
        "cpu_model",
        "mainboard_vendor",
        "mainboard_product",
        "mainboard_serial",
        "mainboard_version",
        "mainboard_firmware_vendor",
        "mainboard_firmware_date",
        "mainboard_firmware_version",
        "chassis_vendor",
        "chassis_type",
        "chassis_serial",
        "chassis_version",
    ]);
    out.insert("hardware_info".into(), Value::Object(hardware));
    out
}
