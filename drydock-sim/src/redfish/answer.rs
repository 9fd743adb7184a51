//! An answer of a Redfish service, and how it looks on the wire.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
    headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub(super) fn resource(value: Value) -> Reply {
        Reply::new(200, Some(value))
    }

    pub(super) fn new(status: u16, body: Option<Value>) -> Reply {
        Reply {
            status,
            body,
            headers: Vec::new(),
        }
    }

    pub(super) fn with(mut self, header: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((header, value.into()));
        self
    }

    /// 200 with a body that says no more than that.
    pub(super) fn success() -> Reply {
        Reply::new(
            200,
            Some(json!({"@Message.ExtendedInfo": [message(
                "Base.1.18.Success",
                "The request completed successfully.",
                "OK",
            )]})),
        )
    }

    /// A refusal, worded as DSP0266 section 8.6 has it.
    pub(super) fn refusal(status: u16, id: &str, text: impl AsRef<str>) -> Reply {
        let text = text.as_ref();
        Reply::new(
            status,
            Some(json!({"error": {
                "code": id,
                "message": text,
                "@Message.ExtendedInfo": [message(id, text, "Warning")],
            }})),
        )
    }

    pub(super) fn missing(path: &str) -> Reply {
        Reply::refusal(
            404,
            "Base.1.18.ResourceMissingAtURI",
            format!("The resource at the URI '{path}' was not found."),
        )
    }

    pub(super) fn not_writable(property: &str) -> Reply {
        Reply::refusal(
            400,
            "Base.1.18.PropertyNotWritable",
            format!(
                "The property {property} is a read-only property and cannot be assigned a value."
            ),
        )
    }

    pub(super) fn not_in_list(property: &str, value: &Value) -> Reply {
        Reply::refusal(
            400,
            "Base.1.18.PropertyValueNotInList",
            format!(
                "The value {value} for the property {property} is not in the list of acceptable values."
            ),
        )
    }

    pub(super) fn lacks(property: &str) -> Reply {
        Reply::refusal(
            400,
            "Base.1.18.PropertyMissing",
            format!(
                "The property {property} is a required property and must be included in the request."
            ),
        )
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let body = match &self.body {
            Some(value) => Bytes::from(value.to_string()),
            None => Bytes::new(),
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert("OData-Version", HeaderValue::from_static("4.0"));
        headers.insert("Cache-Control", HeaderValue::from_static("no-cache"));
        if self.body.is_some() {
            headers.insert("Content-Type", HeaderValue::from_static("application/json"));
        }
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(&value),
            ) {
                headers.insert(name, value);
            }
        }
        response
    }
}

fn message(id: &str, text: &str, severity: &str) -> Value {
    json!({
        "@odata.type": "#Message.v1_2_1.Message",
        "MessageId": id,
        "Message": text,
        "MessageArgs": [],
        "MessageSeverity": severity,
        "Resolution": "None.",
    })
}
