//! The plan that a dry run has come to, and the task that carries it out.

use actix_web::{HttpRequest, HttpResponse, web};
use drydock_model::filter::NodeFilter;
use drydock_model::id::TaskId;
use drydock_model::store::{StoreError, TaskTree};
use drydock_model::task::{NewTask, ResultStatus};
use drydock_orchestrator::plan_document::{PlanDocument, VERSION};
use drydock_orchestrator::planner;
use serde_json::Value;

use super::{find, idempotency_key, refuse_part};
use crate::error::ApiError;
use crate::query::Query;
use crate::request::{context_marker, end_user};
use crate::state::ApiState;

pub(in crate::routes) async fn show(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let (id, tree) = find(&state, &path).await?;
    refuse_part(id, &tree, "ask for the plan of")?;
    check_ended(&tree)?;
    Ok(HttpResponse::Ok().json(PlanDocument::of(&tree)))
}

/// The dry run that a request names, and the fingerprint of the plan that the client has seen.
pub(super) struct Named {
    id: TaskId,
    fingerprint: Option<String>,
}

/// What a request names as the plan to carry out: the whole document, or the dry run, perhaps with a fingerprint.
pub(super) fn named(
    plan: Option<Value>,
    plan_task_id: Option<Value>,
    plan_fingerprint: Option<Value>,
) -> Result<Option<Named>, ApiError> {
    let id = crate::body::field::<TaskId>("plan_task_id", plan_task_id)?;
    let fingerprint = crate::body::field::<String>("plan_fingerprint", plan_fingerprint)?;
    match (plan.filter(|value| !value.is_null()), id) {
        (None, None) if fingerprint.is_some() => Err(ApiError::bad_request(
            "plan_fingerprint: plan_task_id has to be beside it",
        )),
        (None, None) => Ok(None),
        (None, Some(id)) => Ok(Some(Named { id, fingerprint })),
        (Some(_), Some(_)) => Err(ApiError::bad_request(
            "plan_task_id: the plan says it; leave it out",
        )),
        (Some(_), None) if fingerprint.is_some() => Err(ApiError::bad_request(
            "plan_fingerprint: the plan says it; leave it out",
        )),
        (Some(value), None) => {
            let document = parse(value)?;
            Ok(Some(Named {
                id: document.task_id,
                fingerprint: Some(document.fingerprint),
            }))
        }
    }
}

fn parse(value: Value) -> Result<PlanDocument, ApiError> {
    match value.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(other) => {
            return Err(ApiError::bad_request(format!(
                "plan: version {other} is not known here, only {VERSION}; make a new plan with this server"
            )));
        }
        None => return Err(ApiError::bad_request("plan: its version is missing")),
    }
    let document: PlanDocument = serde_json::from_value(value)
        .map_err(|error| ApiError::bad_request(format!("plan: {error}")))?;
    if document.computed() != document.fingerprint {
        return Err(ApiError::bad_request(
            "plan: it is not as it was made: its fingerprint is another; make a new plan",
        ));
    }
    Ok(document)
}

/// The task that carries out a plan: on its nodes, in its order, by its design.
pub(super) async fn task_for(
    state: &ApiState,
    request: &HttpRequest,
    Named { id, fingerprint }: Named,
    priority: i32,
) -> Result<NewTask, ApiError> {
    let tree = match state.store.tree(id).await {
        Ok(tree) => tree,
        Err(StoreError::NotFound) => {
            return Err(ApiError::bad_request(format!(
                "plan: there is no task {id} on this server (any more); make a new plan with this server"
            )));
        }
        Err(other) => return Err(other.into()),
    };
    refuse_part(id, &tree, "apply the plan of")?;
    check_ended(&tree)?;
    let current = PlanDocument::of(&tree);
    if fingerprint.is_some_and(|seen| seen != current.fingerprint) {
        return Err(ApiError::conflict(format!(
            "plan: it is not the one that task {id} made; make a new plan"
        )));
    }
    if current.result != ResultStatus::Success {
        return Err(ApiError::conflict(format!(
            "the plan of task {id} did not come out whole ({}), so it is not carried out; mend what it names, or plan without those nodes",
            current.result
        )));
    }
    if current.nodes.is_empty() {
        return Err(ApiError::conflict(format!(
            "the plan of task {id} holds no step, so there is nothing to carry out"
        )));
    }
    let task = tree.task;
    let node_filter = if planner::is_node_scoped(task.action) {
        Some(NodeFilter::names(current.node_names()))
    } else {
        task.node_filter
    };
    Ok(NewTask {
        id: TaskId(state.ids.uuid()),
        action: task.action,
        design_ref: task.design_ref,
        node_filter,
        priority,
        dry_run: false,
        strategy: task.strategy,
        oob: task.oob,
        plan: Some(id),
        retry: 0,
        created_by: end_user(request).to_owned(),
        context_marker: context_marker(request),
        idempotency_key: idempotency_key(request)?,
        created: state.clock.now(),
    })
}

fn check_ended(tree: &TaskTree) -> Result<(), ApiError> {
    let task = &tree.task;
    if !task.dry_run {
        return Err(ApiError::conflict(format!(
            "task {} is no dry run, so it has no plan; create one with dry_run",
            task.id
        )));
    }
    if !task.status.is_final() {
        return Err(ApiError::conflict(format!(
            "the dry run {} has not ended: it is {}; wait for it",
            task.id, task.status
        )));
    }
    Ok(())
}
