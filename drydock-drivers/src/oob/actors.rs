//! The actors of one driver: one for each controller, made when it is first spoken to; what has been idle is closed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::meter::Reading;

/// A session that was idle this long is closed. BMCs end idle sessions after 60 s (IPMI v2.0 section 6.12.15).
const IDLE: Duration = Duration::from_secs(20);

/// So long a session whose closing was begun may take to its end at a shutdown: all tries of a BMC that does not answer any more.
const LAST_CLOSING: Duration = Duration::from_secs(15);

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
    sweeper: Mutex<Sweeper>,
}

/// The task that closes idle sessions.
#[derive(Default)]
struct Sweeper {
    task: JoinSet<()>,
    /// True: it takes no further session.
    stop: watch::Sender<bool>,
}

impl Sweeper {
    /// Ends it: a session that it has taken nobody else could close.
    async fn end(mut self) {
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(LAST_CLOSING, self.task.join_next()).await;
        if ended.is_err() {
            tracing::warn!("idle sessions could not be closed in time");
        }
        self.task.shutdown().await;
    }
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
        if sweeper.task.is_empty() {
            let stop = sweeper.stop.subscribe();
            let actors = Arc::downgrade(&self.map);
            sweeper.task.spawn(sweep(actors, stop));
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
        let sweeper = std::mem::take(&mut *lock(&self.sweeper));
        sweeper.end().await;
        let actors: Vec<Arc<A>> = lock(&self.map).drain().map(|(_, actor)| actor).collect();
        let mut closing = JoinSet::new();
        for actor in actors {
            closing.spawn(async move { actor.close().await });
        }
        while closing.join_next().await.is_some() {}
    }
}

async fn sweep<K, A: Actor>(actors: Weak<Map<K, A>>, mut stop: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(IDLE / 2);
    let stopping = stop.clone();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = tick.tick() => {}
        }
        let Some(actors) = actors.upgrade() else {
            return;
        };
        let all: Vec<Arc<A>> = lock(&actors).values().cloned().collect();
        drop(actors);
        // One that does not answer holds up none of the others.
        let stopping = &stopping;
        futures::stream::iter(all)
            .for_each_concurrent(CLOSING, |actor| async move {
                if !*stopping.borrow() {
                    actor.close_if_idle(IDLE).await;
                }
            })
            .await;
    }
}

/// A poisoned lock holds plain data that is still good.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    /// Its session takes until `go` to be closed.
    #[derive(Default)]
    struct Slow {
        taken: Notify,
        go: Notify,
        closed: AtomicUsize,
    }

    struct Controlled(Arc<Slow>);

    #[async_trait]
    impl Actor for Controlled {
        async fn close(&self) {}

        async fn close_if_idle(&self, _: Duration) {
            self.0.taken.notify_one();
            self.0.go.notified().await;
            self.0.closed.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn a_session_that_the_sweeper_has_taken_is_closed_before_the_end() {
        let actors = Actors::<u8, Controlled>::default();
        let slow = Arc::new(Slow::default());
        drop(actors.of(1, || Controlled(Arc::clone(&slow))));
        slow.taken.notified().await;
        {
            let mut shutdown = std::pin::pin!(actors.shutdown());
            assert!(futures::poll!(shutdown.as_mut()).is_pending());
            slow.go.notify_one();
            shutdown.await;
        }
        assert_eq!(slow.closed.load(Ordering::Relaxed), 1);
        // A later call begins anew.
        drop(actors.of(1, || Controlled(Arc::clone(&slow))));
        slow.taken.notified().await;
    }
}
