//! The libvirt driver against a real libvirtd.

#[path = "libvirt/daemon.rs"]
mod daemon;

use std::sync::Arc;
use std::time::Duration;

use drydock_drivers::AllowNetworks;
use drydock_drivers::libvirt::{LibvirtDriver, LibvirtSettings};
use drydock_drivers::oob::Timing;
use drydock_model::build_data::Element;
use drydock_model::driver::ErrorClass;
use drydock_model::effective::EffectiveDesign;
use drydock_model::step::StepAction;

use self::daemon::Daemon;
use crate::run::Step;
use crate::site::design;

const FIRST: &str = "52:54:00:00:00:01";
const SECOND: &str = "52:54:00:00:00:02";

fn domain() -> String {
    format!(
        "<domain type='test'><name>n1</name><memory unit='KiB'>65536</memory><vcpu>2</vcpu>\
         <os><type arch='x86_64'>hvm</type><boot dev='hd'/></os><devices>\
         <disk type='file' device='disk'><source file='/d1'/><target dev='vda' bus='virtio'/></disk>\
         <interface type='network'><mac address='{FIRST}'/><source network='default'/></interface>\
         <interface type='network'><mac address='{SECOND}'/><source network='default'/></interface>\
         <graphics type='vnc' port='5900' passwd='hush'/></devices></domain>"
    )
}

struct Bed {
    daemon: Daemon,
    driver: LibvirtDriver,
    design: Arc<EffectiveDesign>,
}

fn driver(settings: LibvirtSettings) -> LibvirtDriver {
    let loopback = vec!["127.0.0.0/8".parse().unwrap()];
    LibvirtDriver::new(settings, AllowNetworks::only(loopback))
}

fn settings() -> LibvirtSettings {
    LibvirtSettings {
        gap_ceiling: Duration::from_millis(50),
        timing: Timing {
            settle_after_reset: Duration::from_millis(100),
            state_timeout: Duration::from_secs(3),
            poll: Duration::from_millis(20),
        },
        ..LibvirtSettings::default()
    }
}

/// One node that is a domain at this hypervisor.
fn site(uri: &str, boot_mac: &str) -> Arc<EffectiveDesign> {
    let mut site = design(0, 1);
    let node = Arc::make_mut(&mut site.nodes[0]);
    node.oob.kind = "libvirt".into();
    node.oob.params.insert("libvirt_uri".into(), uri.into());
    node.boot_mac = Some(boot_mac.into());
    Arc::new(site)
}

impl Bed {
    async fn start() -> Option<Bed> {
        let daemon = Daemon::start().await?;
        daemon
            .virsh(&["define", "/dev/stdin"], Some(&domain()))
            .await;
        Some(Bed {
            design: site(&daemon.uri(), FIRST),
            driver: driver(settings()),
            daemon,
        })
    }

    async fn run(&self, action: StepAction) -> Step {
        let mut step = Step::new(action, &self.design, Some("n1"));
        step.run(&self.driver).await.unwrap();
        step
    }

    async fn state(&self) -> String {
        self.daemon.virsh(&["domstate", "n1"], None).await
    }

    async fn description(&self) -> String {
        let arguments = ["dumpxml", "--inactive", "--security-info", "n1"];
        self.daemon.virsh(&arguments, None).await
    }
}

#[tokio::test]
async fn power_is_switched_and_what_is_so_already_is_left_alone() {
    let Some(bed) = Bed::start().await else {
        return;
    };
    assert_eq!(bed.state().await, "shut off");
    assert_eq!(bed.run(StepAction::PowerOffNode).await.verbs(), [""; 0]);
    assert_eq!(bed.run(StepAction::PowerOnNode).await.verbs(), ["power_on"]);
    assert_eq!(bed.state().await, "running");
    assert_eq!(bed.run(StepAction::PowerOnNode).await.verbs(), [""; 0]);
    let id = bed.daemon.virsh(&["domid", "n1"], None).await;
    let cycle = bed.run(StepAction::PowerCycleNode).await;
    assert_eq!(cycle.counts()["power_off"], 1);
    assert_eq!(cycle.counts()["power_on"], 1);
    assert_eq!(bed.state().await, "running");
    let new = bed.daemon.virsh(&["domid", "n1"], None).await;
    assert_ne!(id, new, "another run of the domain");
    bed.run(StepAction::PowerOffNode).await;
    assert_eq!(bed.state().await, "shut off");
}

#[tokio::test]
async fn network_boot_comes_first_survives_the_cycle_and_nothing_else_is_lost() {
    let Some(bed) = Bed::start().await else {
        return;
    };
    let set = bed.run(StepAction::SetNodeBoot).await;
    assert_eq!(set.verbs(), ["set_boot_device"]);
    let text = bed.description().await;
    let network = text.find("<boot dev='network'/>").unwrap();
    assert!(network < text.find("<boot dev='hd'/>").unwrap(), "{text}");
    assert!(text.contains("passwd='hush'"), "{text}");
    assert_eq!(bed.run(StepAction::SetNodeBoot).await.verbs(), [""; 0]);
    bed.run(StepAction::PowerOnNode).await;
    bed.run(StepAction::PowerCycleNode).await;
    assert_eq!(bed.description().await, text);
    let live = bed.daemon.virsh(&["dumpxml", "n1"], None).await;
    assert!(live.contains("<boot dev='network'/>"), "{live}");
    assert!(!set.stored().contains("hush"));
}

#[tokio::test]
async fn the_card_of_the_design_is_the_one_that_boots() {
    let Some(mut bed) = Bed::start().await else {
        return;
    };
    bed.design = site(&bed.daemon.uri(), SECOND);
    bed.run(StepAction::SetNodeBoot).await;
    let text = bed.description().await;
    let (_, second) = text.split_once(SECOND).unwrap();
    assert!(second.contains("<boot order='1'/>"), "{text}");
    assert!(text.contains("<boot order='2'/>") && !text.contains("<boot dev="));
    assert_eq!(bed.run(StepAction::SetNodeBoot).await.verbs(), [""; 0]);
    bed.run(StepAction::PowerOnNode).await;
    assert_eq!(bed.state().await, "running");
    let nobodys = site(&bed.daemon.uri(), "52:54:00:00:00:09");
    let mut step = Step::new(StepAction::SetNodeBoot, &nobodys, Some("n1"));
    let error = step.run(&bed.driver).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent, "{error}");
}

#[tokio::test]
async fn a_cycle_that_was_cut_off_is_gone_on_with() {
    let Some(bed) = Bed::start().await else {
        return;
    };
    bed.run(StepAction::PowerOnNode).await;
    for crash_after in 1..=2 {
        let id = bed.daemon.virsh(&["domid", "n1"], None).await;
        let mut step = Step::new(StepAction::PowerCycleNode, &bed.design, Some("n1"));
        let cut = step.run_until(&bed.driver, crash_after).await;
        assert!(cut.is_none(), "{crash_after}");
        step.run(&bed.driver).await.unwrap();
        let new = bed.daemon.virsh(&["domid", "n1"], None).await;
        let (id, new): (u64, u64) = (id.parse().unwrap(), new.parse().unwrap());
        assert_eq!(new, id + 1, "started once, after {crash_after}");
    }
}

#[tokio::test]
async fn a_domain_tells_its_hardware() {
    let Some(bed) = Bed::start().await else {
        return;
    };
    let mut step = Step::new(StepAction::InterrogateOob, &bed.design, Some("n1"));
    let report = step.run(&bed.driver).await.unwrap();
    assert!(
        report.message.contains("power is off"),
        "{}",
        report.message
    );
    let [data] = report.build_data.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(data.generator, "libvirt_inventory");
    let Element::Json(inventory) = &data.element else {
        panic!("{data:?}")
    };
    assert_eq!(inventory["type"], "libvirt");
    assert_eq!(inventory["disks"][0]["source"], "/d1");
    assert_eq!(inventory["interfaces"][1]["mac"], SECOND);
    assert_eq!(inventory["state"], "shut off");
    assert_eq!(inventory["boot"]["device"], "disk");
    assert!(!inventory.to_string().contains("hush"));
}

#[tokio::test]
async fn a_transient_domain_is_not_switched_off() {
    let Some(bed) = Bed::start().await else {
        return;
    };
    bed.run(StepAction::PowerOnNode).await;
    bed.daemon.virsh(&["undefine", "n1"], None).await;
    let mut step = Step::new(StepAction::PowerOffNode, &bed.design, Some("n1"));
    let error = step.run(&bed.driver).await.unwrap_err();
    assert!(error.to_string().contains("transient"), "{error}");
    assert_eq!(bed.state().await, "running");
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let Some(bed) = Bed::start().await else {
        return;
    };
    bed.daemon.virsh(&["undefine", "n1"], None).await;
    let mut step = Step::new(StepAction::PowerOnNode, &bed.design, Some("n1"));
    let error = step.run(&bed.driver).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent, "{error}");
    assert!(error.to_string().contains("n1"), "{error}");

    let ask = async |uri: &str, settings: LibvirtSettings| {
        let site = site(uri, FIRST);
        let step = Step::new(StepAction::PowerOnNode, &site, Some("n1"));
        let driver = driver(settings);
        drydock_model::driver::Driver::observe(&driver, &step.cx)
            .await
            .unwrap_err()
    };
    let nobody = ask("test+unix:///default?socket=/nonexistent", settings()).await;
    assert_eq!(nobody.class, ErrorClass::Transient, "{nobody}");
    for refused in ["qemu+ssh://root@10.0.0.1/system", "qemu+ssh://h/system"] {
        let error = ask(refused, settings()).await;
        assert_eq!(error.class, ErrorClass::Permanent, "{error}");
        assert!(
            error.to_string().contains("drivers.allow_networks"),
            "{error}"
        );
    }
    let missing = LibvirtSettings {
        virsh: "/nonexistent/virsh".into(),
        ..settings()
    };
    let error = ask(&bed.daemon.uri(), missing).await;
    assert!(error.to_string().contains("libvirt-clients"), "{error}");
}
