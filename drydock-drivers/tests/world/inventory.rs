//! What the IPMI driver finds out about machines, and how gently.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drydock_drivers::ipmi::{IpmiDriver, IpmiSettings};
use drydock_ipmi::bmc::{Account, Bmc, BmcConfig, Chassis, Faults as Wire, Inventory, serve};
use drydock_ipmi::{
    Control, Conversion, DeviceId, FruInventory, FruProduct, LanConfiguration, SdrBody, SdrRecord,
    SensorReading, SensorRecord, SensorType, Thresholds, Unit,
};
use drydock_model::build_data::Element;
use drydock_model::driver::{Driver, Report};
use drydock_model::effective::EffectiveDesign;
use drydock_model::step::StepAction as A;
use drydock_sim::{Faults, MachineFaults};
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::run::Step;
use crate::site::{self, Fixture, PASSWORD, loopback};

/// The one piece of build data in a report.
fn element(report: &Report) -> Value {
    let [collected] = &report.build_data[..] else {
        panic!("{report:?}")
    };
    assert_eq!(collected.generator, "ipmi_inventory");
    let Element::Json(value) = &collected.element else {
        panic!("{collected:?}")
    };
    value.clone()
}

#[derive(Default)]
struct Seen {
    firmware: u8,
    /// How often each network function and command came in.
    asked: BTreeMap<(u8, u8), usize>,
}

/// A machine behind a BMC that counts what it is asked.
#[derive(Default)]
struct Machine {
    inventory: Option<Inventory>,
    seen: Mutex<Seen>,
}

impl Machine {
    fn asked(&self, netfn: u8, cmd: u8) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.asked.get(&(netfn, cmd)).copied().unwrap_or(0)
    }

    fn update_firmware(&self) {
        self.seen.lock().unwrap().firmware += 1;
    }
}

impl Chassis for Machine {
    fn power_on(&self) -> bool {
        true
    }

    fn control(&self, control: Control) -> Result<(), u8> {
        panic!("interrogation only reads: {control}")
    }

    fn boot_flags(&self) -> [u8; 5] {
        [0; 5]
    }

    fn set_boot_flags(&self, flags: [u8; 5]) -> Result<(), u8> {
        panic!("interrogation only reads: {flags:?}")
    }

    fn device_id(&self) -> DeviceId {
        DeviceId {
            id: 0x20,
            firmware_major: self.seen.lock().unwrap().firmware,
            firmware_minor: 0x15,
            ipmi_version: 0x02,
            ..DeviceId::default()
        }
    }

    fn inventory(&self) -> Option<Arc<Inventory>> {
        self.inventory.clone().map(Arc::new)
    }

    fn observed(&self, netfn: u8, cmd: u8, _data: &[u8]) {
        let mut seen = self.seen.lock().unwrap();
        *seen.asked.entry((netfn, cmd)).or_default() += 1;
    }
}

/// One machine, its BMC and a driver for it.
struct Bench {
    design: Arc<EffectiveDesign>,
    machine: Arc<Machine>,
    driver: IpmiDriver,
    _serving: JoinSet<()>,
}

impl Bench {
    async fn start(block: u8, inventory: Option<Inventory>) -> Self {
        let design = Arc::new(site::design(block, 1));
        let oob = design.node("n1").unwrap().oob.clone();
        let socket = UdpSocket::bind((oob.address.unwrap(), 0)).await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let machine = Arc::new(Machine {
            inventory,
            ..Machine::default()
        });
        let account = Account::administrator(oob.account.unwrap(), PASSWORD.into());
        let bmc = Bmc::new(BmcConfig::new(account), machine.clone(), [7; 32]);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let end = std::future::pending();
            serve(socket, bmc, Wire::default(), end).await.unwrap();
        });
        let settings = IpmiSettings {
            port,
            gap_floor: Duration::from_millis(1),
            gap_ceiling: Duration::from_millis(20),
            timeout: Duration::from_millis(200),
            ..IpmiSettings::default()
        };
        Bench {
            design,
            machine,
            driver: IpmiDriver::new(settings, loopback()),
            _serving: serving,
        }
    }

    fn step(&self) -> Step {
        Step::new(A::InterrogateOob, &self.design, Some("n1"))
    }

    async fn interrogate(&self) -> Value {
        element(&self.step().run(&self.driver).await.unwrap())
    }
}

/// So many thermometers, of which the first is too hot.
fn machine_with_sensors(count: u8) -> Inventory {
    let sensor = |number: u8| {
        SensorRecord::threshold(
            number,
            &format!("Temp {number}"),
            SensorType::TEMPERATURE,
            Unit::CELSIUS,
            Conversion::linear(1, 0, 0, 0),
            Thresholds {
                upper_critical: Some(90),
                ..Thresholds::default()
            },
        )
    };
    let reading = |number: u8| SensorReading {
        raw: if number == 1 { 99 } else { 40 },
        ..SensorReading::default()
    };
    let product = FruProduct {
        manufacturer: "Maker".into(),
        name: "Model 7".into(),
        serial: "S-1".into(),
        custom: vec!["ADMIN/ADMIN".into()],
        ..FruProduct::default()
    };
    let fru = FruInventory {
        product: Some(product),
        ..FruInventory::default()
    };
    Inventory {
        fru: [(0, fru.encode())].into(),
        sdr: (1..=count)
            .map(|number| SdrRecord {
                id: u16::from(number),
                body: SdrBody::Sensor(sensor(number)),
            })
            .collect(),
        readings: (1..=count)
            .map(|number| (number, reading(number)))
            .collect(),
        lan: LanConfiguration {
            address: Some("127.77.21.1".parse().unwrap()),
            mac: Some([2, 0, 0, 0, 0, 0xab]),
            vlan: Some(7),
            ..LanConfiguration::default()
        },
        ..Inventory::default()
    }
}

#[tokio::test]
async fn a_simulated_machine_is_told_in_full() {
    let alarm = MachineFaults {
        bmc: drydock_sim::BmcFaults {
            sensor_alarm: true,
            ..drydock_sim::BmcFaults::default()
        },
        ..MachineFaults::default()
    };
    let faults = Faults {
        machines: [("n1".to_owned(), alarm)].into(),
        ..Faults::default()
    };
    let site = Fixture::start(20, 1, faults).await;
    let mut step = site.step(A::InterrogateOob, "n1");
    let report = step.run(&site.ipmi).await.unwrap();
    assert!(step.journal.is_empty(), "it only reads");
    let data = element(&report);
    assert_eq!(data["serial"], "n1", "{data:#}");
    assert_eq!(data["power"], "off");
    assert_eq!(data["bmc"]["firmware"], "1.00");
    assert_eq!(data["bmc"]["ipmi_version"], "2.0");
    assert!(data["vendor"].is_string() && data["model"].is_string());
    assert_eq!(data["sensors"]["in_alarm"][0]["name"], "PSU 2", "{data:#}");
    assert!(!data["events"].as_array().unwrap().is_empty());
    assert!(data["events"][0]["time"].is_string(), "{data:#}");
    assert_eq!(data["lan"]["address"], "127.77.20.1", "{data:#}");
    assert!(data.get("not_read").is_none(), "{data:#}");
    assert!(!data.to_string().contains(PASSWORD));
    site.stop().await;
}

#[tokio::test]
async fn the_records_of_the_sensors_are_read_once() {
    // Get SDR and Reserve SDR Repository, IPMI v2.0 sections 33.12 and 33.11; Get Sensor Reading, section 35.14.
    let (get, reserve, reading) = ((0x0a, 0x23), (0x0a, 0x22), (0x04, 0x2d));
    let bench = Bench::start(21, Some(machine_with_sensors(30))).await;
    let data = bench.interrogate().await;
    assert_eq!(data["sensors"]["read"], 30);
    let alarms = data["sensors"]["in_alarm"].as_array().unwrap();
    assert_eq!(alarms.len(), 1, "{data:#}");
    assert_eq!(
        (
            &alarms[0]["name"],
            &alarms[0]["value"],
            &alarms[0]["condition"]
        ),
        (&json!("Temp 1"), &json!(99.0), &json!("critical"))
    );
    assert_eq!(
        (&data["vendor"], &data["model"], &data["serial"]),
        (&json!("Maker"), &json!("Model 7"), &json!("S-1"))
    );
    assert_eq!(
        (&data["lan"]["mac"], &data["lan"]["vlan"]),
        (&json!("02:00:00:00:00:ab"), &json!(7))
    );
    assert!(!data.to_string().contains("ADMIN"), "{data:#}");
    let records = bench.machine.asked(get.0, get.1);
    assert!(records >= 30, "{records}");
    bench.interrogate().await;
    assert_eq!(bench.machine.asked(get.0, get.1), records);
    assert_eq!(bench.machine.asked(reserve.0, reserve.1), 1);
    assert_eq!(bench.machine.asked(reading.0, reading.1), 60);
    // One session for all of it (Set Session Privilege Level, section 22.18).
    assert_eq!(bench.machine.asked(0x06, 0x3b), 1);
    // A new firmware may know other sensors.
    bench.machine.update_firmware();
    bench.interrogate().await;
    assert_eq!(bench.machine.asked(get.0, get.1), records * 2);
    bench.driver.shutdown().await;
}

#[tokio::test]
async fn a_bmc_without_these_commands_is_no_failure_and_told() {
    let bench = Bench::start(22, None).await;
    let mut step = bench.step();
    let report = step.run(&bench.driver).await.unwrap();
    assert!(report.message.contains("power is on"), "{}", report.message);
    assert_eq!(step.hiccups, 0);
    let data = element(&report);
    assert_eq!(data["power"], "on");
    let missing = data["not_read"].as_object().unwrap();
    let names: BTreeSet<_> = missing.keys().map(String::as_str).collect();
    let all = BTreeSet::from(["events", "fru", "lan", "log", "sensors", "session"]);
    assert_eq!(names, all, "{data:#}");
    for (name, why) in missing {
        assert!(
            why.as_str().unwrap().contains("not supported"),
            "{name}: {why}"
        );
        assert!(data.get(name).is_none(), "{name}");
    }
    // What it refuses is asked for once, in the one session.
    assert_eq!(bench.machine.asked(0x0a, 0x10), 1);
    assert_eq!(bench.machine.asked(0x06, 0x3b), 1);
    bench.driver.shutdown().await;
}

#[tokio::test]
async fn what_takes_too_long_is_left_out() {
    let bench = Bench::start(23, Some(machine_with_sensors(30))).await;
    let mut step = bench.step();
    step.cx.time_left = Duration::ZERO;
    let observed = bench.driver.observe(&step.cx).await.unwrap();
    let missing = observed.0["inventory"]["not_read"].as_object().unwrap();
    let first = missing["session"].as_str().unwrap();
    assert!(first.contains("no end within"), "{missing:?}");
    assert!(
        missing["sensors"]
            .as_str()
            .unwrap()
            .contains("not asked for")
    );
    // The next look is as good as any.
    let data = bench.interrogate().await;
    assert!(data.get("not_read").is_none(), "{data:#}");
    bench.driver.shutdown().await;
}
