//! Which machine of MaaS a node of the design is: by power address, by boot MAC, by host name last.
//!
//! What is found may be erased, and a design may hold a typing error. So a machine is the node for certain only when it
//! has the boot MAC and nothing speaks against it; otherwise it must also bear the node's name, which only
//! `identify_node` gives, and that never to a machine that is somebody's.

use std::net::IpAddr;
use std::sync::Arc;

use drydock_model::driver::{DriverError, Report, StepPlan, Then};
use drydock_model::effective::{Address, Node};
use drydock_model::step::FACT_PROTECTED;
use serde::{Deserialize, Serialize};

use super::region::{Controller, Region, segment};
use super::resource::MachineResource;
use super::status::Status;

/// What was found.
pub(crate) enum Found {
    /// Nothing.
    Nowhere,
    /// One of MaaS's own controllers.
    Controller(String),
    /// A machine.
    Machine {
        /// It.
        machine: Arc<MachineResource>,
        /// The user of our API key.
        us: String,
    },
}

/// What was found, as an observation keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Place {
    /// MaaS knows no such machine.
    Unknown,
    /// It is one of MaaS's own controllers.
    Controller {
        /// Its host name.
        hostname: String,
    },
    /// It is this machine.
    Machine(Box<MachineSeen>),
}

/// A machine, as far as plans look at it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MachineSeen {
    pub system_id: String,
    pub hostname: String,
    pub domain: String,
    pub status: Status,
    pub status_name: String,
    pub status_message: String,
    pub power_type: String,
    pub owner: Option<String>,
    /// The user of our API key, to compare the owner with.
    pub us: String,
    pub locked: bool,
    pub system: String,
}

impl MachineSeen {
    fn of(machine: &MachineResource, us: &str) -> Self {
        MachineSeen {
            system_id: machine.system_id.clone(),
            hostname: machine.hostname.clone(),
            domain: machine
                .domain
                .as_ref()
                .map(|domain| domain.name.clone())
                .unwrap_or_default(),
            status: machine.status,
            status_name: machine.status_name.clone(),
            status_message: machine.status_message.clone(),
            power_type: machine.power_type.clone(),
            owner: machine.owner.clone().filter(|owner| !owner.is_empty()),
            us: us.to_owned(),
            locked: machine.locked,
            system: format!(
                "{}/{} with kernel {}",
                machine.osystem,
                machine.distro_series,
                machine
                    .hwe_kernel
                    .as_deref()
                    .filter(|kernel| !kernel.is_empty())
                    .unwrap_or("of the image")
            ),
        }
    }

    /// As a change names it.
    pub(crate) fn target(&self) -> String {
        target(&self.system_id)
    }

    /// Whose it is, when it is not ours.
    pub(crate) fn foreign_owner(&self) -> Option<&str> {
        self.owner.as_deref().filter(|owner| *owner != self.us)
    }

    /// The fault of wanting to touch a machine that is another user's.
    pub(crate) fn not_ours(&self, node: &Node, tried: &str, advice: &str) -> StepPlan {
        StepPlan::fail(DriverError::permanent(
            format!("{tried} {}", node.name),
            self.target(),
            format!(
                "it is {} and belongs to {}, not to us ({}); it is not touched",
                self.status_name,
                self.owner.as_deref().unwrap_or("nobody"),
                self.us
            ),
            advice,
        ))
    }
}

/// A machine as a change names it.
pub(crate) fn target(system_id: &str) -> String {
    format!("maas machine {system_id}")
}

impl Found {
    pub(crate) fn place(&self) -> Place {
        match self {
            Found::Nowhere => Place::Unknown,
            Found::Controller(hostname) => Place::Controller {
                hostname: hostname.clone(),
            },
            Found::Machine { machine, us } => {
                Place::Machine(Box::new(MachineSeen::of(machine, us)))
            }
        }
    }
}

/// The end of every step on a controller of MaaS itself.
pub(crate) fn left_alone(node: &Node, hostname: &str) -> StepPlan {
    let message = format!(
        "{} is MaaS's own controller {hostname}: it was left alone",
        node.name
    );
    StepPlan {
        changes: Vec::new(),
        then: Then::Done(Report::new(message).fact(FACT_PROTECTED, true)),
    }
}

/// The end of a step that needs a machine when MaaS knows none.
pub(crate) fn not_there(node: &Node, tried: &str) -> StepPlan {
    StepPlan::fail(DriverError::permanent(
        format!("{tried} of {}", node.name),
        "MaaS",
        "MaaS knows no machine with its power address, boot MAC or host name",
        "run prepare_nodes for it first",
    ))
}

/// A machine that may be the node.
struct Candidate {
    machine: Arc<MachineResource>,
    /// How it was found, when that alone does not make it the node for certain.
    doubt: Option<String>,
}

/// Finds the machine that is the node, to act on it.
///
/// # Errors
/// Permanent when it is not the node for certain and bears another name.
pub(crate) async fn find(region: &Region, node: &Node) -> Result<Found, DriverError> {
    let located = locate(region, node).await?;
    if let Located::Machine(Candidate {
        machine,
        doubt: Some(found),
    }) = &located
        && !machine.hostname.eq_ignore_ascii_case(&node.name)
    {
        return Err(DriverError::permanent(
            format!("finding {} in MaaS", node.name),
            target(&machine.system_id),
            format!("MaaS knows {found} as {}", machine.hostname),
            format!(
                "it is not touched; run prepare_nodes first if it is really {}, else correct the design",
                node.name
            ),
        ));
    }
    located.found(region).await
}

/// Finds the machine that shall become the node: one that enlisted by itself bears a name that MaaS made up.
pub(crate) async fn find_by_any_name(region: &Region, node: &Node) -> Result<Found, DriverError> {
    locate(region, node).await?.found(region).await
}

/// What MaaS takes the node for, whatever its name there.
pub(crate) async fn look(region: &Region, node: &Node) -> Result<Place, DriverError> {
    Ok(find_by_any_name(region, node).await?.place())
}

/// The end of `interrogate_node`: whether MaaS knows the node, and whether it is one of its own controllers.
pub(crate) fn told(node: &Node, place: &Place) -> StepPlan {
    match place {
        Place::Controller { hostname } => left_alone(node, hostname),
        Place::Unknown => StepPlan::done(format!("MaaS does not know {}", node.name)),
        Place::Machine(machine) => StepPlan::done(format!(
            "{} is machine {} of MaaS, state {}",
            node.name, machine.system_id, machine.status_name
        )),
    }
}

enum Located {
    Nowhere,
    Controller(String),
    Machine(Candidate),
}

impl Located {
    async fn found(self, region: &Region) -> Result<Found, DriverError> {
        Ok(match self {
            Located::Nowhere => Found::Nowhere,
            Located::Controller(hostname) => Found::Controller(hostname),
            Located::Machine(candidate) => Found::Machine {
                machine: candidate.machine,
                us: region.user().await?.to_owned(),
            },
        })
    }
}

async fn locate(region: &Region, node: &Node) -> Result<Located, DriverError> {
    if let Some(hint) = region.hint(node) {
        match region.machine(&hint).await? {
            // What MaaS lists as a machine under the node's name and boot MAC is no controller: one that becomes a
            // controller leaves that list.
            Some(machine) if is_surely(&machine, node) => {
                return Ok(Located::Machine(Candidate {
                    machine,
                    doubt: None,
                }));
            }
            _ => region.set_hint(node, None),
        }
    }
    let controllers = region.controllers().await?;
    if let Some(controller) = controller_of(node, &controllers) {
        return Ok(Located::Controller(controller.resource.hostname.clone()));
    }
    let found = match by_power_address(region, node).await? {
        Some(candidate) => Some(candidate),
        None => match by_boot_mac(region, node).await? {
            Some(candidate) => Some(candidate),
            None => by_hostname(region, node).await?,
        },
    };
    Ok(match found {
        Some(candidate) => {
            region.set_hint(node, Some(&candidate.machine.system_id));
            Located::Machine(candidate)
        }
        None => Located::Nowhere,
    })
}

/// A node is a controller when it bears its name, its power address, one of its MAC addresses or one of its addresses.
fn controller_of<'a>(node: &Node, controllers: &'a [Controller]) -> Option<&'a Controller> {
    controllers.iter().find(|controller| {
        let power = controller.power_address.as_deref().and_then(host_of);
        let resource = &controller.resource;
        resource.hostname.eq_ignore_ascii_case(&node.name)
            || (power.is_some() && power == node.oob.address)
            || resource.interface_set.iter().any(|interface| {
                let mac = match (&node.boot_mac, &interface.mac_address) {
                    (Some(ours), Some(theirs)) => ours.eq_ignore_ascii_case(theirs),
                    _ => false,
                };
                mac || interface
                    .links
                    .iter()
                    .filter_map(|link| link.ip_address.as_deref()?.parse().ok())
                    .any(|address: IpAddr| {
                        node.addressing.iter().any(
                            |own| matches!(own.address, Address::Static(own) if own == address),
                        )
                    })
            })
    })
}

/// What was remembered still holds. Only the boot MAC makes that certain: a name stays behind with the old machine when
/// the hardware is replaced, and then the power address has to be looked at.
fn is_surely(machine: &MachineResource, node: &Node) -> bool {
    machine.hostname == node.name
        && node
            .boot_mac
            .as_deref()
            .is_some_and(|mac| machine.has_mac(mac))
}

async fn by_power_address(region: &Region, node: &Node) -> Result<Option<Candidate>, DriverError> {
    let Some(address) = node.oob.address else {
        return Ok(None);
    };
    let power = region.power().await?;
    let mut machines = Vec::new();
    for (id, parameters) in power.iter() {
        if host_of(&parameters.power_address) == Some(address)
            && let Some(machine) = region.machine(id).await?
        {
            machines.push(machine);
        }
    }
    if machines.len() > 1 {
        // Several machines behind one controller: only what tells them apart counts.
        machines.retain(|machine| {
            node.boot_mac
                .as_deref()
                .map_or(machine.hostname == node.name, |mac| machine.has_mac(mac))
        });
        if machines.len() != 1 {
            return Err(DriverError::permanent(
                format!("finding {} in MaaS", node.name),
                format!("power address {address}"),
                "several machines have this power address, and neither boot MAC nor host name says which it is",
                "give the node's boot_mac in the design or correct the machines' power addresses in MaaS",
            ));
        }
    }
    let Some(machine) = machines.pop() else {
        return Ok(None);
    };
    let mut doubt = Some(format!("the machine at power address {address}"));
    if let Some(mac) = &node.boot_mac {
        if machine.has_mac(mac) {
            doubt = None;
        } else if !machine.interface_set.is_empty() {
            return Err(DriverError::permanent(
                format!("finding {} in MaaS", node.name),
                target(&machine.system_id),
                format!(
                    "{} has this power address, {address}, but no interface with boot MAC {mac}; it is not touched",
                    machine.hostname
                ),
                "correct oob address or boot_mac in the design; if its hardware was replaced, delete the old machine in MaaS",
            ));
        }
    }
    Ok(Some(Candidate { machine, doubt }))
}

/// Asked only when no machine has the node's power address. One that MaaS drives from elsewhere is in doubt: either the
/// controller has a new address, or the boot MAC in the design is somebody else's.
async fn by_boot_mac(region: &Region, node: &Node) -> Result<Option<Candidate>, DriverError> {
    let Some(mac) = &node.boot_mac else {
        return Ok(None);
    };
    let machines: Vec<MachineResource> = region
        .client
        .get(&format!("machines/?mac_address={}", segment(mac)))
        .await?;
    let Some(machine) = machines.into_iter().find(|machine| machine.has_mac(mac)) else {
        return Ok(None);
    };
    let doubt = elsewhere(region, node, &machine)
        .await?
        .map(|why| format!("the machine with boot MAC {mac} (but {why})"));
    Ok(Some(Candidate {
        machine: Arc::new(machine),
        doubt,
    }))
}

/// Says so when MaaS drives a machine through another address than the design gives.
async fn elsewhere(
    region: &Region,
    node: &Node,
    machine: &MachineResource,
) -> Result<Option<String>, DriverError> {
    let Some(address) = node.oob.address else {
        return Ok(None);
    };
    let power = region.power().await?;
    let own = power
        .get(&machine.system_id)
        .and_then(|parameters| host_of(&parameters.power_address));
    Ok(own
        .filter(|own| *own != address)
        .map(|own| format!("its power address is {own}, not {address}")))
}

/// A name alone is weak: a machine that bears it but is driven from elsewhere, or lacks the boot MAC, is another one.
async fn by_hostname(region: &Region, node: &Node) -> Result<Option<Candidate>, DriverError> {
    let machines: Vec<MachineResource> = region
        .client
        .get(&format!("machines/?hostname={}", segment(&node.name)))
        .await?;
    let Some(machine) = machines
        .into_iter()
        .find(|machine| machine.hostname == node.name)
    else {
        return Ok(None);
    };
    let differs = |what: String| {
        DriverError::permanent(
            format!("finding {} in MaaS", node.name),
            target(&machine.system_id),
            format!("it bears the node's name, but {what}"),
            "rename the machine in MaaS or correct the design; it is not touched",
        )
    };
    if let Some(mac) = &node.boot_mac
        && !machine.interface_set.is_empty()
    {
        return Err(differs(format!("has no interface with the boot MAC {mac}")));
    }
    if let Some(why) = elsewhere(region, node, &machine).await? {
        return Err(differs(why));
    }
    Ok(Some(Candidate {
        machine: Arc::new(machine),
        doubt: Some("the machine of this name".to_owned()),
    }))
}

/// The address in a power address: bare, with a port, or in a URL.
pub(crate) fn host_of(power_address: &str) -> Option<IpAddr> {
    let text = power_address.trim();
    if let Ok(address) = text.trim_matches(['[', ']']).parse() {
        return Some(address);
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip());
    }
    let url = url::Url::parse(text).ok()?;
    match url.host()? {
        url::Host::Ipv4(address) => Some(address.into()),
        url::Host::Ipv6(address) => Some(address.into()),
        url::Host::Domain(name) => name.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_address_comes_in_several_forms() {
        let nine: Option<IpAddr> = Some(IpAddr::from([127, 0, 0, 9]));
        let one: Option<IpAddr> = Some(std::net::Ipv6Addr::LOCALHOST.into());
        for (text, address) in [
            ("127.0.0.9", nine),
            (" 127.0.0.9 ", nine),
            ("127.0.0.9:623", nine),
            ("https://127.0.0.9:8443/", nine),
            ("::1", one),
            ("[::1]", one),
            ("[::1]:623", one),
            ("qemu+ssh://127.0.0.9/system", nine),
            ("bmc.example", None),
            ("", None),
        ] {
            assert_eq!(host_of(text), address, "{text}");
        }
    }
}
