//! Whether writing works: the last heartbeat tells. A disk that is full, or a server that has become read-only, still answers questions.

use std::sync::{Mutex, PoisonError};

use drydock_model::store::{StoreError, StoreResult};

/// What came of the last heartbeat of this process.
#[derive(Default)]
pub(crate) struct Vitals(Mutex<Option<StoreError>>);

impl Vitals {
    /// Remembers what came of a heartbeat.
    pub(crate) fn note(&self, beat: &StoreResult<()>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = beat.clone().err();
    }

    /// The fault of the last heartbeat, if it had one. Well, when none was ever written.
    pub(crate) fn check(&self) -> StoreResult<()> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone().map_or(Ok(()), Err)
    }
}
