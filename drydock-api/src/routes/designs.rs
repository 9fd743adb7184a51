//! `/designs`: whole designs.

use std::sync::Arc;

use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, web};
use drydock_model::design::Document;
use drydock_model::id::DesignId;
use drydock_model::store::{StoreError, StoredDesign};
use drydock_model::tree::told_json;
use drydock_orchestrator::designs::CompiledSite;
use serde::Deserialize;
use serde_json::{Value, json};

use super::revision::etag;
use crate::body;
use crate::error::ApiError;
use crate::page::Page;
use crate::query::Query;
use crate::state::ApiState;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    base_design_id: Option<Value>,
}

/// Which form of a design is shown.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum View {
    /// As written.
    #[default]
    Designed,
    /// As it is meant.
    Compiled,
}

impl View {
    /// The query parameter `source`.
    pub(super) fn new(request: &HttpRequest) -> Result<Self, ApiError> {
        match Query::new(request, &["source"])?.text("source") {
            None | Some("designed") => Ok(View::Designed),
            Some("compiled") => Ok(View::Compiled),
            Some(other) => Err(ApiError::bad_request(format!(
                "query parameter source={other}; known are designed, compiled"
            ))),
        }
    }
}

pub(super) async fn list(
    state: web::Data<ApiState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::new(&request, &Page::PARAMETERS)?;
    let page = Page::new(&query, "created")?;
    let mut ids = state.store.designs().await?;
    if page.descending {
        ids.reverse();
    }
    if let Some(marker) = page.marker {
        let at = ids
            .iter()
            .position(|id| id.to_string() == marker.to_ascii_lowercase())
            .ok_or_else(|| {
                ApiError::bad_request(format!(
                    "query parameter marker={marker}: there is no such design (any more); begin again without it"
                ))
            })?;
        ids.drain(..=at);
    }
    let next = page.cut(&mut ids, |id| *id);
    let mut response = HttpResponse::Ok();
    if let Some(marker) = next {
        response.insert_header(Page::link(&request, &query, &marker));
    }
    Ok(response.json(ids))
}

pub(super) async fn create(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let wanted: CreateBody = body::optional_json(&request, payload, state.max_body).await?;
    let base: Option<DesignId> = body::field("base_design_id", wanted.base_design_id)?;
    let design = state
        .store
        .create_design(DesignId(state.ids.uuid()), base)
        .await
        .map_err(|error| match (error, base) {
            (StoreError::NotFound, Some(base)) => {
                ApiError::bad_request(format!("base_design_id: there is no design {base}"))
            }
            (other, _) => other.into(),
        })?;
    let site = state.designs.compile(design.sources.clone()).await?;
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("/api/v1.0/designs/{}", design.id)))
        .insert_header((ETAG, etag(design.revision)))
        .json(whole(&design, &site.documents)))
}

pub(super) async fn show(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let view = View::new(&request)?;
    let (design, site) = compiled(&state, &path).await?;
    let body = match view {
        View::Designed => whole(&design, &site.documents),
        View::Compiled => {
            let mut body = told_json(&*site.design);
            body["id"] = json!(design.id);
            body
        }
    };
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, etag(design.revision)))
        .json(body))
}

pub(super) async fn delete(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let design = find(&state, &path).await?;
    state.store.delete_design(design.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A design by the id of a path.
pub(super) async fn find(state: &ApiState, id: &str) -> Result<StoredDesign, ApiError> {
    let missing = || ApiError::not_found(format!("there is no design {id}"));
    let id: DesignId = id.parse().map_err(|_| missing())?;
    state.store.design(id).await.map_err(|error| match error {
        StoreError::NotFound => missing(),
        other => other.into(),
    })
}

/// A design and what it means.
pub(super) async fn compiled(
    state: &ApiState,
    id: &str,
) -> Result<(StoredDesign, Arc<CompiledSite>), ApiError> {
    let design = find(state, id).await?;
    let site = state.designs.compile(design.sources.clone()).await?;
    Ok((design, site))
}

fn whole(design: &StoredDesign, documents: &[Document]) -> Value {
    let parts: Vec<_> = documents
        .iter()
        .map(|document| document.to_json(false))
        .collect();
    json!({ "id": design.id, "base_design_id": design.base, "revision": design.revision, "parts": parts })
}
