//! Request bodies: bounded, of the right type, without unknown fields.

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ApiError;
use crate::request::header;

/// Reads a body up to a limit.
///
/// # Errors
/// 413 when it is longer, 415 when it is compressed, 400 when the connection breaks off.
pub(crate) async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    limit: usize,
) -> Result<Bytes, ApiError> {
    let encoding = request.headers().get(CONTENT_ENCODING);
    if let Some(encoding) =
        encoding.filter(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(ApiError::unsupported_media_type(
            &format!("with content encoding {encoding:?}"),
            "the body as it is",
        ));
    }
    let announced = header(request, CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok());
    if announced.is_some_and(|length: u64| length > limit as u64) {
        return Err(ApiError::too_large(limit));
    }
    let mut body = BytesMut::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|error| {
            ApiError::bad_request(format!("the body could not be read: {error}"))
        })?;
        if body.len() + piece.len() > limit {
            return Err(ApiError::too_large(limit));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// The media type without parameters, in lower case; empty when there is none.
///
/// # Errors
/// 415 when it names a charset other than UTF-8.
pub(crate) fn media_type(request: &HttpRequest) -> Result<String, ApiError> {
    let Some(value) = request.headers().get(CONTENT_TYPE) else {
        return Ok(String::new());
    };
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let mut pieces = text.split(';').map(str::trim);
    let media_type = pieces.next().unwrap_or_default().to_owned();
    let charset = pieces
        .filter_map(|piece| piece.split_once('='))
        .find(|(name, _)| name.trim() == "charset")
        .map(|(_, charset)| charset.trim().trim_matches('"').to_owned());
    match charset.as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(media_type),
        Some(_) => Err(ApiError::unsupported_media_type(&text, "charset=utf-8")),
    }
}

/// Reads a JSON object. A missing content type counts as JSON.
///
/// # Errors
/// 413, 415, and 400 that names the field.
pub(crate) async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<T, ApiError> {
    only_json(request)?;
    parse(&read(request, payload, limit).await?)
}

/// Reads a JSON object, or nothing at all.
///
/// # Errors
/// 413, 415, and 400 that names the field.
pub(crate) async fn optional_json<T: DeserializeOwned + Default>(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<T, ApiError> {
    let bytes = read(request, payload, limit).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    only_json(request)?;
    parse(&bytes)
}

/// Reads the text of design documents. YAML has several names, and scripts send none of them, so only what cannot be a text is refused.
///
/// # Errors
/// 413, 415, and 400 when it is not UTF-8.
pub(crate) async fn documents(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
) -> Result<String, ApiError> {
    let media_type = media_type(request)?;
    let family = media_type.split('/').next().unwrap_or_default();
    if matches!(
        family,
        "multipart" | "image" | "audio" | "video" | "font" | "model"
    ) || matches!(
        media_type.as_str(),
        "application/gzip" | "application/zip" | "application/x-tar"
    ) {
        return Err(ApiError::unsupported_media_type(
            &media_type,
            "application/x-yaml",
        ));
    }
    let bytes = read(request, payload, limit).await?;
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        ApiError::bad_request(format!(
            "the body is not UTF-8 text: byte {} is none of it",
            error.utf8_error().valid_up_to()
        ))
    })
}

/// A field of a body by its type.
///
/// # Errors
/// 400 that names the field.
pub(crate) fn field<T: DeserializeOwned>(
    name: &str,
    value: Option<Value>,
) -> Result<Option<T>, ApiError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value)
            .map(Some)
            .map_err(|error| ApiError::bad_request(format!("{name}: {error}"))),
    }
}

fn only_json(request: &HttpRequest) -> Result<(), ApiError> {
    let media_type = media_type(request)?;
    if matches!(media_type.as_str(), "" | "application/json") {
        Ok(())
    } else {
        Err(ApiError::unsupported_media_type(
            &media_type,
            "application/json",
        ))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Serde would also take a list of the fields' values.
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => {
            return Err(ApiError::bad_request(
                "the body is empty; a JSON object is expected",
            ));
        }
        Some(b'[') => {
            return Err(ApiError::bad_request(
                "the body is a JSON list; a JSON object is expected",
            ));
        }
        Some(_) => {}
    }
    serde_json::from_slice(bytes).map_err(|error| {
        ApiError::bad_request(format!("the body is not the JSON expected here: {error}"))
    })
}
