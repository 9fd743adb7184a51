//! Fabrics and VLANs.

use super::region::Region;
use super::render;
use super::request::{Answer, Reply, Request, Verb};

/// A fabric.
#[derive(Debug, Clone)]
pub(super) struct Fabric {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) class_type: Option<String>,
}

/// A VLAN of a fabric.
#[derive(Debug, Clone)]
pub(super) struct Vlan {
    pub(super) id: u32,
    pub(super) fabric: u32,
    pub(super) vid: u16,
    pub(super) name: String,
    pub(super) mtu: u32,
    pub(super) dhcp_on: bool,
    pub(super) primary_rack: Option<String>,
    pub(super) secondary_rack: Option<String>,
    pub(super) relay_vlan: Option<u32>,
}

impl Fabric {
    pub(super) fn named(id: u32, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            class_type: None,
        }
    }

    /// Whether MaaS made and named it, so that it goes when its last interface leaves.
    fn is_auto(&self) -> bool {
        self.id != 0 && self.name == format!("fabric-{}", self.id)
    }
}

impl Region {
    pub(super) fn add_vlan(&mut self, fabric: u32, vid: u16) -> u32 {
        let id = self.new_id();
        self.vlans.insert(
            id,
            Vlan {
                id,
                fabric,
                vid,
                name: if vid == 0 {
                    "untagged".to_owned()
                } else {
                    vid.to_string()
                },
                mtu: 1500,
                dhcp_on: false,
                primary_rack: None,
                secondary_rack: None,
                relay_vlan: None,
            },
        );
        id
    }

    /// The untagged VLAN of a new fabric that MaaS makes for a card it found with no network on it.
    pub(super) fn auto_vlan(&mut self) -> u32 {
        let id = self.new_id();
        self.fabrics
            .insert(id, Fabric::named(id, &format!("fabric-{id}")));
        self.add_vlan(id, 0)
    }

    /// Deletes auto-made fabrics with no interface and no subnet on them.
    pub(super) fn drop_empty_fabrics(&mut self) {
        let in_use = |vlan: &Vlan| {
            self.subnets.values().any(|subnet| subnet.vlan == vlan.id)
                || self
                    .machines
                    .iter()
                    .chain(&self.racks)
                    .flat_map(|node| &node.interfaces)
                    .any(|nic| nic.vlan == Some(vlan.id))
        };
        let used: Vec<u32> = self
            .vlans
            .values()
            .filter(|vlan| in_use(vlan))
            .map(|vlan| vlan.fabric)
            .collect();
        self.fabrics
            .retain(|id, fabric| used.contains(id) || !fabric.is_auto());
        self.vlans
            .retain(|_, vlan| self.fabrics.contains_key(&vlan.fabric));
    }

    fn vlan_by_vid(&self, fabric: u32, vid: &str) -> Result<u32, Reply> {
        self.vlans
            .values()
            .find(|vlan| vlan.fabric == fabric && vid.parse() == Ok(vlan.vid))
            .map(|vlan| vlan.id)
            .ok_or_else(|| Reply::missing("VLAN"))
    }

    fn fabric_id(&self, text: &str) -> Result<u32, Reply> {
        text.parse()
            .ok()
            .filter(|id| self.fabrics.contains_key(id))
            .ok_or_else(|| Reply::missing("Fabric"))
    }

    fn fabric_name(&self, request: &Request, own: Option<u32>) -> Result<Option<String>, Reply> {
        let Some(name) = request.field("name").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        if self
            .fabrics
            .values()
            .any(|fabric| fabric.name == name && Some(fabric.id) != own)
        {
            return Err(Reply::invalid(
                "name",
                "Fabric with this Name already exists.",
            ));
        }
        let reserved = name.strip_prefix("fabric-").and_then(|n| n.parse().ok());
        if reserved.is_some_and(|id| Some(id) != own) {
            return Err(Reply::invalid("name", "Reserved fabric name."));
        }
        Ok(Some(name.to_owned()))
    }
}

/// `fabrics/` and everything below it.
pub(super) fn handle(region: &mut Region, request: &Request, path: &[&str]) -> Answer {
    match (request.verb, path) {
        (Verb::Get, []) => Ok(Reply::json(
            region
                .fabrics
                .values()
                .map(|fabric| render::fabric(region, fabric))
                .collect(),
        )),
        (Verb::Post, []) => {
            let name = region.fabric_name(request, None)?;
            let id = region.new_id();
            let name = name.unwrap_or_else(|| format!("fabric-{id}"));
            let mut fabric = Fabric::named(id, &name);
            fabric.class_type = request.field("class_type").map(str::to_owned);
            region.fabrics.insert(id, fabric);
            region.add_vlan(id, 0);
            Ok(one(region, id))
        }
        (verb, [id]) => {
            let id = region.fabric_id(id)?;
            match verb {
                Verb::Get => Ok(one(region, id)),
                Verb::Put => {
                    let name = region.fabric_name(request, Some(id))?;
                    if let (Some(name), Some(fabric)) = (name, region.fabrics.get_mut(&id)) {
                        fabric.name = name;
                    }
                    Ok(one(region, id))
                }
                Verb::Delete => delete(region, id),
                Verb::Post => Err(request.unrecognised()),
            }
        }
        (verb, [id, "vlans"]) => {
            let fabric = region.fabric_id(id)?;
            match verb {
                Verb::Get => Ok(Reply::json(
                    region
                        .vlans
                        .values()
                        .filter(|vlan| vlan.fabric == fabric)
                        .map(|vlan| render::vlan(region, vlan))
                        .collect(),
                )),
                Verb::Post => create_vlan(region, request, fabric),
                _ => Err(request.unrecognised()),
            }
        }
        (verb, [id, "vlans", vid]) => {
            let fabric = region.fabric_id(id)?;
            let vlan = region.vlan_by_vid(fabric, vid)?;
            vlan_object(region, request, verb, vlan)
        }
        _ => Err(request.unrecognised()),
    }
}

/// One VLAN, reached through its fabric or as `vlans/{id}/`.
pub(super) fn vlan_object(region: &mut Region, request: &Request, verb: Verb, vlan: u32) -> Answer {
    match verb {
        Verb::Get => Ok(one_vlan(region, vlan)),
        Verb::Put => {
            write_vlan(region, request, vlan)?;
            Ok(one_vlan(region, vlan))
        }
        Verb::Delete => {
            if region.vlans.get(&vlan).is_some_and(|vlan| vlan.vid == 0) {
                return Err(Reply::text(
                    400,
                    "This VLAN is the default VLAN in the fabric, it cannot be deleted.",
                ));
            }
            region.vlans.remove(&vlan);
            Ok(Reply::deleted())
        }
        Verb::Post => Err(request.unrecognised()),
    }
}

fn delete(region: &mut Region, id: u32) -> Answer {
    if id == 0 {
        return Err(Reply::text(
            400,
            "This fabric is the default fabric, it cannot be deleted.",
        ));
    }
    let vlans: Vec<u32> = region
        .vlans
        .values()
        .filter(|vlan| vlan.fabric == id)
        .map(|vlan| vlan.id)
        .collect();
    if region.subnets.values().any(|s| vlans.contains(&s.vlan)) {
        return Err(Reply::text(
            400,
            "Can't delete fabric; there are subnets on it.",
        ));
    }
    region.fabrics.remove(&id);
    region.vlans.retain(|_, vlan| vlan.fabric != id);
    Ok(Reply::deleted())
}

fn create_vlan(region: &mut Region, request: &Request, fabric: u32) -> Answer {
    request.required("vid")?;
    check_vid(region, request, fabric, None)?;
    let vid = request.number("vid")?.unwrap_or_default();
    let id = region.add_vlan(fabric, vid);
    if let Err(refusal) = write_vlan(region, request, id) {
        region.vlans.remove(&id);
        return Err(refusal);
    }
    Ok(one_vlan(region, id))
}

fn check_vid(
    region: &Region,
    request: &Request,
    fabric: u32,
    own: Option<u32>,
) -> Result<Option<u16>, Reply> {
    let vid = request.number::<u16>("vid")?;
    if vid.is_some_and(|vid| vid > 4094) {
        return Err(Reply::invalid("vid", "VID must be between 0 and 4094."));
    }
    let taken = region
        .vlans
        .values()
        .any(|vlan| vlan.fabric == fabric && Some(vlan.vid) == vid && Some(vlan.id) != own);
    if taken {
        return Err(Reply::invalid(
            "vid",
            "A VLAN with the specified VID already exists in the destination fabric.",
        ));
    }
    Ok(vid)
}

fn write_vlan(region: &mut Region, request: &Request, id: u32) -> Result<(), Reply> {
    let Some(mut vlan) = region.vlans.get(&id).cloned() else {
        return Err(Reply::missing("VLAN"));
    };
    if let Some(vid) = check_vid(region, request, vlan.fabric, Some(id))? {
        vlan.vid = vid;
    }
    // The name of an untagged VLAN is always reported as `untagged`; a write to it is taken and ignored.
    if let Some(name) = request.field("name").filter(|name| !name.is_empty())
        && vlan.name != "untagged"
    {
        vlan.name = name.to_owned();
    }
    if let Some(mtu) = request.number::<u32>("mtu")? {
        if !(552..=65535).contains(&mtu) {
            return Err(Reply::invalid(
                "mtu",
                "Ensure this value is greater than or equal to 552.",
            ));
        }
        vlan.mtu = mtu;
    }
    for (field, slot) in [
        ("primary_rack", &mut vlan.primary_rack),
        ("secondary_rack", &mut vlan.secondary_rack),
    ] {
        match request.field(field) {
            None => {}
            Some("") => *slot = None,
            Some(rack) if region.racks.iter().any(|node| node.system_id == rack) => {
                *slot = Some(rack.to_owned());
            }
            Some(rack) => {
                return Err(Reply::invalid(
                    field,
                    &format!("'{rack}' is not a valid {field}."),
                ));
            }
        }
    }
    match request.field("relay_vlan") {
        None => {}
        Some("") => vlan.relay_vlan = None,
        Some(text) => match text.parse().ok().filter(|id| region.vlans.contains_key(id)) {
            Some(relay) => vlan.relay_vlan = Some(relay),
            None => return Err(Reply::invalid("relay_vlan", "Select a valid choice.")),
        },
    }
    if let Some(dhcp) = request.flag("dhcp_on")? {
        if dhcp && vlan.primary_rack.is_none() {
            return Err(Reply::invalid(
                "dhcp_on",
                "dhcp can only be turned on when a primary rack controller is set.",
            ));
        }
        let has_range = region.ranges.values().any(|range| {
            range.dynamic
                && region
                    .subnets
                    .get(&range.subnet)
                    .is_some_and(|subnet| subnet.vlan == id)
        });
        if dhcp && !has_range {
            return Err(Reply::invalid(
                "dhcp_on",
                "dhcp can only be turned on when a dynamic IP range is defined.",
            ));
        }
        vlan.dhcp_on = dhcp;
    }
    region.vlans.insert(id, vlan);
    Ok(())
}

fn one(region: &Region, id: u32) -> Reply {
    region.fabrics.get(&id).map_or_else(
        || Reply::missing("Fabric"),
        |fabric| Reply::json(render::fabric(region, fabric)),
    )
}

fn one_vlan(region: &Region, id: u32) -> Reply {
    region.vlans.get(&id).map_or_else(
        || Reply::missing("VLAN"),
        |vlan| Reply::json(render::vlan(region, vlan)),
    )
}
