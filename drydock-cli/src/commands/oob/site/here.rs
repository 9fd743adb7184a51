//! A command to controllers carried out by an engine in this process.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;
use chrono::Utc;
use drydock_api::wire::task::{answers, layers};
use drydock_model::event::{Happened, TaskEvent};
use drydock_model::filter::NodeFilter;
use drydock_model::id::TaskId;
use drydock_model::oob::OobCommand;
use drydock_model::step::{StepAction, StepStatus};
use drydock_model::store::StoreError;
use drydock_model::task::{NewTask, TaskAction, TaskStatus};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::interrupt::Interrupts;
use super::view::View;
use super::{Controllers, Designed, Ended};
use crate::args::OobScope;
use crate::compose::direct::Direct;
use crate::exit::{Exit, Failure};
use crate::settings::{Log, Overlay, load};
use crate::telemetry;

/// Events read at a time.
const BATCH: i64 = 1000;
/// The `oob.type` of a node without a controller.
const MANUAL: &str = "manual";
/// Longer waits are none.
const FAR: Duration = Duration::from_secs(10 * 365 * 86_400);

/// An engine in this process.
pub struct Here {
    direct: Direct,
    named: String,
    interrupts: Interrupts,
    /// Asked to stop twice.
    at_once: bool,
}

impl Here {
    /// Reads design and settings and starts it.
    ///
    /// # Errors
    /// What is wrong with either.
    pub async fn start(design: &str, scope: &OobScope) -> Result<Self> {
        let overlays = scope
            .set
            .iter()
            .map(|text| Overlay::from_argument(text))
            .collect::<Result<Vec<_>>>()?;
        let settings = load(scope.config.as_deref(), &overlays)?;
        let sources = super::local(design).await?;
        let mut log = settings.log.clone();
        if log.level == Log::default().level {
            // What an operator has to know stands in the table.
            log.level = "error".into();
        }
        telemetry::start(&log, None)?;
        Ok(Here {
            interrupts: Interrupts::listen()?,
            direct: Direct::start(&settings, &sources).await?,
            named: design.to_owned(),
            at_once: false,
        })
    }

    /// The design as the operator named it.
    pub fn named(&self) -> &str {
        &self.named
    }

    /// Names of the nodes that a filter selects; null: all.
    ///
    /// # Errors
    /// A filter that is none.
    pub fn select(&self, filter: &Value) -> Result<Vec<String>> {
        let filter: Option<NodeFilter> = serde_json::from_value(filter.clone())?;
        let nodes = drydock_design::select(&self.direct.site.design, filter.as_ref())
            .map_err(|error| Failure::error(Exit::Usage, error.to_string()))?;
        Ok(nodes.iter().map(|node| node.name.clone()).collect())
    }

    /// What the design says of the controllers.
    pub fn controllers(&self) -> Controllers {
        let nodes = self.direct.site.design.nodes.iter();
        nodes
            .map(|node| {
                let designed = Designed {
                    kind: node.oob.kind.clone(),
                    address: node.oob.address.map(|address| address.to_string()),
                };
                (node.name.clone(), designed)
            })
            .collect()
    }

    /// Carries out a command and waits for its end. Whoever interrupts it, or gives up waiting, stops what has not begun; what is under way on
    /// a machine is brought to its end.
    ///
    /// # Errors
    /// Exit code 5 after so many seconds.
    pub async fn run(
        &mut self,
        names: &[String],
        command: OobCommand,
        dry_run: bool,
        timeout: Option<f64>,
        view: &mut View,
    ) -> Result<Ended> {
        let patience = timeout.map(Duration::try_from_secs_f64).transpose();
        let patience = patience
            .map_err(|error| Failure::error(Exit::Usage, format!("--timeout: {error}")))?
            .unwrap_or(FAR);
        let mut until = Instant::now() + patience.min(FAR);
        let id = self.begin(names, command, dry_run).await?;
        let mut wake = self.direct.store.subscribe().await?;
        let mut seen = Seen::default();
        let mut stopped: Option<anyhow::Error> = None;
        while !seen.over {
            let events = self.direct.store.task_events(id, seen.last, BATCH).await?;
            let more = i64::try_from(events.len()).is_ok_and(|count| count == BATCH);
            for event in &events {
                seen.take(event, view);
            }
            if seen.over || more {
                continue;
            }
            let why = tokio::select! {
                () = wake.changed() => continue,
                ended = self.direct.ended() => return Err(ended.err().unwrap_or_else(|| anyhow::anyhow!("the engine has ended"))),
                () = self.interrupts.next() => Failure::error(Exit::Failed, "interrupted"),
                () = sleep_until(until) => {
                    let waited = patience.as_secs_f64();
                    Failure::error(Exit::TimedOut, format!("not ended after {waited} s; what had not begun was given up"))
                }
            };
            if stopped.is_some() {
                self.at_once = true;
                return Err(why);
            }
            view.note(
                "stops: what is under way on a machine comes to its end first; again: at once",
            );
            until = Instant::now() + FAR;
            stopped = Some(why);
            match self.direct.store.terminate_task(id, "operator").await {
                // It may have ended this moment.
                Ok(_) | Err(StoreError::Conflict(_) | StoreError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let tree = self.direct.store.tree(id).await?;
        if let Some(why) = stopped
            && tree.task.status != TaskStatus::Complete
        {
            return Err(why);
        }
        let all = answers(&tree, Utc::now());
        let build_data = self.direct.store.task_build_data(id).await?;
        Ok(Ended {
            id: id.to_string(),
            tree: json!(layers(&all, id, 2)),
            build_data: build_data.iter().map(|one| json!(one)).collect(),
        })
    }

    /// The names without those whose controller is an operator: nobody can answer what this process would ask.
    ///
    /// # Errors
    /// Exit code 2 when there are no others, or when one of them was asked for by its name.
    pub fn driven(&self, names: Vec<String>, asked_for: &[String]) -> Result<Vec<String>> {
        let design = &self.direct.site.design;
        let is_manual = |name: &String| {
            let node = design.node(name);
            node.is_some_and(|node| node.oob.kind == MANUAL)
        };
        let (manual, driven): (Vec<String>, Vec<String>) = names.into_iter().partition(is_manual);
        let why = format!(
            "of out-of-band type {MANUAL}, and without a server nobody can be asked: {}",
            manual.join(", ")
        );
        if driven.is_empty() || manual.iter().any(|name| asked_for.contains(name)) {
            return Err(Failure::error(Exit::Usage, why));
        }
        if !manual.is_empty() {
            eprintln!("left out: {why}");
        }
        Ok(driven)
    }

    async fn begin(&self, names: &[String], command: OobCommand, dry_run: bool) -> Result<TaskId> {
        let task = NewTask {
            id: TaskId(self.direct.ids.uuid()),
            action: TaskAction::OobNodes,
            design_ref: self.direct.design_ref.clone(),
            node_filter: Some(NodeFilter::names(names.iter().map(String::as_str))),
            priority: 0,
            dry_run,
            strategy: None,
            oob: Some(command),
            plan: None,
            retry: 0,
            created_by: std::env::var("USER").unwrap_or_default(),
            context_marker: None,
            idempotency_key: None,
            created: self.direct.clock.now(),
        };
        Ok(self.direct.store.create_task(&task).await?.id)
    }

    /// Waits for something that can be given up at any moment.
    ///
    /// # Errors
    /// Its own, and when somebody asks to stop.
    pub async fn unless_interrupted<T>(
        &mut self,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            done = work => done,
            () = self.interrupts.next() => Err(Failure::error(Exit::Failed, "interrupted; nothing was done")),
        }
    }

    /// Ends it: in order, unless somebody does not want to wait for that.
    ///
    /// # Errors
    /// What could not be ended in order.
    pub async fn close(mut self) -> Result<()> {
        if self.at_once {
            return Ok(());
        }
        tokio::select! {
            ended = self.direct.stop() => ended,
            () = self.interrupts.next() => Ok(()),
        }
    }
}

/// How far the task is known.
#[derive(Default)]
struct Seen {
    last: i64,
    nodes: HashSet<String>,
    over: bool,
}

impl Seen {
    fn take(&mut self, event: &TaskEvent, view: &mut View) {
        self.last = event.seq;
        for message in &event.messages {
            view.say(&message.message);
        }
        match &event.what {
            Happened::Task(status) => self.over = status.is_final(),
            Happened::Step {
                node: Some(node),
                action,
                status,
                ..
            } if status.is_final()
                && (*status != StepStatus::Done || *action != StepAction::InterrogateNode) =>
            {
                self.nodes.insert(node.clone());
                view.ended(self.nodes.len());
            }
            Happened::Step { .. } => {}
        }
    }
}
