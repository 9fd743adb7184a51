//! What a design's machines look like from outside.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use drydock_model::effective::{Device, DeviceAlias, EffectiveDesign, Node};
use drydock_sim::{BmcKind, DiskShape, MachineShape, NicShape, SiteShape, Transport};
use secrecy::SecretString;

/// Large enough for any size a design asks for.
const DISK_BYTES: u64 = 4_000_000_000_000;
/// The kinds of controllers that the simulators are.
const SIMULATED: [&str; 2] = ["ipmi", "redfish"];

/// What a controller of this `oob.type` speaks; none if it is not simulated. Redfish shows a certificate as BMCs are delivered with.
fn bmc(kind: &str) -> Option<BmcKind> {
    match kind {
        "ipmi" => Some(BmcKind::Ipmi),
        "redfish" => Some(BmcKind::Redfish(Transport::SelfSigned)),
        _ => None,
    }
}

/// The machines of a design: cards and disks as its interfaces and storage name them, controllers as its `oob` says.
#[must_use]
pub fn site_shape(design: &EffectiveDesign) -> SiteShape {
    let mut images: Vec<(String, Vec<String>)> = Vec::new();
    for node in &design.nodes {
        let Some(image) = &node.platform.image else {
            continue;
        };
        let at = images
            .iter()
            .position(|(name, _)| name == image)
            .unwrap_or_else(|| {
                images.push((image.clone(), Vec::new()));
                images.len() - 1
            });
        if let Some(kernel) = &node.platform.kernel
            && let Some((_, kernels)) = images.get_mut(at)
            && !kernels.contains(kernel)
        {
            kernels.push(kernel.clone());
        }
    }
    SiteShape {
        machines: design
            .nodes
            .iter()
            .enumerate()
            .filter_map(|(i, node)| Some(machine(i, node, bmc(&node.oob.kind)?)))
            .collect(),
        controllers: Vec::new(),
        images,
    }
}

/// A line for each node that cannot be simulated.
#[must_use]
pub fn not_simulated(design: &EffectiveDesign) -> Vec<String> {
    design
        .nodes
        .iter()
        .filter(|node| bmc(&node.oob.kind).is_none())
        .map(|node| {
            format!(
                "{}: oob.type {:?} is not simulated, only {} are",
                node.name,
                node.oob.kind,
                SIMULATED.join(" and ")
            )
        })
        .collect()
}

fn machine(index: usize, node: &Node, bmc: BmcKind) -> MachineShape {
    let cards: Vec<&Device> = distinct(
        node.interfaces
            .iter()
            .flat_map(|interface| &interface.slaves),
    );
    let mut nics: Vec<NicShape> = cards
        .iter()
        .enumerate()
        .map(|(at, device)| NicShape {
            name: if device.alias.is_some() {
                format!("eno{}", at + 1)
            } else {
                device.name.clone()
            },
            mac: mac(index, at),
            pci_address: device
                .alias
                .as_ref()
                .map_or_else(|| format!("0000:{:02x}:00.0", at + 1), concrete),
        })
        .collect();
    if nics.is_empty() {
        nics.push(NicShape {
            name: "eno1".into(),
            mac: mac(index, 0),
            pci_address: "0000:01:00.0".into(),
        });
    }
    let boot_nic = boot_card(node)
        .and_then(|device| cards.iter().position(|card| card.name == device.name))
        .unwrap_or(0);
    if let (Some(mac), Some(nic)) = (&node.boot_mac, nics.get_mut(boot_nic)) {
        nic.mac.clone_from(mac);
    }
    let mut disks: Vec<DiskShape> = distinct(node.storage.devices.iter().map(|disk| &disk.device))
        .iter()
        .enumerate()
        .map(|(at, device)| DiskShape {
            name: if device.alias.is_some() {
                disk_name(at)
            } else {
                device.name.clone()
            },
            size_bytes: DISK_BYTES,
            address: device
                .alias
                .as_ref()
                .map_or_else(|| format!("0:0.{at}.0"), concrete),
        })
        .collect();
    if disks.is_empty() {
        disks.push(DiskShape {
            name: "sda".into(),
            size_bytes: DISK_BYTES,
            address: "0:0.0.0".into(),
        });
    }
    MachineShape {
        name: node.name.clone(),
        bmc,
        // The rules have refused such a node without an address.
        bmc_address: node
            .oob
            .address
            .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        bmc_port: node.oob.port,
        bmc_user: node.oob.account.clone().unwrap_or_default(),
        bmc_password: node
            .oob
            .credential
            .clone()
            .unwrap_or_else(|| SecretString::from("")),
        nics,
        boot_nic,
        disks,
        cpu_count: 32,
        memory_mib: 262_144,
        // As delivered: under power, and with nothing to boot. So being found takes a real power cycle.
        powered_on: true,
    }
}

/// The card of the interface that provisioning goes through: marked `noconfig`, else on a link or network named `pxe`, else the first.
fn boot_card(node: &Node) -> Option<&Device> {
    let is_pxe = |name: &str| name.starts_with("pxe");
    let interfaces = &node.interfaces;
    interfaces
        .iter()
        .find(|interface| interface.labels.contains_key("noconfig"))
        .or_else(|| {
            interfaces.iter().find(|interface| {
                is_pxe(&interface.link) || interface.networks.iter().any(|name| is_pxe(name))
            })
        })
        .or_else(|| interfaces.first())
        .and_then(|interface| interface.slaves.first())
}

fn distinct<'a>(devices: impl Iterator<Item = &'a Device>) -> Vec<&'a Device> {
    let mut seen = BTreeSet::new();
    devices
        .filter(|device| seen.insert(device.name.as_str()))
        .collect()
}

/// Locally administered, unique in the site.
fn mac(machine: usize, card: usize) -> String {
    format!(
        "52:54:{:02x}:{:02x}:{:02x}:{:02x}",
        (machine >> 16) & 0xff,
        (machine >> 8) & 0xff,
        machine & 0xff,
        card & 0xff
    )
}

/// An address that an alias stands for. For a regular expression: its literal beginning, completed, if it matches that.
fn concrete(alias: &DeviceAlias) -> String {
    let Some(pattern) = alias.address.strip_prefix("regexp:") else {
        return alias.address.clone();
    };
    let mut literal = String::new();
    let mut rest = pattern.trim_start_matches('^').chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => match rest.next().filter(char::is_ascii_punctuation) {
                Some(escaped) => literal.push(escaped),
                None => break,
            },
            next if next.is_ascii_alphanumeric() || ":-_".contains(next) => literal.push(next),
            _ => break,
        }
    }
    let means = |address: &String| {
        let read = alias.bus_address();
        read.is_ok_and(|read| read.is(address))
    };
    let completed = |whole: &str| {
        let tail = whole.get(literal.len()..).unwrap_or_default();
        let beginning = format!("{literal}{tail}");
        (0..10).map(move |last| match beginning.strip_suffix('0') {
            Some(beginning) => format!("{beginning}{last}"),
            None => beginning.clone(),
        })
    };
    ["0000:00:00.0", "0:0.0.0"]
        .into_iter()
        .flat_map(completed)
        .find(means)
        .unwrap_or_else(|| "0000:00:00.0".to_owned())
}

fn disk_name(at: usize) -> String {
    let letter = char::from(b'a' + u8::try_from(at % 26).unwrap_or(0));
    format!("sd{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_gets_an_address_that_it_matches() {
        for (address, expected) in [
            ("0000:3b:00.1", "0000:3b:00.1"),
            ("regexp:^2:", "2:00:00:00.0"),
            (r"regexp:0000:3b:.*\.1$", "0000:3b:00.1"),
            (r"regexp:0000:3b:00\.[01]", "0000:3b:00.0"),
            (r"regexp:\d:0\.0\.0$", "0:0.0.0"),
        ] {
            let alias = DeviceAlias {
                bus_type: "pci".into(),
                address: address.into(),
                dev_type: None,
            };
            assert_eq!(concrete(&alias), expected, "{address}");
        }
    }
}
