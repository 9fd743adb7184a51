//! What holds for every request: its id, its span, the headers that travel along.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use tracing::{Instrument, info, info_span};
use uuid::Uuid;

use crate::error::ApiError;

tokio::task_local! {
    static REQUEST_ID: Uuid;
}

/// The id of the request being served, for error bodies.
pub(crate) fn current_id() -> Option<String> {
    REQUEST_ID.try_with(ToString::to_string).ok()
}

/// `X-Context-Marker`; a malformed one is ignored.
pub(crate) fn context_marker(request: &actix_web::HttpRequest) -> Option<Uuid> {
    header(request, "X-Context-Marker").and_then(|text| Uuid::parse_str(text).ok())
}

/// A name of a path, as the store can take it.
///
/// # Errors
/// 404: nothing is called that.
pub(crate) fn name(text: &str) -> Result<&str, ApiError> {
    if text.contains('\0') {
        Err(ApiError::not_found("no name holds a NUL character"))
    } else {
        Ok(text)
    }
}

/// Who asks, as the client says it.
pub(crate) fn end_user(request: &actix_web::HttpRequest) -> &str {
    header(request, "X-End-User")
        .filter(|text| !text.trim().is_empty())
        .unwrap_or("anonymous")
}

/// A header as text.
pub(crate) fn header<'a>(request: &'a actix_web::HttpRequest, name: &str) -> Option<&'a str> {
    request
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
}

/// Gives every request an id, a span and a line in the log, and every answer `X-Drydock-Req`.
pub(crate) async fn identify(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = Uuid::new_v4();
    let span = info_span!("request", %id, method = %request.method(), path = request.path());
    REQUEST_ID
        .scope(id, async move {
            let marker = context_marker(request.request());
            let started = std::time::Instant::now();
            let mut response = next.call(request).await?;
            let status = response.status().as_u16();
            info!(
                status,
                ms = started.elapsed().as_millis() as u64,
                marker = marker.map(tracing::field::display),
                "answered"
            );
            if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
                response
                    .headers_mut()
                    .insert(HeaderName::from_static("x-drydock-req"), value);
            }
            Ok(response)
        })
        .instrument(span)
        .await
}
