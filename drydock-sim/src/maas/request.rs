//! A request as the API sees it, and the answer to it.

use serde_json::{Value, json};

use super::form::Form;

/// An HTTP method the API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    pub(super) fn word(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
        }
    }
}

/// One authenticated request, path split at its slashes.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) verb: Verb,
    pub(super) path: Vec<&'a str>,
    pub(super) op: Option<String>,
    pub(super) query: Form,
    pub(super) form: Form,
}

/// What a handler gives: either way it is an answer, an error only leaves early.
pub(super) type Answer = Result<Reply, Reply>;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Body,
}

/// What an answer carries.
#[derive(Debug)]
pub(super) enum Body {
    Json(Value),
    Text(String),
    Bson(Vec<u8>),
    Empty,
}

impl Request<'_> {
    /// The field of the form (of the query for a GET).
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        match self.verb {
            Verb::Get => self.query.get(name),
            _ => self.form.get(name),
        }
    }

    /// A field that must be there and not be empty.
    pub(super) fn required(&self, name: &str) -> Result<&str, Reply> {
        self.field(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Reply::invalid(name, "This field is required."))
    }

    /// A truth value; absent is `None`, anything unknown is refused.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Reply> {
        match self.field(name) {
            None | Some("") => Ok(None),
            Some("true" | "True" | "1" | "on") => Ok(Some(true)),
            Some("false" | "False" | "0" | "off") => Ok(Some(false)),
            Some(other) => Err(Reply::invalid(
                name,
                &format!("'{other}' is not a boolean."),
            )),
        }
    }

    /// A number; absent or empty is `None`.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Reply> {
        match self.field(name) {
            None | Some("") => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| Reply::invalid(name, "Enter a whole number.")),
        }
    }

    /// The answer to a method or operation this resource does not have.
    pub(super) fn unrecognised(&self) -> Reply {
        let op = self.op.as_deref().unwrap_or("None");
        Reply::text(
            400,
            format!(
                "Unrecognised signature: method={} op={op}",
                self.verb.word()
            ),
        )
    }
}

impl Reply {
    pub(super) fn json(value: Value) -> Self {
        Self {
            status: 200,
            body: Body::Json(value),
        }
    }

    pub(super) fn deleted() -> Self {
        Self {
            status: 204,
            body: Body::Empty,
        }
    }

    pub(super) fn text(status: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            body: Body::Text(text.into()),
        }
    }

    /// 400 with the reason by field, as Django forms give it.
    pub(super) fn invalid(field: &str, reason: &str) -> Self {
        Self {
            status: 400,
            body: Body::Json(json!({ field: [reason] })),
        }
    }

    /// 404 as MaaS words it for `model`.
    pub(super) fn missing(model: &str) -> Self {
        Self::text(404, format!("No {model} matches the given query."))
    }

    pub(super) fn conflict(text: impl Into<String>) -> Self {
        Self::text(409, text)
    }
}
