//! `create_network_template`: the design's links, networks and ranges as fabrics, VLANs, subnets and DHCP of MaaS.

mod diff;
mod write;

use drydock_model::driver::{DriverError, StepContext};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::region::Region;
use super::resource::{
    ControllerResource, DomainResource, FabricResource, RangeResource, SubnetResource, VlanResource,
};
use super::services::is_healthy;

pub(crate) use diff::plan;
pub(crate) use write::apply;

const CREATE_DOMAIN: &str = "create_domain";
const CREATE_FABRIC: &str = "create_fabric";
const RENAME_FABRIC: &str = "rename_fabric";
const CREATE_VLAN: &str = "create_vlan";
const SET_VLAN: &str = "set_vlan";
const CREATE_SUBNET: &str = "create_subnet";
const SET_SUBNET: &str = "set_subnet";
const CREATE_RANGE: &str = "create_range";
const ENABLE_DHCP: &str = "enable_dhcp";
const RELAY_DHCP: &str = "relay_dhcp";

/// The networks of a region.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    fabrics: Vec<Fabric>,
    subnets: Vec<Subnet>,
    domains: Vec<String>,
    ranges: Vec<Range>,
    racks: Vec<Rack>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Fabric {
    id: i64,
    name: String,
    vlans: Vec<Vlan>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Vlan {
    id: i64,
    vid: u16,
    name: String,
    mtu: u32,
    dhcp_on: bool,
    relay: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Subnet {
    cidr: IpNet,
    name: String,
    vlan: i64,
    gateway: Option<String>,
    dns: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Range {
    kind: String,
    start: String,
    end: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Rack {
    system_id: String,
    healthy: bool,
    /// VLANs its interfaces are on: id and 802.1q id.
    vlans: Vec<(i64, u16)>,
}

impl From<VlanResource> for Vlan {
    fn from(vlan: VlanResource) -> Self {
        let relay = vlan
            .relay_vlan
            .as_ref()
            .map(super::resource::RelayResource::id);
        Vlan {
            id: vlan.id,
            vid: vlan.vid,
            name: vlan.name,
            mtu: vlan.mtu,
            dhcp_on: vlan.dhcp_on,
            relay,
        }
    }
}

impl From<&ControllerResource> for Rack {
    fn from(rack: &ControllerResource) -> Self {
        let vlans = rack
            .interface_set
            .iter()
            .filter_map(|interface| interface.vlan.as_ref())
            .map(|vlan| (vlan.id, vlan.vid));
        Rack {
            system_id: rack.system_id.clone(),
            healthy: is_healthy(rack),
            vlans: vlans.collect(),
        }
    }
}

pub(crate) async fn observe(region: &Region, _cx: &StepContext) -> Result<Seen, DriverError> {
    let fabrics: Vec<FabricResource> = region.client.get("fabrics/").await?;
    let subnets: Vec<SubnetResource> = region.client.get("subnets/").await?;
    let domains: Vec<DomainResource> = region.client.get("domains/").await?;
    let ranges: Vec<RangeResource> = region.client.get("ipranges/").await?;
    let racks: Vec<ControllerResource> = region.client.get("rackcontrollers/").await?;
    Ok(Seen {
        fabrics: fabrics
            .into_iter()
            .map(|fabric| Fabric {
                id: fabric.id,
                name: fabric.name,
                vlans: fabric.vlans.into_iter().map(Vlan::from).collect(),
            })
            .collect(),
        subnets: subnets
            .into_iter()
            .filter_map(|subnet| {
                Some(Subnet {
                    cidr: subnet.cidr.parse().ok()?,
                    name: subnet.name,
                    vlan: subnet.vlan.id,
                    gateway: subnet.gateway_ip.filter(|gateway| !gateway.is_empty()),
                    dns: subnet.dns_servers,
                })
            })
            .collect(),
        domains: domains.into_iter().map(|domain| domain.name).collect(),
        ranges: ranges
            .into_iter()
            .map(|range| Range {
                kind: range.kind,
                start: range.start_ip,
                end: range.end_ip,
            })
            .collect(),
        racks: racks.iter().map(Rack::from).collect(),
    })
}
