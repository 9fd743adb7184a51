//! Hardware profiles, their aliases, and what kernel parameters take from them.

use std::collections::HashMap;
use std::sync::Arc;

use drydock_model::design::{Document, HardwarePart, Kind, Ordered, Part, Scalar};
use drydock_model::effective::{Device, DeviceAlias, Hardware};

use super::read::Reader;
use crate::index::Index;
use crate::report::Report;

/// Every hardware profile by name, shared by the nodes that have it.
pub(super) fn compile<'a>(
    index: &Index<'a>,
    report: &mut Report,
) -> HashMap<&'a str, Arc<Hardware>> {
    let mut found = HashMap::new();
    for document in index.of(Kind::HardwareProfile) {
        if let Part::HardwareProfile(part) = &document.part {
            found.insert(
                document.name.as_str(),
                Arc::new(hardware(document, part, report)),
            );
        }
    }
    found
}

fn hardware(document: &Document, part: &HardwarePart, report: &mut Report) -> Hardware {
    let mut reader = Reader { document, report };
    let mut hardware = Hardware {
        name: document.name.clone(),
        vendor: part.vendor.clone(),
        generation: part.generation.clone(),
        hw_version: part.hw_version.clone(),
        bios_version: part.bios_version.clone(),
        boot_mode: part.boot_mode.unwrap_or_default(),
        bootstrap_protocol: part
            .bootstrap_protocol
            .map(|protocol| protocol.as_str().to_owned()),
        pxe_interface: reader.number(part.pxe_interface, &["pxe_interface"]),
        ..Hardware::default()
    };
    for (name, alias) in part.device_aliases.iter().flat_map(Ordered::iter) {
        let address = reader.required(
            alias.address.as_deref(),
            &["device_aliases", name, "address"],
        );
        let bus_type = reader.required(
            alias.bus_type.as_deref(),
            &["device_aliases", name, "bus_type"],
        );
        if let (Some(address), Some(bus_type)) = (address, bus_type) {
            let alias = DeviceAlias {
                bus_type,
                address,
                dev_type: alias.dev_type.clone(),
            };
            hardware.aliases.insert(name.to_owned(), alias);
        }
    }
    hardware
}

/// A device by the name a design gives it.
pub(super) fn device(name: &str, hardware: Option<&Hardware>) -> Device {
    Device {
        name: name.to_owned(),
        alias: hardware
            .and_then(|hardware| hardware.aliases.get(name))
            .cloned(),
    }
}

/// What a kernel parameter takes from the hardware profile: `hardwareprofile:cpuset.<name>`,
/// `hardwareprofile:hugepages.<name>.size` or `.count`. `None`: the value is no reference.
pub(super) fn reference(
    value: &str,
    part: Option<&HardwarePart>,
) -> Option<Result<String, String>> {
    // The field reference writes a colon in one example and a dot in two; the published code takes the colon only.
    let wanted = value
        .strip_prefix("hardwareprofile:")
        .or_else(|| value.strip_prefix("hardwareprofile."))?;
    let Some(part) = part else {
        return Some(Err(format!(
            "{value} needs a hardware profile, and the node has none"
        )));
    };
    let missing = || Err(format!("{value} is not in the hardware profile"));
    if let Some(name) = wanted.strip_prefix("cpuset.") {
        let found = part
            .cpu_sets
            .as_ref()
            .and_then(|sets| sets.get(name))
            .map(Scalar::as_text);
        return Some(found.map_or_else(missing, |set| Ok(set.to_owned())));
    }
    let pages = wanted
        .strip_prefix("hugepages.")
        .and_then(|rest| rest.rsplit_once('.'))
        .map(|(name, field)| {
            (
                part.hugepages.as_ref().and_then(|pages| pages.get(name)),
                field,
            )
        });
    Some(match pages {
        Some((Some(pages), "size")) => pages.size.clone().map_or_else(missing, Ok),
        Some((Some(pages), "count")) => pages
            .count
            .map_or_else(missing, |count| Ok(count.to_string())),
        Some((None, "size" | "count")) => missing(),
        _ => Err(format!("{value} is no reference that is known")),
    })
}
