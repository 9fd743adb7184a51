//! The `deckhand` form: `schema: drydock/<Kind>/v1`, `metadata`, `data`. Documents of other namespaces are passed over.

use drydock_model::ingest::Source;
use drydock_model::tree::Tree;

use crate::form::{self, Form, Outcome, refuse};

pub(crate) struct DeckhandForm;

impl Form for DeckhandForm {
    fn name(&self) -> &'static str {
        "deckhand"
    }

    fn sample(&self) -> &'static str {
        "schema: drydock/<Kind>/v1"
    }

    fn recognises(&self, tree: &Tree) -> bool {
        tree.get("schema").is_some()
    }

    fn read(&self, tree: Tree, source: &Source) -> Outcome {
        let Some(schema) = tree.get("schema") else {
            return refuse(
                source,
                tree.position,
                "document/kind",
                "this document has no schema".into(),
                "write `schema: drydock/<Kind>/v1`".into(),
            );
        };
        let Some(text) = schema.as_text() else {
            return refuse(
                source,
                schema.position,
                "document/kind",
                format!("schema is {}, not a text", schema.describe()),
                "write `schema: drydock/<Kind>/v1`".into(),
            );
        };
        let mut words = text.split('/');
        let namespace = words.next().unwrap_or_default();
        if namespace != "drydock" {
            return Outcome::PassedOver;
        }
        match (words.next(), words.next(), words.next()) {
            (Some(word), Some("v1"), None) => match form::kind(word) {
                Ok(kind) => form::finish(kind, tree, "data", source),
                Err((message, diagnostic)) => refuse(
                    source,
                    schema.position,
                    "document/kind",
                    message,
                    diagnostic,
                ),
            },
            _ => refuse(
                source,
                schema.position,
                "document/kind",
                format!("schema {text:?} is not of the shape drydock/<Kind>/v1"),
                "v1 is the only version".into(),
            ),
        }
    }
}
