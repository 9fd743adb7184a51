//! `/validatedesign` and `/nodefilter`: questions about a design that touch no machine.

use actix_web::{HttpRequest, HttpResponse, web};
use drydock_model::finding::Finding;
use drydock_model::ingest::{Format, Source};
use drydock_orchestrator::designs::DesignError;
use serde::Deserialize;
use serde_json::Value;

use super::tasks::parse_filter;
use crate::body;
use crate::error::ApiError;
use crate::state::ApiState;
use crate::wire::status;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidateBody {
    href: Option<String>,
    #[serde(default)]
    rel: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterBody {
    design_ref: Option<String>,
    #[serde(default)]
    node_filter: Option<Value>,
}

pub(super) async fn validate(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let media_type = body::media_type(&request);
    let result = if media_type.ends_with("yaml") {
        let bytes = body::read(payload, state.max_body).await?;
        let text = String::from_utf8(bytes.to_vec())
            .map_err(|_| ApiError::bad_request("the body is not UTF-8 text"))?;
        state
            .designs
            .compile(vec![Source {
                name: "request".into(),
                format: Format::Auto,
                text,
            }])
            .await
    } else {
        let wanted: ValidateBody = body::json(&request, payload, state.max_body).await?;
        let _ = (wanted.rel, wanted.kind);
        let href = wanted
            .href
            .ok_or_else(|| ApiError::bad_request("href is missing"))?;
        state.designs.resolve(&href).await
    };
    match result {
        Ok(site) => Ok(answer(&site.findings, &state)),
        Err(DesignError::Unreadable(findings)) => Ok(answer(&findings, &state)),
        Err(other) => Err(other.into()),
    }
}

fn answer(findings: &[Finding], state: &ApiState) -> HttpResponse {
    let (valid, body) = status::validation(findings, state.clock.now());
    if valid {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::BadRequest().json(body)
    }
}

pub(super) async fn node_filter(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let wanted: FilterBody = body::json(&request, payload, state.max_body).await?;
    let design_ref = wanted
        .design_ref
        .ok_or_else(|| ApiError::bad_request("design_ref is missing"))?;
    let filter = match wanted.node_filter {
        None | Some(Value::Null) => None,
        Some(value) => Some(parse_filter(value)?),
    };
    let site = state.designs.resolve(&design_ref).await?;
    let nodes = drydock_design::select(&site.design, filter.as_ref())
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    let names: Vec<_> = nodes.iter().map(|node| node.name.clone()).collect();
    Ok(HttpResponse::Ok().json(names))
}
