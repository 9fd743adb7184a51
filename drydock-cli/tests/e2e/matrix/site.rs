//! The site of the matrix: one machine, its controller and a MaaS, simulated; a database, an API for the machine to call back; and engines
//! with the real drivers, put together as the server does it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use drydock_api::server::{Api, ApiHandle};
use drydock_api::state::{ApiState, HealthCache};
use drydock_drivers::AllowNetworks;
use drydock_drivers::ipmi::{IpmiDriver, IpmiSettings};
use drydock_drivers::maas::{MaasDriver, MaasSettings};
use drydock_drivers::manual::ManualDriver;
use drydock_drivers::redfish::{RedfishDriver, RedfishSettings, TlsPolicy};
use drydock_ingester::DesignIngester;
use drydock_model::clock::Clock;
use drydock_model::driver::{Driver, NodeProvisioner};
use drydock_model::effective::Node;
use drydock_model::id::{DesignId, IdSource};
use drydock_model::ingest::{Format, Source};
use drydock_model::reference::References;
use drydock_model::store::Store;
use drydock_orchestrator::boot::service::BootService;
use drydock_orchestrator::designs::Designs;
use drydock_orchestrator::drivers::DriverSet;
use drydock_orchestrator::engine::{Engine, Parts};
use drydock_orchestrator::settings::{EngineSettings, Timeouts};
use drydock_orchestrator::system::{RandomIds, SystemClock};
use drydock_reference::{Fetcher, ReferenceSettings};
use drydock_sim::{Faults, Timing, World};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::driver::{Attended, Dangerous};
use super::script::Script;
use super::seams::{Way, WayClock};
use super::shape::site_shape;
use super::watched::Watched;
use crate::processes::example;
use crate::sandbox::{Limits, Sandbox};

/// Real time, and jumps over it: everybody's, the database's too.
pub struct Jumping {
    real: SystemClock,
    ahead: Mutex<Duration>,
}

impl Jumping {
    pub fn jump(&self, by: Duration) {
        *self.ahead.lock().expect("a lock") += by;
    }

    fn ahead(&self) -> Duration {
        *self.ahead.lock().expect("a lock")
    }
}

#[async_trait]
impl Clock for Jumping {
    fn now(&self) -> DateTime<Utc> {
        self.real.now() + self.ahead()
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic() + self.ahead()
    }

    async fn sleep(&self, duration: Duration) {
        self.real.sleep(duration).await;
    }
}

/// What operates the machine's controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hands {
    /// The IPMI driver.
    Ipmi,
    /// The Redfish driver.
    Redfish,
    /// An operator, who is asked by the manual driver.
    Operator,
}

/// A running instance.
pub struct Instance {
    pub way: Arc<Way>,
    stop: CancellationToken,
    handle: JoinHandle<()>,
    ipmi: Arc<IpmiDriver>,
    redfish: Arc<RedfishDriver>,
}

impl Instance {
    /// As SIGKILL.
    pub async fn kill(self) {
        self.handle.abort();
        // An error: that it was aborted.
        let _ = self.handle.await;
        // A service has room for a few sessions, and forgets those of the dead after minutes only. So many deaths there are not.
        self.redfish.shutdown().await;
    }

    /// As SIGTERM, and SIGCONT if need be.
    pub async fn end(mut self) {
        self.stop.cancel();
        loop {
            self.way.wake();
            tokio::select! {
                ended = &mut self.handle => {
                    ended.expect("an engine that ends in order");
                    break;
                }
                // It may have come to a stand only now.
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
        self.ipmi.shutdown().await;
        self.redfish.shutdown().await;
    }
}

/// The site.
pub struct Site {
    pub world: World,
    pub store: Arc<dyn Store>,
    pub clock: Arc<Jumping>,
    pub dangerous: Arc<Dangerous>,
    pub design_ref: String,
    pub node: Arc<Node>,
    designs: Arc<Designs>,
    sandbox: Arc<Sandbox>,
    api: ApiHandle,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

/// The lab with one of its machines.
fn design(hands: Hands) -> String {
    let lab = std::fs::read_to_string(example("lab.yaml")).expect("the lab");
    let is_wanted =
        |text: &&str| !text.contains("drydock/BaremetalNode") || text.contains("name: worker1");
    let wanted: Vec<&str> = lab.split("---\n").filter(is_wanted).collect();
    let text = wanted.join("---\n");
    assert!(text.contains("type: ipmi") && text.contains("name: worker1"));
    match hands {
        Hands::Ipmi => text,
        Hands::Redfish => text.replace("type: ipmi", "type: redfish"),
        Hands::Operator => text.replace("type: ipmi", "type: manual"),
    }
}

fn loopback() -> AllowNetworks {
    let networks = ["127.0.0.0/8", "::1/128"];
    AllowNetworks::only(networks.map(|it| it.parse().expect("a network")).to_vec())
}

impl Site {
    pub async fn new(hands: Hands) -> Self {
        let clock = Arc::new(Jumping {
            real: SystemClock::new(),
            ahead: Mutex::default(),
        });
        let options = drydock_statemgmt::Options {
            pool_size: 2,
            connect_timeout: Duration::from_secs(30),
            clock: Arc::clone(&clock) as _,
        };
        // Not SQLite's memory: what is there alone goes with a connection, and that with whoever dies while using it. Where the system has
        // memory for files, it is quicker: nothing here is about power cuts.
        let quick = Path::new("/dev/shm");
        let folder = match quick.is_dir() {
            true => tempfile::tempdir_in(quick),
            false => tempfile::tempdir(),
        };
        let folder = folder.expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("drydock.db").display());
        let store = drydock_statemgmt::open(&url, options)
            .await
            .expect("a database");
        let references: Arc<dyn References> =
            Arc::new(Fetcher::new(ReferenceSettings::default()).expect("references"));
        let designs = Arc::new(Designs::new(
            Arc::clone(&store),
            Arc::new(DesignIngester::default()),
            Arc::clone(&references),
        ));
        let (design_ref, _) = upload(&store, &designs, design(hands)).await;
        // The machine has a controller all the same, which the operator uses.
        let built = match hands {
            Hands::Ipmi | Hands::Operator => Hands::Ipmi,
            Hands::Redfish => Hands::Redfish,
        };
        let (_, as_built) = upload(&store, &designs, design(built)).await;
        let shape = site_shape(&as_built);
        let world = World::start(shape, Timing::INSTANT, Faults::default())
            .await
            .expect("a world");
        let program = PathBuf::from(env!("CARGO_BIN_EXE_drydock"));
        let sandbox = Arc::new(Sandbox::new(program, Limits::SERVER));
        let (listener, address) =
            drydock_api::server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("an address");
        let state = Arc::new(ApiState {
            store: Arc::clone(&store),
            designs: Arc::clone(&designs),
            boot: BootService::new(
                Arc::clone(&store),
                Arc::clone(&designs),
                references,
                Arc::clone(&sandbox) as _,
                format!("http://{address}/api/v1.0/bootactions/"),
            ),
            provisioner: None,
            clock: Arc::clone(&clock) as _,
            ids: Arc::new(RandomIds),
            max_body: 1 << 20,
            health: HealthCache::default(),
            metrics: None,
        });
        let server = Api::new(listener, state).expect("an API");
        let api = server.handle();
        let serving = tokio::spawn(async move { server.run().await.expect("an API that serves") });
        world
            .set_callback_url(&format!("http://{address}/api/v1.0"))
            .expect("an address on the loopback");
        Site {
            world,
            store,
            clock,
            dangerous: Arc::default(),
            design_ref,
            node: Arc::clone(as_built.node("worker1").expect("the node")),
            designs,
            sandbox,
            api,
            serving,
            _folder: folder,
        }
    }

    /// A new instance, with drivers that remember nothing.
    pub fn start(&self, script: &Arc<Script>, forgets_intents: bool) -> Instance {
        let on_the_way = Arc::clone(script);
        let happens = Box::new(move |_, point| on_the_way.at(point));
        let way = Way::new(Arc::clone(&self.store), happens);
        let mut store = Watched::new(Arc::clone(&self.store), Arc::default());
        store.seams = Some(Arc::clone(&way) as _);
        let ipmi = Arc::new(IpmiDriver::new(self.ipmi_settings(), loopback()));
        let redfish = RedfishDriver::new(self.redfish_settings(), loopback());
        let redfish = Arc::new(redfish.expect("a driver"));
        let maas = MaasSettings {
            poll: Duration::from_millis(20),
            ..MaasSettings::new(
                self.world.maas_url().parse().expect("a URL"),
                self.world.maas_api_key().into(),
            )
        };
        let maas: Arc<dyn NodeProvisioner> =
            Arc::new(MaasDriver::new(maas, loopback()).expect("a driver"));
        let oob: [Arc<dyn Driver>; 3] = [
            Arc::clone(&ipmi) as _,
            Arc::clone(&redfish) as _,
            Arc::new(ManualDriver::new()),
        ];
        let attended = |driver| self.attended(driver, &way, script, forgets_intents) as _;
        let drivers = DriverSet {
            oob: oob.map(attended).to_vec(),
            node: Some(self.attended(maas, &way, script, forgets_intents)),
            network: None,
        };
        let engine = Engine::new(Parts {
            store: Arc::new(store),
            designs: Arc::clone(&self.designs),
            drivers: Arc::new(drivers),
            clock: Arc::new(WayClock {
                clock: Arc::clone(&self.clock) as _,
                way: Arc::clone(&way),
                stands_still: false,
            }),
            ids: Arc::new(RandomIds),
            settings: settings(),
        });
        way.is_of(engine.instance());
        let stop = CancellationToken::new();
        let token = stop.clone();
        let handle = tokio::spawn(async move { engine.run(token).await.expect("an engine") });
        Instance {
            way,
            stop,
            handle,
            ipmi,
            redfish,
        }
    }

    fn attended<D: Driver + ?Sized>(
        &self,
        inner: Arc<D>,
        way: &Arc<Way>,
        script: &Arc<Script>,
        forgets_intents: bool,
    ) -> Arc<Attended<D>> {
        Arc::new(Attended {
            inner,
            way: Arc::clone(way),
            script: Arc::clone(script),
            log: self.world.call_log(),
            dangerous: Arc::clone(&self.dangerous),
            forgets_intents,
        })
    }

    fn ipmi_settings(&self) -> IpmiSettings {
        IpmiSettings {
            port: self.world.bmc_port(),
            gap_floor: Duration::ZERO,
            gap_ceiling: Duration::from_millis(20),
            poll: Duration::from_millis(20),
            settle_after_reset: Duration::from_millis(100),
            ..IpmiSettings::default()
        }
    }

    fn redfish_settings(&self) -> RedfishSettings {
        RedfishSettings {
            port: self.world.redfish_port(),
            gap_floor: Duration::ZERO,
            gap_ceiling: Duration::from_millis(20),
            poll: Duration::from_millis(20),
            settle_after_reset: Duration::from_millis(100),
            tls: TlsPolicy {
                insecure: true,
                ..TlsPolicy::default()
            },
            ..RedfishSettings::default()
        }
    }

    /// Nobody is left.
    pub async fn end(self) {
        self.api.stop().await;
        self.serving.await.expect("an API that ends");
        self.sandbox.stop().await;
        self.world.stop().await;
    }
}

async fn upload(
    store: &Arc<dyn Store>,
    designs: &Designs,
    text: String,
) -> (String, Arc<drydock_model::effective::EffectiveDesign>) {
    let id = DesignId(RandomIds.uuid());
    let made = store.create_design(id, None).await.expect("a design");
    let source = Source {
        name: "lab.yaml".into(),
        format: Format::Auto,
        text,
        without: Vec::new(),
    };
    let written = store.replace_sources(id, made.revision, &[source]).await;
    written.expect("its sources");
    let design_ref = format!("design:{id}");
    let site = designs.resolve(&design_ref).await.expect("a site");
    assert!(site.is_valid(), "{:#?}", site.errors().collect::<Vec<_>>());
    (design_ref, Arc::clone(&site.design))
}

/// Whoever begins after a jump has everything at once; no deadline is within the reach of all the jumps of a life.
fn settings() -> EngineSettings {
    let never = Duration::from_secs(30 * 86_400);
    EngineSettings {
        heartbeat: Duration::from_millis(30),
        claim_interval: Duration::from_millis(30),
        poll_interval: Duration::from_millis(30),
        retry_base: Duration::from_millis(10),
        retry_cap: Duration::from_millis(40),
        timeouts: Timeouts {
            drydock: never,
            create_network_template: never,
            configure_user_credentials: never,
            identify_node: never,
            configure_hardware: never,
            apply_node_networking: never,
            apply_node_storage: never,
            apply_node_platform: never,
            deploy_node: never,
            bootaction_report: never,
            destroy_node: never,
            relabel_node: never,
            operator: never,
        },
        ..EngineSettings::default()
    }
}
