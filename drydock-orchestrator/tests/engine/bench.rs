//! A workbench: a store, engines that can be killed, and a driver that does as it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use drydock_ingester::DesignIngester;
use drydock_model::change::{Change, JournalEntry, Remembered, Risk, remembered};
use drydock_model::clock::Clock;
use drydock_model::driver::{
    Driver, DriverError, DriverKind, Machine, NodeProvisioner, Observation, StepContext, StepPlan,
};
use drydock_model::effective::Node;
use drydock_model::filter::NodeFilter;
use drydock_model::id::{DesignId, IdSource, TaskId};
use drydock_model::ingest::{Format, Source};
use drydock_model::step::StepAction;
use drydock_model::store::{Store, TaskTree};
use drydock_model::task::{NewTask, TaskAction};
use drydock_orchestrator::designs::Designs;
use drydock_orchestrator::drivers::DriverSet;
use drydock_orchestrator::engine::{Engine, Parts};
use drydock_orchestrator::settings::EngineSettings;
use drydock_orchestrator::system::{RandomIds, SystemClock};
use drydock_reference::{Fetcher, ReferenceSettings};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What the driver does on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// What it is asked to.
    #[default]
    Willing,
    /// Hangs before the call takes effect.
    HangsBefore,
    /// Takes until it is released.
    Held,
    /// Hangs after the call has taken effect: the reply is lost.
    HangsAfter,
    /// Answers "busy" so many times first.
    Busy(u32),
    /// Refuses the credentials.
    Locked,
    /// Panics.
    Panics,
    /// Never gets where it should.
    Waits,
}

/// The world: how often each node was wiped, and what happens to be asked.
#[derive(Default)]
pub struct World {
    wiped: Mutex<BTreeMap<String, u32>>,
    asked: Mutex<BTreeMap<String, u32>>,
    manner: Mutex<BTreeMap<String, Manner>>,
    /// Rung when somebody hangs.
    hangs: Notify,
    released: Notify,
    sleep: Mutex<Option<(Arc<JumpingClock>, Duration)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl World {
    /// Waits until a driver call hangs.
    pub async fn until_hanging(&self) {
        tokio::time::timeout(PATIENCE, self.hangs.notified())
            .await
            .expect("a call that hangs");
    }

    /// Lets the call that is held go on.
    pub fn release(&self) {
        self.released.notify_one();
    }

    pub fn set(&self, node: &str, manner: Manner) {
        lock(&self.manner).insert(node.to_owned(), manner);
    }

    /// The process is stopped for this long right after its next look.
    pub fn sleep_after_looking(&self, clock: Arc<JumpingClock>, duration: Duration) {
        *lock(&self.sleep) = Some((clock, duration));
    }

    fn manner(&self, node: &str) -> Manner {
        lock(&self.manner).get(node).copied().unwrap_or_default()
    }

    pub fn wiped(&self, node: &str) -> u32 {
        lock(&self.wiped).get(node).copied().unwrap_or(0)
    }

    /// How often the driver was called for a change on a node.
    pub fn asked(&self, node: &str) -> u32 {
        lock(&self.asked).get(node).copied().unwrap_or(0)
    }
}

struct TestDriver(Arc<World>);

#[async_trait]
impl Driver for TestDriver {
    fn name(&self) -> &'static str {
        "test"
    }

    fn kind(&self) -> DriverKind {
        DriverKind::Node
    }

    async fn observe(&self, cx: &StepContext) -> Result<Observation, DriverError> {
        let name = cx.node.as_ref().map_or("site", |node| node.name.as_str());
        if self.0.manner(name) == Manner::Panics {
            panic!("a driver that panics");
        }
        if let Some((clock, duration)) = lock(&self.0.sleep).take() {
            clock.jump(duration);
        }
        Ok(Observation(json!({ "wiped": self.0.wiped(name) })))
    }

    fn plan(&self, cx: &StepContext, observed: &Observation, journal: &[JournalEntry]) -> StepPlan {
        let Some(node) = &cx.node else {
            return StepPlan::done("nothing on the site");
        };
        if self.0.manner(&node.name) == Manner::Waits {
            return StepPlan::wait("something that never comes", Duration::from_millis(20));
        }
        if cx.action != StepAction::DestroyNode {
            return StepPlan::done(format!("{} is as designed", node.name));
        }
        // What was seen counts; the journal alone never says that something happened.
        if observed.0["wiped"].as_u64() > Some(0) || remembered(journal, "wipe") == Remembered::Done
        {
            return StepPlan::done(format!("{} is wiped", node.name));
        }
        StepPlan::apply(vec![Change {
            target: format!("node {}", node.name),
            verb: "wipe".into(),
            before: json!("full"),
            after: json!("empty"),
            risk: Risk::Wipes,
            why: "the test asks for it".into(),
        }])
    }

    async fn apply(&self, cx: &StepContext, _: &Change) -> Result<String, DriverError> {
        let name = cx.node.as_ref().unwrap().name.clone();
        *lock(&self.0.asked).entry(name.clone()).or_default() += 1;
        let wipe = || *lock(&self.0.wiped).entry(name.clone()).or_default() += 1;
        let hang = async || {
            self.0.hangs.notify_one();
            std::future::pending::<()>().await;
        };
        match self.0.manner(&name) {
            Manner::HangsBefore => hang().await,
            Manner::Held => {
                self.0.hangs.notify_one();
                self.0.released.notified().await;
                wipe();
            }
            Manner::HangsAfter => {
                wipe();
                hang().await;
            }
            Manner::Busy(times) if self.0.asked(&name) <= times => {
                return Err(DriverError::transient("wiping", &name, "busy", "wait"));
            }
            Manner::Locked => {
                return Err(DriverError::auth(
                    "wiping",
                    &name,
                    "wrong password",
                    "mend the design",
                ));
            }
            _ => wipe(),
        }
        Ok("wiped".into())
    }
}

#[async_trait]
impl NodeProvisioner for TestDriver {
    async fn machines(&self) -> Result<Vec<Machine>, DriverError> {
        Ok(Vec::new())
    }

    async fn health(&self) -> Result<(), DriverError> {
        Ok(())
    }

    async fn images(&self) -> Result<BTreeMap<String, BTreeSet<String>>, DriverError> {
        Ok(BTreeMap::new())
    }
}

/// The system's clock, whose monotonic time can be moved on: a process that was stopped and wakes.
pub struct JumpingClock {
    real: SystemClock,
    jump_ms: AtomicU64,
}

impl JumpingClock {
    pub fn jump(&self, by: Duration) {
        self.jump_ms
            .fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for JumpingClock {
    fn now(&self) -> DateTime<Utc> {
        self.real.now()
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic() + Duration::from_millis(self.jump_ms.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.real.sleep(duration).await;
    }
}

/// A running engine.
pub struct Running {
    pub stop: CancellationToken,
    handle: JoinHandle<()>,
}

impl Running {
    /// As SIGKILL: nothing more is said or written.
    pub async fn kill(self) {
        self.handle.abort();
        let _ = self.handle.await;
    }

    /// As SIGTERM.
    pub async fn shut_down(self) {
        self.stop.cancel();
        self.handle.await.unwrap();
    }
}

pub struct Bench {
    pub store: Arc<dyn Store>,
    pub world: Arc<World>,
    pub clock: Arc<JumpingClock>,
    pub settings: EngineSettings,
    /// What references may name.
    pub allow_refs: Vec<String>,
    design_ref: String,
    _folder: TempDir,
}

/// The names of the bench's nodes.
pub fn names(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("n{n}")).collect()
}

fn design(count: usize) -> String {
    let mut text = String::from(concat!(
        "---\nschema: drydock/Region/v1\nmetadata: {name: site}\ndata: {authorized_keys: []}\n",
        "---\nschema: drydock/NetworkLink/v1\nmetadata: {name: oob}\n",
        "data: {bonding: {mode: disabled}, mtu: 1500, trunking: {mode: disabled, default_network: oob}, allowed_networks: [oob]}\n",
        "---\nschema: drydock/Network/v1\nmetadata: {name: oob}\ndata: {cidr: 127.90.0.0/16}\n",
        "---\nschema: drydock/HostProfile/v1\nmetadata: {name: host}\n",
        "data:\n  oob: {type: ipmi, network: oob, account: a, credential: b}\n",
        "  storage: {physical_devices: {sda: {partitions: [{name: root, size: 40g, filesystem: {mountpoint: /}}]}}}\n",
    ));
    for (index, name) in names(count).iter().enumerate() {
        text.push_str(&format!(
            "---\nschema: drydock/BaremetalNode/v1\nmetadata: {{name: {name}}}\ndata: {{host_profile: host, addressing: [{{network: oob, address: 127.90.{}.{}}}]}}\n",
            index / 200,
            index % 200 + 1
        ));
    }
    text
}

impl Bench {
    pub async fn new(nodes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(JumpingClock {
            real: SystemClock::new(),
            jump_ms: AtomicU64::new(0),
        });
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let options = drydock_statemgmt::Options {
            pool_size: 4,
            connect_timeout: PATIENCE,
            clock: Arc::new(SystemClock::new()),
        };
        let store = drydock_statemgmt::open(&url, options).await.unwrap();
        let id = DesignId(RandomIds.uuid());
        store.create_design(id, None).await.unwrap();
        let bench = Bench {
            store,
            world: Arc::default(),
            clock,
            settings: EngineSettings {
                grace_period: Duration::from_millis(550),
                claim_interval: Duration::from_millis(50),
                clock_skew: Duration::from_millis(50),
                poll_interval: Duration::from_millis(50),
                heartbeat: Duration::from_millis(50),
                retry_base: Duration::from_millis(5),
                retry_cap: Duration::from_millis(20),
                ..EngineSettings::default()
            },
            allow_refs: Vec::new(),
            design_ref: format!("design:{id}"),
            _folder: folder,
        };
        bench.put_design(id, &design(nodes)).await;
        bench
    }

    async fn put_design(&self, id: DesignId, text: &str) {
        let source = Source {
            name: "site.yaml".into(),
            format: Format::Auto,
            text: text.to_owned(),
            without: Vec::new(),
        };
        self.store
            .replace_sources(id, self.store.design(id).await.unwrap().revision, &[source])
            .await
            .unwrap();
    }

    /// The nodes of this bench's design, compiled.
    pub async fn nodes(&self) -> Vec<Arc<Node>> {
        let references = Arc::new(Fetcher::new(ReferenceSettings::default()).unwrap());
        let designs = Designs::new(
            Arc::clone(&self.store),
            Arc::new(DesignIngester::default()),
            references,
        );
        let site = designs.resolve(&self.design_ref).await.unwrap();
        assert!(site.is_valid(), "{:#?}", site.errors().collect::<Vec<_>>());
        site.design
            .nodes
            .iter()
            .map(|node| Arc::new((**node).clone()))
            .collect()
    }

    /// A further design of this bench.
    pub async fn design(&self, text: &str) -> String {
        let id = DesignId(RandomIds.uuid());
        self.store.create_design(id, None).await.unwrap();
        self.put_design(id, text).await;
        format!("design:{id}")
    }

    /// An engine as one process has it.
    pub fn start(&self) -> Running {
        let references = Arc::new(
            Fetcher::new(ReferenceSettings {
                allow_refs: self.allow_refs.clone(),
                ..ReferenceSettings::default()
            })
            .unwrap(),
        );
        let driver: Arc<dyn NodeProvisioner> = Arc::new(TestDriver(Arc::clone(&self.world)));
        let engine = Engine::new(Parts {
            store: Arc::clone(&self.store),
            designs: Arc::new(Designs::new(
                Arc::clone(&self.store),
                Arc::new(DesignIngester::default()),
                references,
            )),
            drivers: Arc::new(DriverSet {
                oob: Vec::new(),
                node: Some(driver),
                network: None,
            }),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ids: Arc::new(RandomIds),
            settings: self.settings.clone(),
        });
        let stop = CancellationToken::new();
        let token = stop.clone();
        let handle = tokio::spawn(async move { engine.run(token).await.unwrap() });
        Running { stop, handle }
    }

    pub fn task(&self, action: TaskAction) -> NewTask {
        NewTask {
            id: TaskId(RandomIds.uuid()),
            action,
            design_ref: self.design_ref.clone(),
            node_filter: None,
            priority: 0,
            dry_run: false,
            strategy: None,
            oob: None,
            plan: None,
            retry: 0,
            created_by: "test".into(),
            context_marker: None,
            idempotency_key: None,
            created: Utc::now(),
        }
    }

    pub async fn submit(&self, action: TaskAction) -> TaskId {
        self.store.create_task(&self.task(action)).await.unwrap().id
    }

    pub async fn submit_on(&self, action: TaskAction, nodes: &[&str]) -> TaskId {
        let task = NewTask {
            node_filter: Some(NodeFilter::names(nodes.iter().copied())),
            ..self.task(action)
        };
        self.store.create_task(&task).await.unwrap().id
    }

    /// The tree, once this holds for it.
    pub async fn until(
        &self,
        id: TaskId,
        what: &str,
        condition: impl Fn(&TaskTree) -> bool,
    ) -> TaskTree {
        let started = Instant::now();
        loop {
            let tree = self.store.tree(id).await.unwrap();
            if condition(&tree) {
                return tree;
            }
            assert!(started.elapsed() < PATIENCE, "waited for {what}: {tree:#?}");
            // Only how often to look.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn end(&self, id: TaskId) -> TaskTree {
        self.until(id, "the task's end", |tree| tree.task.status.is_final())
            .await
    }
}

/// Everything a tree says.
pub fn said(tree: &TaskTree) -> String {
    let messages = tree
        .task
        .messages
        .iter()
        .chain(tree.steps.iter().flat_map(|step| &step.messages));
    messages
        .map(|message| {
            format!(
                "{}{}\n",
                if message.error { "error: " } else { "" },
                message.message
            )
        })
        .collect()
}
