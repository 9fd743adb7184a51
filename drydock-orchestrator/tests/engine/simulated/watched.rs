//! A store in front of the store: it knows whether a call is under way, can be cut off, and lets something happen before and after a call.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use drydock_model::boot::{BootContext, BootEntry, BootStatus};
use drydock_model::build_data::BuildData;
use drydock_model::change::{ChangeOutcome, JournalEntry};
use drydock_model::event::TaskEvent;
use drydock_model::id::{BootActionId, ChangeId, ClaimToken, DesignId, Digest, InstanceId, TaskId};
use drydock_model::ingest::Source;
use drydock_model::operator::{OperatorAnswer, OperatorRequest};
use drydock_model::step::{ClaimedStep, Step, TaskPlan};
use drydock_model::store::{
    Advance, BootStore, BuildDataStore, DesignStore, EventStore, JournalStore, LeaderStore,
    Leadership, OperatorStore, StepEnd, StepStore, Store, StoreError, StoreResult, StoredDesign,
    TaskQuery, TaskStore, TaskTree, Wake,
};
use drydock_model::task::{Message, NewTask, ResultStatus, Task, TaskStatus};
use tokio::sync::Notify;

/// What is going on in the store, over all who use it.
#[derive(Default)]
pub struct Traffic {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Rung when a call ends.
    pub end: Notify,
}

impl Traffic {
    /// How many calls there have been; `None` while one is under way.
    pub fn quiet(&self) -> Option<u64> {
        let begun = self.begun.load(Ordering::SeqCst);
        (self.ended.load(Ordering::SeqCst) == begun).then_some(begun)
    }
}

struct Call(Arc<Traffic>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
        self.0.end.notify_one();
    }
}

/// What may happen to an instance between its calls.
#[async_trait]
pub trait Seams: Send + Sync {
    /// Before a verb; whether that is done under a claim. An error: the call does not get through.
    async fn before(&self, verb: &'static str, claim: bool) -> StoreResult<()>;
    /// Whether what comes after this answer matters.
    fn matters(&self, verb: &'static str, claim: bool, answer: &dyn Any) -> bool;
    /// After a verb that was carried out. An error: its answer is lost.
    async fn after(&self, verb: &'static str) -> StoreResult<()>;
}

/// One instance's way to the store.
#[derive(Clone)]
pub struct Watched {
    inner: Arc<dyn Store>,
    traffic: Arc<Traffic>,
    /// Verbs that do not get through.
    pub cut_off: Arc<Mutex<BTreeSet<&'static str>>>,
    /// What happens on the way, if anything.
    pub seams: Option<Arc<dyn Seams>>,
}

impl Watched {
    pub fn new(inner: Arc<dyn Store>, traffic: Arc<Traffic>) -> Self {
        Watched {
            inner,
            traffic,
            cut_off: Arc::default(),
            seams: None,
        }
    }

    fn begin(&self, verb: &str) -> StoreResult<Call> {
        self.traffic.begun.fetch_add(1, Ordering::SeqCst);
        let call = Call(Arc::clone(&self.traffic));
        if self.cut_off.lock().unwrap().contains(verb) {
            return Err(StoreError::Unavailable("cut off by the test".into()));
        }
        Ok(call)
    }
}

macro_rules! passed_on {
    ($($port:ident { $(fn $verb:ident($($name:ident: $kind:ty),*) -> $answer:ty;)+ })+) => {
        $(
            #[async_trait]
            impl $port for Watched {
                $(
                    async fn $verb(&self, $($name: $kind),*) -> StoreResult<$answer> {
                        let kinds: &[&str] = &[$(stringify!($kind)),*];
                        let claim = kinds.contains(&"ClaimToken");
                        if let Some(seams) = &self.seams {
                            seams.before(stringify!($verb), claim).await?;
                        }
                        let answer = {
                            let _call = self.begin(stringify!($verb))?;
                            self.inner.$verb($($name),*).await?
                        };
                        if let Some(seams) = &self.seams
                            && seams.matters(stringify!($verb), claim, &answer)
                        {
                            seams.after(stringify!($verb)).await?;
                        }
                        Ok(answer)
                    }
                )+
            }
        )+
    };
}

passed_on! {
    DesignStore {
        fn create_design(id: DesignId, base: Option<DesignId>) -> StoredDesign;
        fn designs() -> Vec<DesignId>;
        fn design(id: DesignId) -> StoredDesign;
        fn replace_sources(id: DesignId, revision: i64, sources: &[Source]) -> i64;
        fn delete_design(id: DesignId) -> ();
        fn pin(digest: &Digest, sources: &[Source]) -> ();
        fn pinned(digest: &Digest) -> Vec<Source>;
    }
    TaskStore {
        fn create_task(task: &NewTask) -> Task;
        fn tree(id: TaskId) -> TaskTree;
        fn node_tree(node: &str) -> TaskTree;
        fn trees(query: &TaskQuery) -> Vec<TaskTree>;
        fn count_tasks() -> Vec<(TaskStatus, u64)>;
        fn queued(limit: i64) -> Vec<Task>;
        fn plan_task(leader: Leadership, task: TaskId, digest: &Digest, plan: &TaskPlan, messages: &[Message]) -> ();
        fn end_task(leader: Leadership, task: TaskId, verdict: ResultStatus, digest: Option<&Digest>, messages: &[Message]) -> ();
        fn terminate_task(task: TaskId, by: &str) -> Task;
        fn purge_tasks(older_than_days: u32) -> u64;
        fn steps_about(task: TaskId, node: Option<&str>) -> Vec<Step>;
    }
    StepStore {
        fn claim_steps_within(instance: InstanceId, limit: i64, nodes: Option<u32>) -> Vec<ClaimedStep>;
        fn wait_step(step: TaskId, token: ClaimToken, delay: Duration, reason: &str, failures: i32, messages: &[Message]) -> ();
        fn finish_step(step: TaskId, token: ClaimToken, end: &StepEnd) -> Advance;
        fn return_unknown(instance: InstanceId, keep: &[ClaimToken]) -> u64;
        fn return_claims(instance: InstanceId) -> u64;
        fn return_step(step: TaskId, token: ClaimToken) -> ();
        fn reclaim_silent(leader: Leadership, grace: Duration) -> u64;
        fn next_due_within(nodes: Option<u32>) -> Option<Duration>;
    }
    LeaderStore {
        fn heartbeat(instance: InstanceId) -> ();
        fn farewell(instance: InstanceId) -> ();
        fn claim_leadership(instance: InstanceId, grace: Duration) -> Option<Leadership>;
        fn renew_leadership(leader: Leadership) -> bool;
        fn abdicate(leader: Leadership) -> ();
        fn leader() -> Option<Leadership>;
    }
    JournalStore {
        fn record_intent(token: ClaimToken, entry: &JournalEntry) -> ();
        fn record_outcome(token: ClaimToken, change: ChangeId, outcome: ChangeOutcome, evidence: &str, latency: Duration) -> ();
        fn step_journal(step: TaskId) -> Vec<JournalEntry>;
        fn task_journal(task: TaskId) -> Vec<JournalEntry>;
        fn node_journal(node: &str, limit: i64) -> Vec<JournalEntry>;
    }
    BootStore {
        fn open_boot_context(step: TaskId, token: ClaimToken, context: &BootContext) -> ();
        fn boot_context(node: &str) -> BootContext;
        fn boot_context_of(action: BootActionId) -> BootContext;
        fn report_boot_action(action: BootActionId, status: Option<BootStatus>, messages: &[Message]) -> BootEntry;
    }
    BuildDataStore {
        fn record_build_data(step: TaskId, token: ClaimToken, data: &[BuildData]) -> ();
        fn node_build_data(node: &str) -> Vec<BuildData>;
        fn task_build_data(task: TaskId) -> Vec<BuildData>;
    }
    OperatorStore {
        fn ask_operator(step: TaskId, token: ClaimToken, request: &str) -> ();
        fn operator_request(step: TaskId) -> Option<OperatorRequest>;
        fn operator_requests(task: TaskId) -> Vec<OperatorRequest>;
        fn answer_operator(step: TaskId, answer: &OperatorAnswer) -> OperatorRequest;
    }
    EventStore {
        fn task_events(task: TaskId, after: i64, limit: i64) -> Vec<TaskEvent>;
    }
    Store {
        fn ping() -> ();
        fn subscribe() -> Box<dyn Wake>;
    }
}
