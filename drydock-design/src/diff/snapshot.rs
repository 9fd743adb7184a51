//! A compiled design as it is compared: its serialised form, and the secrets beside it where they are known.

use std::collections::{BTreeMap, HashMap};

use drydock_model::effective::{EffectiveDesign, Node};
use drydock_model::tree::is_secret_key;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use thiserror::Error;

/// A value that is no compiled design.
#[derive(Debug, Error)]
pub enum NotADesign {
    /// It lacks what every compiled design has.
    #[error("it is no compiled design: {0}")]
    Shape(String),
    /// It cannot be written as JSON.
    #[error("the compiled design cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// A compiled design to compare. The serialised form never tells a credential. A design that was compiled here brings its secrets along, so that a
/// changed password is seen; one that a server told does not, and then the password is neither equal nor different but not compared.
#[derive(Clone, Debug)]
pub struct Snapshot {
    value: Value,
    secrets: BTreeMap<Vec<String>, SecretString>,
}

impl Snapshot {
    /// Of a design that was compiled here.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn of(design: &EffectiveDesign) -> Result<Self, NotADesign> {
        let mut snapshot = Snapshot::from_json(serde_json::to_value(design)?)?;
        for node in &design.nodes {
            snapshot.secrets.extend(secrets(node));
        }
        Ok(snapshot)
    }

    /// Of a design as a server tells it (`GET /designs/{id}?source=compiled`).
    ///
    /// # Errors
    /// When it has no list of nodes with names.
    pub fn from_json(value: Value) -> Result<Self, NotADesign> {
        let shape = |what: &str| NotADesign::Shape(what.to_owned());
        let nodes = value
            .get("nodes")
            .and_then(Value::as_array)
            .ok_or_else(|| shape("it has no list \"nodes\""))?;
        if let Some(at) = nodes.iter().position(|node| name(node).is_none()) {
            return Err(NotADesign::Shape(format!("nodes[{at}] has no name")));
        }
        Ok(Snapshot {
            value,
            secrets: BTreeMap::new(),
        })
    }

    /// The serialised design.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The nodes by name, in design order.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&str, &Value)> {
        let nodes = self.value["nodes"].as_array().into_iter().flatten();
        nodes.filter_map(|node| Some((name(node)?, node)))
    }

    /// The nodes by name. Of several of one name the first counts.
    pub(super) fn nodes_by_name(&self) -> HashMap<&str, &Value> {
        let mut found = HashMap::new();
        for (name, node) in self.nodes() {
            found.entry(name).or_insert(node);
        }
        found
    }

    /// The secret at a path, where it is known.
    pub(super) fn secret(&self, path: &[String]) -> Option<&str> {
        self.secrets.get(path).map(ExposeSecret::expose_secret)
    }
}

fn name(node: &Value) -> Option<&str> {
    node.get("name").and_then(Value::as_str)
}

/// What the serialised node hides, by its place in the documents' words.
fn secrets(node: &Node) -> Vec<(Vec<String>, SecretString)> {
    let at = |path: &[&str]| -> Vec<String> {
        let start = ["nodes", &node.name, "oob"];
        start.iter().chain(path).map(|s| (*s).to_owned()).collect()
    };
    let credential = node.oob.credential.iter();
    let params = node.oob.params.iter();
    credential
        .map(|secret| (at(&["credential"]), secret.clone()))
        .chain(
            params
                .filter(|(key, _)| is_secret_key(key))
                .map(|(key, value)| (at(&["params", key]), value.clone().into())),
        )
        .collect()
}
