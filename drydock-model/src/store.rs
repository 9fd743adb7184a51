//! The store's port: whole verbs, no transactions to be seen.
//!
//! All times that decide something between instances (leadership, heartbeats, due steps) are the store's own: PostgreSQL's clock, or
//! the process's where the store is embedded. An instance's clock never decides over another's claim.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::boot::{BootContext, BootEntry, BootStatus};
use crate::build_data::BuildData;
use crate::change::{ChangeOutcome, JournalEntry};
use crate::event::TaskEvent;
use crate::id::{BootActionId, ChangeId, ClaimToken, DesignId, Digest, Epoch, InstanceId, TaskId};
use crate::ingest::Source;
use crate::operator::{OperatorAnswer, OperatorRequest};
use crate::step::{ClaimedStep, Step, TaskPlan};
use crate::task::{Message, NewTask, ResultStatus, Task, TaskAction, TaskStatus};

/// Why a verb did nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// There is no such thing.
    NotFound,
    /// Something else stands against it; the text is for the user.
    Conflict(String),
    /// The claim token is not the current one: somebody else holds the step, or nobody.
    StaleClaim,
    /// The epoch is not the current one: another leader reigns.
    Deposed,
    /// The store cannot be reached or is out of resources; try again.
    Unavailable(String),
    /// What was read makes no sense, or a query is at fault.
    Internal(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::NotFound => f.write_str("not found"),
            StoreError::Conflict(text) => f.write_str(text),
            StoreError::StaleClaim => {
                f.write_str("the claim on this step has been lost to another instance")
            }
            StoreError::Deposed => f.write_str("another instance has become the leader"),
            StoreError::Unavailable(text) => write!(f, "the database is not available: {text}"),
            StoreError::Internal(text) => {
                write!(f, "the database answered what makes no sense: {text}")
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// Short form.
pub type StoreResult<T> = Result<T, StoreError>;

/// An uploaded design: its sources in the order of their upload.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDesign {
    /// Id.
    pub id: DesignId,
    /// The design it started from.
    pub base: Option<DesignId>,
    /// Grows with each change; what an upload was checked against.
    pub revision: i64,
    /// The texts.
    pub sources: Vec<Source>,
}

/// A whole task tree: the task and its steps, steps ordered by stage, pipeline, ordinal.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskTree {
    /// The task that a client created.
    pub task: Task,
    /// Its steps; empty until it is planned.
    pub steps: Vec<Step>,
}

/// Which task trees to list. Every given criterion must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskQuery {
    /// Status of the created task.
    pub status: Option<TaskStatus>,
    /// Action of the created task.
    pub action: Option<TaskAction>,
    /// Design reference of the created task.
    pub design_ref: Option<String>,
    /// Created at or after.
    pub created_after: Option<DateTime<Utc>>,
    /// The other way round: newest first.
    pub newest_first: bool,
    /// Begin with this created task, or with what follows where it would stand; one that is unknown begins nowhere: nothing is listed.
    pub from: Option<TaskId>,
    /// At most so many trees.
    pub limit: Option<i64>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub struct StepEnd {
    /// Well or badly.
    pub success: bool,
    /// What it has to say, appended to what it said before.
    pub messages: Vec<Message>,
    /// What it found out.
    pub facts: Map<String, Value>,
}

/// What the end of a step led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// Steps that became ready.
    pub ready: usize,
    /// The task has ended by this.
    pub task_ended: bool,
}

/// Who leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// Which instance.
    pub instance: InstanceId,
    /// Since which reign.
    pub epoch: Epoch,
}

/// Designs and pinned contents.
#[async_trait]
pub trait DesignStore {
    /// Makes a design, empty or with the sources of another.
    async fn create_design(
        &self,
        id: DesignId,
        base: Option<DesignId>,
    ) -> StoreResult<StoredDesign>;
    /// Ids in the order of their making.
    async fn designs(&self) -> StoreResult<Vec<DesignId>>;
    /// A design; [`StoreError::NotFound`].
    async fn design(&self, id: DesignId) -> StoreResult<StoredDesign>;
    /// Makes these the design's sources if it is still at `revision`, else [`StoreError::Conflict`]. Returns the new revision.
    async fn replace_sources(
        &self,
        id: DesignId,
        revision: i64,
        sources: &[Source],
    ) -> StoreResult<i64>;
    /// Deletes a design; [`StoreError::Conflict`] while a task that has not ended refers to it (`design:<id>`).
    async fn delete_design(&self, id: DesignId) -> StoreResult<()>;
    /// Keeps a content under its digest; nothing to do when it is there.
    async fn pin(&self, digest: &Digest, sources: &[Source]) -> StoreResult<()>;
    /// A pinned content; [`StoreError::NotFound`].
    async fn pinned(&self, digest: &Digest) -> StoreResult<Vec<Source>>;
}

/// Tasks.
#[async_trait]
pub trait TaskStore {
    /// Takes a task, status queued. With an idempotency key that is known: the task it was first given with.
    async fn create_task(&self, task: &NewTask) -> StoreResult<Task>;
    /// The tree that holds this id, be it the task's, a pipeline's or a step's; [`StoreError::NotFound`].
    async fn tree(&self, id: TaskId) -> StoreResult<TaskTree>;
    /// The steps of a task that a client created which are about this node, or about the site, in order; none: there are no such.
    async fn steps_about(&self, task: TaskId, node: Option<&str>) -> StoreResult<Vec<Step>>;
    /// The tree of the newest task that had steps on this node; [`StoreError::NotFound`].
    async fn node_tree(&self, node: &str) -> StoreResult<TaskTree>;
    /// All trees that match, oldest first unless asked otherwise; two queries whatever the number.
    async fn trees(&self, query: &TaskQuery) -> StoreResult<Vec<TaskTree>>;
    /// How many tasks there are in each status; a status without any may be left out.
    async fn count_tasks(&self) -> StoreResult<Vec<(TaskStatus, u64)>>;
    /// Queued tasks: higher priority first, then older first.
    async fn queued(&self, limit: i64) -> StoreResult<Vec<Task>>;
    /// Takes a plan for a queued task: pins it to the digest, status running, the first step of each pipeline of the first stage
    /// ready, of so many at most as the task's strategy lets begin at once. With a strategy that has canaries, the first stage are these. Only by the reigning leader ([`StoreError::Deposed`]); [`StoreError::Conflict`] when it is not queued any more.
    async fn plan_task(
        &self,
        leader: Leadership,
        task: TaskId,
        digest: &Digest,
        plan: &TaskPlan,
        messages: &[Message],
    ) -> StoreResult<()>;
    /// Ends a task by its own verdict (not to be planned, nothing to do, a validation). Only by the reigning leader.
    async fn end_task(
        &self,
        leader: Leadership,
        task: TaskId,
        verdict: ResultStatus,
        digest: Option<&Digest>,
        messages: &[Message],
    ) -> StoreResult<()>;
    /// Asks a task to stop: steps that have not begun or only wait become terminated; with nothing running the task is terminated at once, else it is
    /// terminating until its running steps have ended. [`StoreError::Conflict`] when it has ended already.
    async fn terminate_task(&self, task: TaskId, by: &str) -> StoreResult<Task>;
    /// Deletes the trees that ended more than so many days ago, with their boot-action contexts and the pinned contents that nothing else
    /// refers to. A dry run whose plan is being carried out stays, and so does the journal. Locks nothing but what it deletes. Returns how many tasks went.
    async fn purge_tasks(&self, older_than_days: u32) -> StoreResult<u64>;
}

/// Steps and claims.
#[async_trait]
pub trait StepStore {
    /// Claims up to `limit` steps that are ready, or waiting and due; tasks of higher priority first, then older. A claim sets status running,
    /// holder, a fresh token, counts the attempt and sets the deadline at the first. Never two running steps on one node, over all tasks; and a task that has begun on a node keeps it until its
    /// pipeline there has ended. In the same way the steps of the site belong to one task at a time.
    async fn claim_steps(&self, instance: InstanceId, limit: i64) -> StoreResult<Vec<ClaimedStep>> {
        self.claim_steps_within(instance, limit, None).await
    }
    /// As [`StepStore::claim_steps`], but begins on no further node while so many (`nodes`) have been begun on and not ended, over all tasks.
    async fn claim_steps_within(
        &self,
        instance: InstanceId,
        limit: i64,
        nodes: Option<u32>,
    ) -> StoreResult<Vec<ClaimedStep>>;
    /// Puts a held step to wait: returned to everybody, due after `delay` (or at [`BootStore::report_boot_action`]). `failures` is the
    /// new count of transient errors in a row. When the task is being terminated the step becomes terminated instead.
    async fn wait_step(
        &self,
        step: TaskId,
        token: ClaimToken,
        delay: Duration,
        reason: &str,
        failures: i32,
        messages: &[Message],
    ) -> StoreResult<()>;
    /// Ends a held step and moves on what waited for it: the next of the pipeline becomes ready (or, after a failure, the rest skipped),
    /// the next pipeline that the task's strategy held back begins, the next stage begins, the task completes. A failure that is one too many for
    /// the strategy skips every pipeline that has not begun, with a message that says why.
    async fn finish_step(
        &self,
        step: TaskId,
        token: ClaimToken,
        end: &StepEnd,
    ) -> StoreResult<Advance>;
    /// Gives back what this instance holds without knowing it: every claim of it whose token is not among `keep` becomes ready at
    /// once. For claims whose answer was lost, and for steps whose end could not be written. Returns how many.
    async fn return_unknown(&self, instance: InstanceId, keep: &[ClaimToken]) -> StoreResult<u64>;
    /// Gives back all steps this instance holds, ready at once (shutdown). Returns how many.
    async fn return_claims(&self, instance: InstanceId) -> StoreResult<u64>;
    /// Gives back one held step unchanged, ready at once.
    async fn return_step(&self, step: TaskId, token: ClaimToken) -> StoreResult<()>;
    /// Takes back the steps of instances whose heartbeat is older than `grace`. Only by the reigning leader. Returns how many.
    async fn reclaim_silent(&self, leader: Leadership, grace: Duration) -> StoreResult<u64>;
    /// When the next waiting step is due, as a distance from now; `None`: none waits. Zero when one is due or ready.
    async fn next_due(&self) -> StoreResult<Option<Duration>> {
        self.next_due_within(None).await
    }
    /// As [`StepStore::next_due`], for who claims within this limit.
    async fn next_due_within(&self, nodes: Option<u32>) -> StoreResult<Option<Duration>>;
}

/// Heartbeats and the king of the hill.
#[async_trait]
pub trait LeaderStore {
    /// This instance lives.
    async fn heartbeat(&self, instance: InstanceId) -> StoreResult<()>;
    /// Removes the heartbeat row (shutdown).
    async fn farewell(&self, instance: InstanceId) -> StoreResult<()>;
    /// Takes the hill if it is free or its king has been silent for longer than `grace`; each success is a new epoch.
    async fn claim_leadership(
        &self,
        instance: InstanceId,
        grace: Duration,
    ) -> StoreResult<Option<Leadership>>;
    /// Stays king; false: deposed.
    async fn renew_leadership(&self, leader: Leadership) -> StoreResult<bool>;
    /// Leaves the hill, so that the next may take it at once.
    async fn abdicate(&self, leader: Leadership) -> StoreResult<()>;
    /// Who reigns now.
    async fn leader(&self) -> StoreResult<Option<Leadership>>;
}

/// The journal.
#[async_trait]
pub trait JournalStore {
    /// Writes an intent, before the act. Only with the current token ([`StoreError::StaleClaim`]).
    async fn record_intent(&self, token: ClaimToken, entry: &JournalEntry) -> StoreResult<()>;
    /// Writes the outcome, after the act. Only with the token under which the intent was written, and while that is current.
    async fn record_outcome(
        &self,
        token: ClaimToken,
        change: ChangeId,
        outcome: ChangeOutcome,
        evidence: &str,
        latency: Duration,
    ) -> StoreResult<()>;
    /// A step's journal, in order.
    async fn step_journal(&self, step: TaskId) -> StoreResult<Vec<JournalEntry>>;
    /// A task's journal, in order; the task is the one a client created.
    async fn task_journal(&self, task: TaskId) -> StoreResult<Vec<JournalEntry>>;
    /// The newest entries about a node over all tasks, those included that are deleted; at most `limit`, in order, newest last.
    async fn node_journal(&self, node: &str, limit: i64) -> StoreResult<Vec<JournalEntry>>;
}

/// Boot-action contexts.
#[async_trait]
pub trait BootStore {
    /// Opens a context; the node's former one is void. Only with the deploying step's current token ([`StoreError::StaleClaim`]): an
    /// instance that has lost its claim must not void the key of the deployment that goes on without it.
    async fn open_boot_context(
        &self,
        step: TaskId,
        token: ClaimToken,
        context: &BootContext,
    ) -> StoreResult<()>;
    /// A node's context; [`StoreError::NotFound`].
    async fn boot_context(&self, node: &str) -> StoreResult<BootContext>;
    /// The context that holds this boot action; [`StoreError::NotFound`].
    async fn boot_context_of(&self, action: BootActionId) -> StoreResult<BootContext>;
    /// Takes a report: messages go to the deploying task (to the node's `bootaction_report` step), a status is final: [`StoreError::Conflict`] when there is one
    /// already. Makes a waiting `bootaction_report` step of that node due at once.
    async fn report_boot_action(
        &self,
        action: BootActionId,
        status: Option<BootStatus>,
        messages: &[Message],
    ) -> StoreResult<BootEntry>;
}

/// Build data.
#[async_trait]
pub trait BuildDataStore {
    /// Keeps what a held step collected; what the same step kept before under the same generator is replaced. Of each generator and
    /// node the newest [`KEPT`](crate::build_data::KEPT) stay. Only with the current token ([`StoreError::StaleClaim`]).
    async fn record_build_data(
        &self,
        step: TaskId,
        token: ClaimToken,
        data: &[BuildData],
    ) -> StoreResult<()>;
    /// What is kept of a node, oldest first; also what tasks collected that are deleted.
    async fn node_build_data(&self, node: &str) -> StoreResult<Vec<BuildData>>;
    /// What is kept of what the steps of a task collected, oldest first; the task is the one a client created.
    async fn task_build_data(&self, task: TaskId) -> StoreResult<Vec<BuildData>>;
}

/// What operators are asked.
#[async_trait]
pub trait OperatorStore {
    /// Opens the request of a held step about its node; nothing to do when it is open or answered already. Only with the current token
    /// ([`StoreError::StaleClaim`]).
    async fn ask_operator(&self, step: TaskId, token: ClaimToken, request: &str)
    -> StoreResult<()>;
    /// The request of a step; `None`: it asked nothing.
    async fn operator_request(&self, step: TaskId) -> StoreResult<Option<OperatorRequest>>;
    /// The requests of a task, answered ones included, in the order of their opening; the task is the one a client created.
    async fn operator_requests(&self, task: TaskId) -> StoreResult<Vec<OperatorRequest>>;
    /// Takes the answer to a step's request and makes the step due at once. The same answer again is no fault; [`StoreError::Conflict`]
    /// when there is another one already, or when the step has ended; [`StoreError::NotFound`] when it asked nothing.
    async fn answer_operator(
        &self,
        step: TaskId,
        answer: &OperatorAnswer,
    ) -> StoreResult<OperatorRequest>;
}

/// What happened to a task.
#[async_trait]
pub trait EventStore {
    /// The events of a task that a client created which come after the one of this number (0: from the first on), in order, at most `limit`.
    /// Every write that makes one also wakes. [`StoreError::NotFound`].
    async fn task_events(
        &self,
        task: TaskId,
        after: i64,
        limit: i64,
    ) -> StoreResult<Vec<TaskEvent>>;
}

/// Wake-up calls: something may have become ready, in this process or another.
#[async_trait]
pub trait Wake: Send {
    /// Returns when something changed since the last call, or at once if it did in between. May return without cause.
    async fn changed(&mut self);
}

/// Everything together.
#[async_trait]
pub trait Store:
    DesignStore
    + TaskStore
    + StepStore
    + LeaderStore
    + JournalStore
    + BootStore
    + BuildDataStore
    + OperatorStore
    + EventStore
    + Send
    + Sync
{
    /// Whether the store answers. Writes nothing.
    async fn ping(&self) -> StoreResult<()>;
    /// Listens for changes.
    async fn subscribe(&self) -> StoreResult<Box<dyn Wake>>;
}
