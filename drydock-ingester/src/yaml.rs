//! The `yaml` form: `apiVersion: drydock/v1`, `kind`, `metadata`, `spec`.

use drydock_model::tree::Tree;

use crate::form::{self, Form, Outcome, Text, refuse};

const API_VERSION: &str = "drydock/v1";

pub(crate) struct YamlForm;

impl Form for YamlForm {
    fn name(&self) -> &'static str {
        "yaml"
    }

    fn sample(&self) -> &'static str {
        "apiVersion: drydock/v1, kind: ..."
    }

    fn recognises(&self, tree: &Tree) -> bool {
        tree.get("apiVersion").is_some()
            || (tree.get("kind").is_some() && tree.get("schema").is_none())
    }

    fn read(&self, tree: Tree, text: &Text<'_>) -> Outcome {
        let at = |key: &str| tree.get(key).map_or(tree.position, |value| value.position);
        let version = tree.get("apiVersion").and_then(Tree::as_text);
        if version != Some(API_VERSION) {
            let message = match version {
                Some(version) => {
                    format!("apiVersion is {version:?}; {API_VERSION:?} is the one known")
                }
                None => "this document has no apiVersion".into(),
            };
            return refuse(
                text,
                at("apiVersion"),
                "document/form",
                message,
                format!(
                    "write `apiVersion: {API_VERSION}`, or remove the document if it is none of Drydock's"
                ),
            );
        }
        let Some(word) = tree.get("kind").and_then(Tree::as_text) else {
            return refuse(
                text,
                at("kind"),
                "document/kind",
                "this document has no kind".into(),
                "set `kind`, for instance `kind: BaremetalNode`".into(),
            );
        };
        match form::kind(word) {
            Ok(kind) => form::finish(kind, tree, "spec", text),
            Err((message, diagnostic)) => {
                refuse(text, at("kind"), "document/kind", message, diagnostic)
            }
        }
    }
}
