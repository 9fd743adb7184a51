//! What an engine without work asks of its database: signs of life and the slow poll, each once in its interval, and nothing besides. A test
//! binary of its own, since statements are counted over the whole process.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drydock_ingester::DesignIngester;
use drydock_model::id::{DesignId, IdSource};
use drydock_model::store::Store;
use drydock_orchestrator::designs::Designs;
use drydock_orchestrator::drivers::DriverSet;
use drydock_orchestrator::engine::{Engine, Parts};
use drydock_orchestrator::settings::EngineSettings;
use drydock_orchestrator::system::{RandomIds, SystemClock};
use drydock_reference::{Fetcher, ReferenceSettings};
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// How long the engine is watched, in intervals of its settings, which are all one second.
const SECONDS: usize = 4;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first four words of what is asked in a second, and how often. `WITH due AS` and what follows it are one poll: what can be claimed, whether
/// there is more of it, and when the next is due.
const EACH_SECOND: [(&str, usize); 9] = [
    // The heartbeat, and the leadership's ping.
    ("INSERT INTO instances (id,", 1),
    // Of the ping, and of the look for silent instances.
    ("SELECT epoch FROM leadership", 2),
    ("UPDATE leadership SET pinged", 1),
    // The slow poll: silent instances, queued tasks, steps.
    ("DELETE FROM instances WHERE", 1),
    ("SELECT task, token FROM", 1),
    ("SELECT * FROM tasks", 1),
    ("WITH due AS MATERIALIZED", 1),
    ("SELECT COUNT(*) > $2", 1),
    ("SELECT MIN(COALESCE(s.not_before, $1)) FROM", 1),
];

/// How often each statement was carried out, by its first words.
#[derive(Clone, Default)]
struct Counted(Arc<Mutex<BTreeMap<String, usize>>>);

impl Counted {
    /// What was counted since the last time.
    fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Of an event of the database library: the words of the statement.
struct Words(String);

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            self.0 = value.trim_end_matches('…').trim_end().to_owned();
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl Subscriber for Counted {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words(String::new());
        event.record(&mut words);
        *self.0.lock().unwrap().entry(words.0).or_default() += 1;
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn engine(store: &Arc<dyn Store>) -> Engine {
    let references = Arc::new(Fetcher::new(ReferenceSettings::default()).unwrap());
    let designs = Designs::new(
        Arc::clone(store),
        Arc::new(DesignIngester::default()),
        references,
    );
    let second = Duration::from_secs(1);
    Engine::new(Parts {
        store: Arc::clone(store),
        designs: Arc::new(designs),
        drivers: Arc::new(DriverSet {
            oob: Vec::new(),
            node: None,
            network: None,
        }),
        clock: Arc::new(SystemClock::new()),
        ids: Arc::new(RandomIds),
        settings: EngineSettings {
            claim_interval: second,
            poll_interval: second,
            heartbeat: second,
            ..EngineSettings::default()
        },
    })
}

/// Has an engine without work run on a database, and holds what it asks against the lists.
async fn watch(url: &str, counted: &Counted) {
    let options = drydock_statemgmt::Options {
        pool_size: 4,
        connect_timeout: PATIENCE,
        clock: Arc::new(SystemClock::new()),
    };
    let store = drydock_statemgmt::open(url, options).await.unwrap();
    let engine = engine(&store);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { engine.run(stop).await }
    });
    let begun = Instant::now();
    while store.leader().await.unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "nobody leads");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The first renewal: what is asked only once is over.
    counted.take();
    while !counted
        .0
        .lock()
        .unwrap()
        .contains_key("UPDATE leadership SET pinged")
    {
        assert!(begun.elapsed() < PATIENCE, "the leadership is not renewed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    counted.take();
    let watched = Instant::now();
    tokio::time::sleep(Duration::from_secs(1) * SECONDS as u32).await;
    let asked = counted.take();
    // A machine that is busy lets the watch last longer; what began before it may end in it.
    let seconds = watched.elapsed().as_secs() as usize + 1;
    let allowed: BTreeMap<&str, usize> = EACH_SECOND.into_iter().collect();
    for (words, count) in &asked {
        let most = allowed.get(words.as_str()).copied().unwrap_or(0) * seconds;
        assert!(*count <= most, "{words:?}: {count} times: {asked:#?}");
    }
    for words in allowed.keys() {
        assert!(asked.contains_key(*words), "{words:?} is gone: {asked:#?}");
    }
    // What is not on the lists would have been seen.
    store
        .create_design(DesignId(RandomIds.uuid()), None)
        .await
        .unwrap();
    let asked = counted.take();
    assert!(
        asked
            .keys()
            .any(|words| words.starts_with("INSERT INTO designs")),
        "{asked:#?}"
    );
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_work_only_signs_of_life_and_the_slow_poll_reach_the_database() {
    let counted = Counted::default();
    tracing::subscriber::set_global_default(counted.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("idle.db").display());
    watch(&url, &counted).await;
}
