//! Time as a port, so that an hour of deployment can pass in a test's milliseconds.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// Wall time, monotonic time and waiting.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock, UTC.
    fn now(&self) -> DateTime<Utc>;
    /// Time since some fixed moment of this process; never goes back, whatever happens to the wall clock.
    fn monotonic(&self) -> Duration;
    /// Waits until `duration` has passed on the monotonic clock.
    async fn sleep(&self, duration: Duration);
}
