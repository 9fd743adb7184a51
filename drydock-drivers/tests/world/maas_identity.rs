//! Which machine the MaaS driver takes for a node, and which it leaves alone: a typing error in a design must not wipe
//! somebody's machine.

use std::sync::Arc;

use drydock_model::change::{Change, Risk};
use drydock_model::driver::{Driver, DriverError, ErrorClass, Report};
use drydock_model::effective::{EffectiveDesign, Node};
use drydock_model::step::StepAction as A;
use drydock_sim::{Faults, SiteShape, Timing, World};
use serde_json::{Value, json};

use crate::run::Step;
use crate::site::{Fixture, bmc, design, ipmi_settings, loopback, maas_driver, machine};

/// Everything that is done to a machine once it is identified.
const ON_MACHINES: [A; 6] = [
    A::ConfigureHardware,
    A::ApplyNodeNetworking,
    A::ApplyNodeStorage,
    A::ApplyNodePlatform,
    A::DeployNode,
    A::DestroyNode,
];

/// The design with node n1 written otherwise.
fn rewritten(site: &Fixture, rewrite: impl FnOnce(&mut Node)) -> Arc<EffectiveDesign> {
    let mut design = (*site.design).clone();
    let mut node = (*design.nodes[0]).clone();
    rewrite(&mut node);
    design.nodes[0] = Arc::new(node);
    Arc::new(design)
}

async fn run(
    site: &Fixture,
    design: &Arc<EffectiveDesign>,
    action: A,
) -> Result<Report, DriverError> {
    let node = design.nodes[0].name.clone();
    Step::new(action, design, Some(&node)).run(&site.maas).await
}

/// Every action on n1 fails for good, with these words, and nothing is written.
async fn refused(site: &Fixture, design: &Arc<EffectiveDesign>, actions: &[A], words: &[&str]) {
    let since = site.world.call_log().last_seq();
    for action in actions {
        let error = match run(site, design, *action).await {
            Err(error) => error,
            Ok(report) => panic!("{action}: {}", report.message),
        };
        assert_eq!(error.class, ErrorClass::Permanent, "{action}: {error}");
        for word in words {
            assert!(
                error.to_string().contains(word),
                "{action}: {word:?} is not in {error}"
            );
        }
    }
    assert_eq!(site.writes(since), [] as [String; 0]);
}

async fn seen(site: &Fixture, design: &Arc<EffectiveDesign>, node: &str) -> Value {
    let step = Step::new(A::IdentifyNode, design, Some(node));
    site.maas.observe(&step.cx).await.unwrap().0
}

/// Corrects the power address of a machine by hand.
async fn move_power(site: &Fixture, node: &str, address: &str) {
    let seen = seen(site, &site.design, node).await;
    let change = Change {
        target: "maas machine".into(),
        verb: "set_power".into(),
        before: Value::Null,
        after: json!({
            "system_id": seen["place"]["system_id"], "power_type": "ipmi", "power_address": address,
            "power_user": "admin",
        }),
        risk: Risk::Reversible,
        why: "the hardware is moved".into(),
    };
    let step = site.step(A::IdentifyNode, node);
    site.maas.apply(&step.cx, &change).await.unwrap();
}

async fn deploy(site: &Fixture, node: &str) {
    site.prepare_site().await;
    site.prepare(node).await;
    for action in [
        A::ApplyNodeNetworking,
        A::ApplyNodeStorage,
        A::ApplyNodePlatform,
        A::DeployNode,
    ] {
        site.step(action, node).run(&site.maas).await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_power_address_does_not_reach_the_machine_behind_it() {
    let site = Fixture::start(70, 2, Faults::default()).await;
    deploy(&site, "n2").await;
    let theirs = bmc(70, 2);
    // With a boot MAC it is plain that this is another machine.
    let wrong = rewritten(&site, |node| node.oob.address = Some(theirs));
    let words = [
        "n1",
        "n2",
        "has this power address",
        "no interface with boot MAC",
    ];
    refused(&site, &wrong, &[A::IdentifyNode], &words).await;
    refused(&site, &wrong, &ON_MACHINES, &words).await;
    // Without one only its name speaks against it.
    let wrong = rewritten(&site, |node| {
        node.oob.address = Some(theirs);
        node.boot_mac = None;
    });
    let words = ["as n2", "run prepare_nodes first if it is really n1"];
    refused(&site, &wrong, &ON_MACHINES, &words).await;
    // And preparation does not make it n1, since it is deployed.
    let words = ["of n1 as n2", "Deployed"];
    refused(&site, &wrong, &[A::IdentifyNode], &words).await;
    site.stop().await;
}

#[tokio::test]
async fn a_boot_mac_of_another_machine_does_not_reach_it() {
    let site = Fixture::start(71, 2, Faults::default()).await;
    deploy(&site, "n2").await;
    let theirs = site.design.nodes[1].boot_mac.clone();
    let wrong = rewritten(&site, |node| node.boot_mac = theirs);
    let words = ["n1", "as n2", "power address"];
    refused(&site, &wrong, &ON_MACHINES, &words).await;
    refused(&site, &wrong, &[A::IdentifyNode], &["of n1 as n2"]).await;
    site.stop().await;
}

#[tokio::test]
async fn a_node_without_boot_mac_is_enlisted_named_and_destroyed() {
    let mut site = Fixture::start(72, 1, Faults::default()).await;
    site.design = rewritten(&site, |node| node.boot_mac = None);
    // The name that MaaS made up is no obstacle to a new machine.
    deploy(&site, "n1").await;
    assert_eq!(
        seen(&site, &site.design, "n1").await["place"]["hostname"],
        "n1"
    );
    let report = run(&site, &site.design, A::DestroyNode).await.unwrap();
    assert!(
        report.message.contains("disks erased"),
        "{}",
        report.message
    );
    site.stop().await;
}

#[tokio::test]
async fn a_ready_machine_that_nobody_owns_may_become_the_node() {
    let site = Fixture::start(73, 1, Faults::default()).await;
    site.prepare("n1").await;
    let renamed = rewritten(&site, |node| {
        node.name = "new".into();
        node.boot_mac = None;
    });
    refused(&site, &renamed, &ON_MACHINES, &["as n1"]).await;
    run(&site, &renamed, A::IdentifyNode).await.unwrap();
    let report = run(&site, &renamed, A::DestroyNode).await.unwrap();
    assert!(
        report
            .message
            .contains("this task erased nothing: it was Ready"),
        "{}",
        report.message
    );
    site.stop().await;
}

/// The name stays with the old machine, the controller goes to the new one. An instance that remembers the old machine
/// must see the same as one that does not.
#[tokio::test]
async fn after_a_replacement_a_remembered_name_is_not_believed() {
    let mut site = Fixture::start(74, 2, Faults::default()).await;
    deploy(&site, "n1").await;
    site.prepare("n2").await;
    site.design = rewritten(&site, |node| node.boot_mac = None);
    let old = seen(&site, &site.design, "n1").await["place"]["system_id"].clone();
    let new = seen(&site, &site.design, "n2").await["place"]["system_id"].clone();
    assert_ne!(old, new);
    move_power(&site, "n1", "127.77.74.99").await;
    move_power(&site, "n2", &bmc(74, 1).to_string()).await;
    let words = ["as n2", "run prepare_nodes first if it is really n1"];
    refused(&site, &site.design, &ON_MACHINES, &words).await;
    site.maas = maas_driver(&site.world);
    refused(&site, &site.design, &ON_MACHINES, &words).await;
    site.stop().await;
}

/// A site with one machine and a rack controller that has a controller of its own.
async fn with_rack(block: u8) -> Fixture {
    let mut rack = machine(block, 200);
    rack.name = "Rack-One".into();
    let shape = SiteShape {
        machines: vec![machine(block, 1)],
        controllers: vec![rack],
        ..SiteShape::default()
    };
    let world = World::start(shape, Timing { scale: 0.002 }, Faults::default())
        .await
        .unwrap();
    Fixture {
        ipmi: drydock_drivers::ipmi::IpmiDriver::new(ipmi_settings(&world), loopback()),
        maas: maas_driver(&world),
        design: Arc::new(design(block, 1)),
        world,
    }
}

#[tokio::test]
async fn a_controller_is_known_by_its_power_address_and_by_its_name_in_any_case() {
    let site = with_rack(75).await;
    // Remembered as what it was before the design changed.
    site.prepare("n1").await;
    let since = site.world.call_log().last_seq();
    for design in [
        rewritten(&site, |node| node.oob.address = Some(bmc(75, 200))),
        rewritten(&site, |node| {
            node.name = "rack-one".into();
            node.boot_mac = None;
        }),
    ] {
        for action in [A::IdentifyNode].into_iter().chain(ON_MACHINES) {
            let report = run(&site, &design, action).await.unwrap();
            assert!(
                report.message.contains("left alone"),
                "{action}: {}",
                report.message
            );
            assert_eq!(report.facts["protected"], true);
        }
    }
    assert_eq!(site.writes(since), [] as [String; 0]);
    site.stop().await;
}

#[tokio::test]
async fn a_region_that_tells_no_power_of_its_racks_is_no_fault() {
    for status in [400, 404] {
        let site = with_rack(if status == 400 { 76 } else { 77 }).await;
        let fault = crate::site::maas_fault(
            "rackcontrollers/",
            "GET",
            Some("power_parameters"),
            status,
            false,
            u32::MAX,
        );
        site.world
            .set_faults(Faults {
                maas: vec![fault],
                ..Faults::default()
            })
            .unwrap();
        let report = run(&site, &site.design, A::IdentifyNode).await.unwrap();
        assert_eq!(report.facts["known"], false);
        let hits = site.world.faults().maas[0].remaining;
        assert!(
            hits.is_some_and(|left| left < u32::MAX),
            "it was never asked"
        );
        site.stop().await;
    }
}
