//! `/tasks`.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use drydock_model::filter::NodeFilter;
use drydock_model::id::TaskId;
use drydock_model::store::{StoreError, TaskQuery, TaskTree};
use drydock_model::task::{NewTask, TaskAction};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body;
use crate::error::ApiError;
use crate::request::{context_marker, header};
use crate::state::ApiState;
use crate::wire::task::{answer_for, answers, layers, subtask_errors};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    action: Option<String>,
    design_ref: Option<String>,
    #[serde(default)]
    node_filter: Option<Value>,
    #[serde(default)]
    priority: Option<i32>,
    #[serde(default)]
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct ListQuery {
    status: Option<String>,
    action: Option<String>,
    design_ref: Option<String>,
    created_after: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
pub(super) struct ShowQuery {
    layers: Option<i64>,
    subtaskerrors: Option<String>,
    builddata: Option<String>,
}

pub(super) async fn create(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let wanted: CreateBody = body::json(&request, payload, state.max_body).await?;
    let action: TaskAction = wanted
        .action
        .ok_or_else(|| ApiError::bad_request("action is missing"))?
        .parse()
        .map_err(ApiError::bad_request)?;
    let design_ref = wanted
        .design_ref
        .filter(|text| !text.is_empty())
        .ok_or_else(|| ApiError::bad_request("design_ref is missing"))?;
    let node_filter = match wanted.node_filter {
        None | Some(Value::Null) => None,
        Some(value) => Some(parse_filter(value)?),
    };
    let priority = wanted.priority.unwrap_or(0);
    if !(-100..=100).contains(&priority) {
        return Err(ApiError::bad_request(format!(
            "priority {priority} is outside of -100..=100"
        )));
    }
    state.designs.check(&design_ref)?;
    if let Some(id) = design_ref
        .strip_prefix("design:")
        .and_then(|text| text.parse().ok())
    {
        state.store.design(id).await.map_err(|error| match error {
            StoreError::NotFound => ApiError::bad_request(format!(
                "design_ref: there is no design {id} on this server"
            )),
            other => other.into(),
        })?;
    }
    let task = state
        .store
        .create_task(&NewTask {
            id: TaskId(state.ids.uuid()),
            action,
            design_ref,
            node_filter,
            priority,
            dry_run: wanted.dry_run.unwrap_or(false),
            created_by: header(&request, "X-End-User")
                .unwrap_or("anonymous")
                .to_owned(),
            context_marker: context_marker(&request),
            idempotency_key: header(&request, "Idempotency-Key").map(str::to_owned),
            created: state.clock.now(),
        })
        .await?;
    let tree = state.store.tree(task.id).await?;
    let answer = answer_for(&tree, task.id)
        .ok_or_else(|| ApiError::internal("the task just made is not in its own tree"))?;
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("/api/v1.0/tasks/{}", task.id)))
        .json(answer))
}

pub(super) async fn list(
    state: web::Data<ApiState>,
    query: web::Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let parse = |text: &Option<String>| text.clone();
    let query = TaskQuery {
        status: parse(&query.status)
            .map(|text| text.parse())
            .transpose()
            .map_err(ApiError::bad_request)?,
        action: parse(&query.action)
            .map(|text| text.parse())
            .transpose()
            .map_err(ApiError::bad_request)?,
        design_ref: query.design_ref.clone(),
        created_after: query.created_after,
    };
    let all: Vec<_> = state
        .store
        .trees(&query)
        .await?
        .iter()
        .flat_map(answers)
        .collect();
    Ok(HttpResponse::Ok().json(all))
}

pub(super) async fn show(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    query: web::Query<ShowQuery>,
) -> Result<HttpResponse, ApiError> {
    let (id, tree) = find(&state, &path).await?;
    let wants_errors = flag("subtaskerrors", query.subtaskerrors.as_deref())?;
    let wants_build_data = flag("builddata", query.builddata.as_deref())?;
    let all = answers(&tree);
    let mut body = match query.layers {
        None => json!(
            all.iter()
                .find(|answer| answer.task_id == id)
                .ok_or_else(|| missing(&path))?
        ),
        Some(depth) => {
            let mut body = json!(layers(&all, id, depth));
            body["init_task_id"] = json!(id);
            body
        }
    };
    if wants_errors {
        body["subtask_errors"] = json!(subtask_errors(&all, id));
    }
    if wants_build_data {
        // No driver of this version collects any.
        body["build_data"] = json!([]);
    }
    Ok(HttpResponse::Ok().json(body))
}

pub(super) async fn journal(
    state: web::Data<ApiState>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (_, tree) = find(&state, &path).await?;
    Ok(HttpResponse::Ok().json(state.store.task_journal(tree.task.id).await?))
}

pub(super) async fn terminate(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let (id, tree) = find(&state, &path).await?;
    if id != tree.task.id {
        return Err(ApiError::conflict(format!(
            "{id} is a part of task {}; terminate that one",
            tree.task.id
        )));
    }
    state
        .store
        .terminate_task(id, header(&request, "X-End-User").unwrap_or("anonymous"))
        .await?;
    let tree = state.store.tree(id).await?;
    Ok(HttpResponse::Accepted().json(answer_for(&tree, id)))
}

/// A filter of a request, refused when it names nothing.
pub(super) fn parse_filter(value: Value) -> Result<NodeFilter, ApiError> {
    let filter: NodeFilter = serde_json::from_value(value)
        .map_err(|error| ApiError::bad_request(format!("node_filter: {error}")))?;
    filter.check().map_err(ApiError::bad_request)?;
    Ok(filter)
}

async fn find(state: &ApiState, id: &str) -> Result<(TaskId, TaskTree), ApiError> {
    let parsed: TaskId = id.parse().map_err(|_| missing(id))?;
    match state.store.tree(parsed).await {
        Ok(tree) => Ok((parsed, tree)),
        Err(StoreError::NotFound) => Err(missing(id)),
        Err(other) => Err(other.into()),
    }
}

fn missing(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no task {id}"))
}

/// A boolean of a query, in any case.
fn flag(name: &str, value: Option<&str>) -> Result<bool, ApiError> {
    match value.map(str::to_ascii_lowercase).as_deref() {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1" | "") => Ok(true),
        Some(other) => Err(ApiError::bad_request(format!(
            "{name}={other} is neither true nor false"
        ))),
    }
}
