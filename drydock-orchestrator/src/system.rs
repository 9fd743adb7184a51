//! The real clock and the real source of ids.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use drydock_model::clock::Clock;
use drydock_model::id::IdSource;
use uuid::Uuid;

/// The operating system's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    pub fn new() -> Self {
        SystemClock {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Random ids. UUIDs of version 7 (RFC 9562, section 5.7), which grow: what is made together stands together in every index, and a commit
/// that writes a hundred rows touches few pages of each. They are names and no secrets.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn ulid(&self, unix_ms: u64) -> ulid::Ulid {
        ulid::Ulid::from_parts(unix_ms, rand::random())
    }
}
