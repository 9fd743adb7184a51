//! How much is asked of all controllers together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Commands under way at once unless a setting says otherwise. Each holds a socket and little more; a process that begins more steps than
/// this at a time gains nothing, and what is between it and the controllers has as many flows to carry.
pub const IN_FLIGHT: usize = 1000;

/// How many commands to controllers may be under way at once, over all drivers that share it. Whoever waits is served in the order of
/// coming; as a controller has one command under way or waiting, none of them gets more than its turn.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// For so many; at least one.
    #[must_use]
    pub fn of(in_flight: usize) -> Self {
        let places = in_flight.clamp(1, Semaphore::MAX_PERMITS);
        Budget(Arc::new(Semaphore::new(places)))
    }

    /// Waits for a place, which is free again when this is dropped. `None` cannot happen: nobody closes it.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget::of(IN_FLIGHT)
    }
}
