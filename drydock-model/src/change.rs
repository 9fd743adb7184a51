//! Changes to the world as values, and the journal that remembers them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ChangeId, Epoch, InstanceId, TaskId};

/// What a change costs when it was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Can be set back.
    Reversible,
    /// Interrupts what runs on the machine.
    Reboots,
    /// Destroys data on the machine.
    Wipes,
}

impl Risk {
    /// The word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Risk::Reversible => "reversible",
            Risk::Reboots => "reboots",
            Risk::Wipes => "wipes",
        }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Risk {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "reversible" => Ok(Risk::Reversible),
            "reboots" => Ok(Risk::Reboots),
            "wipes" => Ok(Risk::Wipes),
            other => Err(format!("unknown risk {other:?}")),
        }
    }
}

/// One mutation of something outside this process, before it is done.
///
/// It goes into the journal as it is, so it never holds a secret: what is secret is looked up at apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What is changed, such as `bmc 127.0.0.9:623` or `maas machine abc123`.
    pub target: String,
    /// How: a word of the driver's vocabulary, such as `power_off`.
    pub verb: String,
    /// The state before, as observed.
    pub before: Value,
    /// The state wanted, with the names apply needs.
    pub after: Value,
    /// What it costs when it was wrong.
    pub risk: Risk,
    /// Why it is planned.
    pub why: String,
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeOutcome {
    /// Acknowledged by the target.
    Done,
    /// Refused by the target: it did not happen.
    Refused,
    /// The reply was lost: it may have happened. Only a new observation tells.
    Unknown,
}

impl ChangeOutcome {
    /// The word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeOutcome::Done => "done",
            ChangeOutcome::Refused => "refused",
            ChangeOutcome::Unknown => "unknown",
        }
    }
}

impl FromStr for ChangeOutcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "done" => Ok(ChangeOutcome::Done),
            "refused" => Ok(ChangeOutcome::Refused),
            "unknown" => Ok(ChangeOutcome::Unknown),
            other => Err(format!("unknown outcome {other:?}")),
        }
    }
}

/// One line of the journal: the intent, and the outcome once there is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Id.
    pub id: ChangeId,
    /// The task that a client created.
    pub task: TaskId,
    /// The step.
    pub step: TaskId,
    /// The node concerned.
    pub node: Option<String>,
    /// The step's attempt in which it was intended.
    pub attempt: i32,
    /// The instance that did it.
    pub instance: InstanceId,
    /// The reign as that instance last knew it.
    pub epoch: Epoch,
    /// The change.
    pub change: Change,
    /// When the intent was written.
    pub intended: DateTime<Utc>,
    /// What came of it; `None`: the process died in between, or is still at it.
    pub outcome: Option<ChangeOutcome>,
    /// What the target said.
    pub evidence: Option<String>,
    /// How long the call took, ms.
    pub latency_ms: Option<i64>,
}

/// What the step's journal says about a verb on a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// Never begun, or refused each time.
    Never,
    /// Begun, and nobody knows whether it happened.
    Perhaps,
    /// Acknowledged.
    Done,
}

/// Reads a step's journal: did this verb happen?
#[must_use]
pub fn remembered(journal: &[JournalEntry], verb: &str) -> Remembered {
    let mut seen = Remembered::Never;
    for entry in journal.iter().filter(|entry| entry.change.verb == verb) {
        match entry.outcome {
            Some(ChangeOutcome::Done) => return Remembered::Done,
            Some(ChangeOutcome::Unknown) | None => seen = Remembered::Perhaps,
            Some(ChangeOutcome::Refused) => {}
        }
    }
    seen
}
