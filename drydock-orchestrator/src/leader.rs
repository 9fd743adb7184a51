//! What the leader does: plan queued tasks and take back the steps of instances that fell silent.

use drydock_model::finding::{Finding, Level};
use drydock_model::store::{Leadership, StoreError, StoreResult, Wake};
use drydock_model::task::{ContextType, Message, ResultStatus, Task, TaskAction};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::designs::{CompiledSite, DesignError};
use crate::engine::Engine;
use crate::planner;

/// Tasks planned before looking at the queue's order again.
const BATCH: i64 = 16;

pub(crate) async fn run(engine: Engine, mut wake: Box<dyn Wake>, shutdown: CancellationToken) {
    let mut leadership = engine.pulse.leadership_changes();
    loop {
        if let Some(leader) = engine.pulse.leadership() {
            match reign(&engine, leader).await {
                Ok(()) => {}
                Err(StoreError::Deposed) => debug!(epoch = %leader.epoch, "deposed while planning"),
                Err(error) => warn!(%error, "the leader's round was cut short"),
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = wake.changed() => {}
            changed = leadership.changed() => if changed.is_err() { return },
            () = engine.clock.sleep(engine.settings.poll_interval) => {}
        }
    }
}

async fn reign(engine: &Engine, leader: Leadership) -> StoreResult<()> {
    let grace = engine.settings.grace_period + engine.settings.clock_skew;
    let taken = engine.store.reclaim_silent(leader, grace).await?;
    if taken > 0 {
        warn!(
            steps = taken,
            "took back steps of an instance that fell silent"
        );
    }
    loop {
        let queued = engine.store.queued(BATCH).await?;
        if queued.is_empty() {
            return Ok(());
        }
        for task in queued {
            match plan(engine, leader, &task).await {
                // Somebody terminated it in between.
                Err(StoreError::Conflict(reason)) => debug!(task = %task.id, reason, "not planned"),
                other => other?,
            }
        }
    }
}

async fn plan(engine: &Engine, leader: Leadership, task: &Task) -> StoreResult<()> {
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
        Err(DesignError::Unreadable(findings)) => {
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
    if task.action == TaskAction::ValidateDesign {
        let verdict = if site.is_valid() {
            ResultStatus::Success
        } else {
            ResultStatus::Failure
        };
        return end(verdict, Some(&site), &finding_messages(&site.findings, now)).await;
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
    let plan = planner::plan(task.action, &nodes, &engine.settings.timeouts, &*engine.ids)
        .unwrap_or_default();
    engine.store.pin(&site.digest, &site.sources).await?;
    // Once in validate_design is enough; an operator who waits for machines needs to know that there are any.
    let warnings = site
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Warning)
        .count();
    let note = format!("the design has {warnings} warning(s); validate_design tells them");
    let messages = if warnings == 0 {
        Vec::new()
    } else {
        vec![Message::task(false, note, now)]
    };
    info!(task = %task.id, action = %task.action, nodes = nodes.len(), design = %site.digest, "planned");
    engine
        .store
        .plan_task(leader, task.id, &site.digest, &plan, &messages)
        .await
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
