//! What happened to a task, one thing after another, numbered.

use chrono::{DateTime, Utc};

use crate::id::TaskId;
use crate::step::{StepAction, StepStatus};
use crate::task::{Message, TaskStatus};

/// One thing that happened. The numbers of a task's events grow from 1 on in the order in which they were committed, and stay: whoever
/// has read up to one may ask any instance for what came after it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskEvent {
    /// Its number.
    pub seq: i64,
    /// When, by the store's time.
    pub at: DateTime<Utc>,
    /// What it was.
    pub what: Happened,
    /// What was said with it, by the task or by the step.
    pub messages: Vec<Message>,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Happened {
    /// The task as a whole came to this status (or said something in it).
    Task(TaskStatus),
    /// A step came to this status.
    Step {
        /// The step.
        id: TaskId,
        /// Its node; `None`: the site.
        node: Option<String>,
        /// What it does.
        action: StepAction,
        /// What it came to: waiting, done, failed, terminated, or ready, when it was given back.
        status: StepStatus,
        /// How often it had been claimed.
        attempt: i32,
        /// For what it waits.
        waiting_for: Option<String>,
    },
}
