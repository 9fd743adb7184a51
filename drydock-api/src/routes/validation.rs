//! `/validatedesign` and `/nodefilter`: questions about a design that touch no machine.

use actix_web::{HttpRequest, HttpResponse, web};
use drydock_model::finding::{Finding, Level};
use drydock_model::ingest::{Format, Source};
use drydock_orchestrator::designs::DesignError;
use serde::Deserialize;
use serde_json::Value;

use super::tasks::parse_filter;
use crate::body;
use crate::error::ApiError;
use crate::query::Query;
use crate::state::ApiState;
use crate::wire::status;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidateBody {
    href: Option<Value>,
    // What the text is called elsewhere, and of which form it is: the text itself says that, too.
    #[serde(default, rename = "rel")]
    _rel: Option<Value>,
    #[serde(default, rename = "type")]
    _type: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterBody {
    design_ref: Option<Value>,
    #[serde(default)]
    node_filter: Option<Value>,
}

pub(super) async fn validate(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let media_type = body::media_type(&request)?;
    let result = if media_type.ends_with("yaml") {
        let text = body::documents(&request, payload, state.max_body).await?;
        state
            .designs
            .compile(vec![Source {
                name: "request".into(),
                format: Format::Auto,
                text,
                without: Vec::new(),
            }])
            .await
    } else {
        let wanted: ValidateBody = body::json(&request, payload, state.max_body).await?;
        let href: String = body::field("href", wanted.href)?
            .ok_or_else(|| ApiError::bad_request("href is missing"))?;
        state.designs.resolve(&href).await
    };
    match result {
        Ok(site) => Ok(answer(&state.designs.judge(&site).await, &state)),
        Err(DesignError::Unreadable(findings)) => Ok(answer(&findings, &state)),
        // Also a design that cannot be had is one that is not valid; clients look for the reason among the messages.
        Err(DesignError::Reference(text) | DesignError::Unavailable(text)) => {
            Ok(answer(&[unreachable(text)], &state))
        }
        Err(error @ (DesignError::Store(_) | DesignError::Defect(_))) => Err(error.into()),
    }
}

fn unreachable(message: String) -> Finding {
    Finding {
        rule: "design/reference".into(),
        code: "DD000".into(),
        level: Level::Error,
        message,
        diagnostic: "give a reference that leads to a design and that design.allow_refs allows"
            .into(),
        documents: Vec::new(),
        location: None,
        chain: Vec::new(),
        fix: None,
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
    Query::new(&request, &[])?;
    let wanted: FilterBody = body::json(&request, payload, state.max_body).await?;
    let design_ref: String = body::field("design_ref", wanted.design_ref)?
        .ok_or_else(|| ApiError::bad_request("design_ref is missing"))?;
    let filter = parse_filter(wanted.node_filter)?;
    let site = state.designs.resolve(&design_ref).await?;
    let nodes = drydock_design::select(&site.design, filter.as_ref())
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    let names: Vec<_> = nodes.iter().map(|node| node.name.clone()).collect();
    Ok(HttpResponse::Ok().json(names))
}
