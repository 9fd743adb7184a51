//! `?op=details`: the lshw and LLDP documents of a machine, as binary members of a BSON document.

use std::fmt::Write;

use super::node::Node;
use super::request::{Body, Reply};

/// The answer for a node.
pub(super) fn document(node: &Node) -> Reply {
    let known = node.commissioned.is_some();
    let lshw = if known {
        lshw(node)
    } else {
        "<list/>".to_owned()
    };
    let lldp = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<lldp label=\"LLDP neighbors\"/>\n";
    Reply {
        status: 200,
        body: Body::Bson(bson(&[
            ("lshw", lshw.as_bytes()),
            ("lldp", lldp.as_bytes()),
        ])),
    }
}

/// A BSON document of binary members (bsonspec.org version 1.1: element type 0x05, subtype 0).
fn bson(members: &[(&str, &[u8])]) -> Vec<u8> {
    let length = |bytes: usize| i32::try_from(bytes).unwrap_or(i32::MAX).to_le_bytes();
    let mut elements = Vec::new();
    for (name, value) in members {
        elements.push(0x05);
        elements.extend_from_slice(name.as_bytes());
        elements.push(0);
        elements.extend_from_slice(&length(value.len()));
        elements.push(0);
        elements.extend_from_slice(value);
    }
    elements.push(0);
    let mut document = length(elements.len() + 4).to_vec();
    document.append(&mut elements);
    document
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn bus_address(bus: &str, address: &str) -> String {
    if address.contains('@') {
        escape(address)
    } else {
        format!("{bus}@{}", escape(address))
    }
}

/// What `lshw -xml` says of such a machine.
pub(super) fn lshw(node: &Node) -> String {
    let hardware = &node.hardware;
    let mut out = String::from("<?xml version=\"1.0\" standalone=\"yes\" ?>\n<list>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "<node id=\"{}\" claimed=\"true\" class=\"system\" handle=\"DMI:0001\">\n <description>Computer</description>\n \
         <product>Simulated Server</product>\n <vendor>drydock-sim</vendor>\n <serial>{}</serial>\n <width units=\"bits\">64</width>\n\
         <node id=\"core\" claimed=\"true\" class=\"bus\" handle=\"DMI:0002\">\n <description>Motherboard</description>",
        escape(&node.hostname),
        escape(&hardware.name),
    );
    let _ = writeln!(
        out,
        "<node id=\"memory\" claimed=\"true\" class=\"memory\" handle=\"DMI:0003\">\n <description>System Memory</description>\n \
         <size units=\"bytes\">{}</size>\n</node>\n<node id=\"cpu\" claimed=\"true\" class=\"processor\" handle=\"DMI:0004\">\n \
         <description>CPU</description>\n <businfo>cpu@0</businfo>\n <configuration>\n  <setting id=\"threads\" value=\"{}\" />\n \
         </configuration>\n</node>\n<node id=\"pci\" claimed=\"true\" class=\"bridge\" handle=\"PCIBUS:0000:00\">",
        hardware.memory_mib * 1024 * 1024,
        hardware.cpu_count,
    );
    for (index, nic) in hardware.nics.iter().enumerate() {
        let businfo = bus_address("pci", &nic.pci_address);
        let _ = writeln!(
            out,
            "<node id=\"network:{index}\" claimed=\"true\" class=\"network\" handle=\"PCI:{}\">\n \
             <description>Ethernet interface</description>\n <product>Simulated Ethernet</product>\n \
             <businfo>{businfo}</businfo>\n <logicalname>{}</logicalname>\n <serial>{}</serial>\n</node>",
            escape(&nic.pci_address),
            escape(&nic.name),
            nic.mac.to_ascii_lowercase(),
        );
    }
    for (index, disk) in hardware.disks.iter().enumerate() {
        let businfo = bus_address("scsi", &disk.address);
        let _ = writeln!(
            out,
            "<node id=\"disk:{index}\" claimed=\"true\" class=\"disk\" handle=\"SCSI:{index:02}:00:00:00\">\n \
             <description>ATA Disk</description>\n <product>SIMDISK</product>\n <businfo>{businfo}</businfo>\n \
             <logicalname>/dev/{}</logicalname>\n <size units=\"bytes\">{}</size>\n</node>",
            escape(&disk.name),
            disk.size_bytes,
        );
    }
    out.push_str("</node>\n</node>\n</node>\n</list>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bson_as_the_real_server_wrote_it() {
        let recorded = b"\x29\0\0\0\x05lldp\0\x07\0\0\0\0<lldp/>\x05lshw\0\x07\0\0\0\0<list/>\0";
        assert_eq!(
            bson(&[("lldp", b"<lldp/>"), ("lshw", b"<list/>")]),
            recorded
        );
    }
}
