//! `/versions`, `/health`, `/health/extended`.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::error::ApiError;
use crate::state::ApiState;
use crate::wire::status;

pub(super) async fn versions() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "v1.0": { "path": "/api/v1.0", "status": "stable" } }))
}

pub(super) async fn health(state: web::Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let sick: Vec<_> = state
        .health()
        .await
        .into_iter()
        .filter(|(_, health)| health.is_err())
        .map(|(name, _)| name)
        .collect();
    if sick.is_empty() {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(ApiError::unavailable(format!(
            "not healthy: {}; see /api/v1.0/health/extended",
            sick.join(", ")
        )))
    }
}

pub(super) async fn extended(state: web::Data<ApiState>) -> HttpResponse {
    let (healthy, body) = status::health(&state.health().await);
    if healthy {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    }
}
