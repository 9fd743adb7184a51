//! The one place where errors become HTTP status codes. Only text meant for the user gets out.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use drydock_model::driver::{DriverError, ErrorClass};
use drydock_model::finding::{Finding, Level, told};
use drydock_model::store::StoreError;
use drydock_orchestrator::boot::service::BootError;
use drydock_orchestrator::designs::DesignError;
use serde_json::{Value, json};
use tracing::error;

use crate::request;

/// An answer that is not what was asked for.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Option<Box<Value>>,
    retry: bool,
    retry_after_s: Option<u64>,
    allow: Option<String>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        ApiError {
            status,
            code,
            message: message.into(),
            details: None,
            retry: false,
            retry_after_s: None,
            allow: None,
        }
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 400 with the findings that say why a design is not taken.
    pub fn findings(message: impl Into<String>, findings: &[Finding]) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, "invalid_design", message);
        error.details = Some(Box::new(json!(findings)));
        error
    }

    /// 401: no credentials.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 409: something stands against it.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// 405; `allowed` becomes the `Allow` header.
    pub fn method_not_allowed(method: &str, allowed: &str) -> Self {
        let mut error = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("{method} is not allowed here; allowed: {allowed}"),
        );
        error.allow = Some(allowed.to_owned());
        error
    }

    /// 412: it is not what the client thinks it is.
    pub fn precondition_failed(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            message,
        )
    }

    /// 413.
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("the body is larger than api.max_body ({limit} bytes)"),
        )
    }

    /// 415; `got` says what came: a media type, an encoding.
    pub fn unsupported_media_type(got: &str, wanted: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("a body {got} is not taken here; send {wanted}"),
        )
    }

    /// 503.
    pub fn unavailable(message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
        error.retry = true;
        error.retry_after_s = Some(5);
        error
    }

    /// 500; the cause goes to the log, not to the client.
    pub fn internal(cause: impl fmt::Display) -> Self {
        error!(%cause, "internal error");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed at this; its log has the cause under the request id",
        )
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({
            "type": "error",
            "message": self.message,
            "retry": self.retry,
            "code": self.code,
            "request_id": request::current_id(),
        });
        if let Some(details) = &self.details {
            body["details"] = Value::clone(details);
        }
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((ALLOW, allow.as_str()));
        }
        response
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
            .body(body.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::not_found("there is no such object"),
            StoreError::Conflict(text) => Self::conflict(text),
            StoreError::StaleClaim | StoreError::Deposed => Self::conflict(error.to_string()),
            // The cause may name hosts and users of the database.
            StoreError::Unavailable(cause) => {
                error!(%cause, "the database is not available");
                Self::unavailable("the database is not available right now")
            }
            StoreError::Internal(cause) => Self::internal(cause),
        }
    }
}

impl From<DesignError> for ApiError {
    fn from(error: DesignError) -> Self {
        match error {
            DesignError::Reference(text) => Self::bad_request(text),
            // The client named it, so it is the client's fault; the same request may still succeed later.
            DesignError::Unavailable(text) => {
                let mut error = Self::new(StatusCode::BAD_REQUEST, "design_unavailable", text);
                error.retry = true;
                error
            }
            DesignError::Unreadable(mut findings) => {
                findings.retain(|finding| finding.level == Level::Error);
                Self::findings(
                    format!("the design cannot be read: {}", told(&findings, "; ")),
                    &findings,
                )
            }
            DesignError::Defect(text) => Self::internal(text),
            DesignError::Store(error) => error.into(),
        }
    }
}

impl From<BootError> for ApiError {
    fn from(error: BootError) -> Self {
        match error {
            BootError::Unknown => Self::not_found(error.to_string()),
            BootError::WrongKey => Self::new(StatusCode::FORBIDDEN, "wrong_key", error.to_string()),
            BootError::Render(inner) if inner.transient => Self::unavailable(inner.to_string()),
            // The design is at fault, not the machine that asks; trying again changes nothing.
            BootError::Render(inner) => {
                error!(error = %inner, "a boot action cannot be rendered");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "render",
                    inner.to_string(),
                )
            }
            // That a pinned design is not there is no fault of the machine's.
            BootError::Design(DesignError::Store(inner)) if inner != StoreError::NotFound => {
                inner.into()
            }
            BootError::Design(inner) => Self::internal(inner),
            BootError::Store(inner) => inner.into(),
        }
    }
}

impl From<DriverError> for ApiError {
    fn from(error: DriverError) -> Self {
        match error.class {
            ErrorClass::Transient => Self::unavailable(error.to_string()),
            ErrorClass::Auth | ErrorClass::Permanent => {
                Self::new(StatusCode::BAD_GATEWAY, "driver", error.to_string())
            }
        }
    }
}
