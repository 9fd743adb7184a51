//! The engine: everything one server process does for tasks, under one guard.

use std::sync::Arc;

use drydock_model::clock::Clock;
use drydock_model::id::{IdSource, InstanceId};
use drydock_model::store::{Store, StoreError, StoreResult};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::designs::Designs;
use crate::drivers::DriverSet;
use crate::pulse::Pulse;
use crate::settings::EngineSettings;
use crate::step::Elsewhere;
use crate::vitals::{Counts, Vitals};
use crate::{leader, pulse, worker};

/// What an engine is made of. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) instance: InstanceId,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) designs: Arc<Designs>,
    pub(crate) drivers: Arc<DriverSet>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) settings: Arc<EngineSettings>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) elsewhere: Arc<Elsewhere>,
    pub(crate) counts: Arc<Counts>,
}

/// The parts an engine is put together from.
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Designs, shared with the API.
    pub designs: Arc<Designs>,
    /// The enabled drivers.
    pub drivers: Arc<DriverSet>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn IdSource>,
    /// How to go about it.
    pub settings: EngineSettings,
}

impl Engine {
    /// An engine; it does nothing before [`Engine::run`].
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let instance = InstanceId(parts.ids.uuid());
        Engine {
            instance,
            store: parts.store,
            designs: parts.designs,
            drivers: parts.drivers,
            pulse: Arc::new(Pulse::new(
                Arc::clone(&parts.clock),
                parts.settings.grace_period,
                parts.settings.clock_skew,
            )),
            clock: parts.clock,
            ids: parts.ids,
            settings: Arc::new(parts.settings),
            elsewhere: Arc::default(),
            counts: Arc::default(),
        }
    }

    /// This process's id.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// How it is, readable while it runs.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        self.counts.now(self.pulse.leadership().is_some())
    }

    /// Works until `shutdown`: says that it lives, competes for leadership, plans while it leads, executes steps. At the end calls
    /// in flight are finished or journaled, claims returned and leadership given up.
    ///
    /// # Errors
    /// When the store cannot be listened to at the start, or when a part of the engine ends by itself: then the rest is drained, so
    /// that no process goes on that leads and does not plan, or lives and does not work. Trouble with the store is waited out.
    pub async fn run(&self, shutdown: CancellationToken) -> StoreResult<()> {
        let leader_wake = self.store.subscribe().await?;
        let worker_wake = self.store.subscribe().await?;
        let stop = shutdown.child_token();
        // The pulse outlives the workers: as long as a call is in flight, this instance has to keep saying that it lives. Its reign ends when
        // it plans no more: another can lead while the last calls come to their end.
        let heart = CancellationToken::new();
        let reign = CancellationToken::new();
        let mut beating = JoinSet::new();
        beating.spawn(pulse::beat(self.clone(), heart.clone()));
        beating.spawn(pulse::compete(self.clone(), reign.clone()));
        let mut working = JoinSet::new();
        let plan = leader::plan(self.clone(), leader_wake, stop.clone());
        let reclaim = leader::reclaim(self.clone(), stop.clone());
        working.spawn(async move {
            // Ends also when one of the two panics.
            let _reign = reign.drop_guard();
            tokio::join!(plan, reclaim);
        });
        working.spawn(worker::run(self.clone(), worker_wake, stop.clone()));
        info!(instance = %self.instance, "engine started");
        let mut broken = false;
        while !working.is_empty() {
            let ended = tokio::select! {
                Some(ended) = working.join_next() => ended,
                Some(ended) = beating.join_next() => ended,
                else => break,
            };
            if !shutdown.is_cancelled() && !broken {
                error!(ended = ?ended.err(), "a part of the engine ended by itself; the engine stops");
                broken = true;
                stop.cancel();
            }
        }
        match self.store.return_claims(self.instance).await {
            Ok(0) => {}
            Ok(count) => info!(count, "returned steps that had not ended"),
            Err(error) => {
                warn!(%error, "could not return claims; they lapse with this instance's heartbeat");
            }
        }
        heart.cancel();
        while beating.join_next().await.is_some() {}
        info!(instance = %self.instance, "engine stopped");
        if broken {
            return Err(StoreError::Internal(
                "a part of the engine ended by itself; the log says which".into(),
            ));
        }
        Ok(())
    }
}
