//! One change of MaaS's networks at a time. Names are looked up here, since an earlier change may have made the thing.

use drydock_model::change::Change;
use drydock_model::driver::{DriverError, StepContext};
use ipnet::IpNet;
use serde_json::Value;

use super::super::client::is_objection;
use super::super::form::Form;
use super::super::identify::create_domain;
use super::super::progress::{malformed, text, unknown_verb, value};
use super::super::region::Region;
use super::super::resource::{FabricResource, RangeResource, SubnetResource};
use super::{
    CREATE_DOMAIN, CREATE_FABRIC, CREATE_RANGE, CREATE_SUBNET, CREATE_VLAN, ENABLE_DHCP,
    RELAY_DHCP, RENAME_FABRIC, SET_SUBNET, SET_VLAN,
};

/// Makes one change; finds it no fault when it is made already.
pub(crate) async fn apply(
    region: &Region,
    _cx: &StepContext,
    change: &Change,
) -> Result<String, DriverError> {
    let client = &region.client;
    match change.verb.as_str() {
        CREATE_DOMAIN => create_domain(region, &text(change, "name")?).await,
        CREATE_FABRIC => {
            let name = text(change, "name")?;
            if fabrics(region)
                .await?
                .iter()
                .any(|fabric| fabric.name == name)
            {
                return Ok("was there".to_owned());
            }
            client
                .post("fabrics/", &Form::new().with("name", name))
                .await
                .map(|made| made_id(&made))
        }
        RENAME_FABRIC => {
            let form = Form::new().with("name", text(change, "name")?);
            client
                .put(&format!("fabrics/{}/", value(change, "id")?), &form)
                .await
                .map(|_| "renamed".to_owned())
        }
        CREATE_VLAN | SET_VLAN => vlan(region, change).await,
        CREATE_SUBNET | SET_SUBNET => subnet(region, change).await,
        CREATE_RANGE => range(region, change).await,
        ENABLE_DHCP => {
            let form = Form::new()
                .with("dhcp_on", "true")
                .with("primary_rack", text(change, "primary_rack")?)
                .with(
                    "secondary_rack",
                    change.after["secondary_rack"].as_str().unwrap_or_default(),
                )
                .with("relay_vlan", "");
            put_vlan(region, change, &form).await
        }
        RELAY_DHCP => {
            let cidr: IpNet = text(change, "relay_to")?
                .parse()
                .map_err(|_| malformed(change, "relay_to"))?;
            let to = find_subnet(region, cidr)
                .await?
                .ok_or_else(|| absent(change, &format!("subnet {cidr}")))?;
            put_vlan(region, change, &Form::new().with("relay_vlan", to.vlan.id)).await
        }
        _ => Err(unknown_verb(change)),
    }
}

async fn vlan(region: &Region, change: &Change) -> Result<String, DriverError> {
    let form = Form::new()
        .with("name", text(change, "name")?)
        .with("mtu", value(change, "mtu")?);
    let fabric = find_fabric(region, change).await?;
    let vid = vid(change)?;
    if fabric.vlans.iter().any(|vlan| vlan.vid == vid) {
        return put_vlan(region, change, &form).await;
    }
    let form = form.with("vid", vid);
    region
        .client
        .post(&format!("fabrics/{}/vlans/", fabric.id), &form)
        .await
        .map(|made| made_id(&made))
}

async fn put_vlan(region: &Region, change: &Change, form: &Form) -> Result<String, DriverError> {
    let fabric = find_fabric(region, change).await?;
    let answer = region
        .client
        .put(
            &format!("fabrics/{}/vlans/{}/", fabric.id, vid(change)?),
            form,
        )
        .await?;
    Ok(format!(
        "VLAN {} has MTU {}, DHCP {}",
        answer["id"], answer["mtu"], answer["dhcp_on"]
    ))
}

async fn subnet(region: &Region, change: &Change) -> Result<String, DriverError> {
    let cidr: IpNet = text(change, "cidr")?
        .parse()
        .map_err(|_| malformed(change, "cidr"))?;
    let fabric = find_fabric(region, change).await?;
    let vid = vid(change)?;
    let vlan = fabric
        .vlans
        .iter()
        .find(|vlan| vlan.vid == vid)
        .ok_or_else(|| absent(change, &format!("VLAN {vid} of fabric {}", fabric.name)))?;
    let dns: Vec<&str> = value(change, "dns")?
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let form = Form::new()
        .with("name", text(change, "name")?)
        .with("vlan", vlan.id)
        // Empty clears: a gateway that the design does not have must not stay.
        .with(
            "gateway_ip",
            change.after["gateway"].as_str().unwrap_or_default(),
        )
        .with("dns_servers", dns.join(","));
    match find_subnet(region, cidr).await? {
        Some(subnet) => {
            region
                .client
                .put(&format!("subnets/{}/", subnet.id), &form)
                .await?;
            Ok(format!("subnet {} set", subnet.id))
        }
        None => region
            .client
            .post("subnets/", &form.with("cidr", cidr))
            .await
            .map(|made| made_id(&made)),
    }
}

async fn range(region: &Region, change: &Change) -> Result<String, DriverError> {
    let cidr: IpNet = text(change, "cidr")?
        .parse()
        .map_err(|_| malformed(change, "cidr"))?;
    let subnet = find_subnet(region, cidr)
        .await?
        .ok_or_else(|| absent(change, &format!("subnet {cidr}")))?;
    let (kind, start, end) = (
        text(change, "kind")?,
        text(change, "start")?,
        text(change, "end")?,
    );
    let form = Form::new()
        .with("type", &kind)
        .with("subnet", subnet.id)
        .with("start_ip", &start)
        .with("end_ip", &end)
        .with("comment", "Configured by Drydock");
    match region.client.post("ipranges/", &form).await {
        Ok(made) => Ok(made_id(&made)),
        Err(error) if is_objection(&error) => {
            let ranges: Vec<RangeResource> = region.client.get("ipranges/").await?;
            let there = ranges
                .iter()
                .any(|range| range.kind == kind && range.start_ip == start && range.end_ip == end);
            if there {
                Ok("was there".to_owned())
            } else {
                Err(error)
            }
        }
        Err(error) => Err(error),
    }
}

async fn fabrics(region: &Region) -> Result<Vec<FabricResource>, DriverError> {
    region.client.get("fabrics/").await
}

async fn find_fabric(region: &Region, change: &Change) -> Result<FabricResource, DriverError> {
    let name = text(change, "fabric")?;
    let found = fabrics(region)
        .await?
        .into_iter()
        .find(|fabric| fabric.name == name);
    found.ok_or_else(|| absent(change, &format!("fabric {name}")))
}

async fn find_subnet(region: &Region, cidr: IpNet) -> Result<Option<SubnetResource>, DriverError> {
    let subnets: Vec<SubnetResource> = region.client.get("subnets/").await?;
    Ok(subnets
        .into_iter()
        .find(|subnet| subnet.cidr.parse::<IpNet>().is_ok_and(|own| own == cidr)))
}

fn vid(change: &Change) -> Result<u16, DriverError> {
    value(change, "vid")?
        .as_u64()
        .and_then(|vid| u16::try_from(vid).ok())
        .ok_or_else(|| malformed(change, "vid"))
}

fn made_id(made: &Value) -> String {
    format!("created with id {}", made["id"])
}

fn absent(change: &Change, what: &str) -> DriverError {
    DriverError::permanent(
        change.verb.clone(),
        change.target.clone(),
        format!("{what} is not in MaaS any more"),
        "somebody else changes MaaS's networks; run prepare_site again",
    )
}
