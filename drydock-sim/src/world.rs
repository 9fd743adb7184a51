//! The world as a whole: start, look, break, stop.

mod controllers;

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::{Server, ServerHandle};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::controllers::{Controllers, Place};
use crate::call_log::CallLog;
use crate::error::SimError;
use crate::faults::{FaultBoard, Faults};
use crate::maas::{ApiKey, Door, SharedRegion};
use crate::machine::driver::{Surroundings, drive};
use crate::machine::{Machine, MachineState};
use crate::shape::{MachineShape, SiteShape};
use crate::timing::Timing;
use crate::{maas, stand_in};

/// What the world and its stand-in server both reach.
#[derive(Debug)]
pub(crate) struct Inside {
    machines: Vec<Arc<Machine>>,
    pub(crate) faults: FaultBoard,
    pub(crate) log: CallLog,
    call_back: watch::Sender<Option<String>>,
}

impl Inside {
    pub(crate) fn machine_states(&self) -> Vec<MachineState> {
        self.machines
            .iter()
            .map(|machine| machine.state())
            .collect()
    }

    pub(crate) fn set_faults(&self, faults: Faults) -> Result<(), SimError> {
        check_faults(
            &faults,
            self.machines
                .iter()
                .map(|machine| machine.shape.name.as_str()),
        )?;
        self.faults.set(faults);
        Ok(())
    }

    pub(crate) fn set_call_back(&self, url: &str) -> Result<(), SimError> {
        let refuse = |why: String| SimError::CallBackUrl {
            url: url.to_owned(),
            why,
        };
        let parsed = reqwest::Url::parse(url).map_err(|error| refuse(error.to_string()))?;
        let host = parsed
            .host_str()
            .unwrap_or_default()
            .trim_matches(['[', ']']);
        let loopback = host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback());
        if !loopback {
            return Err(refuse(format!("{host} is not on the loopback")));
        }
        if parsed.scheme() != "http" {
            return Err(refuse("simulated machines speak plain HTTP".to_owned()));
        }
        let base = url.trim_end_matches('/').to_owned();
        self.call_back.send_replace(Some(base));
        Ok(())
    }
}

/// Faults of machines that do not exist would do nothing, silently: they are refused.
fn check_faults<'a>(faults: &Faults, names: impl Iterator<Item = &'a str>) -> Result<(), SimError> {
    let names: HashSet<&str> = names.collect();
    match faults
        .machines
        .keys()
        .find(|name| !names.contains(name.as_str()))
    {
        Some(name) => Err(SimError::UnknownMachine { name: name.clone() }),
        None => Ok(()),
    }
}

/// A running simulated world. Everything in it stops when it is stopped or dropped.
#[derive(Debug)]
pub struct World {
    inside: Arc<Inside>,
    region: SharedRegion,
    api_key: ApiKey,
    maas: SocketAddr,
    stand_in: SocketAddr,
    bmc_port: u16,
    redfish_port: u16,
    redfish_ca: String,
    services: Vec<Place>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    servers: JoinSet<()>,
    handles: Vec<ServerHandle>,
}

impl World {
    /// Starts BMCs, the MaaS region, the stand-in server and the machines.
    ///
    /// Must be called within a tokio runtime, which it goes on using. Installs the process's default TLS provider if
    /// there is none, which the HTTP client asks for even though it speaks plain HTTP only.
    ///
    /// # Errors
    ///
    /// See [`SimError`]; nothing is left running.
    pub async fn start(
        mut shape: SiteShape,
        timing: Timing,
        faults: Faults,
    ) -> Result<World, SimError> {
        shape.check()?;
        for controller in &mut shape.controllers {
            controller.powered_on = true;
        }
        let shapes: Vec<&MachineShape> = shape.machines.iter().chain(&shape.controllers).collect();
        check_faults(&faults, shapes.iter().map(|machine| machine.name.as_str()))?;
        let client = http_client()?;
        let controllers = Controllers::bind(&shapes)?;
        let (maas_listener, maas) = listen("MaaS region")?;
        let (stand_in_listener, stand_in) = listen("stand-in server")?;

        let log = CallLog::new();
        let faults = FaultBoard::new(faults);
        let api_key = ApiKey::random();
        let region = SharedRegion::new(&shape, api_key.clone(), log.clone());
        let call_back = watch::Sender::new(None);
        let surroundings = Arc::new(Surroundings {
            region: region.clone(),
            timing,
            client,
            call_back_url: call_back.subscribe(),
            faults: faults.clone(),
            log: log.clone(),
        });
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut machines = Vec::new();
        let mut services = Vec::new();
        for (machine, door) in shapes.into_iter().zip(controllers.doors) {
            let (machine, effects) = Machine::new(machine.clone(), faults.clone(), log.clone());
            let machine = Arc::new(machine);
            region
                .lock()
                .wire(&machine.shape, Arc::clone(&machine) as _);
            tasks.spawn(drive(
                Arc::clone(&machine),
                effects,
                Arc::clone(&surroundings),
            ));
            services.extend(door.open(&machine, &faults, &log, &stop, &mut tasks));
            machines.push(machine);
        }
        let inside = Arc::new(Inside {
            machines,
            faults: faults.clone(),
            log: log.clone(),
            call_back,
        });
        let door = Door {
            region: region.clone(),
            faults,
            log,
            in_flight: Arc::default(),
        };
        let mut world = World {
            inside: Arc::clone(&inside),
            region,
            api_key,
            maas,
            stand_in,
            bmc_port: controllers.bmc_port,
            redfish_port: controllers.redfish_port,
            redfish_ca: controllers.ca_pem,
            services,
            stop,
            tasks,
            servers: JoinSet::new(),
            handles: Vec::new(),
        };
        world.own("MaaS region", maas::serve(maas_listener, door)?);
        world.own(
            "stand-in server",
            stand_in::serve(stand_in_listener, inside)?,
        );
        Ok(world)
    }

    fn own(&mut self, what: &'static str, server: Server) {
        self.handles.push(server.handle());
        self.servers.spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(what, %error, "a simulated server stopped");
            }
        });
    }

    /// `maas_api_url` for the driver: `http://127.0.0.1:PORT/MAAS`.
    pub fn maas_url(&self) -> String {
        format!("http://{}/MAAS", self.maas)
    }

    /// API key of the region's only user, `consumer:token:secret`; another one in every world.
    pub fn maas_api_key(&self) -> String {
        self.api_key.text()
    }

    /// TCP port of all BMCs with Redfish whose shape names none: 443 where that could be bound, otherwise an unprivileged one.
    pub fn redfish_port(&self) -> u16 {
        self.redfish_port
    }

    /// Base of the Redfish service of a machine, `https://ADDRESS:PORT`; none if it has no such service.
    pub fn redfish_url(&self, machine: &str) -> Option<&str> {
        self.service(machine).map(|place| place.url.as_str())
    }

    /// The certificate by which the Redfish service of a machine shows itself, in DER; none if it has none.
    pub fn redfish_certificate(&self, machine: &str) -> Option<&[u8]> {
        self.service(machine)?.certificate.as_deref()
    }

    /// The world's own authority, in PEM, which has signed the certificates of services with
    /// [`Transport::Issued`](crate::Transport::Issued). Another one in every world.
    pub fn redfish_ca(&self) -> &str {
        &self.redfish_ca
    }

    fn service(&self, machine: &str) -> Option<&Place> {
        self.services.iter().find(|place| place.machine == machine)
    }

    /// UDP port of all BMCs with IPMI whose shape names none: 623 where that could be bound, otherwise an unprivileged one.
    pub fn bmc_port(&self) -> u16 {
        self.bmc_port
    }

    /// Address of the stand-in server, which also answers `/_sim/...`.
    pub fn stand_in_addr(&self) -> SocketAddr {
        self.stand_in
    }

    /// Sets the base of the drydock server that installed machines call back, such as
    /// `http://127.0.0.1:9000/api/v1.0`. Machines that came up before wait for it.
    ///
    /// # Errors
    ///
    /// [`SimError::CallBackUrl`] for anything but plain HTTP to the loopback.
    pub fn set_callback_url(&self, url: &str) -> Result<(), SimError> {
        self.inside.set_call_back(url)
    }

    /// Replaces all faults.
    ///
    /// # Errors
    ///
    /// [`SimError::UnknownMachine`] when a machine is named that there is not.
    pub fn set_faults(&self, faults: Faults) -> Result<(), SimError> {
        self.inside.set_faults(faults)
    }

    /// The faults in force; counted ones show what is left of them.
    pub fn faults(&self) -> Faults {
        self.inside.faults.get()
    }

    /// What was done to this world so far and from here on.
    pub fn call_log(&self) -> CallLog {
        self.inside.log.clone()
    }

    /// All machines as they are now, in the order of the shape, controllers last.
    pub fn machine_states(&self) -> Vec<MachineState> {
        self.inside.machine_states()
    }

    /// Stops everything and waits until it has stopped.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for handle in &self.handles {
            handle.stop(false).await;
        }
        self.tasks.shutdown().await;
        while self.servers.join_next().await.is_some() {}
        self.handles.clear();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
        self.region.lock().cut_wires();
        // The command to stop is sent here; the server tasks obey it and end by themselves.
        for handle in &self.handles {
            drop(handle.stop(false));
        }
        self.servers.detach_all();
    }
}

fn listen(what: &'static str) -> Result<(TcpListener, SocketAddr), SimError> {
    let refuse = |source| SimError::Http { what, source };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(refuse)?;
    let address = listener.local_addr().map_err(refuse)?;
    Ok((listener, address))
}

/// The client of the simulated machines. It follows no redirect and uses no proxy, so it never leaves the loopback.
fn http_client() -> Result<reqwest::Client, SimError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing the race against another world of this process is as good as winning it.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(std::time::Duration::from_secs(5))
        .timeout(std::time::Duration::from_secs(60))
        .build()
        .map_err(SimError::Client)
}
