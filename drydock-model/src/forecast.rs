//! What a dry run foresees of a step: the changes of its first round, and whether there may be more.

use serde::{Deserialize, Serialize};

use crate::change::{Change, Risk};
use crate::step::StepAction;

/// Name of the fact in which a step of a dry run keeps its [`Forecast`].
pub const FACT_FORECAST: &str = "forecast";

/// What a step would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// The changes that it would make first, in order, without secrets.
    pub changes: Vec<Change>,
    /// What cannot be foreseen; `None`: nothing follows.
    pub further: Option<Further>,
}

/// What a dry run cannot foresee: later rounds depend on what the earlier ones bring about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Further {
    /// No change of a later round costs more than this; one that would is not made.
    pub at_most: Risk,
    /// Why nothing more is known.
    pub because: String,
}

impl Forecast {
    /// Nothing is changed, now or later.
    #[must_use]
    pub fn nothing() -> Self {
        Forecast::default()
    }

    /// These changes first, and what an action of this kind may do at most after them.
    #[must_use]
    pub fn and_more(action: StepAction, changes: Vec<Change>, because: impl Into<String>) -> Self {
        Forecast {
            changes,
            further: Some(Further {
                at_most: action.worst(),
                because: because.into(),
            }),
        }
    }

    /// The highest risk that this allows; `None`: it allows no change.
    #[must_use]
    pub fn worst(&self) -> Option<Risk> {
        let further = self.further.as_ref().map(|further| further.at_most);
        self.changes
            .iter()
            .map(|change| change.risk)
            .chain(further)
            .max()
    }
}
