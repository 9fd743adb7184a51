//! `/bootactions`: what deployed machines fetch and report, each with its deployment's own key.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use drydock_model::boot::BootStatus;
use drydock_model::effective::AssetKind;
use drydock_model::id::BootActionId;
use drydock_model::task::{ContextType, Message};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::body;
use crate::error::ApiError;
use crate::request::{header, name};
use crate::state::ApiState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportBody {
    #[serde(default)]
    status: Option<String>,
    // A client in Go sends null for an empty list.
    #[serde(default)]
    details: Option<Vec<Detail>>,
}

#[derive(Deserialize)]
struct Detail {
    message: Option<String>,
    error: Option<bool>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

fn key(request: &HttpRequest) -> Result<&str, ApiError> {
    header(request, "X-Bootaction-Key")
        .ok_or_else(|| ApiError::unauthorized("the header X-Bootaction-Key is missing"))
}

pub(super) async fn entries(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(state.boot.entries(name(&path)?, key(&request)?).await?))
}

pub(super) async fn units(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    archive(&state, &request, &path, AssetKind::Unit).await
}

pub(super) async fn files(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    archive(&state, &request, &path, AssetKind::File).await
}

async fn archive(
    state: &ApiState,
    request: &HttpRequest,
    node: &str,
    kind: AssetKind,
) -> Result<HttpResponse, ApiError> {
    let bytes = state.boot.archive(name(node)?, kind, key(request)?).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/gzip")
        .body(bytes))
}

pub(super) async fn packages(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(state.boot.packages(name(&path)?, key(&request)?).await?))
}

pub(super) async fn report(
    state: web::Data<ApiState>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let key = key(&request)?;
    let action: BootActionId = path
        .parse()
        .map_err(|_| ApiError::not_found(format!("there is no boot action {path}")))?;
    let context = state.boot.context_of(action).await?;
    // Who has no key may not make the server read a body, let alone hear what is wrong with it.
    state.boot.entries(&context.node, key).await?;
    let wanted: ReportBody = body::json(&request, payload, state.max_body).await?;
    let status = match wanted
        .status
        .as_deref()
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        None => None,
        Some("success") => Some(BootStatus::Success),
        Some("failure") => Some(BootStatus::Failure),
        Some(other) => {
            return Err(ApiError::bad_request(format!(
                "status {other:?} is neither Success nor Failure"
            )));
        }
    };
    let action_name = context
        .entries
        .iter()
        .find(|entry| entry.action_id == action)
        .map_or("", |entry| entry.name.as_str());
    let about = format!("{}: {action_name}", context.node);
    let now = state.clock.now();
    let messages = wanted
        .details
        .unwrap_or_default()
        .into_iter()
        .map(|detail| message(detail, &about, now))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(HttpResponse::Ok().json(state.boot.report(action, key, status, &messages).await?))
}

fn message(detail: Detail, about: &str, ts: DateTime<Utc>) -> Result<Message, ApiError> {
    Ok(Message {
        message: detail
            .message
            .ok_or_else(|| ApiError::bad_request("a member of details has no message"))?,
        error: detail.error.unwrap_or(false),
        context_type: ContextType::BootAction,
        context: about.to_owned(),
        ts,
        extra: detail.extra,
    })
}
