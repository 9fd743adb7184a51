//! `/nodes`: the machines as the node provisioner knows them, and everything known of one.

use actix_web::{HttpRequest, HttpResponse, web};
use drydock_model::driver::{DriverError, Machine};
use drydock_model::store::{StoreError, TaskTree};
use drydock_model::tree::told_json;
use drydock_orchestrator::designs::DesignError;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::page::Page;
use crate::query::Query;
use crate::request;
use crate::state::ApiState;
use crate::wire::task::share_of;

/// Most journal entries of a node in one answer: the newest. A deployment writes about a dozen.
const TIMELINE: i64 = 500;

/// Most journal entries of a node that may be asked for.
const LONGEST_HISTORY: i64 = 10_000;

pub(super) async fn list(
    state: web::Data<ApiState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::new(&request, &Page::PARAMETERS)?;
    let page = Page::new(&query, "hostname")?;
    let provisioner = state.provisioner.as_ref().ok_or_else(|| {
        ApiError::unavailable(
            "no node provisioner is configured; set drivers.node and drivers.maas",
        )
    })?;
    let mut machines = provisioner.machines().await?;
    let mut response = HttpResponse::Ok();
    if !page.is_whole() {
        machines.sort_by(|a, b| a.hostname.cmp(&b.hostname));
        if page.descending {
            machines.reverse();
        }
        if let Some(marker) = page.marker {
            machines.retain(|machine| {
                if page.descending {
                    machine.hostname.as_str() < marker
                } else {
                    machine.hostname.as_str() > marker
                }
            });
        }
        if let Some(marker) = page.cut(&mut machines, |machine| machine.hostname.clone()) {
            response.insert_header(Page::link(&request, &query, &marker));
        }
    }
    Ok(response.json(machines))
}

pub(super) async fn show(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let name = request::name(&path)?;
    let (tree, observed) = futures::join!(state.store.node_tree(name), observe(&state, name));
    let tree = match tree {
        Ok(tree) => Some(tree),
        Err(StoreError::NotFound) => None,
        Err(other) => return Err(other.into()),
    };
    let observed = match (&tree, observed) {
        (None, Ok(None)) => {
            return Err(ApiError::not_found(format!(
                "no task has been about a node {name}, and the node provisioner knows no such machine"
            )));
        }
        // Whether there is such a machine cannot be told.
        (None, Err(error)) => return Err(error.into()),
        (_, observed) => observed,
    };
    let mut body = json!({
        "name": name,
        "design": design(&state, tree.as_ref(), name).await?,
        "observed": observed.as_ref().ok().and_then(Option::as_ref),
        "last_task": tree.as_ref().and_then(|tree| share_of(tree, name, state.clock.now())),
        "boot_actions": boot_actions(&state, name).await?,
        "timeline": state.store.node_journal(name, TIMELINE).await?,
    });
    if let Err(error) = observed {
        body["observed_error"] = json!(error.to_string());
    }
    Ok(HttpResponse::Ok().json(body))
}

/// What was changed on a node, by whichever task, the latest last. Asks nobody but the store.
pub(super) async fn history(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let query = Query::new(&request, &["limit"])?;
    let limit = query.value("limit")?.unwrap_or(TIMELINE);
    if !(1..=LONGEST_HISTORY).contains(&limit) {
        return Err(ApiError::bad_request(format!(
            "query parameter limit={limit}: 1 to {LONGEST_HISTORY} entries"
        )));
    }
    let name = request::name(&path)?;
    let entries = state.store.node_journal(name, limit).await?;
    if entries.is_empty() {
        match state.store.node_tree(name).await {
            Ok(_) => {}
            Err(StoreError::NotFound) => {
                return Err(ApiError::not_found(format!(
                    "no task has been about a node {name}"
                )));
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(HttpResponse::Ok().json(entries))
}

/// The machine, if the provisioner knows it.
async fn observe(state: &ApiState, name: &str) -> Result<Option<Machine>, DriverError> {
    let Some(provisioner) = &state.provisioner else {
        return Ok(None);
    };
    let machines = provisioner.machines().await?;
    Ok(machines
        .into_iter()
        .find(|machine| machine.hostname == name))
}

/// The node as the newest task about it understands it.
async fn design(
    state: &ApiState,
    tree: Option<&TaskTree>,
    name: &str,
) -> Result<Option<Value>, ApiError> {
    let Some(digest) = tree.and_then(|tree| tree.task.digest.as_ref()) else {
        return Ok(None);
    };
    match state.designs.pinned(digest).await {
        Ok(site) => Ok(site.design.node(name).map(|node| told_json(&**node))),
        Err(DesignError::Store(StoreError::NotFound)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

async fn boot_actions(state: &ApiState, name: &str) -> Result<Value, ApiError> {
    match state.store.boot_context(name).await {
        Ok(context) => Ok(json!(context.entries)),
        Err(StoreError::NotFound) => Ok(json!([])),
        Err(other) => Err(other.into()),
    }
}
