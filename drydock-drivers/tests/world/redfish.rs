//! The Redfish driver against simulated BMCs: the contract of all out-of-band drivers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drydock_drivers::AllowNetworks;
use drydock_drivers::oob::Attended;
use drydock_drivers::redfish::{Fingerprint, RedfishDriver, RedfishSettings, TlsPolicy};
use drydock_model::build_data::Element;
use drydock_model::driver::{Driver, ErrorClass, Report};
use drydock_model::effective::EffectiveDesign;
use drydock_model::step::StepAction as A;
use drydock_sim::{
    BmcFaults, BmcKind, Call, Faults, MachineFaults, Origin, RedfishFaults, SiteShape, Timing,
    Transport, Vendor, World,
};
use serde_json::Value;

use crate::run::Step;
use crate::site::{PASSWORD, design, loopback, machine};

/// A world of machines whose BMCs speak Redfish, and the driver.
pub struct Bench {
    pub world: World,
    pub design: Arc<EffectiveDesign>,
    pub driver: RedfishDriver,
}

pub fn settings(world: &World) -> RedfishSettings {
    RedfishSettings {
        port: world.redfish_port(),
        gap_floor: Duration::from_millis(1),
        gap_ceiling: Duration::from_millis(50),
        timeout: Duration::from_secs(2),
        tls: TlsPolicy {
            fingerprints: vec![Fingerprint::of(world.redfish_certificate("n1").unwrap())],
            ..TlsPolicy::default()
        },
        state_timeout: Duration::from_secs(3),
        settle_after_reset: Duration::from_secs(1),
        poll: Duration::from_millis(20),
        ..RedfishSettings::default()
    }
}

pub async fn world(block: u8, faults: MachineFaults, transport: Transport) -> World {
    let mut shape = machine(block, 1);
    shape.bmc = BmcKind::Redfish(transport);
    let shape = SiteShape {
        machines: vec![shape],
        ..SiteShape::default()
    };
    let faults = Faults {
        machines: [("n1".to_owned(), faults)].into(),
        ..Faults::default()
    };
    World::start(shape, Timing { scale: 0.002 }, faults)
        .await
        .unwrap()
}

impl Bench {
    pub async fn start(block: u8, faults: MachineFaults) -> Self {
        Self::with(block, faults, |_| {}).await
    }

    /// With a design that is a little different.
    pub async fn with(
        block: u8,
        faults: MachineFaults,
        change: impl FnOnce(&mut drydock_model::effective::Node),
    ) -> Self {
        let world = world(block, faults, Transport::SelfSigned).await;
        let mut design = design(block, 1);
        change(Arc::get_mut(&mut design.nodes[0]).unwrap());
        let driver = RedfishDriver::new(settings(&world), loopback()).unwrap();
        Bench {
            world,
            design: Arc::new(design),
            driver,
        }
    }

    pub fn step(&self, action: A) -> Step {
        Step::new(action, &self.design, Some("n1"))
    }

    pub async fn run(&self, action: A) -> Report {
        self.step(action).run(&self.driver).await.unwrap()
    }

    /// What came of requests from outside: power commands, boot settings, media.
    pub fn effects(&self) -> Vec<String> {
        let log = self.world.call_log().since(0);
        let ours = log.iter().filter_map(|entry| match &entry.call {
            Call::Bmc {
                origin: Origin::Bmc,
                command,
                ..
            } => Some(command.clone()),
            _ => None,
        });
        ours.collect()
    }

    /// All requests, as method, path and status.
    pub fn requests(&self) -> Vec<String> {
        let log = self.world.call_log().since(0);
        let ours = log.iter().filter_map(|entry| match &entry.call {
            Call::Redfish {
                method,
                path,
                status,
                ..
            } => Some(format!("{method} {path} {}", status.unwrap_or(0))),
            _ => None,
        });
        ours.collect()
    }

    pub fn count(&self, start: &str) -> usize {
        let requests = self.requests();
        requests.iter().filter(|it| it.starts_with(start)).count()
    }

    pub fn set(&self, faults: MachineFaults) {
        let faults = Faults {
            machines: [("n1".to_owned(), faults)].into(),
            ..Faults::default()
        };
        self.world.set_faults(faults).unwrap();
    }

    /// Ends the session, and proves that the BMC has all of its slots free again.
    pub async fn stop(self) {
        self.driver.shutdown().await;
        let logins = self.count("POST /redfish/v1/SessionService/Sessions 201");
        let logouts = self.count("DELETE /redfish/v1/SessionService/Sessions/");
        assert_eq!(logins, logouts, "{:#?}", self.requests());
        self.world.stop().await;
    }
}

pub fn redfish(faults: RedfishFaults) -> MachineFaults {
    MachineFaults {
        redfish: faults,
        ..MachineFaults::default()
    }
}

pub fn vendor(vendor: Vendor) -> MachineFaults {
    MachineFaults {
        bmc: BmcFaults {
            vendor,
            ..BmcFaults::default()
        },
        ..MachineFaults::default()
    }
}

pub const VENDORS: [Vendor; 8] = [
    Vendor::Plain,
    Vendor::Minimal,
    Vendor::Openbmc,
    Vendor::Supermicro,
    Vendor::Idrac,
    Vendor::Ilo,
    Vendor::Xcc,
    Vendor::SushyTools,
];

#[tokio::test]
async fn interrogation_tells_the_machine_and_changes_nothing() {
    let mut alarm = MachineFaults::default();
    alarm.bmc.sensor_alarm = true;
    let bench = Bench::start(101, alarm).await;
    let mut step = bench.step(A::InterrogateOob);
    let report = step.run(&bench.driver).await.unwrap();
    assert!(step.journal.is_empty(), "it only reads");
    assert!(
        report.message.contains("power is off") && report.message.contains("serial number n1"),
        "{}",
        report.message
    );
    let [collected] = &report.build_data[..] else {
        panic!("{report:?}")
    };
    assert_eq!(collected.generator, "redfish_inventory");
    let Element::Json(data) = &collected.element else {
        panic!("{collected:?}")
    };
    assert_eq!(data["serial"], "n1", "{data:#}");
    assert_eq!(data["power"], "off");
    assert_eq!(data["bmc"]["firmware"], "2.14.7");
    assert_eq!(data["interfaces"].as_array().unwrap().len(), 3);
    assert_eq!(data["sensors"]["in_alarm"][0]["name"], "PSU 2", "{data:#}");
    assert_eq!(data["events"][1]["text"], "PSU 2: input lost.", "{data:#}");
    assert_eq!(data.get("not_read"), None, "{data:#}");
    for action in [A::ValidateOobServices, A::ConfigNodePxe] {
        let mut step = bench.step(action);
        assert!(!step.run(&bench.driver).await.unwrap().message.is_empty());
        assert!(step.journal.is_empty());
    }
    assert!(bench.effects().is_empty());
    // One session for all of it.
    assert_eq!(bench.count("POST /redfish/v1/SessionService/Sessions"), 1);
    bench.stop().await;
}

#[tokio::test]
async fn what_takes_too_long_is_left_out() {
    let bench = Bench::start(102, MachineFaults::default()).await;
    let mut step = bench.step(A::InterrogateOob);
    step.cx.time_left = Duration::ZERO;
    let observed = bench.driver.observe(&step.cx).await.unwrap();
    let missing = observed.0["inventory"]["not_read"].as_object().unwrap();
    assert!(missing["bmc"].as_str().unwrap().contains("no end within"));
    let later = missing["sensors"].as_str().unwrap();
    assert!(later.contains("not asked for"), "{missing:?}");
    bench.stop().await;
}

/// Each action twice at each maker's BMC: the first brings it about by one change, the second finds it so.
#[tokio::test]
async fn every_verb_is_idempotent_at_every_maker() {
    for (block, maker) in (110u8..).zip(VENDORS) {
        let bench = Bench::start(block, vendor(maker)).await;
        for (action, verb) in [
            (A::PowerOnNode, "power_on"),
            (A::PowerOffNode, "power_off"),
            (A::SetNodeBoot, "set_boot_device"),
        ] {
            let mut first = bench.step(action);
            let outcome = first.run(&bench.driver).await;
            assert!(outcome.is_ok(), "{maker:?} {action}: {outcome:?}");
            assert_eq!(
                first.counts().keys().collect::<Vec<_>>(),
                [&verb],
                "{maker:?}"
            );
            if action != A::PowerOnNode {
                let mut second = bench.step(action);
                second.run(&bench.driver).await.unwrap();
                assert!(second.verbs().is_empty(), "{maker:?} {action}");
            }
        }
        bench.stop().await;
    }
}

/// Off, boot device, on: never the service's own cycle, and the boot device is there when it starts.
#[tokio::test]
async fn a_cycle_is_off_and_on_at_every_maker() {
    for (block, maker) in (120u8..).zip(VENDORS) {
        let faults = MachineFaults {
            loses_boot_device: true,
            ..vendor(maker)
        };
        let bench = Bench::start(block, faults).await;
        bench.run(A::PowerOnNode).await;
        bench.run(A::SetNodeBoot).await;
        let before = bench.effects().len();
        let mut cycle = bench.step(A::PowerCycleNode);
        let outcome = cycle.run(&bench.driver).await;
        assert!(outcome.is_ok(), "{maker:?}: {outcome:?}");
        let effects = bench.effects().split_off(before);
        assert_eq!(effects, ["power_off", "set_boot", "power_on"], "{maker:?}");
        bench.stop().await;
    }
}

/// The step dies after each of its changes, before it could write the outcome, and another run takes it up.
#[tokio::test]
async fn a_crashed_cycle_is_taken_up_without_a_second_one() {
    for crash_after in 1..=2 {
        let block = 130 + u8::try_from(crash_after).unwrap();
        let bench = Bench::start(block, MachineFaults::default()).await;
        bench.run(A::PowerOnNode).await;
        bench.run(A::SetNodeBoot).await;
        let mut cycle = bench.step(A::PowerCycleNode);
        assert!(cycle.run_until(&bench.driver, crash_after).await.is_none());
        cycle.run(&bench.driver).await.unwrap();
        let effects = bench.effects();
        let last_on = effects.iter().rposition(|it| it == "power_on").unwrap();
        assert!(
            !effects[last_on..].contains(&"power_off".to_owned()),
            "switched off after it was switched on: {effects:?}"
        );
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_boot_device_that_is_not_kept_is_a_failure() {
    let faults = MachineFaults {
        forgets_boot_device: true,
        ..MachineFaults::default()
    };
    let bench = Bench::start(134, faults).await;
    let mut step = bench.step(A::SetNodeBoot);
    let error = step.run(&bench.driver).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent);
    assert!(
        error.got.contains("said yes, read back boot device none"),
        "{error}"
    );
    bench.stop().await;
}

#[tokio::test]
async fn power_that_does_not_follow_is_a_failure_in_the_end() {
    let faults = MachineFaults {
        ignores_power: true,
        ..MachineFaults::default()
    };
    let bench = Bench::start(135, faults).await;
    let mut step = bench.step(A::PowerOnNode);
    let error = step.run(&bench.driver).await.unwrap_err();
    assert!(
        error.got.contains("said yes, read back power off"),
        "{error}"
    );
    bench.stop().await;
}

/// The answer is lost after the work is done, and the command is sent again.
#[tokio::test]
async fn a_power_command_for_what_is_so_already_is_no_failure() {
    for (block, maker) in [(136, Vendor::Idrac), (137, Vendor::Ilo)] {
        let bench = Bench::start(block, vendor(maker)).await;
        for (action, verb) in [(A::PowerOnNode, "power_on"), (A::PowerOffNode, "power_off")] {
            let mut step = bench.step(action);
            step.run(&bench.driver).await.unwrap();
            assert_eq!(step.verbs(), [verb]);
            let change = step.journal[0].change.clone();
            let evidence = bench.driver.apply(&step.cx, &change).await.unwrap();
            assert_eq!(evidence, "was so already", "{maker:?}");
        }
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_refused_power_command_that_was_needed_is_a_failure() {
    for (block, maker) in [(138, Vendor::Plain), (139, Vendor::Ilo)] {
        let faults = MachineFaults {
            refuses_power: true,
            ..vendor(maker)
        };
        let bench = Bench::start(block, faults).await;
        let mut step = bench.step(A::PowerOnNode);
        let error = step.run(&bench.driver).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent, "{error}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn an_address_outside_is_refused_before_a_packet() {
    let bench = Bench::start(140, MachineFaults::default()).await;
    let allow = AllowNetworks::only(vec!["127.99.0.0/16".parse().unwrap()]);
    let driver = RedfishDriver::new(settings(&bench.world), allow).unwrap();
    let error = driver
        .observe(&bench.step(A::InterrogateOob).cx)
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent);
    for word in ["n1", "127.77.140.1", "drivers.allow_networks"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    assert!(bench.requests().is_empty());
    driver.shutdown().await;
    bench.stop().await;
}

#[tokio::test]
async fn many_callers_of_one_bmc_are_served_one_by_one_in_one_session() {
    let bench = Bench::start(141, vendor(Vendor::Idrac)).await;
    let bench = Arc::new(bench);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let bench = Arc::clone(&bench);
        callers.spawn(async move {
            let cx = bench.step(A::PowerOnNode).cx;
            bench.driver.observe(&cx).await
        });
    }
    while let Some(outcome) = callers.join_next().await {
        outcome.unwrap().unwrap();
    }
    assert_eq!(bench.count("POST /redfish/v1/SessionService/Sessions"), 1);
    Arc::into_inner(bench).unwrap().stop().await;
}

#[tokio::test]
async fn only_the_system_that_the_design_names_is_touched() {
    let several = redfish(RedfishFaults {
        other_systems: 2,
        ..RedfishFaults::default()
    });
    let bench = Bench::start(142, several).await;
    let mut step = bench.step(A::PowerOnNode);
    let error = step.run(&bench.driver).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent, "{error}");
    assert!(error.got.contains("DPU1, DPU2, 1"), "{error}");
    assert!(error.got.contains("oob.redfish_system"), "{error}");
    bench.stop().await;
    let named = |node: &mut drydock_model::effective::Node| {
        let params = &mut node.oob.params;
        params.insert("redfish_system".to_owned(), "1".to_owned());
    };
    let bench = Bench::with(143, several, named).await;
    bench.run(A::PowerOnNode).await;
    bench.run(A::SetNodeBoot).await;
    assert_eq!(bench.effects(), ["power_on", "set_boot"]);
    assert_eq!(bench.count("GET /redfish/v1/Systems/DPU"), 0);
    bench.stop().await;
}

#[tokio::test]
async fn the_counters_tell_the_requests() {
    let bench = Bench::start(161, MachineFaults::default()).await;
    bench.run(A::PowerOnNode).await;
    let readings = bench.driver.readings();
    let sent = bench.requests().len();
    assert_eq!(readings.len(), 1);
    assert_eq!(readings[0].requests, u64::try_from(sent).ok());
    assert!(readings[0].commands >= 3 && readings[0].failures == [0; 4]);
    bench.stop().await;
}

/// Nobody uses the session any more: it is ended long before the BMC would.
#[tokio::test]
async fn a_second_driver_gets_in_while_the_first_keeps_its_session() {
    let slots = redfish(RedfishFaults {
        session_slots: 2,
        ..RedfishFaults::default()
    });
    let bench = Bench::start(162, slots).await;
    for _ in 0..5 {
        let other = RedfishDriver::new(settings(&bench.world), loopback()).unwrap();
        let began = Instant::now();
        other.observe(&bench.step(A::PowerOnNode).cx).await.unwrap();
        bench.run(A::SetNodeBoot).await;
        other.shutdown().await;
        assert!(began.elapsed() < Duration::from_secs(2));
    }
    bench.stop().await;
}

/// The password that all of these use is in nothing that is stored.
#[tokio::test]
async fn nothing_stored_holds_the_password() {
    let bench = Bench::start(163, MachineFaults::default()).await;
    let mut step = bench.step(A::SetNodeBoot);
    step.run(&bench.driver).await.unwrap();
    let observed: Value = bench.driver.observe(&step.cx).await.unwrap().0;
    for text in [step.stored(), observed.to_string()] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    bench.stop().await;
}
