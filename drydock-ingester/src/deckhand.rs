//! The `deckhand` form: `schema: drydock/<Kind>/v1`, `metadata`, `data`. Documents of other namespaces are passed over.

use drydock_model::tree::Tree;

use crate::form::{self, Form, Outcome, Text, refuse};
use crate::layered;

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

    fn read(&self, tree: Tree, text: &Text<'_>) -> Outcome {
        let Some(schema) = tree.get("schema") else {
            return refuse(
                text,
                tree.position,
                "document/kind",
                "this document has no schema".into(),
                "write `schema: drydock/<Kind>/v1`".into(),
            );
        };
        let Some(name) = schema.as_text() else {
            return refuse(
                text,
                schema.position,
                "document/kind",
                format!("schema is {}, not a text", schema.describe()),
                "write `schema: drydock/<Kind>/v1`".into(),
            );
        };
        let mut words = name.split('/');
        let namespace = words.next().unwrap_or_default();
        if namespace != "drydock" {
            return Outcome::PassedOver;
        }
        if let Some(position) = layered::is_abstract(&tree) {
            return refuse(
                text,
                position,
                "document/layering",
                format!(
                    "{name} {}: this document is abstract, that is, to be layered under others; but there is no layering policy",
                    tree.find(&["metadata", "name"]).and_then(Tree::as_text).unwrap_or_default()
                ),
                "give the folder that holds the deckhand/LayeringPolicy, too, so that the tree is rendered; a rendered design has no abstract documents".into(),
            );
        }
        match (words.next(), words.next(), words.next()) {
            (Some(word), Some("v1"), None) => match form::kind(word) {
                Ok(kind) => form::finish(kind, tree, "data", text),
                Err((message, diagnostic)) => {
                    refuse(text, schema.position, "document/kind", message, diagnostic)
                }
            },
            _ => refuse(
                text,
                schema.position,
                "document/kind",
                format!("schema {name:?} is not of the shape drydock/<Kind>/v1"),
                "v1 is the only version".into(),
            ),
        }
    }
}
