//! Boot orders, written in each of the two ways that there are.

#![allow(clippy::unwrap_used)]

use super::*;

const CARD: &str = "52:54:00:00:00:01";
const OTHER: &str = "52:54:00:00:00:02";

/// A domain with two cards, a disk and a CD drive; `os` and the four devices say more where wanted.
fn domain(os: &str, [first, second, disk, cd]: [&str; 4]) -> String {
    format!(
        "<domain type='kvm'>\n  <name>n1</name>\n  <os>\n    <type arch='x86_64'>hvm</type>{os}\n  </os>\n  <devices>\n    \
         <graphics type='vnc' passwd='hush'/>\n    \
         <disk type='file' device='disk'><source file='/d'/><target dev='vda'/>{disk}</disk>\n    \
         <disk type='file' device='cdrom'><target dev='sda'/>{cd}</disk>\n    \
         <interface type='network'><mac address='{CARD}'/>{first}</interface>\n    \
         <interface type='network'><mac address='52:54:00:00:00:02'/>{second}</interface>\n  </devices>\n</domain>"
    )
}

const NONE: [&str; 4] = [""; 4];
const BY_DEVICE: [&str; 4] = [
    "<boot order='2'/>",
    "",
    "<boot order='1' loadparm='2'/>",
    "<boot order='7'/>",
];

fn first(text: &str, mac: Option<&str>) -> Override {
    Domain::parse(text, mac).unwrap().boot().device
}

fn set(text: &str, mac: Option<&str>, device: BootDevice) -> String {
    let set = Domain::parse(text, mac).unwrap().booting_first(device);
    let set = set.unwrap();
    assert_eq!(first(&set, mac), Override::To(device), "{set}");
    assert!(set.contains("passwd='hush'"), "{set}");
    set
}

fn families(text: &str) -> Vec<String> {
    let domain = Domain::parse(text, None).unwrap();
    domain.family().into_iter().map(str::to_owned).collect()
}

#[test]
fn the_first_device_is_told_in_either_way() {
    let to = |device| Override::To(device);
    let disk = to(BootDevice::Disk);
    assert_eq!(first(&domain("<boot dev='hd'/>", NONE), None), disk);
    assert_eq!(first(&domain("", BY_DEVICE), None), disk);
    assert_eq!(first(&domain("", NONE), None), Override::None);
    let network = domain("<boot dev='network'/><boot dev='hd'/>", NONE);
    assert_eq!(first(&network, None), to(BootDevice::Network));
    assert_eq!(first(&network, Some(CARD)), to(BootDevice::Network));
    assert_eq!(
        first(&network, Some(OTHER)),
        Override::Another,
        "the other card"
    );
    assert_eq!(
        first(&domain("<boot dev='fd'/>", NONE), None),
        Override::Another
    );
}

#[test]
fn families_change_places_and_nothing_else_changes() {
    let old = domain("<boot dev='hd'/><boot dev='cdrom'/>", NONE);
    let new = set(&old, Some("52:54:00:00:00:01"), BootDevice::Network);
    assert_eq!(families(&new), ["network", "hd", "cdrom"]);
    let back = set(&new, None, BootDevice::Disk);
    assert_eq!(families(&back), ["hd", "network", "cdrom"]);
    let without = |text: &str| {
        let mut text = text.to_owned();
        for dev in ["hd", "cdrom", "network"] {
            text = text.replace(&format!("<boot dev='{dev}'/>"), "");
        }
        text
    };
    assert_eq!(without(&back), without(&old));
    let again = set(&back, None, BootDevice::Disk);
    assert_eq!(again, back, "what is so already stays as it is");
    let from_none = set(&domain("", NONE), None, BootDevice::Network);
    assert_eq!(families(&from_none), ["network"]);
}

#[test]
fn devices_are_numbered_anew_and_keep_what_else_they_say() {
    let new = set(&domain("", BY_DEVICE), Some(CARD), BootDevice::Network);
    assert!(new.contains("<boot order='2' loadparm='2'/>"), "{new}");
    let order: Vec<Option<String>> = {
        let domain = Domain::parse(&new, None).unwrap();
        let named = |node: &Node<'_, '_>| node.attribute("device").map(str::to_owned);
        domain.ordered().iter().map(named).collect()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(order, [None, text("disk"), text("cdrom")]);
}

#[test]
fn a_card_that_is_not_the_first_one_gets_a_place_of_its_own() {
    let old = domain("<boot dev='hd'/>", NONE);
    let new = set(&old, Some("52:54:00:00:00:02"), BootDevice::Network);
    assert_eq!(families(&new), [""; 0], "both ways at once are refused");
    let domain = Domain::parse(&new, None).unwrap();
    let order: Vec<Option<String>> = domain.ordered().into_iter().map(mac).collect();
    assert_eq!(order, [Some(OTHER.to_owned()), None], "then the disk");
}

#[test]
fn what_a_domain_does_not_have_is_refused() {
    let bare = "<domain><os><type>hvm</type></os><devices/></domain>";
    for device in BootDevice::ALL {
        let domain = Domain::parse(bare, None).unwrap();
        assert!(domain.booting_first(device).is_err(), "{device:?}");
    }
    let stranger = domain("", NONE);
    let stranger = Domain::parse(&stranger, Some("00:00:00:00:00:09")).unwrap();
    assert!(stranger.booting_first(BootDevice::Network).is_err());
    for odd in ["", "<domain", "<network/>", "not XML"] {
        assert!(Domain::parse(odd, None).is_err(), "{odd}");
    }
}

#[test]
fn firmware_and_hardware_are_told() {
    let text = domain("", BY_DEVICE);
    let bios = Domain::parse(&text, None).unwrap();
    assert!(!bios.uefi());
    let inventory = bios.inventory();
    assert_eq!(inventory["disks"][0]["source"], "/d");
    assert_eq!(inventory["interfaces"][1]["mac"], OTHER);
    assert!(!inventory.to_string().contains("hush"));
    let efi = text.replace("<os>", "<os firmware='efi'>");
    assert!(Domain::parse(&efi, None).unwrap().uefi());
    let flash = domain("<loader type='pflash'>/f</loader>", NONE);
    assert!(Domain::parse(&flash, None).unwrap().uefi());
}
