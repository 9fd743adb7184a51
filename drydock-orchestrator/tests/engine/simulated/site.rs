//! The simulated site: nodes that take their time, a driver that keeps a record, instances that can be killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use drydock_ingester::DesignIngester;
use drydock_model::change::{Change, JournalEntry, Risk};
use drydock_model::clock::Clock;
use drydock_model::driver::{
    Driver, DriverError, DriverKind, Machine, NodeProvisioner, Observation, StepContext, StepPlan,
};
use drydock_model::id::{DesignId, IdSource, TaskId};
use drydock_model::ingest::{Format, Source};
use drydock_model::oob::OobCommand;
use drydock_model::step::StepAction;
use drydock_model::store::{Store, TaskQuery, TaskTree};
use drydock_model::task::{NewTask, TaskAction};
use drydock_orchestrator::designs::Designs;
use drydock_orchestrator::drivers::DriverSet;
use drydock_orchestrator::engine::{Engine, Parts};
use drydock_orchestrator::settings::EngineSettings;
use drydock_orchestrator::system::RandomIds;
use drydock_reference::{Fetcher, ReferenceSettings};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::clock::SimulatedClock;
use super::watched::{Traffic, Watched};
use crate::bench::PATIENCE;

/// How a node behaves.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    /// How long each step takes it.
    pub takes: Duration,
    /// The step in which it refuses, if any.
    pub refuses: Option<StepAction>,
    /// The step in which it never gets where it should, if any.
    pub hangs: Option<StepAction>,
    /// How long each call that changes it takes.
    pub answers: Duration,
}

/// What looks at the whole whenever a driver is asked.
pub type Check = Arc<dyn Fn(&[TaskTree]) + Send + Sync>;

/// What happened to a node in an action: when it was begun, in simulated time, and how often.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    pub begun: Duration,
    pub times: u32,
}

/// The site.
pub struct Site {
    pub clock: SimulatedClock,
    pub traffic: Arc<Traffic>,
    pub store: Arc<dyn Store>,
    pub natures: BTreeMap<String, Nature>,
    pub records: Arc<Mutex<BTreeMap<(String, StepAction), Record>>>,
    pub settings: EngineSettings,
    pub check: Option<Check>,
    pub(super) designs: Arc<Designs>,
    pub(super) design_ref: String,
}

/// A running instance.
pub struct Instance {
    pub way: Watched,
    pub stop: CancellationToken,
    handle: JoinHandle<()>,
}

impl Instance {
    /// As SIGKILL.
    pub async fn kill(self) {
        self.handle.abort();
        let _ = self.handle.await;
    }

    pub fn has_ended(&self) -> bool {
        self.handle.is_finished()
    }
}

fn text(nodes: &[(String, Option<String>)]) -> String {
    let mut text = String::from(concat!(
        "---\nschema: drydock/Region/v1\nmetadata: {name: site}\ndata: {authorized_keys: []}\n",
        "---\nschema: drydock/NetworkLink/v1\nmetadata: {name: oob}\n",
        "data: {bonding: {mode: disabled}, mtu: 1500, trunking: {mode: disabled, default_network: oob}, allowed_networks: [oob]}\n",
        "---\nschema: drydock/Network/v1\nmetadata: {name: oob}\ndata: {cidr: 127.90.0.0/16}\n",
        "---\nschema: drydock/HostProfile/v1\nmetadata: {name: host}\n",
        "data:\n  oob: {type: ipmi, network: oob, account: a, credential: b}\n",
        "  storage: {physical_devices: {sda: {partitions: [{name: root, size: 40g, filesystem: {mountpoint: /}}]}}}\n",
    ));
    let rows: BTreeSet<&String> = nodes.iter().filter_map(|(_, row)| row.as_ref()).collect();
    for row in rows {
        text.push_str(&format!(
            "---\nschema: drydock/Rack/v1\nmetadata: {{name: {row}}}\ndata: {{tor_switches: {{}}, location: {{}}, local_networks: []}}\n"
        ));
    }
    for (index, (name, row)) in nodes.iter().enumerate() {
        let row = row.as_ref().map_or_else(String::new, |row| {
            format!(", metadata: {{rack: {row}, owner_data: {{row: {row}}}}}")
        });
        text.push_str(&format!(
            "---\nschema: drydock/BaremetalNode/v1\nmetadata: {{name: {name}}}\ndata: {{host_profile: host, addressing: [{{network: oob, address: 127.90.0.{}}}]{row}}}\n",
            index + 1
        ));
    }
    text
}

impl Site {
    /// Nodes by name, each with its rack, which is the value of its owner data `row`, too.
    pub async fn new(nodes: &[(String, Option<String>)], nature: Nature) -> Self {
        let clock = SimulatedClock::default();
        let traffic = Arc::new(Traffic::default());
        let options = drydock_statemgmt::Options {
            pool_size: 1,
            connect_timeout: Duration::from_secs(30),
            clock: Arc::new(clock.clone()),
        };
        let inner = drydock_statemgmt::open("sqlite::memory:", options)
            .await
            .unwrap();
        let store: Arc<dyn Store> = Arc::new(Watched::new(inner, Arc::clone(&traffic)));
        let references = Arc::new(Fetcher::new(ReferenceSettings::default()).unwrap());
        let designs = Arc::new(Designs::new(
            Arc::clone(&store),
            Arc::new(DesignIngester::default()),
            references,
        ));
        let id = DesignId(RandomIds.uuid());
        let revision = store.create_design(id, None).await.unwrap().revision;
        let source = Source {
            name: "site.yaml".into(),
            format: Format::Auto,
            text: text(nodes),
            without: Vec::new(),
        };
        store
            .replace_sources(id, revision, &[source])
            .await
            .unwrap();
        let design_ref = format!("design:{id}");
        // Read and compiled on other threads, which simulated time does not wait for: here, and kept.
        let site = designs.resolve(&design_ref).await.unwrap();
        assert!(site.is_valid(), "{:#?}", site.errors().collect::<Vec<_>>());
        Site {
            clock,
            traffic,
            store,
            natures: nodes
                .iter()
                .map(|(name, _)| (name.clone(), nature))
                .collect(),
            records: Arc::default(),
            settings: EngineSettings::default(),
            check: None,
            designs,
            design_ref,
        }
    }

    pub fn start(&self) -> Instance {
        let way = Watched::new(Arc::clone(&self.store), Arc::clone(&self.traffic));
        let driver: Arc<dyn NodeProvisioner> = Arc::new(SiteDriver {
            clock: self.clock.clone(),
            store: Arc::clone(&self.store),
            natures: self.natures.clone(),
            records: Arc::clone(&self.records),
            check: self.check.clone(),
        });
        let engine = Engine::new(Parts {
            store: Arc::new(way.clone()),
            designs: Arc::clone(&self.designs),
            drivers: Arc::new(DriverSet {
                node: Some(driver),
                ..DriverSet::default()
            }),
            clock: Arc::new(self.clock.clone()),
            ids: Arc::new(RandomIds),
            settings: self.settings.clone(),
        });
        Self::run(way, engine)
    }

    pub(super) fn run(way: Watched, engine: Engine) -> Instance {
        let stop = CancellationToken::new();
        let token = stop.clone();
        let handle = tokio::spawn(async move { engine.run(token).await.unwrap() });
        Instance { way, stop, handle }
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
            // The one that has the most to lose half-way.
            oob: (action == TaskAction::OobNodes).then_some(OobCommand::Cycle),
            plan: None,
            retry: 0,
            created_by: "test".into(),
            context_marker: None,
            idempotency_key: None,
            created: Utc::now(),
        }
    }

    pub async fn trees(&self) -> Vec<TaskTree> {
        self.store.trees(&TaskQuery::default()).await.unwrap()
    }

    /// Lets time pass until this holds; panics when it does not within so much simulated time.
    pub async fn until(&self, what: &str, most: Duration, mut holds: impl AsyncFnMut() -> bool) {
        let end = self.clock.monotonic() + most;
        loop {
            self.settle().await;
            if holds().await {
                return;
            }
            assert!(
                self.clock.monotonic() < end,
                "{what} does not come about within {most:?}: {:#?}",
                self.trees().await
            );
            assert!(self.clock.advance(), "nobody waits for anything any more");
        }
    }

    /// Until nobody has anything to do: no call of the store is under way, and none begins however often everybody has had a turn.
    async fn settle(&self) {
        let mut calm = 0;
        let mut calls = self.traffic.quiet();
        while calm < 20 {
            tokio::task::yield_now().await;
            let now = self.traffic.quiet();
            if now.is_none() {
                tokio::time::timeout(PATIENCE, self.traffic.end.notified())
                    .await
                    .expect("a call of the store that ends");
            }
            calm = if now.is_some() && now == calls {
                calm + 1
            } else {
                0
            };
            calls = now;
        }
    }
}

struct SiteDriver {
    clock: SimulatedClock,
    store: Arc<dyn Store>,
    natures: BTreeMap<String, Nature>,
    records: Arc<Mutex<BTreeMap<(String, StepAction), Record>>>,
    check: Option<Check>,
}

impl SiteDriver {
    fn record(&self, node: &str, action: StepAction) -> Option<Record> {
        let records = self.records.lock().unwrap();
        records.get(&(node.to_owned(), action)).copied()
    }
}

#[async_trait]
impl Driver for SiteDriver {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn kind(&self) -> DriverKind {
        DriverKind::Node
    }

    async fn observe(&self, cx: &StepContext) -> Result<Observation, DriverError> {
        if let Some(check) = &self.check {
            let trees = self.store.trees(&TaskQuery::default()).await.unwrap();
            check(&trees);
        }
        let Some(node) = &cx.node else {
            return Ok(Observation(json!({})));
        };
        let over = self
            .record(&node.name, cx.action)
            .map(|record| self.clock.monotonic() >= record.begun + self.natures[&node.name].takes);
        Ok(Observation(json!({ "over": over })))
    }

    fn plan(&self, cx: &StepContext, observed: &Observation, _: &[JournalEntry]) -> StepPlan {
        let Some(node) = &cx.node else {
            return StepPlan::done("nothing on the site");
        };
        let nature = self.natures[&node.name];
        if nature.refuses == Some(cx.action) {
            let error = DriverError::permanent("acting", &node.name, "it refuses", "mend it");
            return StepPlan::fail(error);
        }
        match observed.0["over"].as_bool() {
            None => StepPlan::apply(vec![Change {
                target: format!("node {}", node.name),
                verb: cx.action.to_string(),
                before: json!(null),
                after: json!("done"),
                risk: Risk::Wipes,
                why: "the test asks for it".into(),
            }]),
            Some(true) if nature.hangs != Some(cx.action) => StepPlan::done("as designed"),
            Some(_) => StepPlan::wait(format!("{} to end", cx.action), Duration::from_secs(10)),
        }
    }

    async fn apply(&self, cx: &StepContext, _: &Change) -> Result<String, DriverError> {
        let name = cx.node.as_ref().unwrap().name.clone();
        self.clock.sleep(self.natures[&name].answers).await;
        let mut records = self.records.lock().unwrap();
        let record = records.entry((name, cx.action)).or_insert(Record {
            begun: self.clock.monotonic(),
            times: 0,
        });
        record.times += 1;
        Ok("begun".into())
    }
}

#[async_trait]
impl NodeProvisioner for SiteDriver {
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
