//! Nodes with everything they inherit.

use std::collections::BTreeMap;
use std::sync::Arc;

use drydock_model::design::{
    Document, HardwarePart, InterfacePart, Kind, OobPart, Ordered, Scalar,
};
use drydock_model::effective::{
    Address, Addressing, EffectiveDesign, Hardware, Interface, Network, Node, Oob, Platform, Sriov,
};
use hashbrown::HashMap;
use secrecy::SecretString;

use super::profile::Profiles;
use super::target::Targets;
use super::{hardware, refer, storage, texts};
use crate::index::Index;
use crate::inherit::Inherited;
use crate::parallel;
use crate::report::{Place, Report, at};
use crate::rules::{platform, reference, value};

/// A node being compiled: its document, and the profiles it inherits from.
pub(super) struct Draft<'a, 'r> {
    pub(super) index: &'r Index<'a>,
    pub(super) document: &'a Document,
    pub(super) chain: &'r [String],
    pub(super) report: &'r mut Report,
}

impl Draft<'_, '_> {
    /// The place of an inherited value.
    pub(super) fn place(&self, path: &[&str]) -> Place {
        self.index.locate_in(self.document, self.chain, path)
    }

    /// Tells a value that cannot be understood, where it is written.
    pub(super) fn bad(&mut self, path: &[&str], message: impl std::fmt::Display, diagnostic: &str) {
        let place = self.place(path);
        self.report.add(
            &value::VALID,
            format!("{}: {message}", path.join(".")),
            diagnostic,
            place,
        );
    }

    fn refer(&mut self, kind: Kind, name: &str, used: impl std::fmt::Display, path: &[&str]) {
        let Draft {
            index,
            document,
            chain,
            ..
        } = *self;
        refer(index, self.report, kind, name, used, || {
            index.locate_in(document, chain, path)
        });
    }
}

/// The nodes in design order. The design has all but its nodes already.
pub(super) fn compile(
    index: &Index<'_>,
    design: &EffectiveDesign,
    report: &mut Report,
) -> Vec<Arc<Node>> {
    let profiles = Profiles::resolve(index, report);
    let hardware = hardware::compile(index, report);
    let networks: HashMap<&str, &Network> = design
        .networks
        .iter()
        .map(|network| (network.name.as_str(), network))
        .collect();
    let site = Shared {
        index,
        profiles,
        hardware,
        networks,
        targets: Targets::new(design),
    };
    let documents: Vec<&Document> = index.of(Kind::BaremetalNode).collect();
    let portions: Vec<&[&Document]> = documents.chunks(PORTION).collect();
    let mut nodes = Vec::with_capacity(documents.len());
    for (compiled, found) in parallel::map(&portions, |portion| site.nodes(portion)) {
        nodes.extend(compiled);
        report.absorb(found);
    }
    site.targets.tell(index, nodes.len(), report);
    nodes
}

/// Why a node has no hardware profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absent {
    /// It names none.
    Unnamed,
    /// The one that it names, or the host profile that would name one, is not there, which is told already.
    Told,
}

/// Nodes that one thread compiles before it looks for more.
const PORTION: usize = 100;

/// What nodes have in common.
struct Shared<'a, 'r> {
    index: &'r Index<'a>,
    profiles: Profiles<'a>,
    hardware: HashMap<&'a str, Arc<Hardware>>,
    networks: HashMap<&'r str, &'r Network>,
    targets: Targets<'r>,
}

impl<'a> Shared<'a, '_> {
    fn nodes(&self, documents: &[&'a Document]) -> (Vec<Arc<Node>>, Report) {
        let mut report = Report::default();
        let nodes = documents
            .iter()
            .filter_map(|document| self.node(document, &mut report))
            .map(Arc::new)
            .collect();
        (nodes, report)
    }

    fn node(&self, document: &'a Document, report: &mut Report) -> Option<Node> {
        let own = Index::host(document)?;
        let profile = own.host_profile.as_deref();
        if let Some(profile) = profile {
            refer(
                self.index,
                report,
                Kind::HostProfile,
                profile,
                format_args!("BaremetalNode {}", document.name),
                || at(document, &["host_profile"]),
            );
        }
        let above = profile.and_then(|name| self.profiles.get(name));
        let part = Inherited::new(own, above);
        let chain = profile
            .map(|name| self.profiles.chain(name))
            .unwrap_or_default();
        let broken = profile.is_some() && Profiles::breaks_off(self.index, &chain);
        if broken {
            report.gaps.heirs.insert(document.name.clone());
        }
        let mut draft = Draft {
            index: self.index,
            document,
            chain: &chain,
            report,
        };
        let hardware_name = part.hardware_profile;
        if let Some(name) = hardware_name {
            draft.refer(
                Kind::HardwareProfile,
                name,
                "hardware_profile",
                &["hardware_profile"],
            );
        }
        let hardware = hardware_name.and_then(|name| self.hardware.get(name));
        let hardware_part = match hardware_name {
            Some(name) => self.index.hardware(name).ok_or(Absent::Told),
            None if broken => Err(Absent::Told),
            None => Err(Absent::Unnamed),
        };
        let mut node = draft.node(&part, hardware.map(|found| &**found), hardware_part);
        node.hardware = hardware.cloned();
        let primary = node
            .primary_network
            .as_deref()
            .and_then(|name| self.networks.get(name));
        if let Some(domain) = primary.and_then(|network| network.dns_domain.clone()) {
            node.domain = domain;
        }
        node.boot_actions = self.targets.of(&node);
        Some(node)
    }
}

impl Draft<'_, '_> {
    fn node(
        &mut self,
        part: &Inherited<'_>,
        hardware: Option<&Hardware>,
        hardware_part: Result<&HardwarePart, Absent>,
    ) -> Node {
        let metadata = part.metadata.as_deref();
        let addressing = self.addressing(part);
        let rack = metadata.and_then(|metadata| metadata.rack.clone());
        if let Some(rack) = rack
            .as_deref()
            .filter(|rack| !self.index.may_have(Kind::Rack, rack))
        {
            let place = self.place(&["metadata", "rack"]);
            let message = format!("metadata.rack names Rack {rack}, which is not defined");
            self.report.add(
                &reference::RACK,
                message,
                self.index.advice(Kind::Rack, rack),
                place,
            );
        }
        if let Some(network) = part.primary_network {
            self.refer(
                Kind::Network,
                network,
                "primary_network",
                &["primary_network"],
            );
        }
        Node {
            name: self.document.name.clone(),
            domain: "local".into(),
            profiles: self.chain.to_vec(),
            rack,
            tags: metadata
                .and_then(|metadata| metadata.tags.clone())
                .unwrap_or_default(),
            owner_data: texts(metadata.and_then(|metadata| metadata.owner_data.as_ref())),
            hardware: None,
            oob: self.oob(part.oob.as_deref(), &addressing),
            boot_mac: self.boot_mac(metadata.and_then(|metadata| metadata.boot_mac.as_deref())),
            interfaces: self.interfaces(part, hardware),
            addressing,
            primary_network: part.primary_network.map(str::to_owned),
            storage: storage::compile(self, part.storage.as_deref(), hardware),
            platform: self.platform(part, hardware_part),
            boot_actions: Vec::new(),
        }
    }

    fn addressing(&mut self, part: &Inherited<'_>) -> Vec<Addressing> {
        let mut found = Vec::new();
        for (number, entry) in part.addressing.iter().enumerate() {
            let number = number.to_string();
            let Some(network) = &entry.network else {
                self.bad(
                    &["addressing", &number],
                    "the network is missing",
                    "set network",
                );
                continue;
            };
            self.refer(
                Kind::Network,
                network,
                "addressing",
                &["addressing", &number, "network"],
            );
            // No address: the interface comes up without one.
            let Some(text) = entry.address.as_deref().map(str::trim) else {
                continue;
            };
            let address = if text.eq_ignore_ascii_case("dhcp") {
                Address::Dhcp
            } else {
                match text.parse() {
                    Ok(address) => Address::Static(address),
                    Err(_) => {
                        let message = format!("{text:?} is not an IP address");
                        self.bad(
                            &["addressing", &number, "address"],
                            message,
                            "write an address or dhcp",
                        );
                        continue;
                    }
                }
            };
            found.push(Addressing {
                network: network.clone(),
                address,
            });
        }
        found
    }

    fn oob(&mut self, part: Option<&OobPart>, addressing: &[Addressing]) -> Oob {
        let mut oob = Oob::default();
        for (key, value) in part.iter().flat_map(|part| part.0.iter()) {
            let text = value.as_text().to_owned();
            match key {
                "type" => oob.kind = text,
                "network" => oob.network = Some(text),
                "account" => oob.account = Some(text),
                "credential" => oob.credential = Some(SecretString::from(text)),
                "port" => match text.parse() {
                    Ok(port @ 1..) => oob.port = Some(port),
                    _ => self.bad(
                        &["oob", "port"],
                        format_args!("{text:?} is not a port"),
                        "use 1 to 65535",
                    ),
                },
                _ => {
                    oob.params.insert(key.to_owned(), text);
                }
            }
        }
        if let Some(network) = &oob.network {
            self.refer(Kind::Network, network, "oob.network", &["oob", "network"]);
            oob.address = addressing.iter().find_map(|entry| match entry.address {
                Address::Static(address) if entry.network == *network => Some(address),
                _ => None,
            });
        }
        oob
    }

    /// Lower case with colons.
    fn boot_mac(&mut self, text: Option<&str>) -> Option<String> {
        let text = text?;
        let digits: String = text
            .chars()
            .filter(|c| !matches!(c, ':' | '-' | '.'))
            .collect::<String>()
            .to_ascii_lowercase();
        if digits.len() != 12 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let message = format!("{text:?} is not a MAC address");
            self.bad(
                &["metadata", "boot_mac"],
                message,
                "write six pairs of hexadecimal digits, such as 52:54:00:12:34:56",
            );
            return None;
        }
        // IEEE 802-2014, section 8.2: the last bit of the first octet marks a group of stations.
        let group = matches!(
            digits.as_bytes()[1],
            b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f'
        );
        if group || digits.bytes().all(|digit| digit == b'0') {
            let message = format!("{text:?} is the MAC address of no single machine");
            let advice = "write that of the interface, such as 52:54:00:12:34:56";
            self.bad(&["metadata", "boot_mac"], message, advice);
            return None;
        }
        let pairs: Vec<&str> = (0..12)
            .step_by(2)
            .map(|start| &digits[start..start + 2])
            .collect();
        Some(pairs.join(":"))
    }

    fn interfaces(&mut self, part: &Inherited<'_>, hardware: Option<&Hardware>) -> Vec<Interface> {
        let mut found = Vec::new();
        for (name, interface) in part.interfaces.iter().flat_map(|all| all.iter()) {
            let used = format_args!("interface {name}");
            let Some(link) = &interface.device_link else {
                self.bad(
                    &["interfaces", name, "device_link"],
                    "is missing",
                    "name the NetworkLink of this interface",
                );
                continue;
            };
            self.refer(
                Kind::NetworkLink,
                link,
                used,
                &["interfaces", name, "device_link"],
            );
            let networks = interface.networks.clone().unwrap_or_default();
            for network in &networks {
                self.refer(
                    Kind::Network,
                    network,
                    used,
                    &["interfaces", name, "networks", network],
                );
            }
            let slaves = interface
                .slaves
                .iter()
                .flatten()
                .map(|slave| hardware::device(slave, hardware))
                .collect();
            found.push(Interface {
                name: name.to_owned(),
                link: link.clone(),
                labels: texts(interface.labels.as_ref()),
                slaves,
                networks,
                sriov: self.sriov(name, interface),
            });
        }
        found
    }

    fn sriov(&mut self, name: &str, interface: &InterfacePart) -> Option<Sriov> {
        let sriov = interface.sriov.as_ref()?;
        let count = sriov.vf_count.unwrap_or(0);
        let Ok(vf_count) = u32::try_from(count) else {
            let path = ["interfaces", name, "sriov", "vf_count"];
            self.bad(
                &path,
                format_args!("{count} is not a number of functions"),
                "write a number from 0",
            );
            return None;
        };
        Some(Sriov {
            vf_count,
            trustedmode: sriov.trustedmode.unwrap_or(false),
        })
    }

    fn platform(
        &mut self,
        part: &Inherited<'_>,
        hardware: Result<&HardwarePart, Absent>,
    ) -> Platform {
        let Some(part) = part.platform.as_deref() else {
            return Platform::default();
        };
        let mut kernel_params = BTreeMap::new();
        for (key, value) in part.kernel_params.iter().flat_map(Ordered::iter) {
            let text = match value {
                Scalar::Bool(true) => String::new(),
                Scalar::Bool(false) => continue,
                Scalar::Text(text) => match hardware::reference(text, hardware.ok()) {
                    None => text.clone(),
                    Some(Ok(found)) => found,
                    Some(Err(message)) => {
                        self.report
                            .gaps
                            .parameters
                            .insert(self.document.name.clone());
                        if hardware.err() == Some(Absent::Told) {
                            continue;
                        }
                        let place = self.place(&["platform", "kernel_params", key]);
                        let message = format!("kernel parameter {key}: {message}");
                        let advice = "define it in the hardware profile (cpu_sets, hugepages), or correct the reference";
                        self.report
                            .add(&platform::REFERENCE, message, advice, place);
                        continue;
                    }
                },
            };
            kernel_params.insert(key.to_owned(), text);
        }
        Platform {
            image: part.image.clone(),
            kernel: part.kernel.clone(),
            kernel_params,
        }
    }
}
