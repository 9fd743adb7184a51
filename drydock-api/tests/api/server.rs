//! A server for one test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use drydock_api::server::{Api, ApiHandle, bind};
use drydock_api::state::{ApiState, HealthCache};
use drydock_drivers::manual::ManualDriver;
use drydock_ingester::DesignIngester;
use drydock_model::clock::Clock;
use drydock_model::driver::NodeProvisioner;
use drydock_model::id::IdSource;
use drydock_model::reference::References;
use drydock_model::store::Store;
use drydock_orchestrator::boot::service::BootService;
use drydock_orchestrator::boot::templates::InProcess;
use drydock_orchestrator::designs::Designs;
use drydock_orchestrator::drivers::DriverSet;
use drydock_orchestrator::engine::{Engine, Parts};
use drydock_orchestrator::settings::EngineSettings;
use drydock_orchestrator::system::{RandomIds, SystemClock};
use drydock_reference::{Fetcher, ReferenceSettings};
use drydock_statemgmt::Options;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::{Answer, Client};
use crate::provisioner::Provisioner;

/// The longest that anything may take here.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A site without errors: nodes n1, n2, n3.
pub const SITE: &str = include_str!("site.yaml");

/// What a test may want otherwise.
pub struct Setup {
    /// `design.allow_refs`; `{folder}` is the test's own.
    pub allow_refs: Vec<String>,
    /// `api.max_body`.
    pub max_body: usize,
    /// The node provisioner.
    pub provisioner: Option<Arc<Provisioner>>,
    /// Whether tasks are worked on.
    pub engine: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            allow_refs: vec!["{folder}".to_owned()],
            max_body: 64 << 20,
            provisioner: None,
            engine: true,
        }
    }
}

/// The system's clock, but for the day: a test need not wait for months to pass.
#[derive(Default)]
pub struct CalendarClock {
    system: SystemClock,
    days: AtomicI64,
}

impl CalendarClock {
    /// From now on it is so many days later.
    pub fn turn(&self, days: i64) {
        self.days.fetch_add(days, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for CalendarClock {
    fn now(&self) -> DateTime<Utc> {
        self.system.now() + TimeDelta::days(self.days.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.system.sleep(duration).await;
    }
}

/// A running server. Ends with the test: what it is made of is owned here.
pub struct Server {
    pub address: SocketAddr,
    pub client: Client,
    pub store: Arc<dyn Store>,
    pub clock: Arc<CalendarClock>,
    pub folder: TempDir,
    stop: CancellationToken,
    handle: ApiHandle,
    engine: JoinSet<()>,
    parts: JoinSet<()>,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// Nothing works on its tasks, so that they stay queued.
    pub async fn without_engine() -> Self {
        Self::with(Setup {
            engine: false,
            ..Setup::default()
        })
        .await
    }

    pub async fn with(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let calendar = Arc::new(CalendarClock::default());
        let clock: Arc<dyn Clock> = Arc::clone(&calendar) as _;
        let ids: Arc<dyn IdSource> = Arc::new(RandomIds);
        let url = format!("sqlite://{}", folder.path().join("drydock.db").display());
        let options = Options {
            pool_size: 4,
            connect_timeout: PATIENCE,
            clock: Arc::clone(&clock),
        };
        let store = drydock_statemgmt::open(&url, options).await.unwrap();
        let place = folder.path().display().to_string();
        let references: Arc<dyn References> = Arc::new(
            Fetcher::new(ReferenceSettings {
                allow_refs: setup
                    .allow_refs
                    .iter()
                    .map(|text| text.replace("{folder}", &place))
                    .collect(),
                ..ReferenceSettings::default()
            })
            .unwrap(),
        );
        let mut designs = Designs::new(
            Arc::clone(&store),
            Arc::new(DesignIngester::default()),
            Arc::clone(&references),
        );
        let node = setup
            .provisioner
            .map(|provisioner| provisioner as Arc<dyn NodeProvisioner>);
        if let Some(node) = &node {
            designs = designs.with_provisioner(Arc::clone(node), Arc::clone(&clock));
        }
        let designs = Arc::new(designs);
        let (listener, address) = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let state = ApiState {
            store: Arc::clone(&store),
            designs: Arc::clone(&designs),
            boot: BootService::new(
                Arc::clone(&store),
                Arc::clone(&designs),
                references,
                Arc::new(InProcess),
                format!("http://{address}/api/v1.0/bootactions/"),
            ),
            provisioner: node.clone(),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            max_body: setup.max_body,
            health: HealthCache::default(),
            metrics: None,
        };
        let api = Api::new(listener, Arc::new(state)).unwrap();
        let handle = api.handle();
        let stop = CancellationToken::new();
        let mut parts = JoinSet::new();
        parts.spawn(async move { api.run().await.unwrap() });
        let mut engine = JoinSet::new();
        if setup.engine {
            let working = Engine::new(Parts {
                store: Arc::clone(&store),
                designs,
                drivers: Arc::new(DriverSet {
                    node,
                    oob: vec![Arc::new(ManualDriver::new())],
                    ..DriverSet::default()
                }),
                clock,
                ids,
                settings: EngineSettings::default(),
            });
            let stop = stop.clone();
            engine.spawn(async move { working.run(stop).await.unwrap() });
        }
        Server {
            address,
            client: Client::new(address),
            store,
            clock: calendar,
            folder,
            stop,
            handle,
            engine,
            parts,
        }
    }

    /// From now on nothing works on its tasks, and nobody leads.
    pub async fn stop_engine(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.engine.join_next().await {
            ended.unwrap();
        }
    }

    /// Ends it in order.
    pub async fn stop(mut self) {
        self.stop_engine().await;
        self.handle.stop().await;
        while let Some(ended) = self.parts.join_next().await {
            ended.unwrap();
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.client.get(path).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.client.post(path, body).await
    }

    /// A new, empty design; its id.
    pub async fn empty_design(&self) -> String {
        let design = self.post("/designs", &json!({})).await.ok(201);
        design["id"].as_str().unwrap().to_owned()
    }

    /// A design that holds [`SITE`]; its id.
    pub async fn site(&self) -> String {
        self.design(SITE).await
    }

    /// A design of this text; its id.
    pub async fn design(&self, text: &str) -> String {
        let id = self.empty_design().await;
        let path = format!("/designs/{id}/parts?ingester=auto&name=site.yaml");
        self.client.post_yaml(&path, text).await.ok(201);
        id
    }

    /// Makes a task; its id.
    pub async fn task(&self, action: &str, design: &str, nodes: &[&str]) -> String {
        let mut body = json!({"action": action, "design_ref": format!("design:{design}")});
        if !nodes.is_empty() {
            body["node_filter"] = json!({"filter_set": [{"node_names": nodes}]});
        }
        let task = self.post("/tasks", &body).await.ok(201);
        task["task_id"].as_str().unwrap().to_owned()
    }

    /// Waits until a task has ended.
    pub async fn ended(&self, id: &str) -> Value {
        let begun = Instant::now();
        loop {
            let task = self.get(&format!("/tasks/{id}")).await.ok(200);
            if matches!(task["status"].as_str(), Some("complete" | "terminated")) {
                return task;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "task {id} does not end: {task:#}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
