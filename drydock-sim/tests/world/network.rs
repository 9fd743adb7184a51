//! Fabrics, VLANs, subnets, ranges, and the interfaces of a machine on them.

use drydock_sim::Faults;
use serde_json::{Value, json};

use super::site::Site;

struct Nets {
    pxe_vlan: String,
    mgmt_vlan: String,
    mgmt: String,
    private_vlan: String,
    private: String,
}

fn id(value: &Value) -> String {
    value["id"].to_string()
}

/// A network as a driver sets it up: a PXE network with DHCP, and a fabric with an untagged and a tagged VLAN.
async fn nets(site: &Site) -> Nets {
    let maas = &site.maas;
    let rack = maas.get("rackcontrollers/").await.good()[0]["system_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let pxe = maas.post("fabrics/", &[("name", "pxe")]).await.good();
    let pxe_vlan = id(&pxe["vlans"][0]);
    let subnet = maas
        .post(
            "subnets/",
            &[
                ("name", "pxe"),
                ("cidr", "172.16.0.0/24"),
                ("vlan", &pxe_vlan),
                ("gateway_ip", "172.16.0.1"),
                ("dns_servers", "172.16.0.10,172.16.0.11"),
            ],
        )
        .await
        .good();
    assert_eq!(subnet["dns_servers"], json!(["172.16.0.10", "172.16.0.11"]));
    let vlan_path = format!("fabrics/{}/vlans/0/", pxe["id"]);
    let early = maas
        .put(&vlan_path, &[("dhcp_on", "True"), ("primary_rack", &rack)])
        .await;
    assert_eq!(
        early.status, 400,
        "DHCP needs a dynamic range first: {early:?}"
    );
    let range = [
        ("type", "dynamic"),
        ("subnet", &id(&subnet)),
        ("start_ip", "172.16.0.100"),
        ("end_ip", "172.16.0.250"),
    ];
    maas.post("ipranges/", &range).await.good();
    let again = maas.post("ipranges/", &range).await;
    assert_eq!(again.status, 400);
    assert!(
        again.text.contains("Requested dynamic range conflicts"),
        "{again:?}"
    );
    let vlan = maas
        .put(
            &vlan_path,
            &[
                ("dhcp_on", "True"),
                ("primary_rack", &rack),
                ("mtu", "9000"),
                ("name", "x"),
            ],
        )
        .await
        .good();
    assert_eq!(
        (&vlan["dhcp_on"], &vlan["mtu"], &vlan["name"]),
        (&json!(true), &json!(9000), &json!("untagged"))
    );

    let gp = maas.post("fabrics/", &[("name", "gp")]).await.good();
    let mgmt_vlan = id(&gp["vlans"][0]);
    let mgmt = maas
        .post(
            "subnets/",
            &[
                ("name", "mgmt"),
                ("cidr", "172.16.1.0/24"),
                ("vlan", &mgmt_vlan),
                ("gateway_ip", "172.16.1.1"),
            ],
        )
        .await
        .good();
    let vlan = maas
        .post(
            &format!("fabrics/{}/vlans/", gp["id"]),
            &[("name", "private"), ("vid", "101"), ("mtu", "9000")],
        )
        .await
        .good();
    let private = maas
        .post(
            "subnets/",
            &[("cidr", "172.16.2.0/24"), ("vlan", &id(&vlan))],
        )
        .await
        .good();
    assert_eq!(private["vlan"]["vid"], 101);
    Nets {
        pxe_vlan,
        mgmt_vlan,
        mgmt: id(&mgmt),
        private_vlan: id(&vlan),
        private: id(&private),
    }
}

#[tokio::test]
async fn a_machine_enlists_on_the_network_with_dhcp() {
    let site = Site::start(70, 1, Faults::default()).await;
    let nets = nets(&site).await;
    let node = site.enlist(1).await;
    let node = site.node(&node).await;
    let boot = &node["boot_interface"];
    assert_eq!(boot["vlan"]["id"].to_string(), nets.pxe_vlan);
    assert_eq!(boot["links"][0]["subnet"]["cidr"], "172.16.0.0/24");
    let others: Vec<&Value> = node["interface_set"].as_array().unwrap()[1..]
        .iter()
        .map(|nic| &nic["vlan"]["fabric"])
        .collect();
    assert_ne!(
        others[0], others[1],
        "a card with no network gets a fabric of its own: {others:?}"
    );
}

#[tokio::test]
async fn without_dhcp_a_machine_enlists_all_the_same() {
    let site = Site::start(71, 1, Faults::default()).await;
    let node = site.enlist(1).await;
    let node = site.node(&node).await;
    assert_eq!(node["boot_interface"]["vlan"]["fabric"], "fabric-0");
    assert_eq!(node["boot_interface"]["links"][0]["mode"], "auto");
}

#[tokio::test]
async fn bond_vlan_and_links_as_a_driver_makes_them() {
    let site = Site::start(72, 2, Faults::default()).await;
    let nets = nets(&site).await;
    let node = site.enlist(1).await;
    site.commission(&node, "Ready").await;
    let maas = &site.maas;
    let list = format!("nodes/{node}/interfaces/");
    let nics = maas.get(&list).await.good();
    let (eno2, eno3) = (id(&nics[1]), id(&nics[2]));
    let auto_fabric = nics[1]["vlan"]["fabric_id"].to_string();
    let form = [
        ("name", "bond0"),
        ("parents", eno2.as_str()),
        ("parents", eno3.as_str()),
        ("vlan", &nets.mgmt_vlan),
        ("mtu", "9000"),
        ("bond_mode", "802.3ad"),
        ("bond_lacp_rate", "slow"),
        ("bond_xmit_hash_policy", "layer3+4"),
    ];
    let bond = maas
        .post(&format!("{list}?op=create_bond"), &form)
        .await
        .good();
    assert_eq!(
        (&bond["parents"], &bond["effective_mtu"]),
        (&json!(["eno2", "eno3"]), &json!(9000))
    );
    assert_eq!(bond["params"]["bond_mode"], "802.3ad");
    assert_eq!(
        maas.get(&format!("fabrics/{auto_fabric}/")).await.status,
        404,
        "an empty auto fabric goes"
    );
    let again = maas.post(&format!("{list}?op=create_bond"), &form).await;
    assert_eq!(
        (again.status, again.text.as_str()),
        (
            400,
            "{\"parents\":[\"Interfaces already in-use: eno2, eno3.\"]}"
        )
    );

    let bond_path = format!("{list}{}/", bond["id"]);
    let link = [
        ("mode", "static"),
        ("subnet", nets.mgmt.as_str()),
        ("ip_address", "172.16.1.20"),
        ("default_gateway", "True"),
    ];
    let linked = maas
        .post(&format!("{bond_path}?op=link_subnet"), &link)
        .await
        .good();
    assert_eq!(linked["links"][0]["ip_address"], "172.16.1.20");
    let used = maas
        .post(&format!("{bond_path}?op=link_subnet"), &link)
        .await;
    assert_eq!(
        (used.status, used.text.as_str()),
        (404, "IP address is already in use.")
    );
    let outside = maas
        .post(
            &format!("{bond_path}?op=link_subnet"),
            &[
                ("mode", "STATIC"),
                ("subnet", &nets.mgmt),
                ("ip_address", "10.0.0.1"),
            ],
        )
        .await;
    assert!(
        outside
            .text
            .contains("IP address is not in the given subnet 'mgmt:172.16.1.0/24(vid=0)'."),
        "{outside:?}"
    );
    let foreign = maas
        .post(
            &format!("{bond_path}?op=link_subnet"),
            &[("mode", "dhcp"), ("subnet", &nets.private)],
        )
        .await;
    assert_eq!(foreign.json()["subnet"][1], "This field is required.");

    let form = [("vlan", nets.private_vlan.as_str()), ("parent", &id(&bond))];
    let vlan = maas
        .post(&format!("{list}?op=create_vlan"), &form)
        .await
        .good();
    assert_eq!(
        (&vlan["name"], &vlan["effective_mtu"]),
        (&json!("bond0.101"), &json!(9000))
    );
    let again = maas.post(&format!("{list}?op=create_vlan"), &form).await;
    assert!(
        again
            .text
            .contains("already has an interface named 'bond0.101'."),
        "{again:?}"
    );

    let node_json = site.node(&node).await;
    assert_eq!(
        node_json["default_gateways"]["ipv4"]["gateway_ip"],
        "172.16.1.1"
    );
    let restored = site
        .op(&node, "restore_networking_configuration", &[])
        .await
        .good();
    assert_eq!(restored["interface_set"].as_array().unwrap().len(), 3);
    assert_eq!(
        restored["boot_interface"]["links"][0]["subnet"]["name"],
        "pxe"
    );
}

#[tokio::test]
async fn an_empty_string_clears_and_a_missing_field_stays() {
    let site = Site::start(73, 0, Faults::default()).await;
    let subnet = site
        .maas
        .post(
            "subnets/",
            &[("cidr", "10.1.0.0/24"), ("gateway_ip", "10.1.0.1")],
        )
        .await
        .good();
    let path = format!("subnets/{}/", subnet["id"]);
    let named = site.maas.put(&path, &[("name", "x")]).await.good();
    assert_eq!(
        (&named["name"], &named["gateway_ip"]),
        (&json!("x"), &json!("10.1.0.1"))
    );
    let cleared = site.maas.put(&path, &[("gateway_ip", "")]).await.good();
    assert_eq!(cleared["gateway_ip"], Value::Null);
    let twice = site.maas.post("subnets/", &[("cidr", "10.1.0.0/24")]).await;
    assert_eq!(
        twice.text,
        "{\"cidr\":[\"Subnet with this Cidr already exists.\"]}"
    );
}
