//! What two designs differ in.

use drydock_design::diff::{Change, ChangeKind, Concern, Difference, Snapshot, diff};
use drydock_model::design::Document;
use drydock_model::effective::EffectiveDesign;
use serde_json::{Value, json};

use crate::site::{base_with, compiled, sample};

fn design(documents: &[Document]) -> EffectiveDesign {
    compiled(documents).design
}

fn snapshot(edits: &[(&str, &str)]) -> Snapshot {
    Snapshot::of(&design(&base_with(edits).0)).unwrap()
}

/// What an edit of the sound design makes of it.
fn edited(edits: &[(&str, &str)]) -> Difference {
    diff(&snapshot(&[]), &snapshot(edits))
}

fn paths(changes: &[Change]) -> Vec<String> {
    let line = |change: &Change| format!("{:?} {}", change.kind, change.path);
    changes.iter().map(line).collect()
}

/// The design as it comes back from a server.
fn told(design: &EffectiveDesign) -> Value {
    let mut value: Value = serde_json::from_str(&serde_json::to_string(design).unwrap()).unwrap();
    value["id"] = json!("7b6c1f5e-0000-4000-8000-000000000000");
    value
}

#[test]
fn what_means_the_same_is_the_same() {
    let edits: &[&[(&str, &str)]] = &[
        &[(
            "- {network: oob, address: 127.20.0.11}\n    - {network: pxe, address: dhcp}",
            "- {network: pxe, address: dhcp}\n    - {network: oob, address: 127.20.0.11}",
        )],
        &[("vlan: '100'", "vlan: 100")],
        &[("networks: [mgmt, storage]", "networks: [storage, mgmt]")],
        &[(
            "boot_mac: '52-54-00-00-00-12'",
            "boot_mac: '52:54:00:00:00:12'",
        )],
        &[("size: 20g", "size: 20000m")],
        &[("tags: [plain]", "tags: [plain, '!none']")],
    ];
    for edits in edits {
        let difference = edited(edits);
        assert!(difference.is_empty(), "{edits:?}: {difference}");
        assert_eq!(difference.to_string(), "The designs mean the same.");
    }
}

#[test]
fn a_change_of_a_profile_is_told_once_for_all_it_reaches() {
    let difference = edited(&[
        ("count: 300", "count: 400"),
        ("size: 20g", "size: '>30g'"),
        ("slaves: [nic1, nic2]", "slaves: [nic1, nic2, nic3]"),
        ("image: noble", "image: jammy"),
        (
            "owner_data: {role: worker}",
            "owner_data: {role: worker, site: north}",
        ),
    ]);
    insta::assert_snapshot!(difference);
    insta::assert_json_snapshot!(difference);
}

#[test]
fn different_nodes_are_told_apart() {
    let difference = edited(&[
        ("address: 127.20.0.11", "address: 127.20.0.13"),
        (
            "{network: pxe, address: 10.0.0.12}",
            "{network: pxe, address: dhcp}",
        ),
    ]);
    let groups: Vec<_> = difference
        .changed
        .iter()
        .map(|group| (group.nodes.join(" "), paths(&group.changes)))
        .collect();
    assert_eq!(
        groups,
        [
            (
                "n1".to_owned(),
                vec![
                    "Changed oob.address".to_owned(),
                    "Changed addressing.oob".to_owned()
                ]
            ),
            ("n2".to_owned(), vec!["Changed addressing.pxe".to_owned()]),
        ]
    );
    assert_eq!(
        difference.changed[0]
            .concerns
            .iter()
            .copied()
            .collect::<Vec<_>>(),
        [Concern::Networking, Concern::Boot]
    );
}

#[test]
fn order_counts_where_it_does() {
    let root =
        "          - name: root\n            size: 20g\n            filesystem: {mountpoint: /}\n";
    let boot = "          - name: boot\n            size: 1g\n            filesystem: {mountpoint: /boot}\n";
    let difference = edited(&[(&format!("{root}{boot}"), &format!("{boot}{root}"))]);
    assert_eq!(
        paths(&difference.changed[0].changes),
        ["Reordered storage.physical_devices.disk1.partitions"]
    );
    assert_eq!(
        difference.changed[0].changes[0].after,
        Some(json!(["boot", "root", "var"]))
    );
}

#[test]
fn nodes_come_and_go() {
    let difference = edited(&[("metadata: {name: n2}", "metadata: {name: n3}")]);
    assert_eq!(
        (difference.added, difference.removed),
        (vec!["n3".to_owned()], vec!["n2".to_owned()])
    );
    // The boot action that named n2 does not name n3 by itself, so nothing else is different.
    assert!(difference.changed.is_empty() && difference.site.is_empty());
}

#[test]
fn parts_of_the_site_say_whom_they_reach() {
    let difference = edited(&[
        ("vlan: 101", "vlan: 102"),
        ("mtu: 9000\n  trunking", "mtu: 8000\n  trunking"),
        ("labels: {zone: a}", "labels: {zone: b}"),
        (
            "chrony: 4.2-2ubuntu2, jq: ",
            "chrony: 4.2-2ubuntu2, jq: , zip: ",
        ),
        ("- node_names: [n2]", "- node_names: [n1]"),
        ("operator\n", "operator\n    - ssh-ed25519 BBBB other\n"),
        ("metadata: {name: mgmt}", "metadata: {name: mgmt}"),
    ]);
    insta::assert_snapshot!(difference);
}

#[test]
fn whole_networks_come_and_go() {
    let network = "---\napiVersion: drydock/v1\nkind: Network\nmetadata: {name: spare}\nspec: {cidr: 10.9.0.0/24}\n";
    let rack = "---\napiVersion: drydock/v1\nkind: Rack\n";
    let difference = edited(&[(rack, &format!("{network}{rack}"))]);
    assert!(difference.changed.is_empty());
    assert_eq!(difference.site.len(), 1);
    let part = &difference.site[0];
    assert_eq!(
        (part.part.to_string(), part.kind),
        ("networks.spare".into(), ChangeKind::Added)
    );
    assert_eq!(
        part.changes[0].after.as_ref().unwrap()["cidr"],
        "10.9.0.0/24"
    );
    assert!(part.reaches.is_empty() && difference.touched.is_empty());
}

#[test]
fn a_secret_that_changes_is_told_and_not_shown() {
    let first = [(
        "credential: 'env:OOB_PASSWORD'",
        "credential: hush-one, bmc_token: hush-tok",
    )];
    let second = [(
        "credential: 'env:OOB_PASSWORD'",
        "credential: hush-two, bmc_token: hush-tik",
    )];
    let difference = diff(&snapshot(&first), &snapshot(&second));
    assert_eq!(difference.changed.len(), 1, "{difference}");
    assert_eq!(
        paths(&difference.changed[0].changes),
        ["Changed oob.credential", "Changed oob.params.bmc_token"]
    );
    assert!(
        difference.changed[0]
            .changes
            .iter()
            .all(|change| change.secret)
    );
    let said = format!("{difference} {difference:?} {}", json!(difference));
    assert!(!said.contains("hush"), "{said}");
    assert!(difference.not_compared.is_empty());
    let same = diff(&snapshot(&first), &snapshot(&first));
    assert!(same.is_empty() && same.not_compared.is_empty(), "{same}");
    let none = diff(
        &snapshot(&[(", credential: 'env:OOB_PASSWORD'", "")]),
        &snapshot(&first),
    );
    assert!(paths(&none.changed[0].changes).contains(&"Changed oob.credential".to_owned()));
    assert!(!none.to_string().contains("hush"), "{none}");
}

#[test]
fn a_secret_in_the_open_is_not_shown_either() {
    let with = |value: &str| {
        let data = format!("owner_data: {{role: worker, join_token: {value}}}");
        snapshot(&[("owner_data: {role: worker}", &data)])
    };
    let changed = diff(&with("hush-one"), &with("hush-two"));
    assert_eq!(
        paths(&changed.changed[0].changes),
        ["Changed metadata.owner_data.join_token"]
    );
    let added = diff(&snapshot(&[]), &with("hush-two"));
    assert_eq!(
        paths(&added.changed[0].changes),
        ["Added metadata.owner_data.join_token"]
    );
    let said = format!("{changed} {} {added} {}", json!(changed), json!(added));
    assert!(!said.contains("hush"), "{said}");
}

#[test]
fn a_password_in_a_url_is_not_shown_either() {
    let with = |password: &str| {
        let data = format!("credential: same, libvirt_uri: 'qemu+ssh://me:{password}@host/system'");
        snapshot(&[("credential: 'env:OOB_PASSWORD'", &data)])
    };
    let difference = diff(&with("hush-one"), &with("hush-two"));
    let change = &difference.changed[0].changes[0];
    assert_eq!(change.path.to_string(), "oob.params.libvirt_uri");
    assert!(change.secret, "{change:?}");
    let said = format!("{difference} {}", json!(difference));
    assert!(
        said.contains("qemu+ssh://me:********@host/system") && !said.contains("hush"),
        "{said}"
    );
}

#[test]
fn what_a_server_keeps_to_itself_is_not_compared() {
    for name in ["seaworthy.yaml", "fullsite-deckhand.yaml"] {
        let design = design(&sample(name));
        let here = Snapshot::of(&design).unwrap();
        let there = Snapshot::from_json(told(&design)).unwrap();
        for (before, after) in [(&here, &there), (&there, &here), (&there, &there)] {
            let difference = diff(before, after);
            assert!(difference.is_empty(), "{name}: {difference}");
            assert_eq!(difference.not_compared.len(), design.nodes.len(), "{name}");
            assert!(difference.to_string().contains("could not be compared"));
        }
        let difference = diff(&here, &here);
        assert!(
            difference.is_empty() && difference.not_compared.is_empty(),
            "{name}"
        );
    }
}

#[test]
fn what_is_no_design_is_refused() {
    for (value, words) in [
        (json!([]), "no list \"nodes\""),
        (json!({ "nodes": {} }), "no list \"nodes\""),
        (
            json!({ "nodes": [{ "name": "a" }, { "name": 1 }] }),
            "nodes[1]",
        ),
    ] {
        let error = Snapshot::from_json(value).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn unknown_fields_of_another_version_are_told() {
    let design = design(&base_with(&[]).0);
    let old = told(&design);
    let mut new = old.clone();
    new["racks"][0]["height"] = json!(42);
    new["clusters"] = json!([{ "name": "k8s" }]);
    new["nodes"][1]["console"] = json!({ "port": 9 });
    let difference = diff(
        &Snapshot::from_json(old).unwrap(),
        &Snapshot::from_json(new).unwrap(),
    );
    let parts: Vec<_> = difference
        .site
        .iter()
        .map(|part| (part.part.to_string(), part.concern))
        .collect();
    assert_eq!(
        parts,
        [
            ("racks.r1".to_owned(), Concern::Identity),
            ("clusters.k8s".to_owned(), Concern::Other)
        ]
    );
    assert_eq!(paths(&difference.changed[0].changes), ["Added console"]);
    assert!(difference.changed[0].concerns.contains(&Concern::Other));
}
