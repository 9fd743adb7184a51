//! Nodes without a controller that we can drive: an operator's hands do it.

use async_trait::async_trait;
use drydock_model::change::{Change, JournalEntry};
use drydock_model::driver::{Driver, DriverError, DriverKind, Observation, StepContext, StepPlan};
use drydock_model::step::StepAction;
use serde_json::Value;

/// The driver for `oob.type: manual`. It sends nothing, and never claims that something was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct ManualDriver;

impl ManualDriver {
    /// The driver.
    #[must_use]
    pub fn new() -> Self {
        ManualDriver
    }
}

#[async_trait]
impl Driver for ManualDriver {
    fn name(&self) -> &'static str {
        "manual"
    }

    fn kind(&self) -> DriverKind {
        DriverKind::Oob
    }

    async fn observe(&self, _cx: &StepContext) -> Result<Observation, DriverError> {
        Ok(Observation(Value::Null))
    }

    fn plan(
        &self,
        cx: &StepContext,
        _observed: &Observation,
        _journal: &[JournalEntry],
    ) -> StepPlan {
        use StepAction as A;
        let node = cx
            .node
            .as_ref()
            .map_or("the site", |node| node.name.as_str());
        let by_hand = |what: &str| {
            StepPlan::fail(DriverError::permanent(
                cx.action.as_str(),
                node,
                format!(
                    "its out-of-band type is manual: {what} is done by an operator's hand, and there is no way yet to confirm it here"
                ),
                format!(
                    "{what} by hand and run the task again (a node that the provisioner knows by then skips this step), or give {node} \
                     an oob.type that can be driven"
                ),
            ))
        };
        match cx.action {
            A::ValidateOobServices => {
                StepPlan::done("nodes of out-of-band type manual need no service")
            }
            A::ConfigNodePxe => StepPlan::done(format!(
                "network boot of {node} is set up by hand: nothing was done or checked"
            )),
            A::InterrogateOob => StepPlan::done(format!(
                "{node} has no controller to ask (out-of-band type manual): its power state is not known"
            )),
            A::SetNodeBoot => by_hand("setting the next boot to the network"),
            A::PowerOffNode => by_hand("switching it off"),
            A::PowerOnNode => by_hand("switching it on"),
            A::PowerCycleNode => by_hand("power-cycling it with network boot"),
            _ => StepPlan::fail(DriverError::permanent(
                cx.action.as_str(),
                "the manual driver",
                "an out-of-band driver has no such action",
                "report this as a defect",
            )),
        }
    }

    async fn apply(&self, cx: &StepContext, change: &Change) -> Result<String, DriverError> {
        Err(DriverError::permanent(
            change.verb.clone(),
            change.target.clone(),
            format!(
                "{} plans no change for a node of out-of-band type manual",
                cx.action
            ),
            "report this as a defect",
        ))
    }
}

#[cfg(test)]
mod tests {
    use drydock_model::driver::{ErrorClass, Then};

    use super::*;
    use crate::trial;

    #[test]
    fn nothing_is_claimed_to_be_done() {
        use StepAction as A;
        let plan = |action| {
            let cx = trial::node_context(action, trial::node("n1"));
            ManualDriver::new().plan(&cx, &Observation(Value::Null), &[])
        };
        for action in [
            A::SetNodeBoot,
            A::PowerOffNode,
            A::PowerOnNode,
            A::PowerCycleNode,
        ] {
            let Then::Fail(error) = plan(action).then else {
                panic!("{action} did not fail")
            };
            assert_eq!(error.class, ErrorClass::Permanent);
            assert!(
                error.to_string().contains("n1") && error.advice.contains("by hand"),
                "{error}"
            );
        }
        for action in [A::ValidateOobServices, A::ConfigNodePxe, A::InterrogateOob] {
            let plan = plan(action);
            assert!(
                plan.changes.is_empty() && matches!(plan.then, Then::Done(_)),
                "{action}"
            );
        }
    }
}
