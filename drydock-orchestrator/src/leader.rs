//! What the leader does: plan queued tasks and take back the steps of instances that fell silent.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use drydock_model::finding::{Finding, Level};
use drydock_model::id::TaskId;
use drydock_model::store::{Leadership, StoreError, StoreResult, Wake};
use drydock_model::task::{ContextType, Message, ResultStatus, Task, TaskAction, TaskStatus};
use futures::FutureExt;
use serde_json::json;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::designs::{CompiledSite, DesignError};
use crate::engine::Engine;
use crate::{planner, waves};

/// Tasks planned at once. A reference that is slow to answer holds up nobody but its own task.
const AT_ONCE: usize = 8;

/// Plans queued tasks while this instance leads.
pub(crate) async fn plan(engine: Engine, mut wake: Box<dyn Wake>, shutdown: CancellationToken) {
    let mut leadership = engine.pulse.leadership_changes();
    let mut planning = Planning::default();
    loop {
        if let Some(leader) = engine.pulse.leadership() {
            planning.begin(&engine, leader).await;
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = wake.changed() => {}
            changed = leadership.changed() => if changed.is_err() { break },
            Some(ended) = planning.set.join_next(), if !planning.set.is_empty() => planning.note(&engine, ended),
            () = engine.clock.sleep(engine.settings.poll_interval) => {}
        }
    }
    // A plan is written whole or not at all.
    planning.set.shutdown().await;
}

/// Takes back the steps of instances that fell silent, while this instance leads.
pub(crate) async fn reclaim(engine: Engine, shutdown: CancellationToken) {
    let mut leadership = engine.pulse.leadership_changes();
    let grace = engine.settings.grace_period;
    loop {
        if let Some(leader) = engine.pulse.leadership() {
            match engine.store.reclaim_silent(leader, grace).await {
                Ok(0) | Err(StoreError::Deposed) => {}
                Ok(steps) => warn!(steps, "took back steps of an instance that fell silent"),
                Err(error) => warn!(%error, "silent instances could not be looked for"),
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = leadership.changed() => if changed.is_err() { return },
            () = engine.clock.sleep(engine.settings.claim_interval) => {}
        }
    }
}

/// The tasks being planned, and those left alone for a while since that did not go well.
#[derive(Default)]
struct Planning {
    set: JoinSet<(TaskId, StoreResult<()>)>,
    under_way: HashSet<TaskId>,
    resting: HashMap<TaskId, Duration>,
}

impl Planning {
    async fn begin(&mut self, engine: &Engine, leader: Leadership) {
        let now = engine.clock.monotonic();
        self.resting.retain(|_, until| *until > now);
        let wanted = AT_ONCE + self.under_way.len() + self.resting.len();
        let queued = match engine
            .store
            .queued(i64::try_from(wanted).unwrap_or(i64::MAX))
            .await
        {
            Ok(queued) => queued,
            Err(error) => {
                warn!(%error, "the queue could not be read");
                return;
            }
        };
        for task in queued {
            if self.set.len() >= AT_ONCE {
                return;
            }
            if self.resting.contains_key(&task.id) || !self.under_way.insert(task.id) {
                continue;
            }
            let engine = engine.clone();
            self.set
                .spawn(async move { (task.id, plan_or_end(&engine, leader, &task).await) });
        }
    }

    fn note(&mut self, engine: &Engine, ended: Result<(TaskId, StoreResult<()>), JoinError>) {
        let (id, result) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // Nobody knows whose it was: all are looked at again.
                error!(%error, "the planner stopped");
                self.under_way.clear();
                return;
            }
        };
        self.under_way.remove(&id);
        match result {
            Ok(()) => {}
            Err(StoreError::Deposed) => debug!(task = %id, "deposed while planning"),
            Err(error) => {
                warn!(task = %id, %error, "not planned yet");
                let pause = engine
                    .settings
                    .poll_interval
                    .max(engine.settings.retry_base);
                self.resting.insert(id, engine.clock.monotonic() + pause);
            }
        }
    }
}

/// Plans a task; one that can never be planned is ended with the reason, so that it does not stand in the queue for ever.
async fn plan_or_end(engine: &Engine, leader: Leadership, task: &Task) -> StoreResult<()> {
    // The compiler works on what comes from outside; a fault of it is one task's, not the leader's.
    let planned = AssertUnwindSafe(plan_task(engine, leader, task))
        .catch_unwind()
        .await;
    let reason = match planned {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error @ (StoreError::Deposed | StoreError::Unavailable(_)))) => return Err(error),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "a defect of the server; see its log".to_owned(),
    };
    if engine.store.tree(task.id).await?.task.status != TaskStatus::Queued {
        // Somebody terminated it in between.
        return Ok(());
    }
    error!(task = %task.id, reason, "a task cannot be planned");
    let message = Message::task(
        true,
        format!("the task could not be planned: {reason}"),
        engine.clock.now(),
    );
    engine
        .store
        .end_task(leader, task.id, ResultStatus::Failure, None, &[message])
        .await
}

async fn plan_task(engine: &Engine, leader: Leadership, task: &Task) -> StoreResult<()> {
    let now = engine.clock.now();
    let end = async |verdict, site: Option<&CompiledSite>, messages: &[Message]| {
        info!(task = %task.id, action = %task.action, %verdict, "task ended without steps");
        engine
            .store
            .end_task(
                leader,
                task.id,
                verdict,
                site.map(|site| &site.digest),
                messages,
            )
            .await
    };
    let site = match engine.designs.resolve(&task.design_ref).await {
        Ok(site) => site,
        Err(DesignError::Store(error)) => return Err(error),
        Err(DesignError::Unreadable(mut findings)) => {
            if task.action != TaskAction::ValidateDesign {
                findings.retain(|finding| finding.level == Level::Error);
            }
            return end(
                ResultStatus::Failure,
                None,
                &finding_messages(&findings, now),
            )
            .await;
        }
        Err(error) => {
            return end(
                ResultStatus::Failure,
                None,
                &[Message::task(true, error.to_string(), now)],
            )
            .await;
        }
    };
    if let Some(plan) = task.plan
        && let Some(reason) = plan_is_void(engine, plan, &site).await?
    {
        let message = Message::task(true, reason, now);
        return end(ResultStatus::Failure, Some(&site), &[message]).await;
    }
    if task.action == TaskAction::ValidateDesign {
        let findings = engine.designs.judge(&site).await;
        let verdict = if findings.iter().any(|finding| finding.level == Level::Error) {
            ResultStatus::Failure
        } else {
            ResultStatus::Success
        };
        return end(verdict, Some(&site), &finding_messages(&findings, now)).await;
    }
    if !site.is_valid() {
        let errors: Vec<Finding> = site.errors().cloned().collect();
        let mut messages = vec![Message::task(
            true,
            format!(
                "the design has {} error(s); nothing was done. Mend them, or run validate_design for every finding",
                errors.len()
            ),
            now,
        )];
        messages.extend(finding_messages(&errors, now));
        return end(ResultStatus::Failure, Some(&site), &messages).await;
    }
    if task.action == TaskAction::OobNodes && task.oob.is_none() {
        let text = "oob_nodes is asked for without saying what to do; give parameters with a verb";
        return end(
            ResultStatus::Failure,
            Some(&site),
            &[Message::task(true, text, now)],
        )
        .await;
    }
    if task.action == TaskAction::RelabelNodes {
        let text = "relabel_nodes needs a Kubernetes driver, and this server has none; label the nodes with kubectl";
        return end(
            ResultStatus::Failure,
            Some(&site),
            &[Message::task(true, text, now)],
        )
        .await;
    }
    let nodes = match drydock_design::select(&site.design, task.node_filter.as_ref()) {
        Ok(nodes) => nodes,
        Err(error) => {
            return end(
                ResultStatus::Failure,
                Some(&site),
                &[Message::task(true, error.to_string(), now)],
            )
            .await;
        }
    };
    if planner::is_node_scoped(task.action) && nodes.is_empty() {
        let text = "no nodes in scope: the filter selects none of the design's nodes, so there was nothing to do";
        return end(
            ResultStatus::Success,
            Some(&site),
            &[Message::task(false, text, now)],
        )
        .await;
    }
    if task.action == TaskAction::DestroyNodes
        && let Some(limit) = engine.settings.destroy_limit
        && nodes.len() > limit
    {
        let text = format!(
            "destroy_nodes selects {} nodes and limits.destroy_nodes allows {limit} a task; nothing was done. Narrow the node filter",
            nodes.len()
        );
        return end(
            ResultStatus::Failure,
            Some(&site),
            &[Message::task(true, text, now)],
        )
        .await;
    }
    let work = planner::Work {
        action: task.action,
        oob: task.oob,
        provisioner: engine.drivers.node.is_some(),
    };
    let waves = waves::waves(&nodes, task.strategy.as_ref());
    let timeouts = &engine.settings.timeouts;
    let plan = planner::plan_in_waves(work, &waves, timeouts, &*engine.ids).unwrap_or_default();
    engine.store.pin(&site.digest, &site.sources).await?;
    // Once in validate_design is enough; an operator who waits for machines needs to know that there are any.
    let warnings = site
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Warning)
        .count();
    let note = format!("the design has {warnings} warning(s); validate_design tells them");
    let mut messages = if warnings == 0 {
        Vec::new()
    } else {
        vec![Message::task(false, note, now)]
    };
    if let Some(strategy) = &task.strategy {
        messages.push(Message::task(false, waves::told(&waves, strategy), now));
    }
    info!(task = %task.id, action = %task.action, nodes = nodes.len(), design = %site.digest, "planned");
    engine
        .store
        .plan_task(leader, task.id, &site.digest, &plan, &messages)
        .await
}

/// Why the plan of a dry run cannot be carried out with this design, if so.
async fn plan_is_void(
    engine: &Engine,
    plan: TaskId,
    site: &CompiledSite,
) -> StoreResult<Option<String>> {
    let planned = match engine.store.tree(plan).await {
        Ok(tree) => tree.task.digest,
        Err(StoreError::NotFound) => {
            return Ok(Some(format!(
                "the dry run {plan} is not on this server any more, so its plan cannot be carried out; nothing was done. Make a new plan"
            )));
        }
        Err(error) => return Err(error),
    };
    Ok((planned.as_ref() != Some(&site.digest)).then(|| {
        format!(
            "the design has changed since the plan was made: it was {} then and is {} now; nothing was done. Make a new plan",
            planned.map_or_else(|| "unknown".to_owned(), |digest| digest.to_string()),
            site.digest
        )
    }))
}

/// Findings as messages of a task; the finding itself rides along.
fn finding_messages(findings: &[Finding], ts: chrono::DateTime<chrono::Utc>) -> Vec<Message> {
    findings
        .iter()
        .map(|finding| {
            let mut message = Message::task(finding.level == Level::Error, finding.to_string(), ts);
            if let Some(document) = finding.documents.first() {
                message.context = document.to_string();
                message.context_type = match document.kind {
                    drydock_model::design::Kind::BaremetalNode => ContextType::Node,
                    drydock_model::design::Kind::Network
                    | drydock_model::design::Kind::NetworkLink => ContextType::Network,
                    drydock_model::design::Kind::BootAction => ContextType::BootAction,
                    _ => ContextType::Site,
                };
                if message.context_type == ContextType::Node {
                    message.context.clone_from(&document.name);
                }
            }
            message.extra.insert("finding".into(), json!(finding));
            message
        })
        .collect()
}
