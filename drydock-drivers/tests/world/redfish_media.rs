//! Virtual media by the Redfish driver.

use std::time::Duration;

use drydock_drivers::oob::Controller;
use drydock_model::driver::ErrorClass;
use drydock_model::step::StepAction as A;
use drydock_sim::MachineFaults;

use crate::redfish::{Bench, VENDORS, vendor};
use crate::redfish_odd::{Odd, answer, ok, service};

#[tokio::test]
async fn media_are_inserted_and_taken_out_at_every_maker() {
    const IMAGE: &str = "http://127.0.0.1/boot.iso";
    for (block, maker) in (150u8..).zip(VENDORS) {
        let bench = Bench::start(block, vendor(maker)).await;
        let media = bench.driver.controller();
        let node = bench.design.node("n1").unwrap();
        assert_eq!(media.media(node).await.unwrap(), None, "{maker:?}");
        media
            .insert_media(node, "http://127.0.0.1/old.iso")
            .await
            .unwrap();
        for _ in 0..2 {
            media.insert_media(node, IMAGE).await.unwrap();
            assert_eq!(media.media(node).await.unwrap().as_deref(), Some(IMAGE));
        }
        for _ in 0..2 {
            media.eject_media(node).await.unwrap();
            assert_eq!(media.media(node).await.unwrap(), None);
        }
        let wanted = ["insert_media", "eject_media", "insert_media", "eject_media"];
        assert_eq!(bench.effects(), wanted, "{maker:?}");
        bench.stop().await;
    }
}

/// A boot from CD puts the image of the design into the drive first.
#[tokio::test]
async fn a_boot_from_cd_inserts_the_image_of_the_design() {
    let with_image = |node: &mut drydock_model::effective::Node| {
        let image = "http://127.0.0.1/x.iso".to_owned();
        node.oob.params.insert("redfish_media".to_owned(), image);
    };
    let bench = Bench::with(160, MachineFaults::default(), with_image).await;
    let mut step = bench.step(A::SetNodeBoot);
    step.cx.boot_device = drydock_model::oob::BootDevice::Cd;
    let report = step.run(&bench.driver).await.unwrap();
    assert!(report.message.contains("from its CD drive"), "{report:?}");
    assert_eq!(bench.effects(), ["insert_media", "set_boot"]);
    let after = &step.journal[0].change.after;
    assert_eq!(after["media"], "http://127.0.0.1/x.iso");
    bench.stop().await;
}

/// User and password of the image's place go to the BMC, and into nothing that is kept. Another image is found and taken out.
#[tokio::test]
async fn the_image_is_compared_and_its_password_is_kept_nowhere() {
    const IMAGE: &str = "http://reader:hunter2@127.0.0.1/x.iso";
    let with_image = |node: &mut drydock_model::effective::Node| {
        let image = ("redfish_media".to_owned(), IMAGE.to_owned());
        node.oob.params.extend([image]);
    };
    let bench = Bench::with(224, MachineFaults::default(), with_image).await;
    let media = bench.driver.controller();
    let node = bench.design.node("n1").unwrap();
    for foreign in [false, true] {
        if foreign {
            let image = "http://127.0.0.1/other.iso";
            media.insert_media(node, image).await.unwrap();
        }
        let mut step = bench.step(A::SetNodeBoot);
        step.cx.boot_device = drydock_model::oob::BootDevice::Cd;
        step.run(&bench.driver).await.unwrap();
        assert_eq!(step.verbs(), ["set_boot_device"]);
        assert_eq!(
            step.journal[0].change.after["media"],
            "http://127.0.0.1/x.iso"
        );
        assert!(!step.stored().contains("hunter2"), "{}", step.stored());
        assert_eq!(media.media(node).await.unwrap().as_deref(), Some(IMAGE));
        let mut again = bench.step(A::SetNodeBoot);
        again.cx.boot_device = drydock_model::oob::BootDevice::Cd;
        again.run(&bench.driver).await.unwrap();
        assert!(again.verbs().is_empty());
    }
    bench.stop().await;
}

/// The node's system names no manager, and the only one is another machine's: its drive is not touched, nor is it described as ours.
#[tokio::test]
async fn another_machines_manager_is_left_alone() {
    let named = |node: &mut drydock_model::effective::Node| {
        let name = ("redfish_system".to_owned(), "a".to_owned());
        node.oob.params.extend([name]);
    };
    for (block, alone) in [(207, false), (208, true)] {
        let rest = move |line: &str| match line {
            "GET /managers" => ok(r#"{"Members": [{"@odata.id": "/managers/b"}]}"#),
            "GET /managers/b" => ok(r#"{"VirtualMedia": {"@odata.id": "/drives"}}"#),
            "GET /drives" => ok(r#"{"Members": [{"@odata.id": "/drives/1"}]}"#),
            "GET /drives/1" => {
                ok(r#"{"Image": "http://127.0.0.1/b.iso", "MediaTypes": ["CD"], "Inserted": true}"#)
            }
            _ => answer("500 Internal Server Error", "", ""),
        };
        let one = service(r#"{"PowerState": "On", "Links": {"ManagedBy": []}}"#, rest);
        let odd = Odd::with(block, named, move |line| {
            if line.starts_with("GET /systems ") && !alone {
                ok(r#"{"Members": [{"@odata.id": "/systems/a"}, {"@odata.id": "/systems/b"}]}"#)
            } else {
                one(line)
            }
        })
        .await;
        let media = odd.driver.controller();
        if alone {
            let image = media.media(odd.node()).await.unwrap();
            assert_eq!(image.as_deref(), Some("http://127.0.0.1/b.iso"));
        } else {
            let error = media.eject_media(odd.node()).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Permanent, "{error}");
            assert!(error.got.contains("Links.ManagedBy"), "{error}");
            let told = media.interrogate(odd.node(), true, Duration::from_secs(9));
            let missing = told.await.unwrap().inventory["not_read"]["bmc"].to_string();
            assert!(missing.contains("Links.ManagedBy"), "{missing}");
            assert_eq!(odd.count("GET /managers/") + odd.count("PATCH"), 0);
            assert_eq!(odd.count("POST"), 1, "the login");
        }
        odd.driver.shutdown().await;
    }
}
