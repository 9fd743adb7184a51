//! A node driver that needs no time: each of its steps is one change, made at once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use drydock_model::change::{Change, JournalEntry, Risk};
use drydock_model::driver::{
    Driver, DriverError, DriverKind, Machine, NodeProvisioner, Observation, StepContext, StepPlan,
};
use drydock_model::step::StepAction;
use serde_json::json;

/// The driver, and which nodes it has brought where.
#[derive(Default)]
pub(super) struct Instant {
    done: Mutex<HashSet<(String, StepAction)>>,
}

impl Instant {
    /// Changes made.
    pub(super) fn made(&self) -> usize {
        self.done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    fn key(cx: &StepContext) -> (String, StepAction) {
        let name = cx.node.as_ref().map_or("site", |node| node.name.as_str());
        (name.to_owned(), cx.action)
    }
}

#[async_trait]
impl Driver for Instant {
    fn name(&self) -> &'static str {
        "instant"
    }

    fn kind(&self) -> DriverKind {
        DriverKind::Node
    }

    async fn observe(&self, cx: &StepContext) -> Result<Observation, DriverError> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Observation(json!(done.contains(&Self::key(cx)))))
    }

    fn plan(&self, cx: &StepContext, observed: &Observation, _: &[JournalEntry]) -> StepPlan {
        let (name, action) = Self::key(cx);
        if observed.0 == json!(true) {
            return StepPlan::done(format!("{name} is as designed"));
        }
        StepPlan::apply(vec![Change {
            target: format!("node {name}"),
            verb: action.as_str().to_owned(),
            before: json!(false),
            after: json!(true),
            risk: Risk::Reversible,
            why: "the design says so".to_owned(),
        }])
    }

    async fn apply(&self, cx: &StepContext, _: &Change) -> Result<String, DriverError> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.insert(Self::key(cx));
        Ok("done".to_owned())
    }
}

#[async_trait]
impl NodeProvisioner for Instant {
    async fn machines(&self) -> Result<Vec<Machine>, DriverError> {
        Ok(Vec::new())
    }

    async fn health(&self) -> Result<(), DriverError> {
        Ok(())
    }

    async fn images(&self) -> Result<BTreeMap<String, BTreeSet<String>>, DriverError> {
        Ok(BTreeMap::new())
    }
}
