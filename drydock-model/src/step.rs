//! Steps: what instances claim and execute, and the plans they come from.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::change::Risk;
use crate::driver::DriverKind;
use crate::id::{ClaimToken, InstanceId, TaskId};
use crate::task::{Message, word_enum};

word_enum!(
    /// One action of one driver (or of the engine itself), on one node or on the site.
    StepAction, "step action" {
        /// The out-of-band driver is usable.
        ValidateOobServices = "validate_oob_services",
        /// Make the boot NIC bootable from the network.
        ConfigNodePxe = "config_node_pxe",
        /// Next boot from the network.
        SetNodeBoot = "set_node_boot",
        /// Off.
        PowerOffNode = "power_off_node",
        /// On.
        PowerOnNode = "power_on_node",
        /// Off, wait, boot device, on, wait.
        PowerCycleNode = "power_cycle_node",
        /// Reachable, credentials, power state.
        InterrogateOob = "interrogate_oob",
        /// The node provisioner is usable.
        ValidateNodeServices = "validate_node_services",
        /// Networks at the provisioner.
        CreateNetworkTemplate = "create_network_template",
        /// Storage layouts at the provisioner.
        CreateStorageTemplate = "create_storage_template",
        /// Boot images at the provisioner.
        CreateBootMedia = "create_boot_media",
        /// SSH keys at the provisioner.
        ConfigureUserCredentials = "configure_user_credentials",
        /// Package repositories at the provisioner.
        ConfigureNodeProvisioner = "configure_node_provisioner",
        /// Commissioning scripts.
        PrepareHardwareConfig = "prepare_hardware_config",
        /// Find the node at the provisioner.
        IdentifyNode = "identify_node",
        /// Commission.
        ConfigureHardware = "configure_hardware",
        /// Facts of the node.
        InterrogateNode = "interrogate_node",
        /// Networking of the node.
        ApplyNodeNetworking = "apply_node_networking",
        /// Storage of the node.
        ApplyNodeStorage = "apply_node_storage",
        /// Kernel, tags.
        ApplyNodePlatform = "apply_node_platform",
        /// Install the operating system.
        DeployNode = "deploy_node",
        /// Release and erase.
        DestroyNode = "destroy_node",
        /// The switches are reachable.
        ValidateNetworkServices = "validate_network_services",
        /// State of a switch port.
        InterrogatePort = "interrogate_port",
        /// Port for provisioning.
        ConfigPortProvisioning = "config_port_provisioning",
        /// Port for production.
        ConfigPortProduction = "config_port_production",
        /// Wait for the boot actions of a deployment.
        BootactionReport = "bootaction_report",
        /// Nothing.
        Noop = "noop",
    }
);

impl StepAction {
    /// The kind of driver that does it; `None`: the engine itself.
    #[must_use]
    pub fn driver_kind(self) -> Option<DriverKind> {
        use StepAction as A;
        match self {
            A::ValidateOobServices
            | A::ConfigNodePxe
            | A::SetNodeBoot
            | A::PowerOffNode
            | A::PowerOnNode
            | A::PowerCycleNode
            | A::InterrogateOob => Some(DriverKind::Oob),
            A::ValidateNodeServices
            | A::CreateNetworkTemplate
            | A::CreateStorageTemplate
            | A::CreateBootMedia
            | A::ConfigureUserCredentials
            | A::ConfigureNodeProvisioner
            | A::PrepareHardwareConfig
            | A::IdentifyNode
            | A::ConfigureHardware
            | A::InterrogateNode
            | A::ApplyNodeNetworking
            | A::ApplyNodeStorage
            | A::ApplyNodePlatform
            | A::DeployNode
            | A::DestroyNode => Some(DriverKind::Node),
            A::ValidateNetworkServices
            | A::InterrogatePort
            | A::ConfigPortProvisioning
            | A::ConfigPortProduction => Some(DriverKind::Network),
            A::BootactionReport | A::Noop => None,
        }
    }

    /// The highest risk of any change that the action makes, in whichever of its rounds. A plan tells it where it cannot foresee more.
    #[must_use]
    pub fn worst(self) -> Risk {
        use StepAction as A;
        match self {
            A::DeployNode | A::DestroyNode => Risk::Wipes,
            A::PowerOffNode | A::PowerOnNode | A::PowerCycleNode | A::ConfigureHardware => {
                Risk::Reboots
            }
            // A deployment of ours that failed is released first, which switches the machine off.
            A::ApplyNodeNetworking | A::ApplyNodeStorage | A::ApplyNodePlatform => Risk::Reboots,
            A::ValidateOobServices
            | A::ConfigNodePxe
            | A::SetNodeBoot
            | A::InterrogateOob
            | A::ValidateNodeServices
            | A::CreateNetworkTemplate
            | A::CreateStorageTemplate
            | A::CreateBootMedia
            | A::ConfigureUserCredentials
            | A::ConfigureNodeProvisioner
            | A::PrepareHardwareConfig
            | A::IdentifyNode
            | A::InterrogateNode
            | A::ValidateNetworkServices
            | A::InterrogatePort
            | A::ConfigPortProvisioning
            | A::ConfigPortProduction
            | A::BootactionReport
            | A::Noop => Risk::Reversible,
        }
    }
}

word_enum!(
    /// Where a step stands.
    StepStatus, "step status" {
        /// An earlier step has to end first.
        Pending = "pending",
        /// May be claimed.
        Ready = "ready",
        /// Claimed.
        Running = "running",
        /// Waits for a condition; may be claimed when `not_before` has passed.
        Waiting = "waiting",
        /// Ended well.
        Done = "done",
        /// Ended badly.
        Failed = "failed",
        /// Never ran: an earlier step of its pipeline failed.
        Skipped = "skipped",
        /// Never ran, or was stopped: the task was terminated.
        Terminated = "terminated",
    }
);

impl StepStatus {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(
            self,
            StepStatus::Done | StepStatus::Failed | StepStatus::Skipped | StepStatus::Terminated
        )
    }
}

word_enum!(
    /// When a step is needed at all; judged by the facts of its pipeline when its turn has come.
    Condition, "condition" {
        /// In any case.
        Always = "always",
        /// When the fact `known` is false: the provisioner does not know the node yet.
        NodeUnknown = "node_unknown",
    }
);

/// Name of the fact that says whether the provisioner knows the node (a boolean).
pub const FACT_KNOWN: &str = "known";
/// Name of the fact that the node is the provisioner's own controller and must be left alone (a boolean).
pub const FACT_PROTECTED: &str = "protected";

/// What a plan is made of: stages one after another, pipelines side by side, steps one after another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskPlan {
    /// The stages, in order. A stage begins when the one before has ended and no step of the site failed in it.
    pub stages: Vec<Vec<PipelinePlan>>,
}

/// One pipeline of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelinePlan {
    /// Id: the node's subtask. A pipeline of the site has one too, but it is not shown: its steps are the task's children.
    pub id: TaskId,
    /// The node; `None`: the site.
    pub node: Option<String>,
    /// The steps, in order.
    pub steps: Vec<StepPlanned>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct StepPlanned {
    /// Id: the action's subtask.
    pub id: TaskId,
    /// What.
    pub action: StepAction,
    /// Whether it is needed.
    pub condition: Condition,
    /// Deadline, counted from its first claim.
    pub timeout: Duration,
}

/// A step as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Id: the action's subtask.
    pub id: TaskId,
    /// The task that a client created.
    pub task: TaskId,
    /// The pipeline: the node's subtask, or the hidden one of the site.
    pub pipeline: TaskId,
    /// Stage, from 0.
    pub stage: i32,
    /// Place of the pipeline in its stage, from 0.
    pub pipeline_ordinal: i32,
    /// Place in the pipeline, from 0.
    pub ordinal: i32,
    /// The node; `None`: the site.
    pub node: Option<String>,
    /// What.
    pub action: StepAction,
    /// Whether it is needed.
    pub condition: Condition,
    /// Where it stands.
    pub status: StepStatus,
    /// How often it was claimed.
    pub attempt: i32,
    /// Transient errors in a row.
    pub failures: i32,
    /// Seconds from the first claim to the deadline.
    pub timeout_s: f64,
    /// The deadline, once first claimed.
    pub deadline: Option<DateTime<Utc>>,
    /// A waiting step may not be claimed before.
    pub not_before: Option<DateTime<Utc>>,
    /// For what it waits.
    pub waiting_for: Option<String>,
    /// The task that has begun on its node (or on the site) and not ended there, so that this step cannot begin. Known in a
    /// [`TaskTree`](crate::store::TaskTree) only.
    pub blocked_by: Option<TaskId>,
    /// Who holds it.
    pub holder: Option<InstanceId>,
    /// When it was first claimed.
    pub started: Option<DateTime<Utc>>,
    /// When it last changed.
    pub updated: DateTime<Utc>,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
    /// What it has to say.
    pub messages: Vec<Message>,
    /// What it found out, for the later steps of its pipeline.
    pub facts: Map<String, Value>,
}

/// A step that this instance holds.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedStep {
    /// The step, as it is after the claim (status running, attempt counted, deadline set).
    pub step: Step,
    /// The right to write its result.
    pub token: ClaimToken,
    /// Facts of the earlier steps of its pipeline, later ones over earlier ones.
    pub facts: Map<String, Value>,
    /// The task it belongs to.
    pub task: crate::task::Task,
}
