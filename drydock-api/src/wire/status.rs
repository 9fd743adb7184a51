//! The Status object: results of validations and of health checks.

use chrono::{DateTime, Utc};
use drydock_model::finding::{DocumentRef, Finding, Fix, Level, Location};
use serde::Serialize;
use serde_json::{Value, json};

/// A message of a validation.
#[derive(Clone, Debug, Serialize)]
pub struct ValidationMessage {
    kind: &'static str,
    name: String,
    rule: String,
    message: String,
    error: bool,
    level: Level,
    diagnostic: String,
    ts: DateTime<Utc>,
    documents: Vec<DocumentName>,
    location: Option<Location>,
    /// How the first document comes by the value, over the profiles it inherits from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chain: Vec<DocumentName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<Fix>,
}

#[derive(Clone, Debug, Serialize)]
struct DocumentName {
    schema: String,
    name: String,
}

impl From<&DocumentRef> for DocumentName {
    fn from(document: &DocumentRef) -> Self {
        DocumentName {
            schema: format!("drydock/{}/v1", document.kind),
            name: document.name.clone(),
        }
    }
}

impl ValidationMessage {
    /// A finding as clients read it.
    #[must_use]
    pub fn new(finding: &Finding, ts: DateTime<Utc>) -> Self {
        ValidationMessage {
            kind: "ValidationMessage",
            name: finding.code.clone(),
            rule: finding.rule.clone(),
            message: finding.message.clone(),
            error: finding.level == Level::Error,
            level: finding.level,
            diagnostic: finding.diagnostic.clone(),
            ts,
            documents: finding.documents.iter().map(DocumentName::from).collect(),
            location: finding.location.clone(),
            chain: finding.chain.iter().map(DocumentName::from).collect(),
            fix: finding.fix.clone(),
        }
    }
}

/// The answer of `/validatedesign`.
#[must_use]
pub fn validation(findings: &[Finding], ts: DateTime<Utc>) -> (bool, Value) {
    let messages: Vec<_> = findings
        .iter()
        .map(|finding| ValidationMessage::new(finding, ts))
        .collect();
    let errors = messages.iter().filter(|message| message.error).count();
    let valid = errors == 0;
    let body = json!({
        "kind": "Status",
        "apiVersion": "v1.0",
        "metadata": {},
        "status": if valid { "Success" } else { "Failure" },
        "message": if valid { "Drydock validations succeeded".to_owned() } else { format!("Drydock validations found {errors} error(s)") },
        "reason": if valid { "Validation" } else { "Validation failed" },
        "details": { "errorCount": errors, "messageList": messages },
        "code": if valid { 200 } else { 400 },
    });
    (valid, body)
}

/// The answer of `/health/extended`.
#[must_use]
pub fn health(parts: &[(&'static str, Result<(), String>)]) -> (bool, Value) {
    let sick = parts.iter().filter(|(_, health)| health.is_err()).count();
    let messages: Vec<_> = parts
        .iter()
        .map(|(name, health)| {
            let message = match health {
                Ok(()) => format!("{name}: healthy"),
                Err(reason) => format!("{name}: {reason}"),
            };
            json!({ "message": message, "error": health.is_err(), "kind": "SimpleMessage" })
        })
        .collect();
    let body = json!({
        "kind": "Status",
        "apiVersion": "v1.0",
        "metadata": {},
        "status": if sick == 0 { "Success" } else { "Failure" },
        "message": if sick == 0 { "all parts are healthy".to_owned() } else { format!("{sick} part(s) are not healthy") },
        "reason": null,
        "details": { "errorCount": sick, "messageList": messages },
    });
    (sick == 0, body)
}
