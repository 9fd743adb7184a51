//! Tasks: what a client asks for, and what came of it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::filter::NodeFilter;
use crate::id::{Digest, TaskId};
use crate::oob::OobCommand;
use crate::strategy::Strategy;

macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word that is stored, sent and shown.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word),+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| {
                    let known: Vec<_> = Self::ALL.iter().map(|value| value.as_str()).collect();
                    format!("unknown {} {text:?}; known are {}", $what, known.join(", "))
                })
            }
        }
    };
}
pub(crate) use word_enum;

word_enum!(
    /// What a task does.
    TaskAction, "action" {
        /// Compile and run all rules.
        ValidateDesign = "validate_design",
        /// The node provisioner is there, takes the credentials and has boot images.
        VerifySite = "verify_site",
        /// Networks, keys, repositories at the node provisioner.
        PrepareSite = "prepare_site",
        /// Every node's controller is reachable and takes the credentials.
        VerifyNodes = "verify_nodes",
        /// Nodes known to the provisioner and commissioned.
        PrepareNodes = "prepare_nodes",
        /// Nodes deployed and their boot actions reported.
        DeployNodes = "deploy_nodes",
        /// Nodes released and erased.
        DestroyNodes = "destroy_nodes",
        /// Kubernetes labels.
        RelabelNodes = "relabel_nodes",
        /// Power and boot device through the nodes' controllers, as [`OobCommand`] says.
        OobNodes = "oob_nodes",
        /// The whole machinery, no change.
        Noop = "noop",
    }
);

word_enum!(
    /// Where a task stands.
    TaskStatus, "task status" {
        /// Taken, not yet durable for planning.
        Requested = "requested",
        /// Waits for a leader to plan it.
        Queued = "queued",
        /// Planned; its steps run.
        Running = "running",
        /// Was asked to stop; calls in flight end.
        Terminating = "terminating",
        /// Stopped.
        Terminated = "terminated",
        /// Ended by itself.
        Complete = "complete",
    }
);

impl TaskStatus {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, TaskStatus::Terminated | TaskStatus::Complete)
    }
}

word_enum!(
    /// What came of a task.
    ResultStatus, "result status" {
        /// Not ended.
        Incomplete = "incomplete",
        /// All nodes in scope succeeded.
        Success = "success",
        /// Some did.
        PartialSuccess = "partial_success",
        /// None did, or a step of the site failed.
        Failure = "failure",
        /// Nothing is known.
        Unreported = "unreported",
    }
);

/// What a message is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContextType {
    /// The site.
    Site,
    /// A network.
    Network,
    /// A node.
    Node,
    /// The task itself.
    Task,
    /// A boot action.
    BootAction,
    /// Nothing in particular.
    #[default]
    #[serde(rename = "NA")]
    NotApplicable,
}

/// One message of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The text. What a machine sends is cut at a documented length by the store; nothing else ever is.
    pub message: String,
    /// Whether it tells of a failure.
    pub error: bool,
    /// What it is about.
    pub context_type: ContextType,
    /// Name of what it is about.
    pub context: String,
    /// When, UTC.
    pub ts: DateTime<Utc>,
    /// What a machine sent along.
    #[serde(default)]
    pub extra: Map<String, Value>,
}

impl Message {
    /// A message about a node, or about the site when there is none.
    pub fn about(
        node: Option<&str>,
        error: bool,
        message: impl Into<String>,
        ts: DateTime<Utc>,
    ) -> Self {
        let (context_type, context) = match node {
            Some(name) => (ContextType::Node, name.to_owned()),
            None => (ContextType::Site, "site".to_owned()),
        };
        Message {
            message: message.into(),
            error,
            context_type,
            context,
            ts,
            extra: Map::new(),
        }
    }

    /// A message about the task as a whole.
    pub fn task(error: bool, message: impl Into<String>, ts: DateTime<Utc>) -> Self {
        Message {
            message: message.into(),
            error,
            context_type: ContextType::Task,
            context: "task".into(),
            ts,
            extra: Map::new(),
        }
    }
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTask {
    /// Id, given by the server.
    pub id: TaskId,
    /// What to do.
    pub action: TaskAction,
    /// By which design.
    pub design_ref: String,
    /// On which nodes; `None`: all.
    pub node_filter: Option<NodeFilter>,
    /// -100..=100, higher first.
    pub priority: i32,
    /// Plan and report, mutate nothing.
    pub dry_run: bool,
    /// How to go through the nodes; `None`: all side by side.
    pub strategy: Option<Strategy>,
    /// What `oob_nodes` does; `None` for every other action.
    pub oob: Option<OobCommand>,
    /// The dry run whose plan this carries out, and nothing else; `None`: whatever has to be done is done.
    pub plan: Option<TaskId>,
    /// How often the same work was tried before.
    pub retry: i32,
    /// Who asked.
    pub created_by: String,
    /// `X-Context-Marker` of the request.
    pub context_marker: Option<Uuid>,
    /// `Idempotency-Key` of the request.
    pub idempotency_key: Option<String>,
    /// When.
    pub created: DateTime<Utc>,
}

/// A task that a client created.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Id.
    pub id: TaskId,
    /// What to do.
    pub action: TaskAction,
    /// By which design.
    pub design_ref: String,
    /// On which nodes; `None`: all.
    pub node_filter: Option<NodeFilter>,
    /// -100..=100, higher first.
    pub priority: i32,
    /// Plan and report, mutate nothing.
    pub dry_run: bool,
    /// How to go through the nodes; `None`: all side by side.
    pub strategy: Option<Strategy>,
    /// What `oob_nodes` does; `None` for every other action.
    pub oob: Option<OobCommand>,
    /// The dry run whose plan this carries out, and nothing else; `None`: whatever has to be done is done.
    pub plan: Option<TaskId>,
    /// Who asked.
    pub created_by: String,
    /// `X-Context-Marker` of the request.
    pub context_marker: Option<Uuid>,
    /// When it was created.
    pub created: DateTime<Utc>,
    /// When it last changed.
    pub updated: DateTime<Utc>,
    /// When termination was asked for.
    pub terminated: Option<DateTime<Utc>>,
    /// Who asked for it.
    pub terminated_by: Option<String>,
    /// Whether termination was asked for.
    pub terminate: bool,
    /// How often the same work was tried before.
    pub retry: i32,
    /// Where it stands.
    pub status: TaskStatus,
    /// The design it is pinned to, once planned.
    pub digest: Option<Digest>,
    /// Set when the task ended by its own verdict rather than by its steps' (it could not be planned, had no nodes, or is a validation).
    pub verdict: Option<ResultStatus>,
    /// Messages about the task as a whole.
    pub messages: Vec<Message>,
}
