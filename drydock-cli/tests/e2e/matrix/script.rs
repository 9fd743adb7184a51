//! Where the faults of a life fall: at every place of a kind, once at each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use drydock_model::change::Change;
use drydock_model::id::TaskId;

use super::seams::{APPLY, Fault, Point};

/// The places of a change, and all the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    BeforeIntent,
    AfterIntent,
    AfterCall,
    AfterOutcome,
    Elsewhere,
}

/// The kinds that go into one life together: what happens at one of them does not keep the others from coming to pass at the same change.
pub const LIVES: [&[Kind]; 3] = [
    &[Kind::BeforeIntent, Kind::AfterCall],
    &[Kind::AfterIntent, Kind::AfterOutcome],
    &[Kind::Elsewhere],
];

/// What happens in a life, and at which kinds of places.
pub type Strikes = (Fault, &'static [Kind]);

impl Kind {
    pub fn of(point: Point) -> Self {
        match (point.after, point.verb) {
            (false, "record_intent") => Kind::BeforeIntent,
            (true, "record_intent") => Kind::AfterIntent,
            (true, APPLY) => Kind::AfterCall,
            (true, "record_outcome") => Kind::AfterOutcome,
            _ => Kind::Elsewhere,
        }
    }
}

/// A place in a life: which errand, in which step of it, at which of its changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub errand: usize,
    pub step: Option<TaskId>,
    pub change: Option<String>,
    pub point: Point,
}

/// One attempt of a step. The engine gives it a tokio task of its own.
struct Attempt {
    errand: usize,
    step: TaskId,
    planned: VecDeque<String>,
    at: Option<String>,
}

#[derive(Default)]
struct State {
    errand: usize,
    is_on: bool,
    attempts: BTreeMap<String, Attempt>,
    passed: BTreeSet<Place>,
    struck: BTreeSet<Place>,
}

/// What happens in a life, and what has happened so far. All its instances share it.
pub struct Script {
    strikes: Option<Strikes>,
    state: Mutex<State>,
}

fn attempt() -> String {
    tokio::task::try_id().map_or_else(String::new, |id| id.to_string())
}

impl Script {
    pub fn new(strikes: Option<Strikes>) -> Self {
        Script {
            strikes,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next errand begins; whether anything happens in it.
    pub fn begin(&self, errand: usize, is_on: bool) {
        let mut state = self.state();
        state.errand = errand;
        state.is_on = is_on;
    }

    /// Nothing happens any more.
    pub fn end(&self) {
        self.state().is_on = false;
    }

    /// A driver has planned these changes for a step.
    pub fn planned(&self, step: TaskId, changes: &[Change]) {
        let planned = changes
            .iter()
            .map(|change| format!("{} {}", change.verb, change.after))
            .collect();
        let mut state = self.state();
        let attempt_of_step = Attempt {
            errand: state.errand,
            step,
            planned,
            at: None,
        };
        state.attempts.insert(attempt(), attempt_of_step);
    }

    /// What happens at this place.
    pub fn at(&self, point: Point) -> Option<Fault> {
        let mut state = self.state();
        let mut place = Place {
            errand: state.errand,
            step: None,
            change: None,
            point,
        };
        let kind = Kind::of(point);
        if let Some(attempt) = state.attempts.get_mut(&attempt()) {
            // The last step of an errand may still be on its way out when the next one begins.
            place.errand = attempt.errand;
            place.step = Some(attempt.step);
            if kind == Kind::BeforeIntent {
                attempt.at = attempt.planned.pop_front();
            }
            if kind != Kind::Elsewhere || point.verb == "record_outcome" {
                place.change.clone_from(&attempt.at);
            }
        }
        state.passed.insert(place.clone());
        let (fault, kinds) = self.strikes?;
        let is_due = state.is_on && kinds.contains(&kind) && fault.fits(point);
        (is_due && state.struck.insert(place)).then_some(fault)
    }

    /// Whether there were changes in an errand.
    pub fn has_changed(&self, errand: usize) -> bool {
        let state = self.state();
        let mut changes = state.passed.iter().filter(|place| place.change.is_some());
        changes.any(|place| place.errand == errand)
    }

    /// Where all instances have come by.
    pub fn passed(&self) -> BTreeSet<Place> {
        self.state().passed.clone()
    }

    /// Where something has happened.
    pub fn struck(&self) -> BTreeSet<Place> {
        self.state().struck.clone()
    }
}
