//! The law of the comparison: whatever changes in a serialised design is told, at its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drydock_design::diff::{ChangeKind, Concern, Difference, Snapshot, diff};
use drydock_model::effective::{
    Address, Addressing, Device, DeviceAlias, EffectiveDesign, Filesystem, FirmwareMode, Hardware,
    Interface, LogicalVolume, Node, Oob, Partition, PhysicalDevice, Platform, Size, Sriov, Storage,
    VolumeGroup,
};
use serde_json::{Value, json};

use crate::site::{base_with, compiled, sample};

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

fn device(name: &str) -> Device {
    Device {
        name: name.into(),
        alias: Some(DeviceAlias {
            bus_type: "pci".into(),
            address: "0000:00:03.0".into(),
            dev_type: Some("model".into()),
        }),
    }
}

fn filesystem(mountpoint: &str) -> Option<Filesystem> {
    Some(Filesystem {
        mountpoint: Some(mountpoint.into()),
        fstype: "ext4".into(),
        mount_options: "defaults".into(),
        fs_uuid: Some("u1".into()),
        fs_label: Some("l1".into()),
    })
}

/// A node with every field set. Each struct is written out, so that a new field has to be set here, too.
fn rich() -> Node {
    Node {
        name: "n1".into(),
        domain: "example.com".into(),
        profiles: vec!["worker".into(), "base".into()],
        rack: Some("r1".into()),
        tags: vec!["a".into(), "b".into()],
        owner_data: texts(&[("role", "worker"), ("rack", "no field")]),
        hardware: Some(Arc::new(Hardware {
            name: "model-a".into(),
            vendor: Some("v".into()),
            generation: Some("8".into()),
            hw_version: Some("3".into()),
            bios_version: Some("2".into()),
            boot_mode: FirmwareMode::Uefi,
            bootstrap_protocol: Some("pxe".into()),
            pxe_interface: Some(0),
            aliases: [("nic1".to_owned(), device("nic1").alias.unwrap())].into(),
        })),
        oob: Oob {
            kind: "ipmi".into(),
            network: Some("oob".into()),
            address: Some("127.0.0.1".parse().unwrap()),
            port: Some(623),
            account: Some("root".into()),
            credential: Some("hush".to_owned().into()),
            params: texts(&[("libvirt_uri", "qemu:///"), ("password", "hush")]),
        },
        boot_mac: Some("52:54:00:00:00:01".into()),
        interfaces: vec![Interface {
            name: "bond0".into(),
            link: "data".into(),
            labels: texts(&[("noconfig", "true")]),
            slaves: vec![device("nic1"), device("nic2")],
            networks: vec!["mgmt".into()],
            sriov: Some(Sriov {
                vf_count: 4,
                trustedmode: true,
            }),
        }],
        addressing: vec![
            Addressing {
                network: "mgmt".into(),
                address: Address::Static("10.0.0.1".parse().unwrap()),
            },
            Addressing {
                network: "pxe".into(),
                address: Address::Dhcp,
            },
        ],
        primary_network: Some("mgmt".into()),
        storage: Storage {
            devices: vec![PhysicalDevice {
                device: device("sda"),
                labels: texts(&[("bootdrive", "true")]),
                volume_group: Some("vg0".into()),
                partitions: vec![Partition {
                    name: "root".into(),
                    size: Size::Bytes(1),
                    bootable: true,
                    part_uuid: Some("u2".into()),
                    volume_group: Some("vg1".into()),
                    filesystem: filesystem("/"),
                }],
            }],
            volume_groups: vec![VolumeGroup {
                name: "vg0".into(),
                vg_uuid: Some("u3".into()),
                logical_volumes: vec![LogicalVolume {
                    name: "log".into(),
                    lv_uuid: Some("u4".into()),
                    size: Size::AtLeastPercent(10),
                    filesystem: filesystem("/var/log"),
                }],
            }],
        },
        platform: Platform {
            image: Some("noble".into()),
            kernel: Some("ga-24.04".into()),
            kernel_params: texts(&[("hugepages", "300"), ("a.b", "1")]),
        },
        boot_actions: vec!["hello".into()],
    }
}

/// The names of the documents, written down once more and by hand.
const WORDS: [(&str, &str); 13] = [
    ("profiles", "host_profile"),
    ("rack", "metadata.rack"),
    ("tags", "metadata.tags"),
    ("owner_data", "metadata.owner_data"),
    ("hardware/aliases", "hardware_profile.device_aliases"),
    ("hardware", "hardware_profile"),
    ("boot_mac", "metadata.boot_mac"),
    ("oob/kind", "oob.type"),
    ("interfaces/bond0/link", "interfaces.bond0.device_link"),
    (
        "storage/devices/sda/device/alias",
        "storage.physical_devices.sda.alias",
    ),
    ("storage/devices", "storage.physical_devices"),
    ("addressing/mgmt/address", "addressing.mgmt"),
    ("addressing/pxe/address", "addressing.pxe"),
];

/// All leaves below a value, as JSON pointers.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                leaves(value, &format!("{at}/{}", escaped(key)), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                leaves(value, &format!("{at}/{index}"), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

/// Makes something else of a leaf.
fn mutate(value: &mut Value) {
    *value = match value.take() {
        Value::Null => json!("something"),
        Value::Bool(value) => json!(!value),
        Value::Number(number) => json!(number.as_u64().unwrap() + 1),
        Value::String(text) => json!(format!("{text}x")),
        other => panic!("{other} is no leaf"),
    };
}

/// Where the documents have the leaf of a node: by names, lists of plain values as one. And the name, when the leaf is what its item goes by.
fn place(node: &Value, pointer: &str) -> (String, bool) {
    let mut named = Vec::new();
    let mut value = node;
    let segments: Vec<&str> = pointer.split('/').skip(1).collect();
    let mut item: Option<(usize, &str)> = None;
    for (depth, segment) in segments.iter().enumerate() {
        match value {
            Value::Array(items) => {
                value = &items[segment.parse::<usize>().unwrap()];
                let own = ["/name", "/network", "/device/name"];
                let Some((by, name)) = own
                    .into_iter()
                    .find_map(|by| Some((by, value.pointer(by)?.as_str()?)))
                else {
                    break;
                };
                item = Some((depth, by));
                named.push(name.to_owned());
            }
            other => {
                value = &other[*segment];
                named.push((*segment).to_owned());
            }
        }
    }
    let is_key =
        item.is_some_and(|(depth, by)| format!("/{}", segments[depth + 1..].join("/")) == by);
    if is_key {
        let (depth, _) = item.unwrap();
        named.truncate(depth + 1);
    }
    if let Some(size) = named.iter().position(|name| name == "size") {
        named.truncate(size + 1);
    }
    if named.last().is_some_and(|name| name == "static") {
        named.pop();
    }
    let plain = named.join("/");
    let word = WORDS
        .iter()
        .find(|(from, _)| plain == *from || plain.starts_with(&format!("{from}/")));
    let (from, to) = word.copied().unwrap_or(("", ""));
    let rest = plain[from.len()..].trim_start_matches('/');
    let mut path: Vec<String> = Vec::new();
    if !to.is_empty() {
        path.push(to.to_owned());
    }
    if !rest.is_empty() {
        let quoted = |name: &str| {
            if name.contains('.') {
                format!("{name:?}")
            } else {
                name.to_owned()
            }
        };
        path.extend(rest.split('/').map(quoted));
    }
    (path.join("."), is_key)
}

fn design_of(node: Node) -> EffectiveDesign {
    let mut design = compiled(&base_with(&[]).0).design;
    design.nodes = vec![Arc::new(node)];
    design
}

fn compare(before: &Value, after: &Value) -> Difference {
    diff(
        &Snapshot::from_json(before.clone()).unwrap(),
        &Snapshot::from_json(after.clone()).unwrap(),
    )
}

#[test]
fn each_leaf_of_a_node_is_told_at_its_place() {
    let before = json!(design_of(rich()));
    let mut pointers = Vec::new();
    leaves(&before["nodes"][0], "", &mut pointers);
    assert!(pointers.len() > 70, "{}", pointers.len());
    let mut seen = BTreeSet::new();
    for pointer in pointers {
        if pointer == "/name" {
            // Another name is another node.
            continue;
        }
        let (expected, is_key) = place(&before["nodes"][0], &pointer);
        let mut after = before.clone();
        let leaf = after["nodes"][0].pointer_mut(&pointer).unwrap();
        assert!(!leaf.is_null(), "{pointer} of the rich node is not set");
        let redacted = *leaf == "********";
        mutate(leaf);
        let difference = compare(&before, &after);
        // A server tells neither secret of the node, so they are never compared here.
        let hidden: Vec<_> = difference
            .not_compared
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            hidden,
            ["nodes.n1.oob.credential", "nodes.n1.oob.params.password"],
            "{pointer}"
        );
        assert!(difference.site.is_empty());
        if redacted {
            assert!(hidden.contains(&format!("nodes.n1.{expected}")));
            assert!(difference.is_empty());
            continue;
        }
        assert_eq!(difference.changed.len(), 1, "{pointer}: {difference}");
        let group = &difference.changed[0];
        assert!(
            !group.concerns.contains(&Concern::Other),
            "{pointer}: whom does it concern?"
        );
        let told: Vec<_> = group
            .changes
            .iter()
            .map(|change| (change.kind, change.path.to_string()))
            .collect();
        if is_key {
            let kinds: Vec<_> = told.iter().map(|(kind, _)| *kind).collect();
            assert_eq!(kinds, [ChangeKind::Removed, ChangeKind::Added], "{pointer}");
            assert_eq!(
                (&told[0].1, &told[1].1),
                (&expected, &format!("{expected}x"))
            );
        } else {
            assert_eq!(told, [(ChangeKind::Changed, expected.clone())], "{pointer}");
        }
        let list = pointer.rsplit('/').next().unwrap().parse::<usize>().is_ok();
        assert!(
            seen.insert((expected.clone(), is_key)) || list,
            "{pointer}: {expected} is told twice"
        );
        let back = compare(&after, &before);
        assert_eq!(
            back.changed[0].changes.len(),
            group.changes.len(),
            "{pointer}"
        );
    }
}

#[test]
fn each_secret_of_a_node_is_compared_when_it_is_known() {
    let serialised = json!(rich());
    let mut pointers = Vec::new();
    leaves(&serialised, "", &mut pointers);
    let hidden = pointers
        .iter()
        .filter(|at| *serialised.pointer(at).unwrap() == "********");
    assert_eq!(
        hidden.collect::<Vec<_>>(),
        ["/oob/credential", "/oob/params/password"]
    );

    let known = |node| Snapshot::of(&design_of(node)).unwrap();
    assert!(diff(&known(rich()), &known(rich())).not_compared.is_empty());
    let mut other = rich();
    other.oob.credential = Some("other".to_owned().into());
    other.oob.params.insert("password".into(), "other".into());
    let difference = diff(&known(rich()), &known(other));
    assert_eq!(difference.changed[0].changes.len(), 2, "{difference}");
    assert!(
        difference.changed[0]
            .changes
            .iter()
            .all(|change| change.secret)
    );
}

#[test]
fn each_leaf_of_a_site_is_told_in_its_part() {
    let designs = [
        base_with(&[]).0,
        sample("fullsite-deckhand.yaml"),
        sample("routedomain.yaml"),
    ];
    for documents in designs {
        let before = json!(compiled(&documents).design);
        let mut pointers = Vec::new();
        leaves(&before, "", &mut pointers);
        pointers.retain(|at| !(at.starts_with("/nodes/") || at == "/digest"));
        assert!(pointers.len() > 30, "{}", pointers.len());
        for pointer in pointers {
            let mut after = before.clone();
            mutate(after.pointer_mut(&pointer).unwrap());
            let difference = compare(&before, &after);
            assert!(difference.changed.is_empty(), "{pointer}: {difference}");
            let kinds: Vec<_> = difference.site.iter().map(|part| part.kind).collect();
            let own_name = pointer.ends_with("/name") && pointer.split('/').count() == 4;
            if own_name {
                assert_eq!(kinds, [ChangeKind::Removed, ChangeKind::Added], "{pointer}");
            } else {
                assert_eq!(kinds, [ChangeKind::Changed], "{pointer}: {difference}");
                assert!(
                    (1..=2).contains(&difference.site[0].changes.len()),
                    "{pointer}: {difference}"
                );
            }
            assert!(
                difference
                    .site
                    .iter()
                    .all(|part| part.concern != Concern::Other)
            );
        }
    }
}

/// Removing a key, a list item, or adding a null is seen as well: nothing is the same by being nothing.
#[test]
fn what_goes_and_what_is_nothing_is_told() {
    let before = json!(design_of(rich()));
    let fields: Vec<String> = before["nodes"][0]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    for field in fields.iter().filter(|field| *field != "name") {
        for nothing in [None, Some(Value::Null)] {
            let mut after = before.clone();
            let node = after["nodes"][0].as_object_mut().unwrap();
            match nothing {
                None => node.remove(field),
                Some(null) => node.insert(field.clone(), null),
            };
            for (before, after) in [(&before, &after), (&after, &before)] {
                let difference = compare(before, after);
                assert_eq!(difference.changed.len(), 1, "{field}: {difference}");
                assert_eq!(
                    difference.changed[0].changes.len(),
                    1,
                    "{field}: {difference}"
                );
            }
        }
    }
    let mut after = before.clone();
    after["nodes"][0]["platform"]["kernel_params"]["new"] = Value::Null;
    let change = &compare(&before, &after).changed[0].changes[0];
    assert_eq!(
        (change.kind, change.path.to_string()),
        (ChangeKind::Added, "platform.kernel_params.new".into())
    );
}
