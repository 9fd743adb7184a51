//! A domain's description (<https://libvirt.org/formatdomain.html>): what it boots from, and how to change that.
//!
//! Only the places of the boot order are touched; the rest stays as it was written, byte for byte.

use roxmltree::{Document, Node};
use serde_json::{Value, json};

use crate::oob::{Boot, BootDevice, Override};

/// What to do with a piece of text: what stands between these offsets becomes this.
struct Edit {
    from: usize,
    to: usize,
    text: String,
}

/// A parsed description.
pub(super) struct Domain<'a> {
    document: Document<'a>,
    text: &'a str,
    /// The hardware address that the machine is to boot from, in lower case.
    boot_mac: Option<String>,
}

impl<'a> Domain<'a> {
    /// Reads a description.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn parse(text: &'a str, boot_mac: Option<&str>) -> Result<Self, String> {
        let document = Document::parse(text)
            .map_err(|error| format!("the domain's description is no XML: {error}"))?;
        if !document.root_element().has_tag_name("domain") {
            return Err("what virsh gives is no domain's description".to_owned());
        }
        Ok(Domain {
            document,
            text,
            boot_mac: boot_mac.map(str::to_ascii_lowercase),
        })
    }

    fn root(&self) -> Node<'_, 'a> {
        self.document.root_element()
    }

    fn os(&self) -> Option<Node<'_, 'a>> {
        child(self.root(), "os")
    }

    pub(super) fn name(&self) -> Option<&str> {
        child(self.root(), "name")?.text()
    }

    /// Whether its firmware is UEFI.
    pub(super) fn uefi(&self) -> bool {
        self.os().is_some_and(|os| {
            let flash = |loader: Node<'_, '_>| loader.attribute("type") == Some("pflash");
            os.attribute("firmware") == Some("efi") || child(os, "loader").is_some_and(flash)
        })
    }

    /// What comes first.
    pub(super) fn boot(&self) -> Boot {
        let ordered = self.ordered();
        let device = match ordered.first() {
            Some(first) => self.kind(*first),
            None => match self.family().first() {
                None => Override::None,
                Some(&"network") => match self.first_card() {
                    Some(card) => self.kind(card),
                    None => Override::Another,
                },
                Some(&"hd") => Override::To(BootDevice::Disk),
                Some(&"cdrom") => Override::To(BootDevice::Cdrom),
                Some(_) => Override::Another,
            },
        };
        Boot {
            device,
            uefi: Some(self.uefi()),
            persistent: true,
            media: None,
        }
    }

    /// The description with this device first and the others behind it in their old order.
    ///
    /// # Errors
    /// When the domain has no such device.
    pub(super) fn booting_first(&self, device: BootDevice) -> Result<String, String> {
        let word = match device {
            BootDevice::Network => "network",
            BootDevice::Disk => "hd",
            BootDevice::Cdrom => "cdrom",
            BootDevice::Setup => {
                return Err("libvirt has no way to ask for the firmware's set-up".to_owned());
            }
        };
        let chosen = self
            .find(device)
            .ok_or_else(|| format!("the domain has nothing to {} with", device.boot()))?;
        // A family of devices means its first one.
        let by_family = self.ordered().is_empty()
            && (device != BootDevice::Network || self.first_card() == Some(chosen));
        let edits = if by_family {
            self.reorder_families(word)?
        } else {
            self.reorder_devices(chosen)
        };
        Ok(apply(self.text, edits))
    }

    /// The `dev` of each `<boot>` of `<os>`.
    fn family(&self) -> Vec<&str> {
        let Some(os) = self.os() else {
            return Vec::new();
        };
        children(os, "boot")
            .filter_map(|boot| boot.attribute("dev"))
            .collect()
    }

    fn devices(&self) -> impl Iterator<Item = Node<'_, 'a>> {
        child(self.root(), "devices")
            .into_iter()
            .flat_map(|devices| devices.children().filter(Node::is_element))
    }

    /// The devices with a place of their own in the order.
    fn ordered(&self) -> Vec<Node<'_, 'a>> {
        let mut all: Vec<(u32, Node<'_, 'a>)> = self
            .devices()
            .filter_map(|device| Some((order(device)?, device)))
            .collect();
        all.sort_by_key(|(order, _)| *order);
        all.into_iter().map(|(_, device)| device).collect()
    }

    fn first_card(&self) -> Option<Node<'_, 'a>> {
        self.devices().find(|it| it.has_tag_name("interface"))
    }

    /// What a device is to us. A card that is not the one to boot from is another device.
    fn kind(&self, device: Node<'_, '_>) -> Override {
        if device.has_tag_name("interface") {
            let other = self
                .boot_mac
                .as_deref()
                .is_some_and(|wanted| mac(device).as_deref() != Some(wanted));
            return if other {
                Override::Another
            } else {
                Override::To(BootDevice::Network)
            };
        }
        match (device.tag_name().name(), device.attribute("device")) {
            // "disk" is what a disk is where nothing is said.
            ("disk", None | Some("disk" | "lun")) => Override::To(BootDevice::Disk),
            ("disk", Some("cdrom")) => Override::To(BootDevice::Cdrom),
            _ => Override::Another,
        }
    }

    /// The first device of this kind.
    fn find(&self, device: BootDevice) -> Option<Node<'_, 'a>> {
        self.devices()
            .find(|it| self.kind(*it) == Override::To(device))
    }

    fn reorder_families(&self, first: &str) -> Result<Vec<Edit>, String> {
        let os = self
            .os()
            .ok_or("the domain's description has no element os")?;
        let old = self.family();
        let rest = old.iter().copied().filter(|dev| *dev != first);
        let order: Vec<&str> = std::iter::once(first).chain(rest).collect();
        let mut places = children(os, "boot");
        let mut edits = Vec::new();
        let mut added = String::new();
        for dev in order {
            match places.next() {
                Some(place) => edits.push(replaced(place, format!("<boot dev='{dev}'/>"))),
                None => {
                    use std::fmt::Write as _;
                    let _ = write!(added, "<boot dev='{dev}'/>");
                }
            }
        }
        edits.extend(places.map(|place| replaced(place, String::new())));
        if !added.is_empty() {
            let end = os
                .last_element_child()
                .ok_or("the domain's element os is empty")?;
            let at = end.range().end;
            edits.push(Edit {
                from: at,
                to: at,
                text: added,
            });
        }
        Ok(edits)
    }

    fn reorder_devices(&self, first: Node<'_, 'a>) -> Vec<Edit> {
        let mut old = self.ordered();
        if old.is_empty() {
            // The same order, said by device.
            let family = self.family();
            old = family
                .iter()
                .filter_map(|dev| match *dev {
                    "network" => self.first_card(),
                    "hd" => self.find(BootDevice::Disk),
                    "cdrom" => self.find(BootDevice::Cdrom),
                    _ => None,
                })
                .collect();
        }
        let rest = old.into_iter().filter(|device| *device != first);
        let mut edits: Vec<Edit> = std::iter::once(first)
            .chain(rest)
            .zip(1u32..)
            .filter_map(|(device, place)| placed(device, place))
            .collect();
        // Both ways at once are refused by libvirt.
        let families = self.os().into_iter().flat_map(|os| children(os, "boot"));
        edits.extend(families.map(|boot| replaced(boot, String::new())));
        edits
    }

    /// Disks and cards, as build data.
    pub(super) fn inventory(&self) -> Value {
        let text = |name: &str| child(self.root(), name).and_then(|it| it.text());
        let disks: Vec<Value> = self
            .devices()
            .filter(|it| it.has_tag_name("disk"))
            .map(|disk| {
                let of = |name, attribute| child(disk, name).and_then(|it| it.attribute(attribute));
                let source = child(disk, "source").and_then(|source| {
                    ["file", "dev", "volume", "name"]
                        .into_iter()
                        .find_map(|name| source.attribute(name))
                });
                json!({
                    "device": disk.attribute("device").unwrap_or("disk"),
                    "type": disk.attribute("type"),
                    "target": of("target", "dev"),
                    "bus": of("target", "bus"),
                    "serial": child(disk, "serial").and_then(|it| it.text()),
                    "source": source,
                })
            })
            .collect();
        let cards: Vec<Value> = self
            .devices()
            .filter(|it| it.has_tag_name("interface"))
            .map(|card| {
                let model = child(card, "model").and_then(|it| it.attribute("type"));
                let source = child(card, "source").and_then(|source| {
                    ["network", "bridge", "dev"]
                        .into_iter()
                        .find_map(|name| source.attribute(name))
                });
                json!({
                    "type": card.attribute("type"),
                    "mac": mac(card),
                    "model": model,
                    "source": source,
                })
            })
            .collect();
        json!({
            "name": self.name(),
            "uuid": text("uuid"),
            "hypervisor": self.root().attribute("type"),
            "memory_kib": text("memory").and_then(|it| it.parse::<u64>().ok()),
            "cpus": text("vcpu").and_then(|it| it.parse::<u64>().ok()),
            "firmware": if self.uefi() { "uefi" } else { "bios" },
            "disks": disks,
            "interfaces": cards,
        })
    }
}

fn children<'n, 'a: 'n>(
    of: Node<'n, 'a>,
    name: &'n str,
) -> impl Iterator<Item = Node<'n, 'a>> + use<'n, 'a> {
    of.children().filter(move |it| it.has_tag_name(name))
}

fn child<'n, 'a>(of: Node<'n, 'a>, name: &str) -> Option<Node<'n, 'a>> {
    of.children().find(|it| it.has_tag_name(name))
}

fn order(device: Node<'_, '_>) -> Option<u32> {
    child(device, "boot")?.attribute("order")?.parse().ok()
}

fn mac(card: Node<'_, '_>) -> Option<String> {
    let address = child(card, "mac")?.attribute("address")?;
    Some(address.to_ascii_lowercase())
}

fn replaced(node: Node<'_, '_>, text: String) -> Edit {
    let range = node.range();
    Edit {
        from: range.start,
        to: range.end,
        text,
    }
}

/// Gives a device its place. Where it has one already, only the number changes: `<boot>` may say more.
fn placed(device: Node<'_, '_>, place: u32) -> Option<Edit> {
    if let Some(boot) = child(device, "boot") {
        let order = boot.attribute_node("order")?;
        let range = order.range_value();
        return Some(Edit {
            from: range.start,
            to: range.end,
            text: place.to_string(),
        });
    }
    let at = device.first_element_child()?.range().start;
    Some(Edit {
        from: at,
        to: at,
        text: format!("<boot order='{place}'/>"),
    })
}

fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.from);
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for Edit {
        from,
        to,
        text: new,
    } in edits
    {
        out.push_str(text.get(at..from).unwrap_or_default());
        out.push_str(&new);
        at = to;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
