//! Request bodies: bounded, of the right type, without unknown fields.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Payload};
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// Reads a body up to a limit.
///
/// # Errors
/// 413 when it is longer, 400 when the connection breaks off.
pub(crate) async fn read(payload: Payload, limit: usize) -> Result<Bytes, ApiError> {
    match payload.to_bytes_limited(limit).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(ApiError::bad_request(format!(
            "the body could not be read: {error}"
        ))),
        Err(_) => Err(ApiError::too_large(limit)),
    }
}

/// The media type without parameters, in lower case; empty when there is none.
pub(crate) fn media_type(request: &HttpRequest) -> String {
    request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase()
}

/// Reads a JSON body. A missing content type counts as JSON.
///
/// # Errors
/// 413, 415, and 400 that names the field.
pub(crate) async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<T, ApiError> {
    let media_type = media_type(request);
    if !matches!(media_type.as_str(), "" | "application/json") {
        return Err(ApiError::unsupported_media_type(
            &media_type,
            "application/json",
        ));
    }
    let bytes = read(payload, limit).await?;
    parse(&bytes)
}

/// Reads JSON from bytes.
///
/// # Errors
/// 400 that names the field or the place.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.is_empty() {
        return Err(ApiError::bad_request(
            "the body is empty; a JSON object is expected",
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        ApiError::bad_request(format!("the body is not the JSON expected here: {error}"))
    })
}
