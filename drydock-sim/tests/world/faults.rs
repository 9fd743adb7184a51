//! What breaks on purpose, and heals again.

use drydock_ipmi::{Client, Control, Error};
use drydock_sim::{Call, Faults, MaasFault, MachineFaults, Phase};

use super::site::{Site, broken, within};

fn maas(fault: MaasFault) -> Faults {
    Faults {
        maas: vec![fault],
        ..Faults::default()
    }
}

#[tokio::test]
async fn maas_answers_503_as_often_as_told() {
    let site = Site::start(
        60,
        0,
        maas(MaasFault {
            path_prefix: "fabrics/".into(),
            remaining: Some(2),
            status: Some(503),
            retry_after: Some(10),
            ..MaasFault::default()
        }),
    )
    .await;
    assert_eq!(site.maas.get("subnets/").await.status, 200);
    let url = format!("{}/api/2.0/fabrics/", site.maas.base);
    let raw = site
        .maas
        .client
        .get(url)
        .header("Authorization", site.maas.signed());
    let raw = raw.send().await.unwrap();
    assert_eq!(
        (
            raw.status().as_u16(),
            raw.headers()["Retry-After"].to_str().unwrap()
        ),
        (503, "10")
    );
    assert_eq!(site.maas.get("fabrics/").await.status, 503);
    assert_eq!(site.maas.get("fabrics/").await.status, 200);
    assert_eq!(site.world.faults().maas[0].remaining, Some(0));
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_work_is_done() {
    let site = Site::start(
        61,
        0,
        maas(MaasFault {
            path_prefix: "tags/".into(),
            method: Some("POST".into()),
            remaining: Some(1),
            status: Some(502),
            after_work: true,
            ..MaasFault::default()
        }),
    )
    .await;
    assert_eq!(site.maas.post("tags/", &[("name", "t1")]).await.status, 502);
    let said = site.maas.post("tags/", &[("name", "t1")]).await;
    assert_eq!(
        (said.status, said.text.as_str()),
        (400, "{\"name\":[\"Tag with this Name already exists.\"]}")
    );
}

#[tokio::test]
async fn a_slow_answer_is_slow() {
    let site = Site::start(
        62,
        0,
        maas(MaasFault {
            delay_ms: 300,
            remaining: Some(1),
            ..MaasFault::default()
        }),
    )
    .await;
    let start = std::time::Instant::now();
    site.maas.get("tags/").await.good();
    assert!(start.elapsed() >= std::time::Duration::from_millis(300));
}

#[tokio::test]
async fn a_silent_bmc_comes_back() {
    let silent = broken(MachineFaults {
        bmc_silent: true,
        ..MachineFaults::default()
    });
    let site = Site::start(63, 1, silent).await;
    let mut target = site.target(1);
    target.timeout = std::time::Duration::from_millis(50);
    let refused = Client::connect(target).await;
    assert!(
        matches!(refused, Err(Error::Timeout { .. })),
        "{:?}",
        refused.err()
    );
    site.world.set_faults(Faults::default()).unwrap();
    let session = within("the BMC", async {
        loop {
            if let Ok(session) = Client::connect(site.target(1)).await {
                return session;
            }
        }
    })
    .await;
    session.close().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_can_be_set_right() {
    let wrong = broken(MachineFaults {
        bmc_wrong_password: true,
        ..MachineFaults::default()
    });
    let site = Site::start(64, 1, wrong).await;
    let refused = Client::connect(site.target(1)).await;
    assert!(
        matches!(refused, Err(Error::Auth { .. })),
        "{:?}",
        refused.err()
    );
    site.world.set_faults(Faults::default()).unwrap();
    let session = within("the right password", async {
        loop {
            if let Ok(session) = Client::connect(site.target(1)).await {
                return session;
            }
        }
    })
    .await;
    session.close().await.unwrap();
}

#[tokio::test]
async fn power_commands_can_be_ignored_and_boot_devices_forgotten() {
    let faults = MachineFaults {
        ignores_power: true,
        forgets_boot_device: true,
        ..MachineFaults::default()
    };
    let site = Site::start(65, 1, broken(faults)).await;
    site.boot_network(1).await;
    let mut session = site.session(1).await;
    assert!(!session.chassis_status().await.unwrap().power_on);
    assert!(!session.boot_options().await.unwrap().valid);
    site.world.set_faults(Faults::default()).unwrap();
    session.chassis_control(Control::On).await.unwrap();
    within("power on", async {
        while !session.chassis_status().await.unwrap().power_on {}
    })
    .await;
    assert_eq!(site.world.machine_states()[0].phase, Phase::NothingToBoot);
}

#[tokio::test]
async fn commissioning_and_deployment_fail_and_then_work() {
    let faults = MachineFaults {
        fails_commissioning: true,
        fails_deployment: true,
        ..MachineFaults::default()
    };
    let site = Site::start(66, 1, broken(faults)).await;
    let id = site.enlist(1).await;
    site.commission(&id, "Failed commissioning").await;
    let results = site
        .maas
        .get(&format!(
            "commissioning-results/?system_id={id}&result_type=0"
        ))
        .await
        .good();
    assert!(
        results
            .as_array()
            .unwrap()
            .iter()
            .any(|result| result["script_result"] == 1),
        "{results}"
    );
    site.world
        .set_faults(broken(MachineFaults {
            fails_deployment: true,
            ..MachineFaults::default()
        }))
        .unwrap();
    site.commission(&id, "Ready").await;
    site.deploy(&id, "Failed deployment").await;
    assert_eq!(site.world.machine_states()[0].phase, Phase::InstallFailed);
    site.world.set_faults(Faults::default()).unwrap();
    let seq = site.world.call_log().last_seq();
    site.op(&id, "release", &[]).await.good();
    site.node_enters_after(seq, "Ready").await;
    site.deploy(&id, "Deployed").await;
}

#[tokio::test]
async fn a_machine_that_never_calls_back_is_still_deployed() {
    let faults = MachineFaults {
        never_calls_back: true,
        ..MachineFaults::default()
    };
    let site = Site::start(67, 1, broken(faults)).await;
    let id = site.enlist(1).await;
    site.maas
        .put(&format!("machines/{id}/"), &[("hostname", "node1")])
        .await
        .good();
    site.maas
        .post("tags/", &[("name", "node1__baid__ab")])
        .await
        .good();
    site.maas
        .post("tags/node1__baid__ab/?op=update_nodes", &[("add", &id)])
        .await
        .good();
    site.world
        .set_callback_url("http://127.0.0.1:9/api/v1.0")
        .unwrap();
    site.commission(&id, "Ready").await;
    let seq = site.world.call_log().last_seq();
    site.deploy(&id, "Deployed").await;
    let log = site.world.call_log();
    within(
        "running",
        log.wait_for(seq, |entry| {
            matches!(
                &entry.call,
                Call::Machine {
                    to: Phase::Running,
                    ..
                }
            )
        }),
    )
    .await;
    assert!(
        !log.since(0)
            .iter()
            .any(|entry| matches!(&entry.call, Call::CallBack { .. }))
    );
}

#[tokio::test]
async fn faults_of_unknown_machines_are_refused() {
    let site = Site::start(68, 0, Faults::default()).await;
    let error = site
        .world
        .set_faults(broken(MachineFaults::default()))
        .unwrap_err();
    assert!(error.to_string().contains("n1"), "{error}");
}
