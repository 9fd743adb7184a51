//! Hardware profiles, their aliases, and what kernel parameters take from them.

use std::sync::Arc;

use drydock_model::design::{Document, HardwarePart, HugepagesPart, Kind, Ordered, Part, Scalar};
use drydock_model::effective::{Device, DeviceAlias, Hardware};
use drydock_model::finding::Level;
use hashbrown::HashMap;

use super::read::Reader;
use crate::index::Index;
use crate::report::{Report, at};
use crate::rules::hardware::ALIAS;

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
    for (name, set) in part.cpu_sets.iter().flat_map(Ordered::iter) {
        let text = set.as_text();
        if !is_cpu_list(text) {
            let message = format_args!("{text:?} is not a list of CPUs");
            let advice = "write numbers and ranges, such as 2,4-7";
            reader.odd(&["cpu_sets", name], message, advice);
        }
    }
    for (name, pages) in part.hugepages.iter().flat_map(Ordered::iter) {
        hugepages(&mut reader, name, pages);
    }
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
            one_device(&mut reader, &hardware, name, &alias);
            if let Err(fault) = alias.bus_address() {
                broken(&mut reader, &hardware, name, &fault);
            }
            hardware.aliases.insert(name.to_owned(), alias);
        }
    }
    hardware
}

/// Numbers and ranges, the latter with `:used/group` behind them or not, after flags of `isolcpus` or not; `all` and `N` for all and the
/// last (kernel-parameters.rst, cpu lists).
fn is_cpu_list(text: &str) -> bool {
    const WORDS: [&str; 6] = ["nohz", "domain", "managed_irq", "all", "none", "N"];
    let number = |text: &str| text.parse::<u32>().ok();
    text.split(',').map(str::trim).all(|item| {
        let range = item.split_once(':').map_or(item, |(range, _)| range);
        WORDS.contains(&item)
            || match range.split_once('-') {
                Some((first, "N")) => number(first).is_some(),
                Some((first, last)) => number(first)
                    .zip(number(last))
                    .is_some_and(|(first, last)| first <= last),
                None => number(range).is_some(),
            }
    })
}

/// Kernel parameters take the values as they are (kernel-parameters.txt: hugepages, hugepagesz).
fn hugepages(reader: &mut Reader<'_, '_>, name: &str, pages: &HugepagesPart) {
    let size = ["hugepages", name, "size"];
    let advice = "write a number with K, M or G, such as 2M";
    match pages.size.as_deref() {
        None => reader.odd(&size, "is missing", advice),
        Some(text) => {
            let digits = text.trim().to_ascii_uppercase();
            let digits = digits.trim_end_matches('B').strip_suffix(['K', 'M', 'G']);
            if !digits.is_some_and(|digits| {
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            }) {
                let message = format_args!("{text:?} is not a size of huge pages");
                reader.odd(&size, message, advice);
            }
        }
    }
    let count = ["hugepages", name, "count"];
    match pages.count {
        None => reader.odd(&count, "is missing", "write how many pages are set aside"),
        Some(number) if number < 0 => {
            let message = format_args!("{number} is not a number of pages");
            reader.bad(&count, message, "write a number from 0");
        }
        Some(_) => {}
    }
}

/// Two names for one device are two ports of a bond that is one.
fn one_device(reader: &mut Reader<'_, '_>, hardware: &Hardware, name: &str, alias: &DeviceAlias) {
    let other = hardware
        .aliases
        .iter()
        .find(|(_, other)| other.address == alias.address && other.bus_type == alias.bus_type);
    if let Some((other, _)) = other {
        let message = format!(
            "HardwareProfile {}: the aliases {other} and {name} are one device, {} on {}",
            hardware.name, alias.address, alias.bus_type
        );
        reader.report.add(
            &ALIAS,
            message,
            "write the address of each device",
            at(reader.document, &["device_aliases", name, "address"]),
        );
    }
}

/// The device would be found on no node.
fn broken(reader: &mut Reader<'_, '_>, hardware: &Hardware, name: &str, fault: &str) {
    let message = format!("HardwareProfile {}: alias {name}: {fault}", hardware.name);
    reader.report.add_level(
        &ALIAS,
        Level::Error,
        message,
        "write regexp: and an expression that matches the address of one device from its beginning, or the address itself",
        at(reader.document, &["device_aliases", name, "address"]),
    );
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
