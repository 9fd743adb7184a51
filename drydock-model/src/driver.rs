//! The drivers' port: observe, plan, apply.
//!
//! `observe` only reads. `plan` is pure. `apply` is the one place that mutates, one change a call, and finds it no fault when the
//! change is already done. Waiting is the engine's: a plan says for what and how often to look.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::boot::BootKeys;
use crate::build_data::Collected;
use crate::change::{Change, JournalEntry};
use crate::effective::{EffectiveDesign, Node};
use crate::id::TaskId;
use crate::oob::BootDevice;
use crate::operator::Operator;
use crate::step::StepAction;
use crate::task::Message;

/// What a driver needs to know about the step it works for.
#[derive(Clone)]
pub struct StepContext {
    /// The task that a client created.
    pub task: TaskId,
    /// The step.
    pub step: TaskId,
    /// What to do.
    pub action: StepAction,
    /// The design the task is pinned to.
    pub design: Arc<EffectiveDesign>,
    /// The node; `None` for a step of the site.
    pub node: Option<Arc<Node>>,
    /// From what `set_node_boot` is to make the node start.
    pub boot_device: BootDevice,
    /// What earlier steps of the same pipeline found out.
    pub facts: Map<String, Value>,
    /// Where a deployment gets its boot-action key.
    pub boot_keys: Arc<dyn BootKeys>,
    /// How much time the step had left when this instance claimed it.
    pub time_left: Duration,
    /// What an operator answered to what the step asked ([`Then::Ask`]).
    pub operator: Arc<dyn Operator>,
}

impl StepContext {
    /// The node, for the actions that have one.
    ///
    /// # Errors
    /// When the step is one of the site: a fault of the planner.
    pub fn node(&self) -> Result<&Arc<Node>, DriverError> {
        self.node.as_ref().ok_or_else(|| {
            DriverError::permanent(
                self.action.as_str(),
                "the site",
                "the step names no node",
                "report this as a defect of the planner",
            )
        })
    }
}

/// What a driver saw. Its shape is the driver's own; it holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Observation(pub Value);

/// What is to be done, in order, and what comes after.
#[derive(Clone, Debug, PartialEq)]
pub struct StepPlan {
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// What to do when all of them were applied.
    pub then: Then,
}

impl StepPlan {
    /// Nothing to change; done.
    #[must_use]
    pub fn done(message: impl Into<String>) -> Self {
        StepPlan {
            changes: Vec::new(),
            then: Then::Done(Report::new(message)),
        }
    }

    /// Nothing to change; look again later.
    #[must_use]
    pub fn wait(reason: impl Into<String>, poll: Duration) -> Self {
        StepPlan {
            changes: Vec::new(),
            then: Then::Wait {
                reason: reason.into(),
                poll,
            },
        }
    }

    /// Apply these, then look again.
    #[must_use]
    pub fn apply(changes: Vec<Change>) -> Self {
        StepPlan {
            changes,
            then: Then::Observe,
        }
    }

    /// Nothing to change here; an operator's hands have to do it.
    #[must_use]
    pub fn ask(request: impl Into<String>) -> Self {
        StepPlan {
            changes: Vec::new(),
            then: Then::Ask {
                request: request.into(),
            },
        }
    }

    /// Nothing can be done.
    #[must_use]
    pub fn fail(error: DriverError) -> Self {
        StepPlan {
            changes: Vec::new(),
            then: Then::Fail(error),
        }
    }
}

/// What follows the changes of a plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// Observe and plan again at once.
    Observe,
    /// Observe again after a while. The step holds no claim meanwhile.
    Wait {
        /// For what, as the operator reads it.
        reason: String,
        /// How long to wait before looking.
        poll: Duration,
    },
    /// Ask an operator, and observe again when the answer is there ([`StepContext::operator`]) or the deadline has come. The step
    /// holds no claim meanwhile. Asking twice is one request.
    Ask {
        /// What to do by hand, one sentence.
        request: String,
    },
    /// The step is done.
    Done(Report),
    /// The step has failed.
    Fail(DriverError),
}

/// What a step has to say at its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Messages for the task.
    pub messages: Vec<Message>,
    /// One sentence; becomes a message about the node.
    pub message: String,
    /// Facts for the later steps of the pipeline.
    pub facts: Map<String, Value>,
    /// What was found out about the node, to be kept.
    pub build_data: Vec<Collected>,
}

impl Report {
    /// A report of one sentence.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Report {
            message: message.into(),
            ..Report::default()
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

/// Kinds of drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriverKind {
    /// Out-of-band controllers.
    Oob,
    /// Node provisioners.
    Node,
    /// Switches.
    Network,
}

/// A driver.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Its name in settings: `ipmi`, `manual`, `maas`.
    fn name(&self) -> &'static str;

    /// Its kind. A driver implements every action of its kind.
    fn kind(&self) -> DriverKind;

    /// Reads the state that the action is about.
    ///
    /// # Errors
    /// What could not be read and why.
    async fn observe(&self, cx: &StepContext) -> Result<Observation, DriverError>;

    /// What has to change. Pure: the same arguments give the same plan.
    fn plan(&self, cx: &StepContext, observed: &Observation, journal: &[JournalEntry]) -> StepPlan;

    /// Makes one change. Safe to find it already done.
    ///
    /// Returns what the target said, as evidence for the journal; never a secret.
    ///
    /// # Errors
    /// What was refused, or that the reply was lost (then [`ErrorClass::Transient`]).
    async fn apply(&self, cx: &StepContext, change: &Change) -> Result<String, DriverError>;
}

/// What a node provisioner offers besides steps.
#[async_trait]
pub trait NodeProvisioner: Driver {
    /// The machines it knows.
    ///
    /// # Errors
    /// What could not be read and why.
    async fn machines(&self) -> Result<Vec<Machine>, DriverError>;

    /// Whether it is there and takes our credentials. Cheap.
    ///
    /// # Errors
    /// Why it is not usable.
    async fn health(&self) -> Result<(), DriverError>;

    /// The operating system images that it can deploy, each by every name that a design may give it, with the kernels that it can boot that image
    /// with. Asked when a design is judged (rule `platform/selection`).
    ///
    /// # Errors
    /// What could not be read and why.
    async fn images(&self) -> Result<BTreeMap<String, BTreeSet<String>>, DriverError>;
}

/// A machine as a provisioner knows it (the answer of `GET /nodes`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Host name.
    pub hostname: String,
    /// Memory in MiB.
    pub memory: Option<i64>,
    /// Processors.
    pub cpu_count: Option<i64>,
    /// State in the provisioner's words.
    pub status_name: String,
    /// MAC address of the boot interface.
    pub boot_mac: Option<String>,
    /// `on`, `off`, `unknown`, `error`.
    pub power_state: Option<String>,
    /// Address of its out-of-band controller.
    pub power_address: Option<String>,
    /// Address of the boot interface.
    pub boot_ip: Option<String>,
}

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Timeout, connection refused, busy, 5xx: try again, later.
    Transient,
    /// Credentials refused: never try again (lock-out).
    Auth,
    /// Unknown object, unsupported, refused by policy: trying again changes nothing.
    Permanent,
}

/// An error of a driver, complete enough to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverError {
    /// What to do about it.
    pub class: ErrorClass,
    /// What was tried.
    pub tried: String,
    /// On what.
    pub target: String,
    /// What came back.
    pub got: String,
    /// What the operator can do next.
    pub advice: String,
    /// How long the target asked us to stay away.
    pub retry_after: Option<Duration>,
}

impl DriverError {
    /// A transient error.
    pub fn transient(
        tried: impl Into<String>,
        target: impl Into<String>,
        got: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(ErrorClass::Transient, tried, target, got, advice)
    }

    /// A permanent error.
    pub fn permanent(
        tried: impl Into<String>,
        target: impl Into<String>,
        got: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(ErrorClass::Permanent, tried, target, got, advice)
    }

    /// Refused credentials.
    pub fn auth(
        tried: impl Into<String>,
        target: impl Into<String>,
        got: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(ErrorClass::Auth, tried, target, got, advice)
    }

    /// An error of this class.
    pub fn new(
        class: ErrorClass,
        tried: impl Into<String>,
        target: impl Into<String>,
        got: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        DriverError {
            class,
            tried: tried.into(),
            target: target.into(),
            got: got.into(),
            advice: advice.into(),
            retry_after: None,
        }
    }

    /// Whether trying again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.class == ErrorClass::Transient
    }
}

impl fmt::Display for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: {}", self.tried, self.target, self.got)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for DriverError {}
