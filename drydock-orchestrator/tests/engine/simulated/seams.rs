//! The places between the calls of an instance, and what can happen to it there: it dies, it is stopped for a while, a call or its answer gets
//! lost, its claims are taken away. The tests of the whole product take this file by its path: it knows the model only.

use std::any::Any;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use drydock_model::clock::Clock;
use drydock_model::id::InstanceId;
use drydock_model::step::ClaimedStep;
use drydock_model::store::{Store, StoreError, StoreResult};
use tokio::sync::watch;

use super::watched::Seams;

/// What happens to the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is killed.
    Dies,
    /// It is stopped, loses its claims to another, and wakes up a minute later.
    Sleeps,
    /// The call does not get through; after a call: it was carried out, and its answer is lost.
    Loses,
    /// Its claims are given back behind its back, so that the step is repeated while the first attempt goes on.
    IsRobbed,
}

impl Fault {
    /// Whether this can happen there.
    pub fn fits(self, point: Point) -> bool {
        match self {
            // Within a call, where a driver asks for a key: the call is on its way, and nobody can hold it up any more.
            Fault::Sleeps => point.verb != "open_boot_context" || !point.after,
            // Nobody's claims are taken away while its heartbeat is young. So between the intent and the call it is no case; elsewhere
            // it is harder than anything that happens.
            Fault::IsRobbed => !point.after || point.verb == APPLY,
            Fault::Dies | Fault::Loses => true,
        }
    }
}

/// The call that mutates the world.
pub const APPLY: &str = "apply";

/// What an instance does for a task besides what it does under a claim. Heartbeats and looks go on beside it and are no places of their own.
const VERBS: [&str; 4] = ["pin", "plan_task", "end_task", CLAIM];

/// What matters of a claim is what it brings.
const CLAIM: &str = "claim_steps_within";

/// A place between two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub after: bool,
    pub verb: &'static str,
}

/// What happens at a place, if anything; how many places the instance has come by before it.
pub type Script = Box<dyn Fn(usize, Point) -> Option<Fault> + Send + Sync>;

/// All the places that an instance comes by, in order, and what happens to it at some of them.
pub struct Way {
    passed: Mutex<Vec<Point>>,
    script: Script,
    /// What has happened so far.
    struck: watch::Sender<Vec<Fault>>,
    awake: watch::Sender<bool>,
    store: Arc<dyn Store>,
    instance: OnceLock<InstanceId>,
}

impl Way {
    pub fn new(store: Arc<dyn Store>, script: Script) -> Arc<Self> {
        Arc::new(Way {
            passed: Mutex::default(),
            script,
            struck: watch::Sender::default(),
            awake: watch::Sender::new(true),
            store,
            instance: OnceLock::new(),
        })
    }

    pub fn is_of(&self, instance: InstanceId) {
        self.instance.set(instance).unwrap();
    }

    pub fn passed(&self) -> Vec<Point> {
        self.passed.lock().unwrap().clone()
    }

    /// What has happened so far; whoever is killed or stopped has come to a stand by then.
    pub fn struck(&self) -> watch::Receiver<Vec<Fault>> {
        self.struck.subscribe()
    }

    pub fn wake(&self) {
        self.awake.send_replace(true);
    }

    /// While the instance is stopped nothing of it goes on.
    pub async fn is_awake(&self) {
        let mut awake = self.awake.subscribe();
        awake.wait_for(|awake| *awake).await.unwrap();
    }

    /// Comes by a place.
    pub async fn pass(&self, point: Point) -> StoreResult<()> {
        self.is_awake().await;
        let index = {
            let mut passed = self.passed.lock().unwrap();
            passed.push(point);
            passed.len() - 1
        };
        let Some(fault) = (self.script)(index, point) else {
            return Ok(());
        };
        if matches!(fault, Fault::Dies | Fault::Sleeps) {
            self.awake.send_replace(false);
        }
        self.struck.send_modify(|struck| struck.push(fault));
        match fault {
            Fault::Dies | Fault::Sleeps => self.is_awake().await,
            Fault::Loses => return Err(StoreError::Unavailable("lost by the test".into())),
            Fault::IsRobbed => {
                let instance = *self.instance.get().unwrap();
                self.store.return_claims(instance).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Seams for Way {
    async fn before(&self, verb: &'static str, claim: bool) -> StoreResult<()> {
        self.is_awake().await;
        if claim || (VERBS.contains(&verb) && verb != CLAIM) {
            self.pass(Point { after: false, verb }).await?;
        }
        Ok(())
    }

    fn matters(&self, verb: &'static str, claim: bool, answer: &dyn Any) -> bool {
        let nothing = answer
            .downcast_ref::<Vec<ClaimedStep>>()
            .is_some_and(Vec::is_empty);
        (claim || VERBS.contains(&verb)) && !nothing
    }

    async fn after(&self, verb: &'static str) -> StoreResult<()> {
        self.pass(Point { after: true, verb }).await
    }
}

/// The clock of an instance: it does not wake anybody who is stopped.
pub struct WayClock {
    pub clock: Arc<dyn Clock>,
    pub way: Arc<Way>,
    /// Sabotage: its monotonic time stands still, so that it never finds itself asleep.
    pub stands_still: bool,
}

#[async_trait]
impl Clock for WayClock {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        if self.stands_still {
            Duration::ZERO
        } else {
            self.clock.monotonic()
        }
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
        self.way.is_awake().await;
    }
}
