//! `apply_node_networking`: bonds, VLAN interfaces and addresses of a machine, as differences from what it has.

mod diff;
mod wanted;
mod write;

use drydock_model::driver::{DriverError, StepContext};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hardware::{Names, names};
use super::lookup::{Found, Place, find};
use super::region::Region;
use super::resource::InterfaceResource;
use super::status::Status;

pub(crate) use diff::plan;
pub(crate) use write::apply;

const RESTORE: &str = "restore_networking";
const REMOVE: &str = "remove_interface";
const UNLINK: &str = "unlink_subnet";
const SET: &str = "set_interface";
const CREATE_BOND: &str = "create_bond";
const CREATE_VLAN: &str = "create_vlan_interface";
const LINK: &str = "link_subnet";
const SET_GATEWAY: &str = "set_default_gateway";

/// What is looked at.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub place: Place,
    nics: Vec<Nic>,
    subnets: Vec<Subnet>,
    vlans: Vec<Vlan>,
    names: Names,
    default_link: Option<i64>,
}

/// An interface of the machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Nic {
    id: i64,
    name: String,
    kind: String,
    vlan: Option<i64>,
    mtu: u32,
    parents: Vec<String>,
    children: Vec<String>,
    params: Value,
    links: Vec<Link>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Link {
    id: i64,
    mode: String,
    subnet: Option<i64>,
    ip: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Subnet {
    id: i64,
    cidr: ipnet::IpNet,
    vlan: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Vlan {
    id: i64,
    vid: u16,
    fabric: i64,
}

impl From<&InterfaceResource> for Nic {
    fn from(nic: &InterfaceResource) -> Self {
        Nic {
            id: nic.id,
            name: nic.name.clone(),
            kind: nic.kind.clone(),
            vlan: nic.vlan.as_ref().map(|vlan| vlan.id),
            mtu: nic.effective_mtu,
            parents: nic.parents.clone(),
            children: nic.children.clone(),
            params: nic.params.clone(),
            links: nic
                .links
                .iter()
                .map(|link| Link {
                    id: link.id,
                    mode: link.mode.clone(),
                    subnet: link.subnet.as_ref().map(|subnet| subnet.id),
                    ip: link.ip_address.clone(),
                })
                .collect(),
        }
    }
}

pub(crate) async fn observe(region: &Region, cx: &StepContext) -> Result<Seen, DriverError> {
    let node = cx.node()?;
    let found = find(region, node).await?;
    let mut seen = Seen {
        place: found.place(),
        nics: Vec::new(),
        subnets: Vec::new(),
        vlans: Vec::new(),
        names: Names::default(),
        default_link: None,
    };
    if let Found::Machine { machine, .. } = &found
        && matches!(machine.status, Status::Ready | Status::Allocated)
        && !node.interfaces.is_empty()
    {
        let devices = node
            .interfaces
            .iter()
            .flat_map(|interface| &interface.slaves);
        seen.names = names(region, &machine.system_id, devices).await?;
        seen.nics = machine.interface_set.iter().map(Nic::from).collect();
        seen.default_link = machine.default_gateways["ipv4"]["link_id"].as_i64();
        let fabrics = region.fabrics().await?;
        let subnets = region.subnets().await?;
        seen.vlans = fabrics
            .iter()
            .flat_map(|fabric| {
                fabric.vlans.iter().map(|vlan| Vlan {
                    id: vlan.id,
                    vid: vlan.vid,
                    fabric: fabric.id,
                })
            })
            .collect();
        seen.subnets = subnets
            .iter()
            .filter_map(|subnet| {
                Some(Subnet {
                    id: subnet.id,
                    cidr: subnet.cidr.parse().ok()?,
                    vlan: subnet.vlan.id,
                })
            })
            .collect();
    }
    Ok(seen)
}
