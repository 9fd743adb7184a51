//! Build data: what was found out about machines, by node and by task.

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, web};
use drydock_model::build_data::BuildData;
use drydock_model::id::TaskId;
use drydock_model::store::TaskTree;

use super::tasks;
use crate::error::ApiError;
use crate::query::Query;
use crate::request;
use crate::state::ApiState;

/// What is kept of a node, oldest first; with `latest` the newest of each generator. A node that nothing is known of has an empty list.
pub(super) async fn of_node(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let query = Query::new(&request, &["latest", "generator"])?;
    let latest = query.flag("latest")?;
    let name = request::name(&path)?;
    let mut data = state.store.node_build_data(name).await?;
    if let Some(generator) = query.text("generator") {
        data.retain(|one| one.generator == generator);
    }
    if latest {
        data = newest(data);
    }
    Ok(HttpResponse::Ok().json(data))
}

/// What a task, or a part of it, collected.
pub(super) async fn of_task(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let (id, tree) = tasks::find(&state, &path).await?;
    let data = collected(&state, &tree, id).await?;
    if data.is_empty() {
        return Err(ApiError::not_found(format!(
            "task {id} has collected no build data"
        )));
    }
    Ok(HttpResponse::Ok().json(data))
}

/// What the steps of a tree below this id collected.
pub(super) async fn collected(
    state: &ApiState,
    tree: &TaskTree,
    id: TaskId,
) -> Result<Vec<BuildData>, ApiError> {
    let mut data = state.store.task_build_data(tree.task.id).await?;
    let steps: HashSet<TaskId> = tasks::below(tree, id).map(|step| step.id).collect();
    data.retain(|one| steps.contains(&one.task_id));
    Ok(data)
}

/// The last of each generator, in the order of the list.
fn newest(data: Vec<BuildData>) -> Vec<BuildData> {
    let mut kept: Vec<BuildData> = Vec::new();
    for one in data {
        kept.retain(|other| other.generator != one.generator);
        kept.push(one);
    }
    kept
}
