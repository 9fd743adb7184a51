//! Which kernel name a device of the design has: by the bus address of its alias, from the `lshw` that MaaS collected.

use std::collections::BTreeMap;

use drydock_model::driver::DriverError;
use drydock_model::effective::{Device, Node};

use super::region::Region;

/// Device as the design names it, to its kernel name.
pub(crate) type Names = BTreeMap<String, String>;

/// Kernel names of these devices. One that could not be found is absent.
pub(crate) async fn names<'a>(
    region: &Region,
    system_id: &str,
    devices: impl Iterator<Item = &'a Device>,
) -> Result<Names, DriverError> {
    let mut names = Names::new();
    let mut aliases = Vec::new();
    for device in devices {
        match &device.alias {
            None => {
                names.insert(device.name.clone(), device.name.clone());
            }
            Some(alias) => aliases.push((
                &device.name,
                format!("{}@{}", alias.bus_type, alias.address),
            )),
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
        for (name, address) in aliases {
            if let Some(kernel) = found.get(&address.to_ascii_lowercase()) {
                names.insert(name.clone(), kernel.clone());
            }
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
    names.get(&device.name).map(String::as_str).ok_or_else(|| {
        let at = device.alias.as_ref().map_or_else(String::new, |alias| {
            format!(" ({} {})", alias.bus_type, alias.address)
        });
        DriverError::permanent(
            format!("finding device {}{at} of {}", device.name, node.name),
            "the hardware that MaaS collected (lshw)",
            "no device has this bus address (regexp: addresses are not understood yet)",
            "correct the hardware profile's alias or commission the machine again",
        )
    })
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
