//! Virtual media by the Redfish driver.

use drydock_model::step::StepAction as A;
use drydock_sim::MachineFaults;

use crate::redfish::{Bench, VENDORS, vendor};

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
