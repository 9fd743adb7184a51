//! From (action, effective design, nodes) to a plan. Pure but for the ids it is given.

use std::sync::Arc;
use std::time::Duration;

use drydock_model::driver::DriverKind;
use drydock_model::effective::Node;
use drydock_model::id::{IdSource, TaskId};
use drydock_model::oob::OobCommand;
use drydock_model::step::{Condition, PipelinePlan, StepAction, StepPlanned, TaskPlan};
use drydock_model::task::TaskAction;

use crate::settings::Timeouts;
use crate::waves::Wave;

/// The `oob.type` of a node without a controller.
const BY_HAND: &str = "manual";

/// What is to be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// The action.
    pub action: TaskAction,
    /// What `oob_nodes` does; `None` for every other action.
    pub oob: Option<OobCommand>,
    /// Whether there is a node provisioner that knows which machines are its own controllers.
    pub provisioner: bool,
}

impl From<TaskAction> for Work {
    /// An action without parameters.
    fn from(action: TaskAction) -> Self {
        Work {
            action,
            oob: None,
            provisioner: false,
        }
    }
}

/// One line of a recipe: what, and when it is needed.
type Line = (StepAction, Condition);

/// What an action consists of.
enum Recipe {
    /// Steps of the site, one after another.
    Site(&'static [Line]),
    /// The same steps on each node, nodes side by side.
    PerNode(&'static [Line]),
    /// No steps: the engine gives a verdict itself.
    Verdict,
}

fn recipe(work: Work) -> Recipe {
    use Condition::{Always, NodeUnknown};
    use StepAction as A;
    match work.action {
        TaskAction::ValidateDesign | TaskAction::RelabelNodes => Recipe::Verdict,
        TaskAction::VerifySite => Recipe::Site(&[(A::ValidateNodeServices, Always)]),
        TaskAction::PrepareSite => Recipe::Site(&[
            (A::CreateNetworkTemplate, Always),
            (A::ConfigureUserCredentials, Always),
            (A::ConfigureNodeProvisioner, Always),
            (A::CreateStorageTemplate, Always),
            (A::CreateBootMedia, Always),
        ]),
        TaskAction::VerifyNodes => Recipe::PerNode(&[(A::InterrogateOob, Always)]),
        // A node already known is never rebooted to be found.
        TaskAction::PrepareNodes => Recipe::PerNode(&[
            (A::IdentifyNode, Always),
            (A::SetNodeBoot, NodeUnknown),
            (A::PowerCycleNode, NodeUnknown),
            (A::IdentifyNode, NodeUnknown),
            (A::ConfigureHardware, Always),
        ]),
        TaskAction::DeployNodes => Recipe::PerNode(&[
            (A::ApplyNodeNetworking, Always),
            (A::ApplyNodeStorage, Always),
            (A::ApplyNodePlatform, Always),
            (A::DeployNode, Always),
            (A::BootactionReport, Always),
        ]),
        TaskAction::DestroyNodes => Recipe::PerNode(&[(A::DestroyNode, Always)]),
        TaskAction::OobNodes => Recipe::PerNode(by_controller(work)),
        TaskAction::Noop => Recipe::PerNode(&[(A::Noop, Always)]),
    }
}

/// What a command to controllers consists of. Before power is taken away the provisioner says whether the machine is one of its own
/// controllers, which is left alone.
fn by_controller(work: Work) -> &'static [Line] {
    use Condition::Always;
    use StepAction as A;
    match (work.oob, work.provisioner) {
        (None, _) => &[],
        (Some(OobCommand::Status), _) => &[(A::InterrogateOob, Always)],
        (Some(OobCommand::On), _) => &[(A::PowerOnNode, Always)],
        (Some(OobCommand::Boot(_)), _) => &[(A::SetNodeBoot, Always)],
        (Some(OobCommand::Off), false) => &[(A::PowerOffNode, Always)],
        (Some(OobCommand::Off), true) => &[(A::InterrogateNode, Always), (A::PowerOffNode, Always)],
        (Some(OobCommand::Cycle), false) => &[(A::PowerCycleNode, Always)],
        (Some(OobCommand::Cycle), true) => {
            &[(A::InterrogateNode, Always), (A::PowerCycleNode, Always)]
        }
    }
}

/// Whether the action is about nodes, so that "no nodes in scope" means there is nothing to do.
#[must_use]
pub fn is_node_scoped(action: TaskAction) -> bool {
    matches!(recipe(action.into()), Recipe::PerNode(_))
}

/// Hands are slower than a controller.
fn timeout(timeouts: &Timeouts, action: StepAction, node: Option<&Node>) -> Duration {
    let by_hand = node.is_some_and(|node| node.oob.kind == BY_HAND);
    if by_hand && action.driver_kind() == Some(DriverKind::Oob) {
        timeouts.operator
    } else {
        timeouts.of(action)
    }
}

/// The plan of an action on these nodes, side by side; `None` for an action that has no steps.
#[must_use]
pub fn plan(
    work: impl Into<Work>,
    nodes: &[Arc<Node>],
    timeouts: &Timeouts,
    ids: &dyn IdSource,
) -> Option<TaskPlan> {
    plan_waves(work.into(), &[nodes], timeouts, ids)
}

/// The plan of an action on the nodes of these waves, one wave after another.
#[must_use]
pub fn plan_in_waves(
    work: impl Into<Work>,
    waves: &[Wave],
    timeouts: &Timeouts,
    ids: &dyn IdSource,
) -> Option<TaskPlan> {
    let waves: Vec<&[Arc<Node>]> = waves.iter().map(|wave| wave.nodes.as_slice()).collect();
    plan_waves(work.into(), &waves, timeouts, ids)
}

fn plan_waves(
    work: Work,
    waves: &[&[Arc<Node>]],
    timeouts: &Timeouts,
    ids: &dyn IdSource,
) -> Option<TaskPlan> {
    let pipeline = |node: Option<&Node>, lines: &[Line]| PipelinePlan {
        id: TaskId(ids.uuid()),
        node: node.map(|node| node.name.clone()),
        steps: lines
            .iter()
            .map(|&(action, condition)| StepPlanned {
                id: TaskId(ids.uuid()),
                action,
                condition,
                timeout: timeout(timeouts, action, node),
            })
            .collect(),
    };
    let stages = match recipe(work) {
        Recipe::Site(lines) => vec![vec![pipeline(None, lines)]],
        Recipe::PerNode(lines) => waves
            .iter()
            .map(|nodes| {
                let of = |node: &Arc<Node>| pipeline(Some(node), lines);
                nodes.iter().map(of).collect()
            })
            .collect(),
        Recipe::Verdict => return None,
    };
    Some(TaskPlan { stages })
}
