//! Where a contract test runs: a database of its own, and ready-made tasks.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use drydock_model::clock::Clock;
use drydock_model::id::{Digest, InstanceId, TaskId};
use drydock_model::step::{
    ClaimedStep, Condition, PipelinePlan, StepAction, StepPlanned, TaskPlan,
};
use drydock_model::store::{Leadership, StepEnd, Store, StoreResult};
use drydock_model::task::{Message, NewTask, TaskAction};
use drydock_statemgmt::Options;
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

pub const GRACE: Duration = Duration::from_secs(3600);

/// A clock that goes on by a microsecond each time it is read, and by more when it is told to.
#[derive(Clone)]
pub struct HandClock(Arc<Mutex<DateTime<Utc>>>);

impl HandClock {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(
            DateTime::UNIX_EPOCH + TimeDelta::days(20_000),
        )))
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        let mut now = self.0.lock().unwrap();
        *now += TimeDelta::microseconds(1);
        *now
    }

    fn monotonic(&self) -> Duration {
        (self.now() - DateTime::UNIX_EPOCH).to_std().unwrap()
    }

    async fn sleep(&self, _duration: Duration) {
        unreachable!("a store never sleeps by the clock");
    }
}

/// A fresh, empty database.
#[derive(Clone)]
pub struct Place {
    pub url: String,
    pub clock: HandClock,
    /// The SQLite file; none on PostgreSQL.
    pub file: Option<PathBuf>,
}

impl Place {
    /// One more server on this database.
    pub async fn try_open(&self) -> StoreResult<Arc<dyn Store>> {
        drydock_statemgmt::open(&self.url, self.options(Duration::from_secs(30))).await
    }

    pub fn options(&self, connect_timeout: Duration) -> Options {
        Options {
            pool_size: 4,
            connect_timeout,
            clock: Arc::new(self.clock.clone()),
        }
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        self.try_open().await.unwrap()
    }

    /// Lets time pass. It is the subject of the test here, so on PostgreSQL, which has only the real
    /// one, it has to be waited for.
    pub async fn pass(&self, time: Duration) {
        match self.file {
            Some(_) => *self.clock.0.lock().unwrap() += TimeDelta::from_std(time).unwrap(),
            None => tokio::time::sleep(time).await,
        }
    }

    /// Runs a statement past the store.
    pub async fn execute(&self, sql: &str) {
        if self.file.is_some() {
            let mut conn = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut conn)
                .await
                .unwrap();
            conn.close().await.unwrap();
        } else {
            let mut conn = PgConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut conn)
                .await
                .unwrap();
            conn.close().await.unwrap();
        }
    }
}

pub async fn on_sqlite<F: Future<Output = ()>>(test: fn(Place) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drydock.db");
    let url = format!("sqlite://{}", file.display());
    test(Place {
        url,
        clock: HandClock::new(),
        file: Some(file),
    })
    .await;
}

pub async fn on_postgres<F: Future<Output = ()> + Send + 'static>(test: fn(Place) -> F) {
    let Ok(admin) = std::env::var("DRYDOCK_TEST_POSTGRES") else {
        assert_ne!(
            std::env::var("CI").as_deref(),
            Ok("true"),
            "DRYDOCK_TEST_POSTGRES must be set in CI"
        );
        eprintln!("skipped: DRYDOCK_TEST_POSTGRES is not set");
        return;
    };
    let (base, _) = admin.rsplit_once('/').expect("a database in the URL");
    let name = format!("drydock_{}", Uuid::new_v4().simple());
    let mut conn = PgConnection::connect(&admin).await.unwrap();
    // Far east of UTC for every test: nothing may depend on the session's time zone.
    for sql in [
        format!("CREATE DATABASE {name}"),
        format!("ALTER DATABASE {name} SET timezone = 'Pacific/Kiritimati'"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut conn)
            .await
            .unwrap();
    }
    let place = Place {
        url: format!("{base}/{name}"),
        clock: HandClock::new(),
        file: None,
    };
    let outcome = tokio::spawn(test(place)).await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(drop))
        .execute(&mut conn)
        .await
        .unwrap();
    if let Err(error) = outcome {
        std::panic::resume_unwind(error.into_panic());
    }
}

pub fn id() -> TaskId {
    TaskId(Uuid::new_v4())
}

pub fn instance() -> InstanceId {
    InstanceId(Uuid::new_v4())
}

pub fn digest() -> Digest {
    Digest("ab".repeat(32))
}

/// Whole microseconds, which is what stores keep.
pub fn message(text: &str) -> Message {
    let ts = DateTime::UNIX_EPOCH + TimeDelta::microseconds(1_700_000_000_123_456);
    Message::about(Some("n1"), false, text, ts)
}

pub fn new_task(priority: i32) -> NewTask {
    NewTask {
        id: id(),
        action: TaskAction::Noop,
        design_ref: "file:///site.yaml".to_owned(),
        node_filter: None,
        priority,
        dry_run: false,
        strategy: None,
        oob: None,
        plan: None,
        retry: 0,
        created_by: "tester".to_owned(),
        context_marker: None,
        idempotency_key: None,
        created: DateTime::UNIX_EPOCH,
    }
}

/// A pipeline of so many steps.
pub fn pipeline(node: Option<&str>, steps: usize) -> PipelinePlan {
    let step = |_| StepPlanned {
        id: id(),
        action: StepAction::Noop,
        condition: Condition::Always,
        timeout: Duration::from_secs(300),
    };
    PipelinePlan {
        id: id(),
        node: node.map(str::to_owned),
        steps: (0..steps).map(step).collect(),
    }
}

pub fn plan<const N: usize>(stages: [Vec<PipelinePlan>; N]) -> TaskPlan {
    TaskPlan {
        stages: stages.into(),
    }
}

/// One step on each of these nodes.
pub fn nodes(names: &[&str]) -> Vec<PipelinePlan> {
    names.iter().map(|name| pipeline(Some(name), 1)).collect()
}

pub async fn lead(store: &Arc<dyn Store>) -> Leadership {
    store
        .claim_leadership(instance(), GRACE)
        .await
        .unwrap()
        .unwrap()
}

/// A task with this plan, running.
pub async fn planned(store: &Arc<dyn Store>, leader: Leadership, plan: &TaskPlan) -> TaskId {
    planned_at(store, leader, plan, 0).await
}

pub async fn planned_at(
    store: &Arc<dyn Store>,
    leader: Leadership,
    plan: &TaskPlan,
    priority: i32,
) -> TaskId {
    let task = store.create_task(&new_task(priority)).await.unwrap();
    store
        .plan_task(leader, task.id, &digest(), plan, &[])
        .await
        .unwrap();
    task.id
}

pub async fn claim_one(store: &Arc<dyn Store>) -> ClaimedStep {
    let mut claims = store.claim_steps(instance(), 1).await.unwrap();
    assert_eq!(claims.len(), 1, "there must be a step to claim");
    claims.remove(0)
}

pub fn done() -> StepEnd {
    StepEnd {
        success: true,
        messages: vec![message("done")],
        facts: Map::new(),
    }
}

pub fn failed() -> StepEnd {
    StepEnd {
        success: false,
        messages: vec![message("failed")],
        facts: Map::new(),
    }
}

pub fn facts(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(facts) => facts,
        other => panic!("{other} is no object"),
    }
}

pub fn found(value: Value) -> StepEnd {
    StepEnd {
        success: true,
        messages: vec![],
        facts: facts(value),
    }
}

/// Each step's status, in order.
pub async fn statuses(store: &Arc<dyn Store>, task: TaskId) -> Vec<&'static str> {
    let tree = store.tree(task).await.unwrap();
    tree.steps.iter().map(|step| step.status.as_str()).collect()
}

pub fn odd_object() -> Value {
    json!({"nul": "a\u{0}b", "deep": {"z": 1, "a": [1.5, null, "ü"]}})
}
