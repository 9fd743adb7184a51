//! What an operator is asked to do by hand, and what comes back.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::driver::DriverError;
use crate::id::TaskId;
use crate::step::StepAction;

/// How the reason begins for which a step waits that has asked an operator; the request follows.
pub const WAITS_FOR: &str = "an operator: ";

/// The answer of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorAnswer {
    /// Whether it was done; false: it was not, and will not be.
    pub done: bool,
    /// What else there is to say; may be empty.
    pub message: String,
    /// Who answered.
    pub by: String,
    /// The key under which it was sent, so that it counts once however often it arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl OperatorAnswer {
    /// Whether the other says the same, under whatever key.
    #[must_use]
    pub fn says_as(&self, other: &OperatorAnswer) -> bool {
        (self.done, &self.message, &self.by) == (other.done, &other.message, &other.by)
    }
}

/// A request that a step has opened. A step opens one at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRequest {
    /// The task that a client created.
    pub task: TaskId,
    /// The step that asks.
    pub step: TaskId,
    /// The node it is about.
    pub node: String,
    /// What the step is to do.
    pub action: StepAction,
    /// What the operator is asked to do, one sentence.
    pub request: String,
    /// When it was opened.
    pub opened: DateTime<Utc>,
    /// What came back; `None`: nothing yet.
    pub answer: Option<OperatorAnswer>,
    /// When that came.
    pub answered: Option<DateTime<Utc>>,
}

/// Where a step hears of the answer to what it asked. Given to drivers, to be read when they observe.
#[async_trait]
pub trait Operator: Send + Sync {
    /// The answer to the step's own request; `None` while there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn answer(&self) -> Result<Option<OperatorAnswer>, DriverError>;
}
