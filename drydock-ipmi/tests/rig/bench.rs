//! A simulated BMC on loopback with a machine behind it, for the tests in this folder.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part"
)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drydock_ipmi::bmc::{
    Account, Bmc, BmcConfig, Chassis, Counters, CountersSnapshot, Faults, Inventory, serve_with,
};
use drydock_ipmi::{Control, DeviceId, Target};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The account of every simulated BMC.
pub const USER: &str = "admin";
/// Its password.
pub const PASSWORD: &str = "correct horse";

/// What the machine is and what was done to it.
#[derive(Default)]
pub struct Machine {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    power_on: bool,
    flags: [u8; 5],
    controls: Vec<Control>,
    calls: Vec<(u8, u8, Vec<u8>)>,
    refuse_with: Option<u8>,
    inventory: Option<Arc<Inventory>>,
}

impl Machine {
    /// Control commands that were carried out, in order.
    pub fn controls(&self) -> Vec<Control> {
        self.state.lock().unwrap().controls.clone()
    }

    /// Network function, command and data of every command that came in by a session.
    pub fn calls(&self) -> Vec<(u8, u8, Vec<u8>)> {
        self.state.lock().unwrap().calls.clone()
    }

    /// From now on the machine says this of itself.
    pub fn describe(&self, inventory: Inventory) {
        self.state.lock().unwrap().inventory = Some(Arc::new(inventory));
    }

    /// From now on control commands are refused with this completion code.
    pub fn refuse_with(&self, code: u8) {
        self.state.lock().unwrap().refuse_with = Some(code);
    }
}

impl Chassis for Machine {
    fn power_on(&self) -> bool {
        self.state.lock().unwrap().power_on
    }

    fn control(&self, control: Control) -> Result<(), u8> {
        let mut state = self.state.lock().unwrap();
        if let Some(code) = state.refuse_with {
            return Err(code);
        }
        if control == Control::Cycle && !state.power_on {
            return Err(0xd5);
        }
        state.controls.push(control);
        state.power_on = match control {
            Control::Off | Control::SoftOff => false,
            Control::On | Control::Cycle => true,
            Control::Reset => state.power_on,
        };
        Ok(())
    }

    fn boot_flags(&self) -> [u8; 5] {
        self.state.lock().unwrap().flags
    }

    fn set_boot_flags(&self, flags: [u8; 5]) -> Result<(), u8> {
        self.state.lock().unwrap().flags = flags;
        Ok(())
    }

    fn device_id(&self) -> DeviceId {
        DeviceId {
            id: 0x20,
            revision: 1,
            firmware_major: 2,
            firmware_minor: 13,
            updating: false,
            ipmi_version: 0x02,
            // Chassis, FRU inventory, event log, sensor data repository, sensors.
            support: 0x8f,
            manufacturer: 0x1234,
            product: 0x5678,
            auxiliary: vec![1, 2, 3, 4],
        }
    }

    fn inventory(&self) -> Option<Arc<Inventory>> {
        self.state.lock().unwrap().inventory.clone()
    }

    fn observed(&self, netfn: u8, cmd: u8, data: &[u8]) {
        let call = (netfn, cmd, data.to_vec());
        self.state.lock().unwrap().calls.push(call);
    }
}

/// A running BMC.
pub struct Bench {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What stands behind it.
    pub machine: Arc<Machine>,
    /// Changes the faults while it runs.
    pub faults: watch::Sender<Faults>,
    counters: Arc<Counters>,
    task: JoinHandle<std::io::Result<()>>,
}

/// The usual set-up: one administrator.
pub fn config() -> BmcConfig {
    BmcConfig::new(Account::administrator(USER, PASSWORD.into()))
}

impl Bench {
    /// Starts a BMC on a port of its own of the address.
    pub async fn start(ip: &str, config: BmcConfig, faults: Faults) -> Bench {
        let socket = UdpSocket::bind((ip, 0)).await.unwrap();
        let addr = socket.local_addr().unwrap();
        let machine = Arc::new(Machine::default());
        let bmc = Bmc::new(config, machine.clone(), [7; 32]);
        let counters = bmc.counters();
        let (sender, receiver) = watch::channel(faults);
        let task = tokio::spawn(serve_with(socket, bmc, receiver, std::future::pending()));
        Bench {
            addr,
            machine,
            faults: sender,
            counters,
            task,
        }
    }

    /// A BMC with the usual set-up and no faults.
    pub async fn plain() -> Bench {
        Self::start("127.0.0.1", config(), Faults::default()).await
    }

    /// How to log in to it, with the right password and short time-outs.
    pub fn target(&self) -> Target {
        let mut target = Target::new(self.addr, USER, PASSWORD.into());
        target.timeout = Duration::from_millis(250);
        target.retries = 3;
        target
    }

    /// What the BMC has seen.
    pub fn seen(&self) -> CountersSnapshot {
        self.counters.snapshot()
    }

    /// Waits until the condition on the counters holds; fails after five seconds.
    pub async fn until(&self, what: &str, condition: impl Fn(CountersSnapshot) -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        while !condition(self.seen()) {
            assert!(
                tokio::time::Instant::now() < deadline,
                "{what}: {:?}",
                self.seen()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.task.abort();
    }
}
