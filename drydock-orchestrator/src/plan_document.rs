//! A plan as a document: what a dry run foresaw, node by node, in order, with fingerprints. Pure.

use chrono::{DateTime, Utc};
use drydock_model::change::Risk;
use drydock_model::forecast::{FACT_FORECAST, Forecast};
use drydock_model::id::{Digest, TaskId};
use drydock_model::oob::OobCommand;
use drydock_model::step::{Step, StepAction, StepStatus};
use drydock_model::store::TaskTree;
use drydock_model::strategy::Strategy;
use drydock_model::task::{ResultStatus, TaskAction};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::outcome;

/// The form of the document that this program writes, and the only one that it reads.
pub const VERSION: u64 = 1;

/// What a dry run foresaw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanDocument {
    /// [`VERSION`].
    pub version: u64,
    /// The dry run.
    pub task_id: TaskId,
    /// What is to be done.
    pub action: TaskAction,
    /// What `oob_nodes` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<OobCommand>,
    /// By which design.
    pub design_ref: String,
    /// The content of that design when the plan was made; `None`: it never came to that.
    pub design_digest: Option<Digest>,
    /// How to go through the nodes.
    pub strategy: Option<Strategy>,
    /// When the plan was asked for.
    pub created: DateTime<Utc>,
    /// What came of the dry run. Only `success` can be carried out.
    pub result: ResultStatus,
    /// How much it is.
    pub summary: Summary,
    /// The nodes in the order in which they are begun; what is about the site has no node.
    pub nodes: Vec<NodePlan>,
    /// SHA-256 over all of the above but `summary`, as hexadecimal digits.
    pub fingerprint: String,
}

/// How much a plan is. What cannot be foreseen is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Nodes in it, whether or not anything is changed on them.
    pub nodes: usize,
    /// All changes.
    pub changes: usize,
    /// Those that destroy data.
    pub wipes: usize,
    /// Those that interrupt what runs on the machine.
    pub reboots: usize,
    /// Steps after whose changes there may be more.
    pub open_steps: usize,
}

/// What is planned on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePlan {
    /// The node; `None`: the site.
    pub node: Option<String>,
    /// The steps, in order.
    pub steps: Vec<StepPlan>,
}

/// What is planned in one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepPlan {
    /// What.
    pub action: StepAction,
    /// What it would do; `None`: it could not be planned.
    pub forecast: Option<Forecast>,
    /// What the step had to say in the end; of one that failed, why.
    pub note: Option<String>,
    /// SHA-256 over action and forecast, as hexadecimal digits.
    pub fingerprint: String,
}

impl PlanDocument {
    /// The plan that a dry run has come to.
    #[must_use]
    pub fn of(tree: &TaskTree) -> Self {
        let task = &tree.task;
        let mut nodes: Vec<NodePlan> = Vec::new();
        let mut pipeline = None;
        for step in &tree.steps {
            if pipeline.replace(step.pipeline) != Some(step.pipeline) {
                nodes.push(NodePlan {
                    node: step.node.clone(),
                    steps: Vec::new(),
                });
            }
            if let Some(node) = nodes.last_mut() {
                node.steps.push(StepPlan::of(step));
            }
        }
        let mut document = PlanDocument {
            version: VERSION,
            task_id: task.id,
            action: task.action,
            parameters: task.oob,
            design_ref: task.design_ref.clone(),
            design_digest: task.digest.clone(),
            strategy: task.strategy.clone(),
            created: task.created,
            result: outcome::of_tree(tree).result,
            summary: Summary::of(&nodes),
            nodes,
            fingerprint: String::new(),
        };
        document.fingerprint = document.computed();
        document
    }

    /// The fingerprint of what it holds, whatever it says of itself.
    #[must_use]
    pub fn computed(&self) -> String {
        let plain = (
            (self.version, self.task_id, self.action, &self.design_ref),
            (&self.design_digest, &self.strategy, self.created),
            (self.result, &self.nodes),
        );
        // Actions without parameters keep the fingerprint that they had before there were any.
        match &self.parameters {
            None => hash(&plain),
            Some(parameters) => hash(&(plain, parameters)),
        }
    }

    /// The names of its nodes.
    #[must_use]
    pub fn node_names(&self) -> Vec<String> {
        self.nodes
            .iter()
            .filter_map(|node| node.node.clone())
            .collect()
    }
}

impl StepPlan {
    fn of(step: &Step) -> Self {
        // A step that failed may have said what it would have done; it is no plan.
        let forecast: Option<Forecast> = match step.status {
            StepStatus::Done => step
                .facts
                .get(FACT_FORECAST)
                .and_then(|value| serde_json::from_value(value.clone()).ok()),
            _ => None,
        };
        StepPlan {
            fingerprint: hash(&(step.action, &forecast)),
            action: step.action,
            forecast,
            note: step.messages.last().map(|last| last.message.clone()),
        }
    }
}

impl Summary {
    fn of(nodes: &[NodePlan]) -> Self {
        let mut summary = Summary {
            nodes: nodes.iter().filter(|node| node.node.is_some()).count(),
            ..Summary::default()
        };
        for forecast in nodes
            .iter()
            .flat_map(|node| &node.steps)
            .filter_map(|step| step.forecast.as_ref())
        {
            summary.changes += forecast.changes.len();
            summary.open_steps += usize::from(forecast.further.is_some());
            for change in &forecast.changes {
                match change.risk {
                    Risk::Reversible => {}
                    Risk::Reboots => summary.reboots += 1,
                    Risk::Wipes => summary.wipes += 1,
                }
            }
        }
        summary
    }
}

/// SHA-256 over the JSON text of a value. None of those here can fail to be written: all keys are texts.
fn hash<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    hex::encode(Sha256::digest(text))
}
