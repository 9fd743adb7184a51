//! A server's validation messages, read back as the findings that they were.

use drydock_model::design::Kind;
use drydock_model::finding::{DocumentRef, Finding, Fix, Level, Location};
use serde::Deserialize;
use serde_json::Value;

/// A message of `/validatedesign`. What an older server leaves out may be missing.
#[derive(Deserialize)]
struct Message {
    /// The rule's code.
    name: String,
    #[serde(default)]
    rule: Option<String>,
    message: String,
    #[serde(default)]
    error: bool,
    #[serde(default)]
    level: Option<Level>,
    #[serde(default)]
    diagnostic: Option<String>,
    #[serde(default)]
    documents: Vec<Named>,
    #[serde(default)]
    location: Option<Location>,
    #[serde(default)]
    chain: Vec<Named>,
    #[serde(default)]
    fix: Option<Fix>,
}

/// A document as the API names it: `drydock/<Kind>/v1`.
#[derive(Deserialize)]
struct Named {
    schema: String,
    name: String,
}

impl Named {
    /// `None` for a kind that there was not when this was built.
    fn document(self) -> Option<DocumentRef> {
        let kind: Kind = self.schema.split('/').nth(1)?.parse().ok()?;
        Some(DocumentRef {
            kind,
            name: self.name,
        })
    }
}

/// The findings in a Status answer.
///
/// # Errors
/// What about it cannot be understood.
pub fn findings(status: &Value) -> serde_json::Result<Vec<Finding>> {
    let list = &status["details"]["messageList"];
    let messages = Vec::<Message>::deserialize(list)?;
    Ok(messages.into_iter().map(finding).collect())
}

fn finding(message: Message) -> Finding {
    let documents = |named: Vec<Named>| named.into_iter().filter_map(Named::document).collect();
    let level = message.level.unwrap_or(if message.error {
        Level::Error
    } else {
        Level::Info
    });
    Finding {
        // A server without rule ids has the code only.
        rule: message.rule.unwrap_or_else(|| message.name.clone()),
        code: message.name,
        level,
        message: message.message,
        diagnostic: message.diagnostic.unwrap_or_default(),
        documents: documents(message.documents),
        location: message.location,
        chain: documents(message.chain),
        fix: message.fix,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::DateTime;
    use drydock_api::wire::status;
    use serde_json::json;

    use super::super::tests::{document, finding};
    use super::*;

    #[test]
    fn a_finding_comes_back_as_it_was_sent() {
        let mut sent = finding("site.yaml", 3, 5);
        sent.documents = vec![document(Kind::BaremetalNode, "n1")];
        sent.chain = vec![
            document(Kind::BaremetalNode, "n1"),
            document(Kind::HostProfile, "worker"),
        ];
        sent.fix = Some(Fix {
            replace: "a".into(),
            by: "b".into(),
        });
        let bare = Finding {
            level: Level::Info,
            diagnostic: String::new(),
            location: None,
            ..finding("", 0, 0)
        };
        let sent = [sent, bare];
        let (_, answer) = status::validation(&sent, DateTime::UNIX_EPOCH);
        assert_eq!(findings(&answer).unwrap(), sent);
    }

    #[test]
    fn a_server_that_knows_less_is_understood() {
        let message = json!({ "name": "DD2003", "message": "m", "error": true,
            "documents": [{ "schema": "drydock/Sofa/v1", "name": "x" }] });
        let answer = json!({ "details": { "messageList": [message] } });
        let read = findings(&answer).unwrap();
        assert_eq!((&*read[0].rule, read[0].level), ("DD2003", Level::Error));
        assert!(findings(&json!({ "details": {} })).is_err());
    }
}
