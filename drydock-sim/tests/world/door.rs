//! The stand-in server, its window for other processes, and what cannot be started.

use std::net::{IpAddr, Ipv4Addr};

use drydock_sim::{Entry, Faults, SimError, SiteShape, Timing, World};
use serde_json::{Value, json};

use super::site::{Site, machine};

#[tokio::test]
async fn another_process_can_look_and_break() {
    let site = Site::start(100, 1, Faults::default()).await;
    let base = format!("http://{}", site.world.stand_in_addr());
    let client = &site.maas.client;
    let script = client
        .get(format!("{base}/join.sh"))
        .header("Host", "promenade.example.com")
        .send()
        .await
        .unwrap();
    assert_eq!(script.status(), 200);
    let script = script.text().await.unwrap();
    assert!(
        script.starts_with("#!/bin/sh") && script.contains("promenade.example.com/join.sh"),
        "{script}"
    );

    let id = site.enlist(1).await;
    let log: Vec<Entry> = client
        .get(format!("{base}/_sim/log?since=1"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(log[0].seq, 2);
    let text = serde_json::to_string(&log).unwrap();
    assert!(
        text.contains(&id) && text.contains("\"kind\":\"node_status\""),
        "{text}"
    );
    let machines: Value = client
        .get(format!("{base}/_sim/machines"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(machines[0]["name"], "n1");

    let put = async |path: &str, body: Value| {
        client
            .put(format!("{base}/_sim/{path}"))
            .json(&body)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(put("faults", json!({"maas": [{"status": 503}]})).await, 204);
    assert_eq!(site.maas.get("machines/").await.status, 503);
    assert_eq!(
        put("faults", json!({"machines": {"nobody": {}}})).await,
        400
    );
    assert_eq!(put("faults", json!({"maaas": []})).await, 400);
    assert_eq!(
        put("callback", json!({"url": "http://127.0.0.1:9000/api/v1.0"})).await,
        204
    );
    assert_eq!(
        put("callback", json!({"url": "http://192.0.2.1/"})).await,
        400
    );
    site.world.stop().await;
    assert!(
        client.get(format!("{base}/x")).send().await.is_err(),
        "the server is gone"
    );
}

#[tokio::test]
async fn what_cannot_be_simulated_is_refused() {
    let start = async |change: fn(&mut SiteShape)| {
        let mut shape = SiteShape {
            machines: vec![machine(101, 1), machine(101, 2)],
            ..SiteShape::default()
        };
        change(&mut shape);
        World::start(shape, Timing::INSTANT, Faults::default())
            .await
            .unwrap_err()
    };
    let error = start(|shape| shape.machines[0].bmc_address = IpAddr::from([192, 0, 2, 1])).await;
    assert!(matches!(error, SimError::NotLoopback { .. }), "{error}");
    assert!(error.to_string().contains("192.0.2.1"), "{error}");
    let error = start(|shape| shape.machines[1].name = "n1".into()).await;
    assert!(matches!(error, SimError::Twice { .. }), "{error}");
    let error = start(|shape| shape.machines[1].boot_nic = 3).await;
    assert!(matches!(error, SimError::NoBootNic { .. }), "{error}");
}

#[tokio::test]
async fn bmcs_share_a_port_that_is_free_on_all_addresses() {
    let one = Site::start(102, 3, Faults::default()).await;
    // The second site has the same addresses, so the port of the first is taken on all of them.
    let two = Site::start(102, 3, Faults::default()).await;
    assert_ne!(one.world.bmc_port(), two.world.bmc_port());
    for number in 1..=3 {
        two.session(number).await.close().await.unwrap();
    }
    let taken = std::net::UdpSocket::bind((Ipv4Addr::new(127, 102, 1, 1), 0)).unwrap();
    let mut shape = machine(102, 7);
    shape.bmc_address = IpAddr::from([127, 102, 1, 1]);
    shape.bmc_port = Some(taken.local_addr().unwrap().port());
    let shape = SiteShape {
        machines: vec![shape],
        ..SiteShape::default()
    };
    let error = World::start(shape, Timing::INSTANT, Faults::default())
        .await
        .unwrap_err();
    assert!(matches!(error, SimError::BmcBind { .. }), "{error}");
}
