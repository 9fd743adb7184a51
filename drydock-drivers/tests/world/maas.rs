//! The MaaS driver against the simulated region: what it does, and that doing it twice does nothing.

use std::sync::Arc;

use drydock_model::change::Risk;
use drydock_model::driver::{Driver, NodeProvisioner};
use drydock_model::step::StepAction as A;
use drydock_sim::Faults;

use crate::run::Step;
use crate::site::{Fixture, PASSWORD};

#[tokio::test]
async fn the_region_is_validated() {
    let site = Fixture::start(20, 1, Faults::default()).await;
    let report = site
        .site_step(A::ValidateNodeServices)
        .run(&site.maas)
        .await
        .unwrap();
    assert!(report.message.contains("usable"), "{}", report.message);
    site.maas.health().await.unwrap();

    let mut design = (*site.design).clone();
    let mut node = (*design.nodes[0]).clone();
    node.platform.image = Some("dapper".into());
    design.nodes[0] = Arc::new(node);
    let error = Step::new(A::ValidateNodeServices, &Arc::new(design), None)
        .run(&site.maas)
        .await
        .unwrap_err();
    assert!(
        error.got.contains("dapper") && error.got.contains("n1"),
        "{error}"
    );
    site.stop().await;
}

#[tokio::test]
async fn the_site_is_prepared_once() {
    let site = Fixture::start(21, 1, Faults::default()).await;
    for action in [
        A::CreateNetworkTemplate,
        A::ConfigureUserCredentials,
        A::ConfigureNodeProvisioner,
    ] {
        let first = site.twice(&site.maas, || site.site_step(action)).await;
        assert!(!first.journal.is_empty(), "{action}");
        assert!(
            first
                .journal
                .iter()
                .all(|entry| entry.change.risk == Risk::Reversible)
        );
    }
    for action in [
        A::CreateStorageTemplate,
        A::CreateBootMedia,
        A::PrepareHardwareConfig,
    ] {
        let mut step = site.site_step(action);
        assert!(
            step.run(&site.maas).await.unwrap().message.contains("noth") || step.journal.is_empty()
        );
    }
    site.stop().await;
}

#[tokio::test]
async fn a_node_goes_from_bare_to_deployed_and_back() {
    let site = Fixture::start(22, 1, Faults::default()).await;
    site.prepare_site().await;
    site.prepare("n1").await;
    // A node that is known is identified again without a write, and not commissioned again.
    site.twice(&site.maas, || site.step(A::IdentifyNode, "n1"))
        .await;
    site.twice(&site.maas, || site.step(A::ConfigureHardware, "n1"))
        .await;
    site.twice(&site.maas, || site.step(A::ApplyNodePlatform, "n1"))
        .await;
    let deploy = site
        .twice(&site.maas, || site.step(A::DeployNode, "n1"))
        .await;
    assert_eq!(
        deploy.verbs(),
        ["allocate", "annotate", "bring_boot_action_key", "deploy"]
    );
    let key = deploy.keys.minted.lock().unwrap()[0].clone();
    assert!(!deploy.stored().contains(&key), "the key is in the journal");
    assert!(!deploy.stored().contains(PASSWORD));

    let machines = site.maas.machines().await.unwrap();
    assert_eq!(
        (
            machines[0].hostname.as_str(),
            machines[0].status_name.as_str()
        ),
        ("n1", "Deployed")
    );
    assert_eq!(machines[0].power_address.as_deref(), Some("127.77.22.1"));

    let mut destroy = site.step(A::DestroyNode, "n1");
    destroy.run(&site.maas).await.unwrap();
    assert_eq!(destroy.verbs(), ["release_and_erase", "delete"]);
    assert_eq!(destroy.journal[0].change.risk, Risk::Wipes);
    assert!(site.maas.machines().await.unwrap().is_empty());
    site.step(A::DestroyNode, "n1")
        .run(&site.maas)
        .await
        .unwrap();
    site.stop().await;
}

#[tokio::test]
async fn identification_stores_no_secret() {
    let site = Fixture::start(23, 1, Faults::default()).await;
    site.step(A::SetNodeBoot, "n1")
        .run(&site.ipmi)
        .await
        .unwrap();
    site.step(A::PowerCycleNode, "n1")
        .run(&site.ipmi)
        .await
        .unwrap();
    let mut identify = site.step(A::IdentifyNode, "n1").fact("known", false);
    identify.run(&site.maas).await.unwrap();
    assert!(!identify.journal.is_empty());
    let observed = site.maas.observe(&identify.cx).await.unwrap();
    for text in [identify.stored(), observed.0.to_string()] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    site.stop().await;
}

#[tokio::test]
async fn many_nodes_cost_few_requests_each() {
    const NODES: u8 = 12;
    let site = Fixture::start(24, NODES, Faults::default()).await;
    site.prepare_site().await;
    let names: Vec<String> = (1..=NODES).map(|index| format!("n{index}")).collect();
    futures::future::join_all(names.iter().map(|name| site.prepare(name))).await;
    let since = site.world.call_log().last_seq();
    futures::future::join_all(names.iter().map(|name| async {
        for action in [
            A::ApplyNodeNetworking,
            A::ApplyNodeStorage,
            A::ApplyNodePlatform,
            A::DeployNode,
        ] {
            site.step(action, name).run(&site.maas).await.unwrap();
        }
    }))
    .await;
    let calls = site.world.call_log().since(since);
    let mut most = 0;
    let mut reads = 0;
    let mut writes = 0;
    for entry in &calls {
        if let drydock_sim::Call::Maas {
            method, in_flight, ..
        } = &entry.call
        {
            most = most.max(*in_flight);
            *if method == "GET" {
                &mut reads
            } else {
                &mut writes
            } += 1;
        }
    }
    assert!(most <= 12, "{most} requests in flight");
    let nodes = usize::from(NODES);
    // Bond, VLAN, three links, a layout with six file systems to set up, four tags, deployment: nothing twice.
    assert!(writes <= 28 * nodes, "{writes} writes for {nodes} nodes");
    assert!(reads <= 28 * nodes, "{reads} reads for {nodes} nodes");
    site.stop().await;
}
