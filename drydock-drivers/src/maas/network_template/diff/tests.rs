//! Plans of the networks as tables over regions.
#![allow(clippy::unwrap_used)]

use drydock_model::driver::Then;

use super::*;
use crate::maas::network_template::Rack;
use crate::maas::trial;

fn design() -> EffectiveDesign {
    let mut design = trial::design(Vec::new());
    design.links = vec![
        trial::link("pxe", 1500, &["pxe"]),
        trial::link("gp", 9000, &["mgmt", "private"]),
    ];
    let mut pxe = trial::network("pxe", None, "172.16.0.0/24");
    pxe.ranges = vec![drydock_model::effective::Range {
        kind: RangeKind::Dhcp,
        start: "172.16.0.100".parse().unwrap(),
        end: "172.16.0.250".parse().unwrap(),
    }];
    pxe.dns_domain = Some("admin.example".into());
    let mut private = trial::network("private", Some(101), "172.16.2.0/24");
    private.mtu = Some(9000);
    private.dns_servers = vec!["172.16.2.9".into()];
    design.networks = vec![pxe, trial::network("mgmt", None, "172.16.1.0/24"), private];
    design.networks[1].mtu = Some(1500);
    design
}

fn vlan(id: i64, vid: u16, name: &str, mtu: u32, dhcp_on: bool) -> Vlan {
    Vlan {
        id,
        vid,
        name: name.into(),
        mtu,
        dhcp_on,
        relay: None,
    }
}

fn fresh() -> Seen {
    Seen {
        fabrics: vec![Fabric {
            id: 1,
            name: "fabric-0".into(),
            vlans: vec![vlan(1, 0, "untagged", 1500, false)],
        }],
        subnets: vec![Subnet {
            cidr: "172.16.0.0/24".parse().unwrap(),
            name: "172.16.0.0/24".into(),
            vlan: 1,
            gateway: None,
            dns: Vec::new(),
        }],
        racks: vec![Rack {
            system_id: "rack01".into(),
            healthy: true,
            vlans: vec![(1, 0)],
        }],
        ..Seen::default()
    }
}

fn verbs(plan: &StepPlan) -> Vec<String> {
    plan.changes
        .iter()
        .map(|change| format!("{} {}", change.verb, change.target))
        .collect()
}

#[test]
fn a_fresh_region_gets_everything_in_order() {
    assert_eq!(
        verbs(&plan(&design(), &fresh())),
        [
            "rename_fabric maas fabric fabric-0",
            "create_domain maas domain admin.example",
            "set_subnet maas subnet 172.16.0.0/24",
            "create_range maas range 172.16.0.100-172.16.0.250",
            "enable_dhcp maas vlan pxe/0",
            "create_fabric maas fabric gp",
            "create_subnet maas subnet 172.16.1.0/24",
            "create_vlan maas vlan gp/101",
            "create_subnet maas subnet 172.16.2.0/24",
        ]
    );
}

fn configured() -> Seen {
    let mut seen = fresh();
    seen.fabrics[0].name = "pxe".into();
    seen.fabrics[0].vlans[0].dhcp_on = true;
    seen.fabrics.push(Fabric {
        id: 3,
        name: "gp".into(),
        vlans: vec![
            vlan(3, 0, "untagged", 1500, false),
            vlan(5, 101, "private", 9000, false),
        ],
    });
    seen.subnets[0].name = "pxe".into();
    let subnet = |cidr: &str, name: &str, vlan, dns: &[&str]| Subnet {
        cidr: cidr.parse().unwrap(),
        name: name.into(),
        vlan,
        gateway: None,
        dns: dns.iter().map(|server| (*server).to_owned()).collect(),
    };
    seen.subnets.push(subnet("172.16.1.0/24", "mgmt", 3, &[]));
    seen.subnets
        .push(subnet("172.16.2.0/24", "private", 5, &["172.16.2.9"]));
    seen.domains = vec!["admin.example".into()];
    seen.ranges = vec![Range {
        kind: "dynamic".into(),
        start: "172.16.0.100".into(),
        end: "172.16.0.250".into(),
    }];
    seen
}

#[test]
fn a_configured_region_gets_nothing() {
    let plan = plan(&design(), &configured());
    assert_eq!(verbs(&plan), [] as [String; 0]);
    assert!(matches!(plan.then, Then::Done(_)));
}

#[test]
fn what_drifted_is_set_back() {
    let mut seen = configured();
    seen.fabrics[1].vlans[1].mtu = 1500;
    seen.subnets[1].gateway = Some("172.16.1.1".into());
    assert_eq!(
        verbs(&plan(&design(), &seen)),
        [
            "set_subnet maas subnet 172.16.1.0/24",
            "set_vlan maas vlan gp/101"
        ]
    );
}

#[test]
fn dhcp_without_a_rack_is_a_failure_that_names_the_network() {
    let mut seen = configured();
    seen.fabrics[0].vlans[0].dhcp_on = false;
    seen.racks.clear();
    let Then::Fail(error) = plan(&design(), &seen).then else {
        panic!("no failure")
    };
    assert!(error.got.contains("pxe"), "{error}");
}

#[test]
fn noconfig_is_passed_over() {
    let mut design = design();
    design.links[1]
        .labels
        .insert("noconfig".into(), "enabled".into());
    let mut seen = configured();
    seen.fabrics.truncate(1);
    seen.subnets.truncate(1);
    assert_eq!(verbs(&plan(&design, &seen)), [] as [String; 0]);
}
