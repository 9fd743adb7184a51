//! Many small writes as few transactions.
//!
//! A commit that is to survive a loss of power waits for the disk, and on SQLite all writes wait for one another. So writes of one kind that are
//! asked for while one of them is under way are done together in the next transaction: each waits for one commit at most besides its
//! own, and with a thousand steps in flight a commit serves hundreds of them. Whoever asks first does the work for all who wait; nothing runs
//! in the background.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use drydock_model::store::{StoreError, StoreResult};
use tokio::sync::oneshot;

/// Writes that one transaction does at most, so that none of them waits long for the others.
const MOST: usize = 256;

/// A kind of write, and who waits to have one done.
pub(crate) struct Turns<J, R> {
    waiting: Mutex<Vec<(J, oneshot::Sender<StoreResult<R>>)>>,
    turn: tokio::sync::Mutex<()>,
}

impl<J, R> Default for Turns<J, R> {
    fn default() -> Self {
        Turns {
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl<J, R> Turns<J, R> {
    /// Has one write done, together with whatever others wait for theirs. `begin` begins a transaction; what is asked for until it has begun is
    /// done in it. `together` does it, in order: the verdict on each, or the reason why none was done. Who stops waiting may find later that it
    /// was done nevertheless.
    pub(crate) async fn done<T, B, F>(
        &self,
        job: J,
        begin: impl Fn() -> B,
        together: impl Fn(T, Vec<J>) -> F,
    ) -> StoreResult<R>
    where
        B: Future<Output = StoreResult<T>>,
        F: Future<Output = StoreResult<Vec<StoreResult<R>>>>,
    {
        let (tell, mut told) = oneshot::channel();
        self.waiting().push((job, tell));
        loop {
            let turn = tokio::select! {
                biased;
                verdict = &mut told => return verdict.unwrap_or_else(|_gone| Err(unknown())),
                turn = self.turn.lock() => turn,
            };
            if self.waiting().is_empty() {
                // Ours was taken by somebody who has gone without an answer.
                drop(turn);
                return told.await.unwrap_or_else(|_gone| Err(unknown()));
            }
            // Those who were answered last come back with their next write just now: they are not to wait for one commit more.
            let begun = begin().await;
            let (jobs, askers): (Vec<J>, Vec<_>) = {
                let mut waiting = self.waiting();
                let count = waiting.len().min(MOST);
                waiting.drain(..count).unzip()
            };
            let count = jobs.len();
            let done = match begun {
                Ok(transaction) => together(transaction, jobs).await,
                Err(error) => Err(error),
            };
            let verdicts =
                done.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect());
            for (asker, verdict) in askers.into_iter().zip(verdicts) {
                // Who asked may have gone.
                let _ = asker.send(verdict);
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(J, oneshot::Sender<StoreResult<R>>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever did the work was stopped in the middle of it.
fn unknown() -> StoreError {
    StoreError::Unavailable("the write was interrupted; whether it was done is not known".into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Turns whose work waits for leave.
    #[derive(Clone, Default)]
    struct Desk {
        turns: Arc<Turns<usize, usize>>,
        leave: Arc<Slots>,
        commits: Arc<AtomicUsize>,
    }

    struct Slots(Semaphore);

    impl Default for Slots {
        fn default() -> Self {
            Slots(Semaphore::new(0))
        }
    }

    impl Desk {
        async fn done(&self, job: usize) -> StoreResult<usize> {
            self.turns
                .done(
                    job,
                    async || Ok(()),
                    async |(), jobs| {
                        self.leave.0.acquire().await.unwrap().forget();
                        self.commits.fetch_add(1, Ordering::SeqCst);
                        Ok(jobs
                            .into_iter()
                            .map(|job| {
                                if job == 13 {
                                    Err(StoreError::NotFound)
                                } else {
                                    Ok(job * 2)
                                }
                            })
                            .collect())
                    },
                )
                .await
        }

        async fn until_waiting(&self, count: usize) {
            while self.turns.waiting().len() != count {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn what_comes_while_one_is_under_way_is_done_together() {
        let desk = Desk::default();
        let first = tokio::spawn({
            let desk = desk.clone();
            async move { desk.done(1).await }
        });
        while desk.turns.turn.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let others: Vec<_> = (2..=300)
            .map(|job| {
                let desk = desk.clone();
                tokio::spawn(async move { (job, desk.done(job).await) })
            })
            .collect();
        desk.until_waiting(299).await;
        desk.leave.0.add_permits(10);
        assert_eq!(first.await.unwrap(), Ok(2));
        for other in others {
            let (job, verdict) = other.await.unwrap();
            let expected = if job == 13 {
                Err(StoreError::NotFound)
            } else {
                Ok(job * 2)
            };
            assert_eq!(verdict, expected, "each has its own verdict");
        }
        // One alone, 256 of the 299 that came meanwhile, and the rest.
        assert_eq!(desk.commits.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn what_comes_until_the_transaction_has_begun_is_done_in_it() {
        let turns: Arc<Turns<u8, usize>> = Arc::default();
        let begin = Arc::new(Semaphore::new(0));
        let ask = |job| {
            let (turns, begin) = (Arc::clone(&turns), Arc::clone(&begin));
            tokio::spawn(async move {
                let begin = async || {
                    begin.acquire().await.unwrap().forget();
                    Ok(())
                };
                let together = async |(), jobs: Vec<u8>| {
                    let count = jobs.len();
                    Ok(jobs.into_iter().map(|_| Ok(count)).collect())
                };
                turns.done(job, begin, together).await
            })
        };
        let first = ask(1);
        while turns.turn.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let second = ask(2);
        while turns.waiting().len() < 2 {
            tokio::task::yield_now().await;
        }
        begin.add_permits(1);
        assert_eq!(first.await.unwrap(), Ok(2));
        assert_eq!(second.await.unwrap(), Ok(2));
    }

    #[tokio::test]
    async fn who_goes_in_the_middle_leaves_the_turn_to_the_next() {
        let desk = Desk::default();
        let worker = tokio::spawn({
            let desk = desk.clone();
            async move { desk.done(1).await }
        });
        while desk.turns.turn.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let next = tokio::spawn({
            let desk = desk.clone();
            async move { desk.done(2).await }
        });
        desk.until_waiting(1).await;
        worker.abort();
        assert!(worker.await.unwrap_err().is_cancelled());
        desk.leave.0.add_permits(1);
        assert_eq!(next.await.unwrap(), Ok(4));
    }

    #[tokio::test]
    async fn when_nothing_could_be_done_all_are_told_why() {
        let turns: Turns<u8, u8> = Turns::default();
        let refused = turns
            .done(
                1,
                async || Ok(()),
                async |(), _jobs| Err(StoreError::Unavailable("gone".into())),
            )
            .await;
        assert_eq!(refused, Err(StoreError::Unavailable("gone".into())));
        let refused = turns
            .done(
                1,
                async || Err::<(), _>(StoreError::Unavailable("full".into())),
                async |(), _jobs| Ok(vec![Ok(1)]),
            )
            .await;
        assert_eq!(refused, Err(StoreError::Unavailable("full".into())));
        assert!(turns.waiting().is_empty());
    }
}
