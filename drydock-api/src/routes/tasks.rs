//! `/tasks`: what clients ask for, and what comes of it.

pub(super) mod confirm;
pub(super) mod events;
mod parameters;
pub(super) mod plan;
mod strategy;

use std::io;

use actix_web::http::Version;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use drydock_model::filter::NodeFilter;
use drydock_model::id::TaskId;
use drydock_model::step::Step;
use drydock_model::store::{StoreError, TaskQuery, TaskTree};
use drydock_model::task::{NewTask, ResultStatus, TaskAction};
use drydock_orchestrator::outcome;
use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::builddata;
use crate::body;
use crate::error::ApiError;
use crate::page::Page;
use crate::query::Query;
use crate::request::{context_marker, end_user, header};
use crate::state::ApiState;
use crate::wire::task::{TaskAnswer, answer_for, answers, layers, subtask_errors};

/// Longest `Idempotency-Key`, in bytes: it is indexed, and an index entry has a size limit.
const LONGEST_KEY: usize = 255;

/// What `DELETE /tasks` leaves alone when it is not told: what ended in so many days.
const KEPT_DAYS: u32 = 90;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    action: Option<Value>,
    design_ref: Option<Value>,
    #[serde(default)]
    node_filter: Option<Value>,
    #[serde(default)]
    priority: Option<Value>,
    #[serde(default)]
    dry_run: Option<Value>,
    #[serde(default)]
    strategy: Option<Value>,
    #[serde(default)]
    parameters: Option<Value>,
    #[serde(default)]
    plan: Option<Value>,
    #[serde(default)]
    plan_task_id: Option<Value>,
    #[serde(default)]
    plan_fingerprint: Option<Value>,
}

impl CreateBody {
    /// What a plan says itself, and a request that names one must not.
    fn beside_a_plan(&self) -> Option<&'static str> {
        let fields = [
            ("action", &self.action),
            ("design_ref", &self.design_ref),
            ("node_filter", &self.node_filter),
            ("dry_run", &self.dry_run),
            ("strategy", &self.strategy),
            ("parameters", &self.parameters),
        ];
        let set = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_null());
        fields
            .into_iter()
            .find_map(|(name, value)| set(value).then_some(name))
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFields {}

pub(super) async fn create(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let mut wanted: CreateBody = body::json(&request, payload, state.max_body).await?;
    let named = plan::named(
        wanted.plan.take(),
        wanted.plan_task_id.take(),
        wanted.plan_fingerprint.take(),
    )?;
    if let Some(named) = named {
        if let Some(field) = wanted.beside_a_plan() {
            return Err(ApiError::bad_request(format!(
                "{field}: the plan says it; leave it out"
            )));
        }
        let priority = priority(wanted.priority)?;
        let wanted = plan::task_for(&state, &request, named, priority).await?;
        return take(&state, &wanted).await;
    }
    let action: TaskAction = body::field::<String>("action", wanted.action)?
        .ok_or_else(|| ApiError::bad_request("action is missing"))?
        .parse()
        .map_err(ApiError::bad_request)?;
    let design_ref = body::field::<String>("design_ref", wanted.design_ref)?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| ApiError::bad_request("design_ref is missing"))?;
    if design_ref.contains(char::is_control) {
        return Err(ApiError::bad_request(
            "design_ref holds a control character",
        ));
    }
    let node_filter = parse_filter(wanted.node_filter)?;
    let priority = priority(wanted.priority)?;
    let dry_run = body::field("dry_run", wanted.dry_run)?.unwrap_or(false);
    let oob = parameters::parse(wanted.parameters, action)?;
    let strategy = strategy::parse(wanted.strategy, action)?;
    state.designs.check(&design_ref)?;
    if !is_there(&state, &design_ref).await? {
        return Err(ApiError::bad_request(format!(
            "design_ref: there is no {design_ref} on this server"
        )));
    }
    let wanted = NewTask {
        id: TaskId(state.ids.uuid()),
        action,
        design_ref,
        node_filter,
        priority,
        dry_run,
        strategy,
        oob,
        plan: None,
        retry: 0,
        created_by: end_user(&request).to_owned(),
        context_marker: context_marker(&request),
        idempotency_key: idempotency_key(&request)?,
        created: state.clock.now(),
    };
    take(&state, &wanted).await
}

pub(super) async fn list(
    state: web::Data<ApiState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::new(
        &request,
        &[
            "status",
            "action",
            "design_ref",
            "created_after",
            "limit",
            "marker",
            "sort",
        ],
    )?;
    let page = Page::new(&query, "created")?;
    let mut wanted = TaskQuery {
        status: query.value("status")?,
        action: query.value("action")?,
        design_ref: query.text("design_ref").map(str::to_owned),
        created_after: query.moment("created_after")?,
        newest_first: page.descending,
        ..TaskQuery::default()
    };
    if page.limit.is_none() && page.marker.is_none() {
        let trees = state.store.trees(&wanted).await?;
        return Ok(whole(trees, request.version(), state.clock.now()));
    }
    // The marker may be a subtask; its tree is where the page begins.
    let marker = match page.marker {
        None => None,
        Some(text) => Some(marker(&state, text).await?),
    };
    wanted.from = marker.map(|(_, root)| root);
    // Each tree has one member at least; one more for the marker's own, and one to see whether anything follows.
    wanted.limit = page
        .limit
        .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(2));
    let mut members: Vec<TaskAnswer> = Vec::new();
    for tree in state.store.trees(&wanted).await? {
        let mut levels = answers(&tree, state.clock.now());
        if let Some((id, root)) = marker
            && root == tree.task.id
        {
            let behind = levels
                .iter()
                .position(|level| level.task_id == id)
                .map_or(levels.len(), |at| at + 1);
            levels.drain(..behind);
        }
        members.append(&mut levels);
        if page.limit.is_some_and(|limit| members.len() > limit) {
            break;
        }
    }
    let mut response = HttpResponse::Ok();
    if let Some(marker) = page.cut(&mut members, |member| member.task_id) {
        response.insert_header(Page::link(&request, &query, &marker));
    }
    Ok(response.json(members))
}

pub(super) async fn show(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let query = Query::new(&request, &["layers", "subtaskerrors", "builddata"])?;
    let depth: Option<i64> = query.value("layers")?;
    let wants_errors = query.flag("subtaskerrors")?;
    let wants_build_data = query.flag("builddata")?;
    if let Some(depth) = depth.filter(|depth| *depth < -1) {
        return Err(ApiError::bad_request(format!(
            "query parameter layers={depth}: a number of layers, or -1 for all"
        )));
    }
    let (id, tree) = find(&state, &path).await?;
    let all = answers(&tree, state.clock.now());
    let mut body = match depth {
        // The Python client sends 0 for none.
        None | Some(0) => json!(
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
        body["build_data"] = json!(builddata::collected(&state, &tree, id).await?);
    }
    Ok(HttpResponse::Ok().json(body))
}

pub(super) async fn journal(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let (_, tree) = find(&state, &path).await?;
    Ok(HttpResponse::Ok().json(state.store.task_journal(tree.task.id).await?))
}

pub(super) async fn terminate(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let NoFields {} = body::optional_json(&request, payload, state.max_body).await?;
    let (id, tree) = find(&state, &path).await?;
    refuse_part(id, &tree, "terminate")?;
    state.store.terminate_task(id, end_user(&request)).await?;
    let tree = state.store.tree(id).await?;
    Ok(HttpResponse::Accepted().json(answer_for(&tree, id, state.clock.now())))
}

pub(super) async fn retry(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let NoFields {} = body::optional_json(&request, payload, state.max_body).await?;
    let (id, tree) = find(&state, &path).await?;
    refuse_part(id, &tree, "retry")?;
    let old = &tree.task;
    if !old.status.is_final() {
        return Err(ApiError::conflict(format!(
            "task {id} has not ended: it is {}; wait for it or terminate it first",
            old.status
        )));
    }
    if let Some(plan) = old.plan {
        return Err(ApiError::conflict(format!(
            "task {id} carried out the plan of {plan}, and the world is not as it was when that was made; make a new plan and apply that"
        )));
    }
    let outcome = outcome::of_tree(&tree);
    if outcome.result == ResultStatus::Success {
        return Err(ApiError::conflict(format!(
            "nothing of task {id} failed, so there is nothing to retry"
        )));
    }
    // No failed node: a step of the site failed, or the task could not be planned. Then all of it is to be done again.
    let node_filter = if outcome.failures.is_empty() {
        old.node_filter.clone()
    } else {
        Some(NodeFilter::names(outcome.failures))
    };
    if !is_there(&state, &old.design_ref).await? {
        return Err(ApiError::conflict(format!(
            "{} of task {id} is not on this server any more",
            old.design_ref
        )));
    }
    let wanted = NewTask {
        id: TaskId(state.ids.uuid()),
        action: old.action,
        design_ref: old.design_ref.clone(),
        node_filter,
        priority: old.priority,
        dry_run: old.dry_run,
        strategy: old.strategy.clone(),
        oob: old.oob,
        plan: None,
        retry: old.retry.saturating_add(1),
        created_by: end_user(&request).to_owned(),
        context_marker: context_marker(&request),
        idempotency_key: idempotency_key(&request)?,
        created: state.clock.now(),
    };
    take(&state, &wanted).await
}

pub(super) async fn purge(
    state: web::Data<ApiState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::new(&request, &["days"])?;
    let days = query.value("days")?.unwrap_or(KEPT_DAYS);
    if days == 0 {
        return Err(ApiError::bad_request(
            "query parameter days=0: what ended today is not deleted; give 1 or more",
        ));
    }
    let purged = state.store.purge_tasks(days).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(format!(
            "deleted {purged} task(s) that ended more than {days} day(s) ago\n"
        )))
}

fn priority(value: Option<Value>) -> Result<i32, ApiError> {
    let priority = body::field("priority", value)?.unwrap_or(0);
    if !(-100..=100).contains(&priority) {
        return Err(ApiError::bad_request(format!(
            "priority {priority} is outside of -100..=100"
        )));
    }
    Ok(priority)
}

/// A filter of a request, refused when it names nothing.
pub(super) fn parse_filter(value: Option<Value>) -> Result<Option<NodeFilter>, ApiError> {
    let filter: Option<NodeFilter> = body::field("node_filter", value)?;
    if let Some(filter) = &filter {
        filter.check().map_err(ApiError::bad_request)?;
    }
    Ok(filter)
}

async fn take(state: &ApiState, wanted: &NewTask) -> Result<HttpResponse, ApiError> {
    let task = state.store.create_task(wanted).await?;
    let tree = state.store.tree(task.id).await?;
    let answer = answer_for(&tree, task.id, state.clock.now())
        .ok_or_else(|| ApiError::internal("the task just made is not in its own tree"))?;
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("/api/v1.0/tasks/{}", task.id)))
        .json(answer))
}

/// Whether an uploaded design that is referred to is there. Other references are followed when the task is planned.
async fn is_there(state: &ApiState, design_ref: &str) -> Result<bool, ApiError> {
    let Some(id) = design_ref
        .strip_prefix("design:")
        .and_then(|text| text.parse().ok())
    else {
        return Ok(true);
    };
    match state.store.design(id).await {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound) => Ok(false),
        Err(other) => Err(other.into()),
    }
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    if !request.headers().contains_key("Idempotency-Key") {
        return Ok(None);
    }
    match header(request, "Idempotency-Key") {
        Some(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(ApiError::bad_request(format!(
            "Idempotency-Key: 1 to {LONGEST_KEY} printable ASCII characters are taken"
        ))),
    }
}

fn refuse_part(id: TaskId, tree: &TaskTree, verb: &str) -> Result<(), ApiError> {
    if id == tree.task.id {
        return Ok(());
    }
    Err(ApiError::conflict(format!(
        "{id} is a part of task {}; {verb} that one",
        tree.task.id
    )))
}

/// A list, written out tree by tree: ten thousand tasks need not stand in memory as one text.
fn whole(trees: Vec<TaskTree>, version: Version, now: DateTime<Utc>) -> HttpResponse {
    // HTTP/1.0 knows no chunks, and a stream is sent in chunks whatever the client's version.
    if version <= Version::HTTP_10 || trees.is_empty() {
        let all: Vec<_> = trees.iter().flat_map(|tree| answers(tree, now)).collect();
        return HttpResponse::Ok().json(all);
    }
    let pieces = trees.into_iter().enumerate().map(move |(at, tree)| {
        let mut text = serde_json::to_vec(&answers(&tree, now)).map_err(io::Error::other)?;
        // A list without its end, and but for the first tree without its beginning; no tree is without a member.
        text.pop();
        if let Some(first) = text.first_mut().filter(|_| at > 0) {
            *first = b',';
        }
        Ok::<_, io::Error>(Bytes::from(text))
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .streaming(stream::iter(pieces.chain([Ok(Bytes::from_static(b"]"))])))
}

/// The task that a marker names, and the one a client created above it.
async fn marker(state: &ApiState, text: &str) -> Result<(TaskId, TaskId), ApiError> {
    let gone = || {
        ApiError::bad_request(format!(
            "query parameter marker={text}: there is no such task (any more); begin again without it"
        ))
    };
    let id: TaskId = text.parse().map_err(|_| gone())?;
    match state.store.tree(id).await {
        Ok(tree) => Ok((id, tree.task.id)),
        Err(StoreError::NotFound) => Err(gone()),
        Err(other) => Err(other.into()),
    }
}

/// The steps of a task or, where the id is that of a part, of that part.
pub(super) fn below(tree: &TaskTree, id: TaskId) -> impl Iterator<Item = &Step> {
    let all = id == tree.task.id;
    tree.steps
        .iter()
        .filter(move |step| all || step.pipeline == id || step.id == id)
}

pub(super) async fn find(state: &ApiState, id: &str) -> Result<(TaskId, TaskTree), ApiError> {
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
