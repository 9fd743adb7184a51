//! The rest of the MaaS API: tags, keys, repositories, domains, images, annotations, events; and shapes as recorded.

use drydock_sim::{Faults, SiteShape};
use serde_json::{Value, json};

use super::site::{Site, machine};

#[tokio::test]
async fn tags_live_and_die() {
    let site = Site::start(90, 1, Faults::default()).await;
    let id = site.enlist(1).await;
    let maas = &site.maas;
    let bad = maas.post("tags/", &[("name", "a.b")]).await;
    assert_eq!(
        (bad.status, bad.text.as_str()),
        (400, "{\"name\":[\"Enter a valid value.\"]}")
    );
    maas.post("tags/", &[("name", "kp"), ("kernel_opts", "a=b")])
        .await
        .good();
    let changed = maas.put("tags/kp/", &[("kernel_opts", "c=d")]).await.good();
    assert_eq!(changed["kernel_opts"], "c=d");
    let added = maas
        .post(
            "tags/kp/?op=update_nodes",
            &[("add", &id), ("add", "nobody")],
        )
        .await
        .good();
    assert_eq!(added, json!({"added": 1, "removed": 0}));
    assert_eq!(
        maas.get("tags/kp/?op=nodes").await.good()[0]["system_id"],
        id
    );
    assert_eq!(maas.delete("tags/kp/").await.status, 204);
    assert_eq!(site.node(&id).await["tag_names"], json!([]));
    assert_eq!(
        maas.delete("tags/kp/").await.text,
        "No Tag matches the given query."
    );
}

#[tokio::test]
async fn keys_repositories_domains_and_annotations() {
    let site = Site::start(91, 1, Faults::default()).await;
    let maas = &site.maas;
    let key =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here";
    assert_eq!(
        maas.post("account/prefs/sshkeys/", &[("key", key)])
            .await
            .status,
        201
    );
    assert_eq!(
        maas.get("account/prefs/sshkeys/").await.good()[0]["key"],
        key
    );
    let bad = maas
        .post("account/prefs/sshkeys/", &[("key", "ssh-rsa nonsense")])
        .await;
    assert_eq!(bad.status, 400);

    let form = [
        ("name", "r1"),
        ("url", "http://127.0.0.1/r"),
        ("distributions", "a,b"),
        ("arches", "amd64"),
    ];
    let repo = maas.post("package-repositories/", &form).await.good();
    assert_eq!(repo["distributions"], json!(["a", "b"]));
    assert_eq!(
        maas.get("package-repositories/")
            .await
            .good()
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(maas.delete("package-repositories/1/").await.status, 400);
    assert_eq!(
        maas.delete(&format!("package-repositories/{}/", repo["id"]))
            .await
            .status,
        204
    );

    let domain = maas
        .post(
            "domains/",
            &[("name", "site.example.com"), ("authoritative", "False")],
        )
        .await
        .good();
    assert_eq!(domain["authoritative"], false);
    let id = site.enlist(1).await;
    let path = format!("machines/{id}/");
    let node = maas
        .put(
            &path,
            &[("hostname", "node1"), ("domain", "site.example.com")],
        )
        .await
        .good();
    assert_eq!(node["fqdn"], "node1.site.example.com");
    maas.post(
        &format!("{path}?op=set_workload_annotations"),
        &[("rack", "1")],
    )
    .await
    .good();
    assert_eq!(site.node(&id).await["owner_data"], json!({"rack": "1"}));
    let bad = maas
        .post(
            &format!("{path}?op=set_workload_annotations"),
            &[("a/b", "1")],
        )
        .await;
    assert_eq!(bad.status, 500);
    assert_eq!(maas.delete(&path).await.status, 204);
    assert_eq!(maas.get("machines/").await.good(), json!([]));
}

#[tokio::test]
async fn multipart_with_base64_parts_is_as_good_as_a_form() {
    let site = Site::start(92, 0, Faults::default()).await;
    let body = "--zz\r\nContent-Disposition: form-data; name=\"name\"\r\nContent-Transfer-Encoding: base64\r\n\r\nbXBh\r\nZw==\r\n--zz--\r\n";
    let request = site
        .maas
        .client
        .post(format!("{}/api/2.0/tags/", site.maas.base))
        .header("Authorization", site.maas.signed())
        .header("Content-Type", "multipart/form-data; boundary=zz")
        .body(body);
    assert_eq!(site.maas.send(request).await.good()["name"], "mpag");
}

#[tokio::test]
async fn images_of_the_site_stand_beside_the_stock() {
    let shape = SiteShape {
        images: vec![
            ("ubuntu_16.04".into(), vec!["generic".into()]),
            ("xenial".into(), vec!["hwe-16.04".into()]),
        ],
        controllers: vec![machine(93, 9)],
        ..SiteShape::default()
    };
    let site = Site::of(93, shape, Faults::default()).await;
    let images = site.maas.get("boot-resources/").await.good();
    let has = |name: &str, arch: &str| {
        images
            .as_array()
            .unwrap()
            .iter()
            .filter(|image| image["name"] == name && image["architecture"] == arch)
            .count()
    };
    assert_eq!(has("ubuntu_16.04", "amd64/generic"), 1);
    assert_eq!(has("ubuntu/xenial", "amd64/hwe-16.04"), 1);
    assert_eq!(has("ubuntu/noble", "amd64/ga-24.04"), 1);
    assert_eq!(
        site.maas
            .get("boot-resources/?op=is_importing")
            .await
            .good(),
        json!(false)
    );
    let racks = site.maas.get("rackcontrollers/").await.good();
    assert!(site.world.machine_states()[0].power_on);
    assert_eq!(racks.as_array().unwrap().len(), 2);
    assert_eq!(racks[1]["hostname"], "n9");
    for service in ["http", "dhcpd", "rackd", "tftp"] {
        let all = racks[0]["service_set"].as_array().unwrap();
        let found = all.iter().find(|entry| entry["name"] == service).unwrap();
        assert!(
            ["running", "off"].contains(&found["status"].as_str().unwrap()),
            "{found}"
        );
    }
    assert_eq!(site.maas.get("machines/").await.good(), json!([]));
}

#[tokio::test]
async fn events_are_paged_by_cursor() {
    let site = Site::start(94, 1, Faults::default()).await;
    let id = site.enlist(1).await;
    let first = site
        .maas
        .get("events/?op=query&level=DEBUG&limit=1&after=0")
        .await
        .good();
    assert_eq!(first["count"], 1);
    let after = first["events"][0]["id"].as_u64().unwrap();
    site.commission(&id, "Ready").await;
    let path = format!("events/?op=query&level=DEBUG&limit=1000&after={after}");
    let later = site.maas.get(&path).await.good();
    let changes: Vec<&str> = later["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "Node changed status" && event["node"] == id)
        .map(|event| event["description"].as_str().unwrap())
        .collect();
    assert_eq!(
        changes,
        [
            "From 'Commissioning' to 'Ready'",
            "From 'New' to 'Commissioning'"
        ]
    );
    assert_eq!(
        site.maas.get("events/?op=query&limit=1001").await.status,
        400
    );
}

#[tokio::test]
async fn lists_are_filtered() {
    let site = Site::start(95, 2, Faults::default()).await;
    let (one, two) = (site.enlist(1).await, site.enlist(2).await);
    let ids = |value: Value| -> Vec<String> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["system_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let get = async |query: &str| ids(site.maas.get(&format!("machines/?{query}")).await.good());
    assert_eq!(
        get(&format!("id={one}&id={two}")).await,
        [one.clone(), two.clone()]
    );
    assert_eq!(
        get("mac_address=52:54:00:5F:02:01").await.as_slice(),
        std::slice::from_ref(&two)
    );
    assert_eq!(get("status=ready").await, Vec::<String>::new());
    assert_eq!(
        get("status=new&hostname=nobody").await,
        Vec::<String>::new()
    );
    assert_eq!(site.maas.get("machines/?status=Ready").await.status, 400);
}
