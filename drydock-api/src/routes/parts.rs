//! `/designs/{id}/parts`: the documents of a design.

use std::sync::Arc;

use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, web};
use drydock_model::design::{Document, Kind};
use drydock_model::finding::{DocumentRef, Location, told};
use drydock_model::ingest::{Format, Source};
use drydock_model::tree::told_json;
use drydock_model::tree::{REDACTED, is_secret_key};
use drydock_orchestrator::designs::CompiledSite;
use serde_json::{Value, json};

use super::designs::{View, compiled, find};
use super::revision::{Expected, Judged, change, etag, without};
use crate::body;
use crate::error::ApiError;
use crate::query::Query;
use crate::state::ApiState;

pub(super) async fn list(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let (design, site) = compiled(&state, &path).await?;
    let parts: Vec<_> = site
        .documents
        .iter()
        .map(|document| json!({ "kind": document.kind, "key": document.name }))
        .collect();
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, etag(design.revision)))
        .json(parts))
}

pub(super) async fn of_kind(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (id, kind) = path.into_inner();
    Query::new(&request, &[])?;
    let kind = parse_kind(&kind)?;
    let (design, site) = compiled(&state, &id).await?;
    let parts: Vec<_> = site
        .documents
        .iter()
        .filter(|document| document.kind == kind)
        .map(|document| document.to_json(false))
        .collect();
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, etag(design.revision)))
        .json(parts))
}

pub(super) async fn show(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (id, kind, name) = path.into_inner();
    let view = View::new(&request)?;
    let kind = parse_kind(&kind)?;
    let (design, site) = compiled(&state, &id).await?;
    let body = match view {
        View::Designed => designed_part(&site, kind, &name),
        View::Compiled => compiled_part(&site, kind, &name),
    };
    let body = body.ok_or_else(|| missing(&id, kind, &name))?;
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, etag(design.revision)))
        .json(body))
}

pub(super) async fn upload(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let query = Query::new(&request, &["ingester", "name"])?;
    let format = match query.text("ingester") {
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
    let expected = Expected::new(&request)?;
    let design = find(&state, &path).await?;
    let text = body::documents(&request, payload, state.max_body).await?;
    // What to call the text in findings; our own clients send the file's name.
    let name = query
        .text("name")
        .filter(|name| !name.is_empty())
        .map_or_else(|| format!("upload-{}", design.revision + 1), str::to_owned);
    let source = Source {
        name: name.into(),
        format,
        text,
        without: Vec::new(),
    };
    let documents = ingest(&state, &source).await?;
    if documents.is_empty() {
        return Err(ApiError::bad_request(format!(
            "{} holds no Drydock document, so nothing was taken",
            source.name
        )));
    }
    let revision = change(&state, &path, &expected, Judged::Alone, async |design| {
        let before = state.designs.compile(design.sources.clone()).await?;
        let twice = documents.iter().find(|new| {
            before
                .documents
                .iter()
                .any(|old| old.kind == new.kind && old.name == new.name)
        });
        if let Some(twice) = twice {
            return Err(ApiError::bad_request(format!(
                "nothing was taken: {} {} ({}) is in the design already; replace it with PUT, or start a new design",
                twice.kind,
                twice.name,
                twice.name_location()
            )));
        }
        let mut sources = design.sources.clone();
        sources.push(source.clone());
        Ok(sources)
    })
    .await?;
    let parts: Vec<_> = documents
        .iter()
        .map(|document| document.to_json(false))
        .collect();
    Ok(HttpResponse::Created()
        .insert_header((ETAG, etag(revision)))
        .json(parts))
}

pub(super) async fn replace(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<(String, String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let (id, kind, name) = path.into_inner();
    Query::new(&request, &[])?;
    let expected = Expected::new(&request)?;
    let kind = parse_kind(&kind)?;
    find(&state, &id).await?;
    let source = Source {
        name: format!("{kind}/{name}").into(),
        format: Format::Auto,
        text: body::documents(&request, payload, state.max_body).await?,
        without: Vec::new(),
    };
    let document = match ingest(&state, &source).await?.as_slice() {
        [one] if one.kind == kind && one.name == name => one.clone(),
        [other] => {
            return Err(ApiError::bad_request(format!(
                "nothing was changed: the body is {} {}, the path says {kind} {name}",
                other.kind, other.name
            )));
        }
        others => {
            return Err(ApiError::bad_request(format!(
                "nothing was changed: the body holds {} Drydock documents; exactly one is expected",
                others.len()
            )));
        }
    };
    let target = document.reference();
    let revision = change(&state, &id, &expected, Judged::AsAWhole, async |design| {
        let (mut sources, _) = strike(&state, &design.sources, &target).await?;
        sources.push(source.clone());
        Ok(sources)
    })
    .await?;
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, etag(revision)))
        .json(document.to_json(false)))
}

pub(super) async fn delete(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (id, kind, name) = path.into_inner();
    Query::new(&request, &[])?;
    let expected = Expected::new(&request)?;
    let kind = parse_kind(&kind)?;
    let target = DocumentRef { kind, name };
    let revision = change(
        &state,
        &id,
        &expected,
        Judged::AsAWhole,
        async |design| match strike(&state, &design.sources, &target).await? {
            (sources, true) => Ok(sources),
            (_, false) => Err(missing(&id, kind, &target.name)),
        },
    )
    .await?;
    Ok(HttpResponse::NoContent()
        .insert_header((ETAG, etag(revision)))
        .finish())
}

/// Sources without a document; reading them all again takes a while, so not on a thread that serves.
async fn strike(
    state: &ApiState,
    sources: &[Source],
    target: &DocumentRef,
) -> Result<(Vec<Source>, bool), ApiError> {
    let (designs, sources, target) = (Arc::clone(&state.designs), sources.to_vec(), target.clone());
    web::block(move || without(&designs, &sources, &target))
        .await
        .map_err(ApiError::internal)
}

/// Reads a text that a client sent.
async fn ingest(state: &ApiState, source: &Source) -> Result<Vec<Document>, ApiError> {
    let (designs, read) = (Arc::clone(&state.designs), source.clone());
    let documents = web::block(move || designs.ingest(std::slice::from_ref(&read)))
        .await
        .map_err(ApiError::internal)?
        .map_err(|findings| {
            ApiError::findings(
                format!("nothing was taken: {}", told(&findings, "; ")),
                &findings,
            )
        })?;
    match documents.iter().find_map(redacted_secret) {
        None => Ok(documents),
        Some(place) => Err(ApiError::bad_request(format!(
            "nothing was taken: {place} is {REDACTED}, which this server shows in place of a secret; write the secret itself"
        ))),
    }
}

/// Where a document has what answers show in place of a secret: taken for the secret it would lock us out.
fn redacted_secret(document: &Document) -> Option<Location> {
    document
        .tree
        .get("oob")?
        .entries()
        .iter()
        .find(|entry| is_secret_key(&entry.key) && entry.value.as_text() == Some(REDACTED))
        .map(|entry| document.at(entry.value.position))
}

fn designed_part(site: &CompiledSite, kind: Kind, name: &str) -> Option<Value> {
    site.documents
        .iter()
        .find(|document| document.kind == kind && document.name == name)
        .map(|document| document.to_json(false))
}

/// A part after compilation; profiles have no form of their own then, since nodes have taken them up.
fn compiled_part(site: &CompiledSite, kind: Kind, name: &str) -> Option<Value> {
    let design = &site.design;
    match kind {
        Kind::Region => (design.site.name == name).then(|| told_json(&design.site)),
        Kind::Rack => design.rack(name).map(told_json),
        Kind::NetworkLink => design.link(name).map(told_json),
        Kind::Network => design.network(name).map(told_json),
        Kind::BaremetalNode => design.node(name).map(|part| told_json(&**part)),
        Kind::BootAction => design
            .boot_actions
            .iter()
            .find(|action| action.name == name)
            .map(told_json),
        Kind::HardwareProfile | Kind::HostProfile => designed_part(site, kind, name),
    }
}

fn missing(id: &str, kind: Kind, name: &str) -> ApiError {
    ApiError::not_found(format!("design {id} has no {kind} named {name}"))
}

fn parse_kind(text: &str) -> Result<Kind, ApiError> {
    text.parse().map_err(ApiError::not_found)
}
