//! Documents as their users keep them in Deckhand: layering and substitution fill in what they lack.

use serde_json::{Map, Value, json};

/// What the name of a definition for such documents ends with.
pub(super) const SUFFIX: &str = "Unrendered";

/// Whether a document is completed by others.
pub(super) fn unrendered() -> Value {
    let layering = |field: Value| {
        json!({
            "properties": { "metadata": { "properties": { "layeringDefinition": field }, "required": ["layeringDefinition"] } },
            "required": ["metadata"],
        })
    };
    json!({
        "description": "A document that layering or substitution completes.",
        "anyOf": [
            layering(json!({ "properties": { "abstract": { "const": true } }, "required": ["abstract"] })),
            layering(json!({ "required": ["parentSelector"] })),
            {
                "properties": { "metadata": { "properties": { "substitutions": { "type": "array", "minItems": 1 } }, "required": ["substitutions"] } },
                "required": ["metadata"],
            },
        ],
    })
}

/// The definitions without what a document may still lack, or hold a placeholder for.
pub(super) fn of(definitions: &Map<String, Value>) -> Map<String, Value> {
    definitions
        .iter()
        .map(|(name, schema)| (format!("{name}{SUFFIX}"), loosen(schema)))
        .collect()
}

/// Keywords that say what must be there, or what a text looks like.
const STRICT: [&str; 15] = [
    "required",
    "pattern",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "minItems",
    "if",
    "then",
    "else",
    "format",
    "x-refers-to",
    "x-unique",
    "x-needed",
    "x-words",
];

fn loosen(schema: &Value) -> Value {
    let Value::Object(schema) = schema else {
        return schema.clone();
    };
    let mut loose = Map::new();
    for (key, value) in schema
        .iter()
        .filter(|(key, _)| !STRICT.contains(&key.as_str()))
    {
        let value = match (key.as_str(), value) {
            ("$ref", Value::String(target)) => format!("{target}{SUFFIX}").into(),
            ("properties" | "patternProperties", Value::Object(fields)) => fields
                .iter()
                .map(|(name, field)| (name.clone(), loosen(field)))
                .collect(),
            ("additionalProperties" | "items", field) => loosen(field),
            // Which of several fields is there is not known yet.
            ("anyOf", Value::Array(branches)) if branches.iter().all(only_requires) => continue,
            ("anyOf", Value::Array(branches)) => branches.iter().map(loosen).collect(),
            // Words with a description each.
            ("oneOf", _) => {
                loose.insert("type".into(), "string".into());
                continue;
            }
            ("type", types) => with_text(types),
            (_, other) => other.clone(),
        };
        loose.insert(key.clone(), value);
    }
    Value::Object(loose)
}

fn only_requires(branch: &Value) -> bool {
    branch
        .as_object()
        .is_some_and(|branch| branch.len() == 1 && branch.contains_key("required"))
}

/// A placeholder is a text, and may stand wherever a scalar does.
fn with_text(types: &Value) -> Value {
    let mut names: Vec<Value> = match types {
        Value::Array(names) => names.clone(),
        one => vec![one.clone()],
    };
    for name in ["string", "null"] {
        if !names.iter().any(|known| known == name) {
            names.push(name.into());
        }
    }
    Value::Array(names)
}
