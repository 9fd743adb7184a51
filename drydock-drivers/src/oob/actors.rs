//! The actors of one driver: one for each controller, made when it is first spoken to; what has been idle is closed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::task::JoinSet;

use super::meter::Reading;

/// A session that was idle this long is closed. BMCs end idle sessions after 60 s (IPMI v2.0 section 6.12.15).
const IDLE: Duration = Duration::from_secs(20);

/// So many sessions are closed at once.
const CLOSING: usize = 64;

/// One controller as a driver speaks to it.
#[async_trait]
pub(crate) trait Actor: Send + Sync + 'static {
    /// Closes its session, once the command under way has ended.
    async fn close(&self);

    /// Closes its session if nobody used it for so long.
    async fn close_if_idle(&self, idle: Duration);

    /// Its counters now; `None`: it keeps none.
    fn reading(&self) -> Option<Reading> {
        None
    }
}

type Map<K, A> = Mutex<HashMap<K, Arc<A>>>;

/// The actors by what tells controllers apart.
pub(crate) struct Actors<K, A> {
    map: Arc<Map<K, A>>,
    /// Closes idle sessions; ends with the driver.
    sweeper: Mutex<JoinSet<()>>,
}

impl<K, A> Default for Actors<K, A> {
    fn default() -> Self {
        Actors {
            map: Arc::default(),
            sweeper: Mutex::default(),
        }
    }
}

impl<K, A> Actors<K, A>
where
    K: Eq + Hash + Send + 'static,
    A: Actor,
{
    /// The actor of this controller.
    pub(crate) fn of(&self, key: K, make: impl FnOnce() -> A) -> Arc<A> {
        let mut sweeper = lock(&self.sweeper);
        if sweeper.is_empty() {
            sweeper.spawn(sweep(Arc::downgrade(&self.map)));
        }
        drop(sweeper);
        let mut actors = lock(&self.map);
        Arc::clone(actors.entry(key).or_insert_with(|| Arc::new(make())))
    }

    /// The counters of all controllers that were spoken to.
    pub(crate) fn readings(&self) -> Vec<Reading> {
        let actors = lock(&self.map);
        actors
            .values()
            .filter_map(|actor| actor.reading())
            .collect()
    }

    /// Closes all sessions; commands under way end first.
    pub(crate) async fn shutdown(&self) {
        let mut sweeper = std::mem::take(&mut *lock(&self.sweeper));
        sweeper.shutdown().await;
        let actors: Vec<Arc<A>> = lock(&self.map).drain().map(|(_, actor)| actor).collect();
        let mut closing = JoinSet::new();
        for actor in actors {
            closing.spawn(async move { actor.close().await });
        }
        while closing.join_next().await.is_some() {}
    }
}

async fn sweep<K, A: Actor>(actors: Weak<Map<K, A>>) {
    let mut tick = tokio::time::interval(IDLE / 2);
    loop {
        tick.tick().await;
        let Some(actors) = actors.upgrade() else {
            return;
        };
        let all: Vec<Arc<A>> = lock(&actors).values().cloned().collect();
        drop(actors);
        // One that does not answer holds up none of the others.
        futures::stream::iter(all)
            .for_each_concurrent(
                CLOSING,
                |actor| async move { actor.close_if_idle(IDLE).await },
            )
            .await;
    }
}

/// A poisoned lock holds plain data that is still good.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
