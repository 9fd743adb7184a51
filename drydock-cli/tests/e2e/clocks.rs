//! Two instances on one PostgreSQL whose clocks differ by more than the grace: one leader, and the other follows when it is gone.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use drydock_ingester::DesignIngester;
use drydock_model::clock::Clock;
use drydock_model::store::{Leadership, Store};
use drydock_orchestrator::designs::Designs;
use drydock_orchestrator::drivers::DriverSet;
use drydock_orchestrator::engine::{Engine, Parts};
use drydock_orchestrator::settings::EngineSettings;
use drydock_orchestrator::system::{RandomIds, SystemClock};
use drydock_reference::{Fetcher, ReferenceSettings};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::database::TestDatabase;
use crate::processes::PATIENCE;

const GRACE: Duration = Duration::from_secs(1);

/// The system's clock, and this much of a difference.
struct Wrong(SystemClock, TimeDelta);

#[async_trait]
impl Clock for Wrong {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + self.1
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

struct Running {
    engine: Engine,
    store: Arc<dyn Store>,
    stop: CancellationToken,
    handle: JoinHandle<()>,
}

async fn start(url: &str, difference: i64) -> Running {
    let clock: Arc<dyn Clock> = Arc::new(Wrong(SystemClock::new(), TimeDelta::seconds(difference)));
    let options = drydock_statemgmt::Options {
        pool_size: 4,
        connect_timeout: PATIENCE,
        clock: Arc::clone(&clock),
    };
    let store = drydock_statemgmt::open(url, options)
        .await
        .expect("a store");
    let references = Fetcher::new(ReferenceSettings::default()).expect("a fetcher");
    let designs = Designs::new(
        Arc::clone(&store),
        Arc::new(DesignIngester::default()),
        Arc::new(references),
    );
    let engine = Engine::new(Parts {
        store: Arc::clone(&store),
        designs: Arc::new(designs),
        drivers: Arc::new(DriverSet::default()),
        clock,
        ids: Arc::new(RandomIds),
        settings: EngineSettings {
            grace_period: GRACE,
            claim_interval: GRACE / 10,
            clock_skew: Duration::ZERO,
            heartbeat: GRACE / 10,
            ..EngineSettings::default()
        },
    });
    let stop = CancellationToken::new();
    let (runner, token) = (engine.clone(), stop.clone());
    let handle = tokio::spawn(async move { runner.run(token).await.expect("an engine") });
    Running {
        engine,
        store,
        stop,
        handle,
    }
}

async fn until_leads(running: &Running) -> Leadership {
    let leads = async {
        loop {
            if let Some(leader) = running.store.leader().await.expect("an answer")
                && leader.instance == running.engine.instance()
            {
                return leader;
            }
            tokio::time::sleep(GRACE / 50).await;
        }
    };
    tokio::time::timeout(PATIENCE, leads)
        .await
        .expect("a leader")
}

/// The one who leads has a clock that is right, or before or behind the other's.
async fn one_leads(url: &str, first: i64, second: i64) {
    let first = start(url, first).await;
    let reign = until_leads(&first).await;
    let second = start(url, second).await;
    let begun = std::time::Instant::now();
    while begun.elapsed() < 4 * GRACE {
        // Nobody takes the place of one that lives, not even for a moment: a reign has a number.
        assert_eq!(first.store.leader().await.expect("an answer"), Some(reign));
        tokio::time::sleep(GRACE / 50).await;
    }
    first.handle.abort();
    assert!(first.handle.await.expect_err("a death").is_cancelled());
    let begun = std::time::Instant::now();
    let next = until_leads(&second).await;
    assert!(next.epoch > reign.epoch);
    // Not much earlier than the grace is over, whatever the clocks say.
    assert!(begun.elapsed() > GRACE / 2, "{:?}", begun.elapsed());
    second.stop.cancel();
    second.handle.await.expect("an end in order");
}

#[test]
fn of_two_instances_whose_clocks_differ_one_leads() {
    let Some(database) = TestDatabase::new() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        one_leads(&database.url, 0, 3).await;
        one_leads(&database.url, 3, 0).await;
    });
}
