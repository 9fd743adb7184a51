//! Reads that many steps want at the same time, made once.
//!
//! A value serves everybody who asked before its fetch began, so it is never older than the question (invariant 3 of the
//! house). A failure is shared the same way, lest a thousand steps wait for a thousand timeouts in a row.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use drydock_model::driver::DriverError;
use tokio::sync::Mutex;

type Fetched<T> = (Instant, Result<Arc<T>, DriverError>);

/// One shared read.
pub(crate) struct Shared<T> {
    latest: Mutex<Option<Fetched<T>>>,
}

impl<T> Shared<T> {
    pub(crate) fn new() -> Self {
        Shared {
            latest: Mutex::new(None),
        }
    }

    /// The value, by a fetch that began after this call was made.
    pub(crate) async fn get<F, R>(&self, fetch: F) -> Result<Arc<T>, DriverError>
    where
        F: FnOnce() -> R,
        R: Future<Output = Result<T, DriverError>>,
    {
        let asked = Instant::now();
        let mut latest = self.latest.lock().await;
        if let Some((began, value)) = &*latest
            && *began >= asked
        {
            return value.clone();
        }
        let began = Instant::now();
        let value = fetch().await.map(Arc::new);
        *latest = Some((began, value.clone()));
        value
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_share_one_fetch_and_later_ones_do_not() {
        let shared = Shared::<usize>::new();
        let fetches = AtomicUsize::new(0);
        let read = || {
            shared.get(|| async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(fetches.fetch_add(1, Ordering::SeqCst) + 1)
            })
        };
        let all = futures::future::join_all((0..50).map(|_| read())).await;
        // The first fetch began before the others had asked, the second after all of them had.
        assert!(fetches.load(Ordering::SeqCst) <= 2);
        assert_eq!(all.len(), 50);
        let before = fetches.load(Ordering::SeqCst);
        assert_eq!(*read().await.unwrap(), before + 1);
    }

    #[tokio::test]
    async fn a_failure_is_shared_but_not_kept() {
        let shared = Shared::<usize>::new();
        let fail = shared
            .get(|| async { Err(DriverError::transient("a", "b", "c", "d")) })
            .await;
        assert!(fail.is_err());
        assert_eq!(*shared.get(|| async { Ok(7) }).await.unwrap(), 7);
    }
}
