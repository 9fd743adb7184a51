//! Nodes without a controller that we can drive: an operator's hands do it, and say when it is done.

use async_trait::async_trait;
use drydock_model::change::{Change, JournalEntry};
use drydock_model::driver::{Driver, DriverError, DriverKind, Observation, StepContext, StepPlan};
use drydock_model::oob::BootDevice;
use drydock_model::operator::OperatorAnswer;
use drydock_model::step::StepAction;
use serde::Deserialize;

/// The driver for `oob.type: manual`. It sends nothing: each action on a node is asked of an operator, and is done when the operator says so.
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

    async fn observe(&self, cx: &StepContext) -> Result<Observation, DriverError> {
        let answer = cx.operator.answer().await?;
        serde_json::to_value(answer)
            .map(Observation)
            .map_err(|error| unreadable(cx, &error))
    }

    fn plan(
        &self,
        cx: &StepContext,
        observed: &Observation,
        _journal: &[JournalEntry],
    ) -> StepPlan {
        if cx.action == StepAction::ValidateOobServices {
            return StepPlan::done("nodes of out-of-band type manual need no service");
        }
        let node = match cx.node() {
            Ok(node) => node.name.as_str(),
            Err(error) => return StepPlan::fail(error),
        };
        let Some(request) = request(cx, node) else {
            return StepPlan::fail(DriverError::permanent(
                cx.action.as_str(),
                "the manual driver",
                "an out-of-band driver has no such action",
                "report this as a defect",
            ));
        };
        match Option::<OperatorAnswer>::deserialize(&observed.0) {
            Ok(None) => StepPlan::ask(request),
            Ok(Some(answer)) if answer.done => StepPlan::done(said(cx.action, node, &answer)),
            Ok(Some(answer)) => StepPlan::fail(DriverError::permanent(
                cx.action.as_str(),
                node,
                said(cx.action, node, &answer),
                "run the task again when it can be done",
            )),
            Err(error) => StepPlan::fail(unreadable(cx, &error)),
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

/// What the operator is asked to do.
fn request(cx: &StepContext, node: &str) -> Option<String> {
    use StepAction as A;
    Some(match cx.action {
        A::ConfigNodePxe => {
            format!("set up {node} so that it can boot from the network card of its design")
        }
        A::SetNodeBoot => {
            let from = match cx.boot_device {
                BootDevice::Network => "from the network",
                BootDevice::Disk => "from its disk",
                BootDevice::Cd => "from its CD drive",
                BootDevice::Setup => "into its firmware's set-up",
            };
            format!("set {node} to boot {from} the next time it starts")
        }
        A::PowerOffNode => format!("switch {node} off"),
        A::PowerOnNode => format!("switch {node} on"),
        A::PowerCycleNode => {
            format!("switch {node} off and on again, and see that it boots from the network")
        }
        A::InterrogateOob => {
            format!("look whether {node} is there and has power, and say what you see")
        }
        _ => return None,
    })
}

/// What the operator answered, in one sentence.
fn said(action: StepAction, node: &str, answer: &OperatorAnswer) -> String {
    let verdict = if answer.done {
        "was done by hand"
    } else {
        "could not be done by hand"
    };
    let message = if answer.message.is_empty() {
        String::new()
    } else {
        format!(": {}", answer.message)
    };
    format!("{action} of {node} {verdict}, says {}{message}", answer.by)
}

fn unreadable(cx: &StepContext, error: &serde_json::Error) -> DriverError {
    DriverError::permanent(
        cx.action.as_str(),
        "an operator's answer",
        error.to_string(),
        "report this as a defect",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use drydock_model::driver::{ErrorClass, Then};
    use serde_json::Value;

    use super::*;
    use crate::trial;

    const ACTIONS: [StepAction; 6] = [
        StepAction::ConfigNodePxe,
        StepAction::SetNodeBoot,
        StepAction::PowerOffNode,
        StepAction::PowerOnNode,
        StepAction::PowerCycleNode,
        StepAction::InterrogateOob,
    ];

    fn plan(action: StepAction, answer: Option<&OperatorAnswer>) -> StepPlan {
        let cx = trial::node_context(action, trial::node("n1"));
        let observed = Observation(serde_json::to_value(answer).unwrap());
        ManualDriver::new().plan(&cx, &observed, &[])
    }

    fn answer(done: bool, message: &str) -> OperatorAnswer {
        OperatorAnswer {
            done,
            message: message.into(),
            by: "hedy".into(),
            key: None,
        }
    }

    #[test]
    fn each_action_on_a_node_is_asked_for_and_none_is_claimed_to_be_done() {
        let mut requests = Vec::new();
        for action in ACTIONS {
            let plan = plan(action, None);
            let Then::Ask { request } = plan.then else {
                panic!("{action} asks nobody")
            };
            assert!(plan.changes.is_empty() && request.contains("n1"));
            requests.push(request);
        }
        requests.dedup();
        assert_eq!(requests.len(), ACTIONS.len(), "{requests:?}");
    }

    #[test]
    fn the_answer_decides_and_is_told_with_its_author() {
        for action in ACTIONS {
            let Then::Done(report) = plan(action, Some(&answer(true, "LED is green"))).then else {
                panic!("{action} is not done")
            };
            assert!(report.message.contains("says hedy: LED is green"));
            let Then::Fail(error) = plan(action, Some(&answer(false, "no key"))).then else {
                panic!("{action} did not fail")
            };
            assert_eq!(error.class, ErrorClass::Permanent);
            assert!(error.got.contains("says hedy: no key"), "{error}");
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let cx = trial::node_context(StepAction::PowerOnNode, trial::node("n1"));
        let odd = Observation(Value::from("yes"));
        let plan = ManualDriver::new().plan(&cx, &odd, &[]);
        assert!(matches!(plan.then, Then::Fail(_)), "{plan:?}");
        let site = trial::site_context(StepAction::ValidateOobServices, vec![]);
        let plan = ManualDriver::new().plan(&site, &Observation(Value::Null), &[]);
        assert!(matches!(plan.then, Then::Done(_)), "{plan:?}");
    }
}
