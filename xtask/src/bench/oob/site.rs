//! The simulated BMCs of the benchmark, each on an address of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use drydock_ipmi::bmc::{Account, Bmc, BmcConfig, Chassis, Counters, Faults, serve};
use drydock_ipmi::{Control, DeviceId};
use tokio::task::JoinSet;

use super::{OobArguments, PASSWORD, USER};

/// The registered port; binding it may not be allowed.
const PORT: u16 = 623;
/// Ports that are tried before giving up.
const ATTEMPTS: usize = 16;

/// Many BMCs. They end when this is dropped.
pub(super) struct Site {
    /// Where they listen; all on one port.
    pub(super) addresses: Vec<SocketAddr>,
    machines: Vec<Arc<Machine>>,
    counters: Vec<Arc<Counters>>,
    _tasks: JoinSet<io::Result<()>>,
}

/// What the BMCs have seen, all together.
pub(super) struct Seen {
    /// Sessions that became active.
    pub(super) logins: u64,
    /// Sessions that are open still.
    pub(super) left_open: u64,
    /// Machines that are on.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(super) on: usize,
}

#[derive(Default)]
struct Machine {
    on: AtomicBool,
    flags: Mutex<[u8; 5]>,
}

impl Chassis for Machine {
    fn power_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    fn control(&self, control: Control) -> Result<(), u8> {
        let on = !matches!(control, Control::Off | Control::SoftOff);
        self.on.store(on, Ordering::Relaxed);
        Ok(())
    }

    fn boot_flags(&self) -> [u8; 5] {
        *self.flags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_boot_flags(&self, flags: [u8; 5]) -> Result<(), u8> {
        *self.flags.lock().unwrap_or_else(PoisonError::into_inner) = flags;
        Ok(())
    }

    fn device_id(&self) -> DeviceId {
        DeviceId::default()
    }
}

/// 127.64.0.1, .2, ... with 250 addresses in each network of 256.
fn address(number: u32, port: u16) -> SocketAddr {
    let base = u32::from(Ipv4Addr::new(127, 64, 0, 1));
    let address = base + (number / 250) * 256 + number % 250;
    SocketAddr::from((Ipv4Addr::from(address), port))
}

fn bind_all(bmcs: u32, port: u16) -> io::Result<Vec<UdpSocket>> {
    (0..bmcs)
        .map(|number| {
            let socket = UdpSocket::bind(address(number, port))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })
        .collect()
}

/// All on the registered port, or else on one that is free on every address.
fn bind(bmcs: u32) -> io::Result<Vec<UdpSocket>> {
    let mut refusal = match bind_all(bmcs, PORT) {
        Ok(sockets) => return Ok(sockets),
        Err(error) => error,
    };
    for _ in 0..ATTEMPTS {
        let chosen = UdpSocket::bind(address(0, 0))?.local_addr()?.port();
        match bind_all(bmcs, chosen) {
            Ok(sockets) => return Ok(sockets),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

impl Site {
    /// Starts the BMCs; must be called within a runtime.
    pub(super) async fn start(arguments: OobArguments) -> Result<Self> {
        let sockets = bind(arguments.bmcs)
            .with_context(|| format!("cannot listen on {} addresses", arguments.bmcs))?;
        // Checked to be 0 to 50.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let loss_per_mille = (arguments.loss * 10.0).round() as u16;
        let faults = Faults {
            delay: Duration::from_millis(arguments.latency),
            loss_per_mille,
            ..Faults::default()
        };
        let mut site = Site {
            addresses: Vec::new(),
            machines: Vec::new(),
            counters: Vec::new(),
            _tasks: JoinSet::new(),
        };
        for (number, socket) in (0u32..).zip(sockets) {
            let socket = tokio::net::UdpSocket::from_std(socket)?;
            site.addresses.push(socket.local_addr()?);
            let machine = Arc::new(Machine::default());
            let mut seed = [0x0b; 32];
            for (to, from) in seed.iter_mut().zip(number.to_le_bytes()) {
                *to = from;
            }
            let config = BmcConfig::new(Account::administrator(USER, PASSWORD.into()));
            let bmc = Bmc::new(config, machine.clone(), seed);
            site.counters.push(bmc.counters());
            site.machines.push(machine);
            site._tasks
                .spawn(serve(socket, bmc, faults, std::future::pending()));
        }
        Ok(site)
    }

    /// What they have seen so far.
    pub(super) fn seen(&self) -> Seen {
        let all = self.counters.iter().map(|counters| counters.snapshot());
        let (logins, left_open) = all.fold((0, 0), |(logins, open), seen| {
            (logins + seen.logins, open + seen.sessions)
        });
        let on = self.machines.iter().filter(|machine| machine.power_on());
        Seen {
            logins,
            left_open,
            on: on.count(),
        }
    }
}
