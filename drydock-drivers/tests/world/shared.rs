//! What all controllers of a process have in common: the key for two-key logins, the budget of commands under way, the counters.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drydock_drivers::ipmi::{IpmiDriver, IpmiSettings};
use drydock_drivers::oob::{Attended, Budget, FailureClass};
use drydock_ipmi::bmc::{Account, Bmc, BmcConfig, Chassis, Faults, serve};
use drydock_ipmi::{Control, DeviceId};
use drydock_model::driver::ErrorClass;
use drydock_model::effective::{EffectiveDesign, Node};
use drydock_model::oob::BootDevice;
use drydock_model::step::StepAction as A;
use secrecy::SecretString;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::run::Step;
use crate::site::{self, PASSWORD, loopback};

/// A machine that is on; when its BMC was commanded.
#[derive(Default)]
struct Machine {
    commands: Mutex<Vec<Instant>>,
    flags: Mutex<[u8; 5]>,
}

impl Chassis for Machine {
    fn power_on(&self) -> bool {
        true
    }

    fn control(&self, control: Control) -> Result<(), u8> {
        panic!("nobody asks for {control}")
    }

    fn boot_flags(&self) -> [u8; 5] {
        *self.flags.lock().unwrap()
    }

    fn set_boot_flags(&self, flags: [u8; 5]) -> Result<(), u8> {
        *self.flags.lock().unwrap() = flags;
        Ok(())
    }

    fn device_id(&self) -> DeviceId {
        DeviceId::default()
    }

    fn observed(&self, _netfn: u8, _cmd: u8, _data: &[u8]) {
        self.commands.lock().unwrap().push(Instant::now());
    }
}

struct Bench {
    design: Arc<EffectiveDesign>,
    machines: Vec<Arc<Machine>>,
    settings: IpmiSettings,
    serving: JoinSet<()>,
}

impl Bench {
    /// So many machines behind BMCs of this key and these faults.
    async fn start(block: u8, nodes: u8, kg: Option<&str>, faults: Faults) -> Self {
        let mut design = site::design(block, nodes);
        let mut machines = Vec::new();
        let mut serving = JoinSet::new();
        for (seed, place) in (1..).zip(&mut design.nodes) {
            let mut node = Node::clone(place);
            let socket = UdpSocket::bind((node.oob.address.unwrap(), 0))
                .await
                .unwrap();
            node.oob.port = Some(socket.local_addr().unwrap().port());
            let machine = Arc::new(Machine::default());
            let user = node.oob.account.clone().unwrap();
            let mut config = BmcConfig::new(Account::administrator(user, PASSWORD.into()));
            config.kg = kg.map(SecretString::from);
            let bmc = Bmc::new(config, machine.clone(), [seed; 32]);
            serving.spawn(async move {
                let end = std::future::pending();
                serve(socket, bmc, faults, end).await.unwrap();
            });
            machines.push(machine);
            *place = Arc::new(node);
        }
        Bench {
            design: Arc::new(design),
            machines,
            settings: IpmiSettings {
                gap_floor: Duration::ZERO,
                gap_ceiling: Duration::from_millis(20),
                timeout: Duration::from_millis(500),
                ..IpmiSettings::default()
            },
            serving,
        }
    }

    fn driver(&self) -> IpmiDriver {
        IpmiDriver::new(self.settings.clone(), loopback())
    }

    fn step(&self, action: A, node: &str) -> Step {
        Step::new(action, &self.design, Some(node))
    }
}

#[tokio::test]
async fn a_key_of_two_opens_the_door_and_no_other_does() {
    let mut bench = Bench::start(101, 1, Some("the-second-key"), Faults::default()).await;
    for (kg, opens) in [
        (None, false),
        (Some("another-key"), false),
        (Some("the-second-key"), true),
    ] {
        bench.settings.kg = kg.map(SecretString::from);
        let driver = bench.driver();
        let told = bench.step(A::PowerOnNode, "n1").run(&driver).await;
        match told {
            Ok(report) => assert!(opens, "{kg:?}: {}", report.message),
            Err(error) => {
                assert!(!opens, "{kg:?}: {error}");
                assert_eq!(error.class, ErrorClass::Auth, "{error}");
                assert!(error.to_string().contains("K_g"), "{error}");
                assert!(!error.to_string().contains("-key"), "{error}");
            }
        }
        driver.shutdown().await;
    }
    let shown = format!("{:?}", bench.settings);
    assert!(!shown.contains("the-second-key"), "{shown}");
}

#[tokio::test]
async fn a_budget_holds_for_all_controllers_together() {
    let slow = Faults {
        delay: Duration::from_millis(15),
        ..Faults::default()
    };
    let mut bench = Bench::start(102, 5, None, slow).await;
    bench.settings.budget = Budget::of(1);
    let driver = Arc::new(bench.driver());
    let mut asking = JoinSet::new();
    for node in &bench.design.nodes {
        let mut step = bench.step(A::PowerOnNode, &node.name);
        let driver = Arc::clone(&driver);
        asking.spawn(async move { step.run(&*driver).await.unwrap() });
    }
    asking.join_all().await;
    let mut turns: Vec<(Instant, Instant)> = bench
        .machines
        .iter()
        .map(|machine| {
            let commands = machine.commands.lock().unwrap();
            (commands[0], *commands.last().unwrap())
        })
        .collect();
    turns.sort();
    for pair in turns.windows(2) {
        assert!(pair[0].1 < pair[1].0, "two at once: {turns:?}");
    }
    driver.shutdown().await;
}

#[tokio::test]
async fn counters_tell_of_each_controller() {
    let mut bench = Bench::start(103, 2, None, Faults::default()).await;
    bench.settings.timeout = Duration::from_millis(50);
    bench.settings.retries = 1;
    let driver = bench.driver();
    assert!(driver.readings().is_empty(), "nobody was spoken to");
    bench.step(A::PowerOnNode, "n1").run(&driver).await.unwrap();
    // The second is gone.
    bench.serving.shutdown().await;
    let cx = bench.step(A::PowerOnNode, "n2").cx;
    for _ in 0..6 {
        let driver: &dyn drydock_model::driver::Driver = &driver;
        assert!(driver.observe(&cx).await.is_err());
    }
    let readings = driver.readings();
    let of = |node: &str| {
        let address = bench.design.node(node).unwrap().oob.address.unwrap();
        let mine = |reading: &&drydock_drivers::oob::Reading| {
            reading.controller.starts_with(&format!("{address}:"))
        };
        readings.iter().find(mine).unwrap()
    };
    let (first, second) = (of("n1"), of("n2"));
    assert_eq!((first.commands, first.retransmissions), (1, Some(0)));
    // Probe, three messages of the handshake, privilege, chassis status.
    assert_eq!(first.requests, Some(6), "{first:?}");
    assert_eq!(first.latency.iter().sum::<u64>(), 1);
    assert!(!first.left_alone && first.failures == [0; 4]);
    let failed = |class: FailureClass| {
        let at = FailureClass::ALL.iter().position(|it| *it == class);
        second.failures[at.unwrap()]
    };
    assert_eq!(failed(FailureClass::Silent), 5, "{second:?}");
    assert_eq!(failed(FailureClass::Held), 1, "{second:?}");
    assert!(second.left_alone, "{second:?}");
    assert_eq!(second.commands, 5);
}

#[tokio::test]
async fn a_machine_boots_from_what_is_asked_for() {
    let bench = Bench::start(104, 1, None, Faults::default()).await;
    let driver = bench.driver();
    for (device, selector) in [
        (BootDevice::Cd, 0x14),
        (BootDevice::Disk, 0x08),
        (BootDevice::Setup, 0x18),
        (BootDevice::Network, 0x04),
    ] {
        for again in [false, true] {
            let mut step = bench.step(A::SetNodeBoot, "n1");
            step.cx.boot_device = device;
            step.run(&driver).await.unwrap();
            assert_eq!(step.journal.is_empty(), again, "{device}");
            let flags = bench.machines[0].boot_flags();
            assert_eq!(flags[1] & 0x3c, selector, "{device}: {flags:02x?}");
        }
    }
    driver.shutdown().await;
}
