//! What a step's own journal says about a change of a machine's state.
//!
//! A failure state that was there before the step acted must not be taken for the outcome of what it did (MaaS goes on
//! from `Failed commissioning` to `Commissioning`, and a look in between would lie). So a change of state notes the
//! state before, and its evidence the state that MaaS was in once it had answered.

use drydock_model::change::{Change, ChangeOutcome, JournalEntry};
use drydock_model::driver::DriverError;
use serde_json::Value;

use super::client::is_objection;
use super::form::Form;
use super::region::Region;
use super::status::Status;

/// How far a change of state got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Never sent, or refused each time.
    Never,
    /// Sent, and the answer is lost. `moved`: the state is another than before it was sent.
    Perhaps {
        /// Whether the state has changed since.
        moved: bool,
    },
    /// Taken. `moved`: MaaS was seen to have left the old state.
    Taken {
        /// Whether the state has changed since.
        moved: bool,
    },
}

impl Progress {
    /// Whether what is observed now came after the change: then it is its outcome.
    pub(crate) fn moved(self) -> bool {
        matches!(
            self,
            Progress::Perhaps { moved: true } | Progress::Taken { moved: true }
        )
    }
}

/// Reads the journal. `now` is the name of the state just observed.
pub(crate) fn progress(journal: &[JournalEntry], verb: &str, now: &str) -> Progress {
    let mut progress = Progress::Never;
    for entry in journal.iter().filter(|entry| entry.change.verb == verb) {
        let before = entry.change.before["status"].as_str().unwrap_or_default();
        let changed = now != before;
        match entry.outcome {
            Some(ChangeOutcome::Done) => {
                let moved = changed || entry.evidence.as_deref() != Some(evidence(before).as_str());
                return Progress::Taken { moved };
            }
            Some(ChangeOutcome::Unknown) | None => progress = Progress::Perhaps { moved: changed },
            Some(ChangeOutcome::Refused) => {}
        }
    }
    progress
}

/// What the journal keeps of a transition: the state that MaaS was in once it had answered.
pub(crate) fn evidence(status_name: &str) -> String {
    format!("state {status_name}")
}

/// Sends an operation that changes a machine's state, and says in which state MaaS is then.
///
/// An objection of MaaS is no fault when the machine is in a state that `arrived` takes for the effect.
pub(crate) async fn transition(
    region: &Region,
    change: &Change,
    op: &str,
    form: &Form,
    arrived: impl Fn(Status) -> bool,
) -> Result<String, DriverError> {
    let system_id = text(change, "system_id")?;
    let before = change.before["status"].as_str().unwrap_or_default();
    match region
        .client
        .post(&format!("machines/{system_id}/?op={op}"), form)
        .await
    {
        Ok(answer) => match answer["status_name"].as_str() {
            Some(now) if now != before => Ok(evidence(now)),
            // The answer may still show the old state; only a fresh look tells.
            _ => Ok(evidence(
                &region
                    .machine(&system_id)
                    .await?
                    .map_or_else(String::new, |machine| machine.status_name.clone()),
            )),
        },
        Err(error) if is_objection(&error) => match region.machine(&system_id).await? {
            Some(machine) if arrived(machine.status) => Ok(evidence(&machine.status_name)),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// A name that a change carries for apply.
pub(crate) fn text(change: &Change, name: &str) -> Result<String, DriverError> {
    value(change, name)?
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| malformed(change, name))
}

/// A value that a change carries for apply.
pub(crate) fn value<'a>(change: &'a Change, name: &str) -> Result<&'a Value, DriverError> {
    change
        .after
        .get(name)
        .ok_or_else(|| malformed(change, name))
}

/// The fault of a change that this driver did not plan.
pub(crate) fn malformed(change: &Change, name: &str) -> DriverError {
    DriverError::permanent(
        change.verb.clone(),
        change.target.clone(),
        format!("the change does not say {name:?} as this driver plans it"),
        "report this as a defect",
    )
}

/// The fault of a verb that an action does not have.
pub(crate) fn unknown_verb(change: &Change) -> DriverError {
    DriverError::permanent(
        change.verb.clone(),
        change.target.clone(),
        "no action of this driver plans such a change",
        "report this as a defect",
    )
}
