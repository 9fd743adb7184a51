//! Walks a schema, alone or along a document.

use drydock_model::design::Kind;
use serde_json::{Map, Value, json};

/// A step from a value into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// A value of a document that the schema knows.
#[derive(Clone, Debug)]
pub struct Spot {
    /// The field, such as `Network body.ranges[].type`. Names in a map are `*`.
    pub path: String,
    pub steps: Vec<Step>,
    /// Its schema, references followed and alternatives put together.
    pub schema: Map<String, Value>,
    /// Whether the schema of the map around it, or the rules, want it.
    pub needed: bool,
    pub value: Value,
}

/// The schema of the form that a document has, with the body in its place.
fn form(schema: &Value, yaml: bool) -> Value {
    let way = if yaml {
        "/else/allOf/0/then/properties/spec"
    } else {
        "/then/allOf/0/then/else/properties/data"
    };
    let body = schema.pointer(way).expect("the schema of a body").clone();
    let (form, body_key) = if yaml {
        ("else", "spec")
    } else {
        ("then", "data")
    };
    let mut form = schema[form].clone();
    form["properties"][body_key] = body;
    form["type"] = schema["type"].clone();
    form.as_object_mut().unwrap().remove("allOf");
    form
}

/// Every value of a document that the schema knows.
pub fn spots(kind: Kind, schema: &Value, document: &Value) -> Vec<Spot> {
    let yaml = document.get("apiVersion").is_some();
    let root = Spot {
        path: kind.to_string(),
        steps: Vec::new(),
        schema: flat(schema, &form(schema, yaml), document),
        needed: false,
        value: document.clone(),
    };
    let mut found = Vec::new();
    descend(schema, root, &mut found);
    found
}

fn descend(root: &Value, spot: Spot, found: &mut Vec<Spot>) {
    let required: Vec<&str> = spot
        .schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let child = |segment: String, step: Step, schema: &Value, value: &Value, named: bool| {
        let mut schema = flat(root, schema, value);
        // What is said of a list goes for its items, what is said of a map for its values.
        for key in ["x-refers-to", "format"] {
            if let (false, Some(said)) = (named, spot.schema.get(key)) {
                schema.insert(key.to_owned(), said.clone());
            }
        }
        let mut steps = spot.steps.clone();
        let needed = match &step {
            Step::Key(key) => {
                required.contains(&key.as_str()) || schema.get("x-needed") == Some(&json!(true))
            }
            Step::Index(_) => false,
        };
        steps.push(step);
        Spot {
            path: format!("{}{segment}", spot.path),
            steps,
            schema,
            needed,
            value: value.clone(),
        }
    };
    let mut children = Vec::new();
    match &spot.value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let step = Step::Key(key.clone());
                if let Some(schema) = spot
                    .schema
                    .get("properties")
                    .and_then(|fields| fields.get(key))
                {
                    let separator = if spot.steps.is_empty() { " " } else { "." };
                    children.push(child(
                        format!("{separator}{}", plain(key, spot.steps.is_empty())),
                        step,
                        schema,
                        value,
                        true,
                    ));
                } else if let Some(schema @ Value::Object(_)) =
                    spot.schema.get("additionalProperties")
                {
                    children.push(child(".*".to_owned(), step, schema, value, false));
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = spot.schema.get("items") {
                for (index, value) in items.iter().enumerate() {
                    children.push(child(
                        "[]".to_owned(),
                        Step::Index(index),
                        schema,
                        value,
                        false,
                    ));
                }
            }
        }
        _ => {}
    }
    found.push(spot.clone());
    for child in children {
        descend(root, child, found);
    }
}

/// A body goes by one name in both forms.
fn plain(key: &str, top: bool) -> &str {
    match key {
        "spec" | "data" if top => "body",
        other => other,
    }
}

/// Every field that the schema of a kind knows.
pub fn paths(kind: Kind, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    fields(
        schema,
        &flat(schema, &form(schema, true), &Value::Null),
        &kind.to_string(),
        true,
        &mut found,
    );
    found
}

fn fields(
    root: &Value,
    schema: &Map<String, Value>,
    path: &str,
    top: bool,
    found: &mut Vec<String>,
) {
    let separator = if top { " " } else { "." };
    let named = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let named =
        named.map(|(key, schema)| (format!("{path}{separator}{}", plain(key, top)), schema));
    let unnamed = [("additionalProperties", ".*"), ("items", "[]")];
    let unnamed = unnamed.into_iter().filter_map(|(key, segment)| {
        let schema = schema.get(key).filter(|schema| schema.is_object())?;
        Some((format!("{path}{segment}"), schema))
    });
    for (path, schema) in named.chain(unnamed) {
        found.push(path.clone());
        fields(root, &flat(root, schema, &Value::Null), &path, false, found);
    }
}

/// A schema with its references followed, its alternatives put together, and its condition decided for this value.
pub fn flat(root: &Value, schema: &Value, value: &Value) -> Map<String, Value> {
    let mut flattened = Map::new();
    let Some(schema) = schema.as_object() else {
        return flattened;
    };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let target = root
            .pointer(target.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{target} leads nowhere"));
        overlay(&mut flattened, flat(root, target, value));
    }
    for (key, said) in schema {
        match (key.as_str(), said) {
            ("$ref" | "if" | "then" | "else", _) => {}
            ("anyOf", Value::Array(branches))
                if !branches
                    .iter()
                    .all(|branch| branch.get("required").is_some()) =>
            {
                for branch in branches {
                    overlay(&mut flattened, flat(root, branch, value));
                }
            }
            ("oneOf", Value::Array(words)) => {
                flattened.insert("type".into(), json!(["string"]));
                flattened.insert(
                    "enum".into(),
                    words.iter().map(|word| word["const"].clone()).collect(),
                );
            }
            _ => overlay(
                &mut flattened,
                Map::from_iter([(key.clone(), said.clone())]),
            ),
        }
    }
    if let Some(condition) = schema.get("if") {
        let (field, wanted) = condition["properties"]
            .as_object()
            .and_then(|fields| fields.iter().next())
            .expect("a condition on one field");
        let chosen = if value.get(field) == Some(&wanted["const"]) {
            "then"
        } else {
            "else"
        };
        let mut chosen = schema.get(chosen).cloned().unwrap_or_default();
        // Narrower types of fields are for the validator.
        if let Some(chosen) = chosen.as_object_mut() {
            chosen.remove("properties");
        }
        overlay(&mut flattened, flat(root, &chosen, value));
    }
    flattened
}

/// Adds what another schema says; types and lists of required fields grow.
fn overlay(flattened: &mut Map<String, Value>, more: Map<String, Value>) {
    for (key, said) in more {
        match key.as_str() {
            "type" | "required" => {
                let list = |value: &Value| match value {
                    Value::Array(items) => items.clone(),
                    one => vec![one.clone()],
                };
                let mut all = flattened.get(&key).map_or_else(Vec::new, list);
                for item in list(&said) {
                    if !all.contains(&item) {
                        all.push(item);
                    }
                }
                flattened.insert(key, Value::Array(all));
            }
            _ => {
                flattened.insert(key, said);
            }
        }
    }
}
