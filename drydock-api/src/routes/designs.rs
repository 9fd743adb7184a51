//! `/designs` and their parts.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use drydock_model::design::{Document, Kind};
use drydock_model::id::DesignId;
use drydock_model::ingest::{Format, Source};
use drydock_model::store::StoredDesign;
use drydock_orchestrator::designs::CompiledSite;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body;
use crate::error::ApiError;
use crate::state::ApiState;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    base_design_id: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum View {
    #[default]
    Designed,
    Compiled,
}

#[derive(Deserialize)]
pub(super) struct ViewQuery {
    #[serde(default)]
    source: View,
}

#[derive(Deserialize)]
pub(super) struct UploadQuery {
    ingester: Option<String>,
    /// What to call the text in findings; our own clients send the file's name.
    name: Option<String>,
}

pub(super) async fn list(state: web::Data<ApiState>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(state.store.designs().await?))
}

pub(super) async fn create(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let bytes = body::read(payload, state.max_body).await?;
    let wanted: CreateBody = if bytes.is_empty() {
        CreateBody::default()
    } else {
        let media_type = body::media_type(&request);
        if !matches!(media_type.as_str(), "" | "application/json") {
            return Err(ApiError::unsupported_media_type(
                &media_type,
                "application/json",
            ));
        }
        body::parse(&bytes)?
    };
    let base = match wanted.base_design_id {
        None => None,
        Some(text) => Some(text.parse::<DesignId>().map_err(|_| {
            ApiError::bad_request(format!("base_design_id {text:?} is not a UUID"))
        })?),
    };
    if let Some(base) = base {
        state
            .store
            .design(base)
            .await
            .map_err(|error| match error {
                drydock_model::store::StoreError::NotFound => {
                    ApiError::bad_request(format!("base_design_id: there is no design {base}"))
                }
                other => other.into(),
            })?;
    }
    let design = state
        .store
        .create_design(DesignId(state.ids.uuid()), base)
        .await?;
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("/api/v1.0/designs/{}", design.id)))
        .json(whole(&design, &[])))
}

pub(super) async fn show(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    query: web::Query<ViewQuery>,
) -> Result<HttpResponse, ApiError> {
    let design = find(&state, &path).await?;
    let site = state.designs.compile(design.sources.clone()).await?;
    Ok(HttpResponse::Ok().json(match query.source {
        View::Designed => whole(&design, &site.documents),
        View::Compiled => {
            let mut body = json!(*site.design);
            body["id"] = json!(design.id);
            body
        }
    }))
}

pub(super) async fn delete(
    state: web::Data<ApiState>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let design = find(&state, &path).await?;
    state.store.delete_design(design.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn parts(
    state: web::Data<ApiState>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let site = compiled(&state, &path).await?;
    let parts: Vec<_> = site
        .documents
        .iter()
        .map(|document| json!({ "kind": document.kind, "key": document.name }))
        .collect();
    Ok(HttpResponse::Ok().json(parts))
}

pub(super) async fn parts_of_kind(
    state: web::Data<ApiState>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (id, kind) = path.into_inner();
    let kind = parse_kind(&kind)?;
    let site = compiled(&state, &id).await?;
    let parts: Vec<_> = site
        .documents
        .iter()
        .filter(|document| document.kind == kind)
        .map(|document| document.to_json(false))
        .collect();
    Ok(HttpResponse::Ok().json(parts))
}

pub(super) async fn part(
    state: web::Data<ApiState>,
    path: web::Path<(String, String, String)>,
    query: web::Query<ViewQuery>,
) -> Result<HttpResponse, ApiError> {
    let (id, kind, name) = path.into_inner();
    let kind = parse_kind(&kind)?;
    let site = compiled(&state, &id).await?;
    let missing = || ApiError::not_found(format!("design {id} has no {kind} named {name}"));
    let body = match query.source {
        View::Designed => site
            .documents
            .iter()
            .find(|document| document.kind == kind && document.name == name)
            .ok_or_else(missing)?
            .to_json(false),
        View::Compiled => compiled_part(&site, kind, &name).ok_or_else(missing)?,
    };
    Ok(HttpResponse::Ok().json(body))
}

/// A part after compilation; profiles have no form of their own then, since nodes have taken them up.
fn compiled_part(site: &CompiledSite, kind: Kind, name: &str) -> Option<Value> {
    let design = &site.design;
    match kind {
        Kind::Region => (design.site.name == name).then(|| json!(design.site)),
        Kind::Rack => design.rack(name).map(|part| json!(part)),
        Kind::NetworkLink => design.link(name).map(|part| json!(part)),
        Kind::Network => design.network(name).map(|part| json!(part)),
        Kind::BaremetalNode => design.node(name).map(|part| json!(**part)),
        Kind::BootAction => design
            .boot_actions
            .iter()
            .find(|action| action.name == name)
            .map(|part| json!(part)),
        Kind::HardwareProfile | Kind::HostProfile => site
            .documents
            .iter()
            .find(|document| document.kind == kind && document.name == name)
            .map(|document| document.to_json(false)),
    }
}

pub(super) async fn upload(
    state: web::Data<ApiState>,
    path: web::Path<String>,
    query: web::Query<UploadQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let format = match query.ingester.as_deref() {
        Some("yaml") => Format::Yaml,
        Some("deckhand") => Format::Deckhand,
        Some("auto") => Format::Auto,
        Some(other) => {
            return Err(ApiError::bad_request(format!(
                "ingester {other:?} is not known; known are yaml, deckhand, auto"
            )));
        }
        None => {
            return Err(ApiError::bad_request(
                "the query parameter ingester is missing: yaml, deckhand or auto",
            ));
        }
    };
    let design = find(&state, &path).await?;
    let bytes = body::read(payload, state.max_body).await?;
    let text = String::from_utf8(bytes.to_vec()).map_err(|error| {
        ApiError::bad_request(format!(
            "the body is not UTF-8 text: byte {} is none of it",
            error.utf8_error().valid_up_to()
        ))
    })?;
    let name = query
        .name
        .clone()
        .unwrap_or_else(|| format!("upload-{}", design.sources.len() + 1));
    let source = Source {
        name: name.into(),
        format,
        text,
    };
    let (designs, read) = (Arc::clone(&state.designs), source.clone());
    let documents = web::block(move || designs.ingest(&read))
        .await
        .map_err(ApiError::internal)?
        .map_err(|findings| {
            let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
            ApiError::findings(
                format!("nothing was taken: {}", lines.join("; ")),
                &findings,
            )
        })?;
    if documents.is_empty() {
        return Err(ApiError::bad_request(format!(
            "{} holds no Drydock document, so nothing was taken",
            source.name
        )));
    }
    let before = state.designs.compile(design.sources.clone()).await?;
    if let Some(twice) = documents.iter().find(|new| {
        before
            .documents
            .iter()
            .any(|old| old.kind == new.kind && old.name == new.name)
    }) {
        return Err(ApiError::bad_request(format!(
            "nothing was taken: {} {} ({}) is in the design already; start a new design to replace it",
            twice.kind,
            twice.name,
            twice.name_location()
        )));
    }
    state
        .store
        .add_source(design.id, design.revision, &source)
        .await?;
    let parts: Vec<_> = documents
        .iter()
        .map(|document| document.to_json(false))
        .collect();
    Ok(HttpResponse::Created().json(parts))
}

fn whole(design: &StoredDesign, documents: &[Document]) -> Value {
    let parts: Vec<_> = documents
        .iter()
        .map(|document| document.to_json(false))
        .collect();
    json!({ "id": design.id, "base_design_id": design.base, "revision": design.revision, "parts": parts })
}

async fn find(state: &ApiState, id: &str) -> Result<StoredDesign, ApiError> {
    let missing = || ApiError::not_found(format!("there is no design {id}"));
    let id: DesignId = id.parse().map_err(|_| missing())?;
    state.store.design(id).await.map_err(|error| match error {
        drydock_model::store::StoreError::NotFound => missing(),
        other => other.into(),
    })
}

async fn compiled(state: &ApiState, id: &str) -> Result<Arc<CompiledSite>, ApiError> {
    let design = find(state, id).await?;
    Ok(state.designs.compile(design.sources).await?)
}

fn parse_kind(text: &str) -> Result<Kind, ApiError> {
    text.parse().map_err(ApiError::not_found)
}
