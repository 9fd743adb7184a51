//! Which kernel name a device of the design has: by the bus address of its alias, from the `lshw` that MaaS collected.

use std::collections::BTreeMap;

use drydock_model::driver::DriverError;
use drydock_model::effective::{Device, DeviceAlias, Node};
use serde::{Deserialize, Serialize};

use super::region::Region;

/// Candidates that a fault names.
const MOST_NAMED: usize = 10;

/// Devices as the design names them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Names {
    /// Kernel name of each that was found.
    kernel: BTreeMap<String, String>,
    /// Why the others were not.
    missing: BTreeMap<String, String>,
}

#[cfg(test)]
impl Names {
    /// Devices that the design names by their kernel names.
    pub(crate) fn of(devices: &[&str]) -> Self {
        let kernel = devices
            .iter()
            .map(|name| ((*name).to_owned(), (*name).to_owned()))
            .collect();
        Names {
            kernel,
            missing: BTreeMap::new(),
        }
    }
}

/// Kernel names of these devices, and why some have none.
pub(crate) async fn names<'a>(
    region: &Region,
    system_id: &str,
    devices: impl Iterator<Item = &'a Device>,
) -> Result<Names, DriverError> {
    let mut names = Names::default();
    let mut aliases = Vec::new();
    for device in devices {
        match &device.alias {
            None => {
                names
                    .kernel
                    .insert(device.name.clone(), device.name.clone());
            }
            Some(alias) => aliases.push((&device.name, alias)),
        }
    }
    if !aliases.is_empty() {
        let details = region
            .client
            .get_bytes(&format!("machines/{system_id}/?op=details"))
            .await?;
        let lshw = binary(&details, "lshw")
            .map(String::from_utf8_lossy)
            .unwrap_or_default();
        let found = by_bus_address(&lshw);
        for (name, alias) in aliases {
            match resolve(alias, &found) {
                Ok(kernel) => names.kernel.insert(name.clone(), kernel.to_owned()),
                Err(why) => names.missing.insert(name.clone(), why),
            };
        }
    }
    Ok(names)
}

/// The kernel name, or the fault of a device that the machine does not have.
pub(crate) fn kernel_name<'a>(
    names: &'a Names,
    node: &Node,
    device: &Device,
) -> Result<&'a str, DriverError> {
    names
        .kernel
        .get(&device.name)
        .map(String::as_str)
        .ok_or_else(|| {
            let at = device.alias.as_ref().map_or_else(String::new, |alias| {
                format!(" ({} {})", alias.bus_type, alias.address)
            });
            let why = names.missing.get(&device.name).map_or_else(
                || "no device has this bus address".to_owned(),
                String::clone,
            );
            DriverError::permanent(
                format!("finding device {}{at} of {}", device.name, node.name),
                "the hardware that MaaS collected (lshw)",
                why,
                "correct the hardware profile's alias or commission the machine again",
            )
        })
}

/// The one device on the alias's bus that its address means.
///
/// # Errors
/// That there is none or more than one, with the devices that it could have been.
fn resolve<'f>(
    alias: &DeviceAlias,
    found: &'f BTreeMap<String, String>,
) -> Result<&'f str, String> {
    let address = alias.bus_address()?;
    let on_bus: Vec<(&str, &str)> = found
        .iter()
        .filter_map(|(place, kernel)| {
            let (bus, address) = place.split_once('@')?;
            bus.eq_ignore_ascii_case(&alias.bus_type)
                .then_some((address, kernel.as_str()))
        })
        .collect();
    let matching: Vec<(&str, &str)> = on_bus
        .iter()
        .copied()
        .filter(|(place, _)| address.is(place))
        .collect();
    match matching.as_slice() {
        [(_, kernel)] => Ok(kernel),
        [] => Err(format!(
            "no device has this bus address; those on {} are: {}",
            alias.bus_type,
            listed(&on_bus)
        )),
        several => Err(format!(
            "{} devices have such a bus address, and an alias is one device: {}",
            several.len(),
            listed(several)
        )),
    }
}

/// The first few devices with their addresses, and how many more there are.
fn listed(devices: &[(&str, &str)]) -> String {
    if devices.is_empty() {
        return "none".to_owned();
    }
    let mut shown: Vec<String> = devices
        .iter()
        .take(MOST_NAMED)
        .map(|(address, kernel)| format!("{kernel} ({address})"))
        .collect();
    if devices.len() > MOST_NAMED {
        shown.push(format!("{} more", devices.len() - MOST_NAMED));
    }
    shown.join(", ")
}

/// A binary member of a BSON document (bsonspec.org 1.1). MaaS sends no other kind of member here.
fn binary<'a>(document: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let mut rest = document.get(4..)?;
    while let [0x05, tail @ ..] = rest {
        let end = tail.iter().position(|byte| *byte == 0)?;
        let (name, tail) = (tail.get(..end)?, tail.get(end + 1..)?);
        let length = usize::try_from(i32::from_le_bytes(tail.get(..4)?.try_into().ok()?)).ok()?;
        let value = tail.get(5..)?.get(..length)?;
        if name == wanted.as_bytes() {
            return Some(value);
        }
        rest = tail.get(5..)?.get(length..)?;
    }
    None
}

/// Bus address in lower case to kernel name, of every device that has both.
///
/// In `lshw -xml` an element's own fields come before its child elements, so each piece between two starts of `<node`
/// holds exactly one element's.
fn by_bus_address(lshw: &str) -> BTreeMap<String, String> {
    let field = |piece: &str, name: &str| -> Option<String> {
        let (_, tail) = piece.split_once(&format!("<{name}>"))?;
        let (value, _) = tail.split_once(&format!("</{name}>"))?;
        Some(value.trim().to_owned())
    };
    lshw.split("<node ")
        .skip(1)
        .filter_map(|piece| {
            let address = field(piece, "businfo")?.to_ascii_lowercase();
            let name = field(piece, "logicalname")?;
            Some((
                address,
                name.strip_prefix("/dev/").unwrap_or(&name).to_owned(),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn devices_are_found_by_bus_address() {
        let lshw = r#"<list><node id="server"><node id="pci"><businfo>pci@0000:00:00.0</businfo>
            <node id="network:0"><businfo>pci@0000:00:1A.0</businfo><logicalname>eno1</logicalname></node>
            <node id="disk"><businfo>scsi@2:0.0.0</businfo><logicalname>/dev/sda</logicalname>
              <node id="volume"><logicalname>/dev/sda1</logicalname></node></node></node></node></list>"#;
        let found = by_bus_address(lshw);
        assert_eq!(
            found.get("pci@0000:00:1a.0").map(String::as_str),
            Some("eno1")
        );
        assert_eq!(found.get("scsi@2:0.0.0").map(String::as_str), Some("sda"));
        assert_eq!(found.len(), 2);
    }

    fn alias(bus_type: &str, address: &str) -> DeviceAlias {
        DeviceAlias {
            bus_type: bus_type.into(),
            address: address.into(),
            dev_type: None,
        }
    }

    #[test]
    fn an_expression_finds_one_device_on_its_bus() {
        let found: BTreeMap<String, String> = [
            ("pci@0000:00:1a.0", "eno1"),
            ("pci@0000:3b:00.0", "ens1f0"),
            ("pci@0000:3b:00.1", "ens1f1"),
            ("scsi@2:0.0.0", "sda"),
            ("usb@0000:3b:00.0", "usb0"),
        ]
        .map(|(place, kernel)| (place.to_owned(), kernel.to_owned()))
        .into();
        for (bus, address, expected) in [
            ("pci", "0000:00:1A.0", "eno1"),
            ("pci", "regexp:0000:3B:.*\\.0", "ens1f0"),
            ("pci", "regexp:^0000:3b:00.1$", "ens1f1"),
            ("scsi", "regexp:2:", "sda"),
            ("usb", "regexp:.*3b", "usb0"),
        ] {
            assert_eq!(resolve(&alias(bus, address), &found), Ok(expected));
        }
        for (address, says) in [
            (
                "regexp:0000:3b",
                "2 devices have such a bus address, and an alias is one device: ens1f0 (0000:3b:00.0), ens1f1 (0000:3b:00.1)",
            ),
            (
                "regexp:3b",
                "those on pci are: eno1 (0000:00:1a.0), ens1f0 (0000:3b:00.0), ens1f1 (0000:3b:00.1)",
            ),
            ("regexp:(", "cannot be read"),
        ] {
            let why = resolve(&alias("pci", address), &found).unwrap_err();
            assert!(why.contains(says), "{address}: {why}");
        }
        let why = resolve(&alias("virtio", "0"), &found).unwrap_err();
        assert!(why.ends_with("those on virtio are: none"), "{why}");
    }

    #[test]
    fn a_device_that_is_not_found_is_a_fault_of_its_own() {
        let device = |name: &str, alias| Device {
            name: name.to_owned(),
            alias,
        };
        let names = Names {
            kernel: [("sdb".to_owned(), "sdb".to_owned())].into(),
            missing: [("nic1".to_owned(), "2 devices: a, b".to_owned())].into(),
        };
        let node = crate::maas::trial::node("n1");
        assert_eq!(
            kernel_name(&names, &node, &device("sdb", None)).unwrap(),
            "sdb"
        );
        let lost = device("nic1", Some(alias("pci", "regexp:0000")));
        let fault = kernel_name(&names, &node, &lost).unwrap_err();
        assert!(!fault.is_transient());
        let text = fault.to_string();
        assert!(
            text.contains("2 devices: a, b") && text.contains("(pci regexp:0000)"),
            "{text}"
        );
    }

    #[test]
    fn a_broken_document_gives_nothing() {
        let document = b"\x13\0\0\0\x05a\0\x02\0\0\0\0hi\0";
        assert_eq!(binary(document, "a"), Some(&b"hi"[..]));
        for length in 0..document.len() - 1 {
            let _ = binary(&document[..length], "b");
        }
        assert_eq!(binary(b"\0\0\0\0\x05a\0\xff\xff\xff\x7f\0", "a"), None);
    }
}
