//! Which machine of MaaS a node of the design is: by power address, by boot MAC, by host name last.

use std::net::IpAddr;
use std::sync::Arc;

use drydock_model::driver::{DriverError, Report, StepPlan, Then};
use drydock_model::effective::{Address, Node};
use drydock_model::step::FACT_PROTECTED;
use serde::{Deserialize, Serialize};

use super::region::{Region, segment};
use super::resource::{ControllerResource, MachineResource};
use super::status::Status;

/// What was found.
pub(crate) enum Found {
    /// Nothing.
    Nowhere,
    /// One of MaaS's own controllers.
    Controller(String),
    /// A machine.
    Machine(Arc<MachineResource>),
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
    Machine(MachineSeen),
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
    pub locked: bool,
    pub system: String,
}

impl MachineSeen {
    fn of(machine: &MachineResource) -> Self {
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
            Found::Machine(machine) => Place::Machine(MachineSeen::of(machine)),
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

/// Finds the node.
pub(crate) async fn find(region: &Region, node: &Node) -> Result<Found, DriverError> {
    if let Some(hint) = region.hint(&node.name) {
        match region.machine(&hint).await? {
            // What MaaS lists as a machine under the node's name and boot MAC is no controller: one that becomes a
            // controller leaves that list.
            Some(machine) if is_surely(&machine, node) => return Ok(Found::Machine(machine)),
            _ => region.set_hint(&node.name, None),
        }
    }
    let controllers = region.controllers().await?;
    if let Some(controller) = controller_of(node, &controllers) {
        return Ok(Found::Controller(controller.hostname.clone()));
    }
    let found = match by_power_address(region, node).await? {
        Some(machine) => Some(machine),
        None => match by_boot_mac(region, node).await? {
            Some(machine) => Some(machine),
            None => by_hostname(region, node).await?,
        },
    };
    Ok(match found {
        Some(machine) => {
            region.set_hint(&node.name, Some(&machine.system_id));
            Found::Machine(machine)
        }
        None => Found::Nowhere,
    })
}

/// A node is a controller when it bears its name, one of its MAC addresses or one of its addresses.
fn controller_of<'a>(
    node: &Node,
    controllers: &'a [ControllerResource],
) -> Option<&'a ControllerResource> {
    controllers.iter().find(|controller| {
        controller.hostname == node.name
            || controller.interface_set.iter().any(|interface| {
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

/// What was remembered still holds: the name is the node's, and so is the boot MAC where the design gives one.
fn is_surely(machine: &MachineResource, node: &Node) -> bool {
    machine.hostname == node.name
        && node
            .boot_mac
            .as_deref()
            .is_none_or(|mac| machine.has_mac(mac))
}

async fn by_power_address(
    region: &Region,
    node: &Node,
) -> Result<Option<Arc<MachineResource>>, DriverError> {
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
    Ok(machines.pop())
}

async fn by_boot_mac(
    region: &Region,
    node: &Node,
) -> Result<Option<Arc<MachineResource>>, DriverError> {
    let Some(mac) = &node.boot_mac else {
        return Ok(None);
    };
    let machines: Vec<MachineResource> = region
        .client
        .get(&format!("machines/?mac_address={}", segment(mac)))
        .await?;
    Ok(machines
        .into_iter()
        .find(|machine| machine.has_mac(mac))
        .map(Arc::new))
}

/// A name alone is weak: a machine that bears it but is driven from elsewhere, or lacks the boot MAC, is another one.
async fn by_hostname(
    region: &Region,
    node: &Node,
) -> Result<Option<Arc<MachineResource>>, DriverError> {
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
    if let Some(address) = node.oob.address {
        let power = region.power().await?;
        if let Some(own) = power
            .get(&machine.system_id)
            .and_then(|parameters| host_of(&parameters.power_address))
            && own != address
        {
            return Err(differs(format!(
                "its power address is {own}, not {address}"
            )));
        }
    }
    Ok(Some(Arc::new(machine)))
}

/// The address in a power address: bare, with a port, or in a URL.
pub(crate) fn host_of(power_address: &str) -> Option<IpAddr> {
    let text = power_address.trim();
    if let Ok(address) = text.parse() {
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
        for (text, address) in [
            ("127.0.0.9", nine),
            (" 127.0.0.9 ", nine),
            ("127.0.0.9:623", nine),
            ("https://127.0.0.9:8443/", nine),
            ("qemu+ssh://127.0.0.9/system", nine),
            ("bmc.example", None),
            ("", None),
        ] {
            assert_eq!(host_of(text), address, "{text}");
        }
    }
}
