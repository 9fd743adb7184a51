//! The MaaS driver when MaaS, its answers or the machines fail.

use std::time::Duration;

use drydock_drivers::AllowNetworks;
use drydock_drivers::maas::MaasDriver;
use drydock_model::driver::{Driver, ErrorClass, NodeProvisioner};
use drydock_model::step::StepAction as A;
use drydock_sim::{Call, Faults, MachineFaults};

use crate::site::{Fixture, loopback, maas_fault, maas_settings};

#[tokio::test]
async fn wrong_credentials_are_no_transient_error_and_show_no_secret() {
    let site = Fixture::start(40, 1, Faults::default()).await;
    let key = site.world.maas_api_key();
    let mut settings = maas_settings(&site.world);
    let (head, secret) = key.rsplit_once(':').unwrap();
    settings.api_key = format!("{head}:wrong").into();
    assert!(!format!("{settings:?}").contains("wrong") && !format!("{settings:?}").contains(head));
    let error = MaasDriver::new(settings, loopback())
        .unwrap()
        .health()
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Auth, "{error}");
    assert!(
        !format!("{error:?}").contains(secret) && !format!("{error:?}").contains("wrong"),
        "{error}"
    );
    site.stop().await;
}

#[tokio::test]
async fn an_address_outside_is_refused_before_a_packet() {
    let site = Fixture::start(41, 1, Faults::default()).await;
    let settings = maas_settings(&site.world);
    let nowhere = AllowNetworks::only(vec!["127.99.0.0/16".parse().unwrap()]);
    let since = site.world.call_log().last_seq();
    for host in ["127.0.0.1", "localhost"] {
        let mut settings = settings.clone();
        settings.url.set_host(Some(host)).unwrap();
        let error = MaasDriver::new(settings, nowhere.clone())
            .unwrap()
            .health()
            .await
            .unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent, "{error}");
        assert!(
            error.to_string().contains("drivers.allow_networks"),
            "{error}"
        );
    }
    assert!(site.world.call_log().since(since).is_empty());
    site.stop().await;
}

#[tokio::test]
async fn a_busy_region_is_transient_and_says_when_to_come_back() {
    let site = Fixture::start(42, 1, Faults::default()).await;
    let mut fault = maas_fault("users/", "GET", None, 503, false, 1);
    fault.retry_after = Some(10);
    site.world
        .set_faults(Faults {
            maas: vec![fault],
            ..Faults::default()
        })
        .unwrap();
    let error = site.maas.health().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert_eq!(error.retry_after, Some(Duration::from_secs(10)));
    site.maas.health().await.unwrap();
    site.stop().await;
}

/// The answer of every kind of write is lost once, after the work was done.
#[tokio::test]
async fn lost_answers_repeat_nothing_that_happened() {
    let site = Fixture::start(43, 1, Faults::default()).await;
    let lost =
        |path: &str, method: &str, op: Option<&str>| maas_fault(path, method, op, 502, true, 1);
    let faults = vec![
        lost("fabrics/", "POST", None),
        lost("subnets/", "POST", None),
        lost("ipranges/", "POST", None),
        lost("domains/", "POST", None),
        lost("account/", "POST", None),
        lost("package-repositories/", "POST", None),
        lost("machines/", "PUT", None),
        lost("machines/", "POST", Some("commission")),
        lost("machines/", "POST", Some("allocate")),
        lost("machines/", "POST", Some("set_workload_annotations")),
        lost("machines/", "POST", Some("deploy")),
        lost("machines/", "POST", Some("release")),
        lost("machines/", "DELETE", None),
        lost("tags/", "POST", None),
        lost("tags/", "POST", Some("update_nodes")),
    ];
    site.world
        .set_faults(Faults {
            maas: faults,
            ..Faults::default()
        })
        .unwrap();
    site.prepare_site().await;
    site.prepare("n1").await;
    site.step(A::ApplyNodePlatform, "n1")
        .run(&site.maas)
        .await
        .unwrap();
    let mut deploy = site.step(A::DeployNode, "n1");
    deploy.run(&site.maas).await.unwrap();
    assert!(deploy.hiccups > 0);
    let mut destroy = site.step(A::DestroyNode, "n1");
    destroy.run(&site.maas).await.unwrap();
    assert!(destroy.hiccups > 0);
    let unused: Vec<_> = site
        .world
        .faults()
        .maas
        .into_iter()
        .filter(|fault| fault.remaining != Some(0))
        .collect();
    assert!(unused.is_empty(), "faults that never hit: {unused:?}");
    for op in ["commission", "deploy", "release"] {
        let taken = site
            .world
            .call_log()
            .since(0)
            .iter()
            .filter(|entry| {
                matches!(&entry.call, Call::NodeStatus { to, .. } if match op {
                    "commission" => to == "Commissioning",
                    "deploy" => to == "Deploying",
                    _ => to == "Disk erasing",
                })
            })
            .count();
        assert_eq!(taken, 1, "{op} happened {taken} times");
    }
    assert!(site.maas.machines().await.unwrap().is_empty());
    site.stop().await;
}

#[tokio::test]
async fn a_failed_commissioning_is_told_and_can_be_tried_again() {
    let broken = MachineFaults {
        fails_commissioning: true,
        ..MachineFaults::default()
    };
    let faults = Faults {
        machines: [("n1".to_owned(), broken)].into(),
        ..Faults::default()
    };
    let site = Fixture::start(44, 1, faults).await;
    site.prepare_site().await;
    site.step(A::SetNodeBoot, "n1")
        .run(&site.ipmi)
        .await
        .unwrap();
    site.step(A::PowerCycleNode, "n1")
        .run(&site.ipmi)
        .await
        .unwrap();
    site.step(A::IdentifyNode, "n1")
        .fact("known", false)
        .run(&site.maas)
        .await
        .unwrap();
    let error = site
        .step(A::ConfigureHardware, "n1")
        .run(&site.maas)
        .await
        .unwrap_err();
    assert!(error.got.contains("Failed commissioning"), "{error}");
    site.world.set_faults(Faults::default()).unwrap();
    // The next task finds the old failure and is not misled by it.
    site.step(A::ConfigureHardware, "n1")
        .run(&site.maas)
        .await
        .unwrap();
    site.stop().await;
}

#[tokio::test]
async fn a_failed_deployment_is_told_and_can_be_tried_again() {
    let broken = MachineFaults {
        fails_deployment: true,
        ..MachineFaults::default()
    };
    let faults = Faults {
        machines: [("n1".to_owned(), broken)].into(),
        ..Faults::default()
    };
    let site = Fixture::start(45, 1, faults).await;
    site.prepare_site().await;
    site.prepare("n1").await;
    let error = site
        .step(A::DeployNode, "n1")
        .run(&site.maas)
        .await
        .unwrap_err();
    assert!(error.got.contains("Failed deployment"), "{error}");
    site.world.set_faults(Faults::default()).unwrap();
    let mut again = site.step(A::DeployNode, "n1");
    again.run(&site.maas).await.unwrap();
    assert_eq!(again.verbs()[0], "release_failed_deployment");
    site.stop().await;
}

#[tokio::test]
async fn a_deployment_taken_up_after_a_crash_is_not_done_twice() {
    for crash_after in 1..=4 {
        let site = Fixture::start(
            45 + u8::try_from(crash_after).unwrap(),
            1,
            Faults::default(),
        )
        .await;
        site.prepare_site().await;
        site.prepare("n1").await;
        let mut deploy = site.step(A::DeployNode, "n1");
        assert!(deploy.run_until(&site.maas, crash_after).await.is_none());
        deploy.run(&site.maas).await.unwrap();
        let log = site.world.call_log().since(0);
        let deployments = log
            .iter()
            .filter(|entry| matches!(&entry.call, Call::NodeStatus { to, .. } if to == "Deploying"))
            .count();
        assert_eq!(deployments, 1, "crash after {crash_after}");
        site.stop().await;
    }
}

#[tokio::test]
async fn a_controller_is_left_alone() {
    let site = Fixture::start(50, 1, Faults::default()).await;
    let controllers = site.world.call_log().last_seq();
    let mut design = (*site.design).clone();
    let mut node = (*design.nodes[0]).clone();
    // The region's own rack, by whatever name it bears.
    let rack = site
        .maas
        .observe(&site.site_step(A::ValidateNodeServices).cx)
        .await
        .unwrap();
    node.name = rack.0["racks"][0]["hostname"].as_str().unwrap().to_owned();
    node.boot_mac = None;
    node.oob.address = None;
    design.nodes[0] = std::sync::Arc::new(node.clone());
    let design = std::sync::Arc::new(design);
    for action in [
        A::IdentifyNode,
        A::InterrogateNode,
        A::ConfigureHardware,
        A::ApplyNodePlatform,
        A::DeployNode,
        A::DestroyNode,
    ] {
        let mut step = crate::run::Step::new(action, &design, Some(&node.name));
        let report = step.run(&site.maas).await.unwrap();
        assert!(
            report.message.contains("left alone"),
            "{action}: {}",
            report.message
        );
        assert_eq!(report.facts["protected"], true);
    }
    assert!(site.writes(controllers).is_empty());
    site.stop().await;
}
