//! Networking and storage of a machine through the simulated region: differences only, and what is in the way.

use std::sync::Arc;

use drydock_model::driver::Driver;
use drydock_model::effective::{Device, EffectiveDesign, Interface};
use drydock_model::step::StepAction as A;
use drydock_sim::Faults;
use serde_json::{Value, json};

use crate::run::Step;
use crate::site::{Fixture, maas_fault};

/// The machine's interfaces as the driver sees them: name, type, MTU, parents, links.
async fn interfaces(site: &Fixture) -> Vec<Value> {
    let seen = site
        .maas
        .observe(&site.step(A::ApplyNodeNetworking, "n1").cx)
        .await
        .unwrap();
    let mut all: Vec<Value> = seen.0["nics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|nic| {
            let links: Vec<Value> = nic["links"]
                .as_array()
                .unwrap()
                .iter()
                .map(|link| json!([link["mode"], link["ip"]]))
                .collect();
            json!([nic["name"], nic["kind"], nic["mtu"], nic["parents"], links])
        })
        .collect();
    all.sort_by_key(ToString::to_string);
    all
}

/// The design with another bond on n1.
fn with_bond(design: &EffectiveDesign, name: &str, devices: &[&str]) -> Arc<EffectiveDesign> {
    let mut design = design.clone();
    let mut node = (*design.nodes[0]).clone();
    let bond: &mut Interface = node.interfaces.last_mut().unwrap();
    bond.name = name.to_owned();
    bond.slaves = devices
        .iter()
        .map(|name| Device {
            name: (*name).to_owned(),
            alias: None,
        })
        .collect();
    design.nodes[0] = Arc::new(node);
    Arc::new(design)
}

#[tokio::test]
async fn networking_is_applied_as_differences() {
    let site = Fixture::start(60, 1, Faults::default()).await;
    site.prepare_site().await;
    site.prepare("n1").await;
    site.twice(&site.maas, || site.step(A::ApplyNodeNetworking, "n1"))
        .await;
    assert_eq!(
        interfaces(&site).await,
        [
            json!([
                "bond0",
                "bond",
                9000,
                ["eno2", "eno3"],
                [["static", "172.16.1.21"]]
            ]),
            json!([
                "bond0.101",
                "vlan",
                9000,
                ["bond0"],
                [["static", "172.16.2.21"]]
            ]),
            json!(["eno1", "physical", 1500, [], [["dhcp", null]]]),
            json!(["eno2", "physical", 9000, [], []]),
            json!(["eno3", "physical", 9000, [], []]),
        ]
    );
    site.step(A::DeployNode, "n1")
        .run(&site.maas)
        .await
        .unwrap();
    // A deployed machine is not touched.
    let mut after = site.step(A::ApplyNodeNetworking, "n1");
    after.run(&site.maas).await.unwrap();
    assert!(after.journal.is_empty());
    site.stop().await;
}

#[tokio::test]
async fn interfaces_in_the_way_are_restored_and_built_anew() {
    let site = Fixture::start(61, 1, Faults::default()).await;
    site.prepare_site().await;
    site.prepare("n1").await;
    let other = with_bond(&site.design, "bond9", &["eno3"]);
    Step::new(A::ApplyNodeNetworking, &other, Some("n1"))
        .run(&site.maas)
        .await
        .unwrap();
    let mut step = site.step(A::ApplyNodeNetworking, "n1");
    step.run(&site.maas).await.unwrap();
    let names: Vec<Value> = interfaces(&site)
        .await
        .into_iter()
        .map(|nic| nic[0].clone())
        .collect();
    assert_eq!(names, ["bond0", "bond0.101", "eno1", "eno2", "eno3"]);
    site.stop().await;
}

#[tokio::test]
async fn a_device_that_is_not_there_is_named() {
    let site = Fixture::start(62, 1, Faults::default()).await;
    site.prepare_site().await;
    site.prepare("n1").await;
    let wrong = with_bond(&site.design, "bond0", &["eno2", "ens9"]);
    let error = Step::new(A::ApplyNodeNetworking, &wrong, Some("n1"))
        .run(&site.maas)
        .await
        .unwrap_err();
    assert!(error.got.contains("ens9"), "{error}");
    site.stop().await;
}

#[tokio::test]
async fn lost_answers_build_nothing_twice() {
    let site = Fixture::start(63, 1, Faults::default()).await;
    site.prepare_site().await;
    site.prepare("n1").await;
    let lost = |method: &str, op: Option<&str>| maas_fault("nodes/", method, op, 502, true, 1);
    let faults = vec![
        lost("PUT", None),
        lost("POST", Some("create_bond")),
        lost("POST", Some("create_vlan")),
        lost("POST", Some("link_subnet")),
    ];
    site.world
        .set_faults(Faults {
            maas: faults,
            ..Faults::default()
        })
        .unwrap();
    let mut step = site.step(A::ApplyNodeNetworking, "n1");
    step.run(&site.maas).await.unwrap();
    assert!(step.hiccups >= 3, "{}", step.hiccups);
    assert_eq!(interfaces(&site).await.len(), 5);
    site.stop().await;
}

/// What is mounted where: disk, size in MB, type, mount point.
async fn mounts(site: &Fixture) -> Vec<Value> {
    let seen = site
        .maas
        .observe(&site.step(A::ApplyNodeStorage, "n1").cx)
        .await
        .unwrap();
    let mut all = Vec::new();
    for disk in seen.0["disks"].as_array().unwrap() {
        for part in std::iter::once(disk).chain(disk["partitions"].as_array().unwrap()) {
            let content = &part["filesystem"];
            if !content.is_null() {
                let mb = part["size"].as_u64().unwrap() / 1_000_000;
                all.push(json!([
                    disk["name"],
                    mb,
                    content["fstype"],
                    content["mount"]
                ]));
            }
        }
    }
    all.sort_by_key(ToString::to_string);
    all
}

#[tokio::test]
async fn storage_is_laid_out_once_and_then_left_alone() {
    let site = Fixture::start(64, 1, Faults::default()).await;
    site.prepare("n1").await;
    let first = site
        .twice(&site.maas, || site.step(A::ApplyNodeStorage, "n1"))
        .await;
    assert_eq!(first.counts().get("set_storage_layout"), Some(&1));
    let mounts = mounts(&site).await;
    let shape: Vec<Value> = mounts
        .iter()
        .map(|entry| json!([entry[0], entry[2], entry[3]]))
        .collect();
    for wanted in [
        json!(["sda", "xfs", "/"]),
        json!(["sda", "ext4", "/boot"]),
        json!(["sda", "xfs", "/var"]),
        json!(["sdb", "lvm-pv", null]),
        json!(["log_vg-log_lv", "xfs", "/var/log"]),
    ] {
        assert!(shape.contains(&wanted), "{wanted} is not in {mounts:?}");
    }
    assert_eq!(shape.len(), 5, "{mounts:?}");
    site.stop().await;
}

#[tokio::test]
async fn storage_that_changed_by_hand_is_laid_out_anew() {
    let site = Fixture::start(65, 1, Faults::default()).await;
    site.prepare("n1").await;
    let mut design = (*site.design).clone();
    let mut node = (*design.nodes[0]).clone();
    node.storage.devices[0].partitions.truncate(2);
    node.storage.devices[1].volume_group = None;
    node.storage.volume_groups.clear();
    design.nodes[0] = Arc::new(node);
    site.step(A::ApplyNodeStorage, "n1")
        .run(&site.maas)
        .await
        .unwrap();
    let smaller = Arc::new(design);
    let mut step = Step::new(A::ApplyNodeStorage, &smaller, Some("n1"));
    step.run(&site.maas).await.unwrap();
    assert_eq!(step.verbs()[0], "set_storage_layout");
    assert_eq!(mounts(&site).await.len(), 2);
    site.stop().await;
}

#[tokio::test]
async fn lost_answers_make_no_second_partition() {
    let site = Fixture::start(66, 1, Faults::default()).await;
    site.prepare("n1").await;
    let lost = |path: &str, op: Option<&str>| maas_fault(path, "POST", op, 502, true, 1);
    let faults = vec![
        lost("machines/", Some("set_storage_layout")),
        lost("nodes/", None),
        lost("nodes/", Some("format")),
        lost("nodes/", Some("mount")),
        lost("nodes/", Some("create_logical_volume")),
    ];
    site.world
        .set_faults(Faults {
            maas: faults,
            ..Faults::default()
        })
        .unwrap();
    let mut step = site.step(A::ApplyNodeStorage, "n1");
    step.run(&site.maas).await.unwrap();
    assert!(step.hiccups >= 5, "{}", step.hiccups);
    assert_eq!(mounts(&site).await.len(), 5);
    site.stop().await;
}
