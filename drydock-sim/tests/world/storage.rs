//! Disks of a machine: layouts, partitions, volume groups.

use drydock_sim::Faults;
use serde_json::json;

use super::site::Site;

#[tokio::test]
async fn layouts_partitions_and_groups() {
    let site = Site::start(80, 1, Faults::default()).await;
    let node = site.enlist(1).await;
    site.commission(&node, "Ready").await;
    let maas = &site.maas;
    let layout = [
        ("storage_layout", "flat"),
        ("boot_size", "1000000000"),
        ("root_size", "20000000000"),
    ];
    let sizes = json!([998_244_352_u64, 19_998_441_472_u64]);
    for round in 0..2 {
        let laid = site.op(&node, "set_storage_layout", &layout).await.good();
        let parts = laid["blockdevice_set"][0]["partitions"].as_array().unwrap();
        let found: Vec<_> = parts.iter().map(|part| part["size"].clone()).collect();
        assert_eq!(json!(found), sizes, "round {round}");
        assert_eq!(parts[1]["filesystem"]["mount_point"], "/");
    }
    let disks = maas
        .get(&format!("nodes/{node}/blockdevices/"))
        .await
        .good();
    assert_eq!(
        (&disks[0]["used_size"], &disks[0]["available_size"]),
        (&json!(21_002_977_280_u64), &json!(458_995_269_632_u64))
    );
    let sdb = format!("nodes/{node}/blockdevices/{}/", disks[1]["id"]);
    let none = maas.get(&format!("{sdb}partitions/")).await;
    assert_eq!(
        (none.status, none.text.as_str()),
        (500, "\"PartitionTable matching query does not exist.\"")
    );
    let big = maas
        .post(&format!("{sdb}partitions/"), &[("size", "990000000000")])
        .await;
    assert!(
        big.text
            .contains("Ensure this value is less than or equal to 480000000000."),
        "{big:?}"
    );
    let part = maas
        .post(&format!("{sdb}partitions/"), &[("size", "1000000000")])
        .await
        .good();
    let part = format!(
        "nodes/{node}/blockdevices/{}/partition/{}",
        disks[1]["id"], part["id"]
    );
    maas.post(&format!("{part}?op=format"), &[("fstype", "xfs")])
        .await
        .good();
    let mounted = maas
        .post(&format!("{part}?op=mount"), &[("mount_point", "/data")])
        .await
        .good();
    assert_eq!(mounted["filesystem"]["mount_point"], "/data");
    assert_eq!(maas.delete(&part).await.status, 204);

    let group = maas
        .post(
            &format!("nodes/{node}/volume-groups/"),
            &[
                ("name", "log_vg"),
                ("block_devices", &disks[1]["id"].to_string()),
            ],
        )
        .await
        .good();
    let path = format!("nodes/{node}/volume-group/{}/", group["id"]);
    let volume = maas
        .post(
            &format!("{path}?op=create_logical_volume"),
            &[("name", "log_lv"), ("size", "500000000")],
        )
        .await
        .good();
    assert_eq!(
        (&volume["name"], &volume["size"]),
        (&json!("log_vg-log_lv"), &json!(499_122_176))
    );
    assert_eq!(
        site.node(&node).await["volume_groups"][0]["id"],
        group["id"]
    );
    assert_eq!(maas.delete(&path).await.status, 204);
    maas.post("machines/?op=allocate", &[("system_id", &node)])
        .await
        .good();
    let refused = maas
        .post(&format!("{sdb}partitions/"), &[("size", "1000000000")])
        .await;
    assert_eq!(
        (refused.status, refused.text.as_str()),
        (
            409,
            "Cannot create partition because the node is not Ready."
        )
    );
}

#[tokio::test]
async fn details_and_results_tell_of_the_hardware() {
    let site = Site::start(81, 1, Faults::default()).await;
    let node = site.enlist(1).await;
    site.commission(&node, "Ready").await;
    let details = String::from_utf8_lossy(
        &site
            .maas
            .bytes(&format!("machines/{node}/?op=details"))
            .await,
    )
    .into_owned();
    for piece in [
        "<businfo>pci@0000:00:03.0</businfo>",
        "<logicalname>eno1</logicalname>",
        "<businfo>scsi@2:0.0.0</businfo>",
        "<logicalname>/dev/sda</logicalname>",
        "lldp",
    ] {
        assert!(details.contains(piece), "{piece} is missing");
    }
    let results = site
        .maas
        .get(&format!(
            "nodes/{node}/results/?type=commissioning&include_output=true"
        ))
        .await
        .good();
    assert_eq!(results[0]["status_name"], "Passed");
    assert!(results[0]["results"][0]["output"].as_str().unwrap().len() > 100);
    let other = site
        .maas
        .get("commissioning-results/?system_id=nobody")
        .await
        .good();
    assert_eq!(other, json!([]));
}
