//! `GET /metrics`: numbers for Prometheus. Numbers, names of statuses and addresses of controllers; nothing of designs and no secret.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::error::ApiError;
use crate::query::Query;
use crate::state::ApiState;

/// <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>, which Prometheus has read since 2.5.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// An exposition of nothing.
const NOTHING: &str = "# EOF\n";

pub(super) async fn show(
    state: web::Data<ApiState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    Query::new(&request, &[])?;
    let text = match &state.metrics {
        Some(metrics) => metrics.text().await,
        None => NOTHING.to_owned(),
    };
    Ok(HttpResponse::Ok().content_type(OPEN_METRICS).body(text))
}
