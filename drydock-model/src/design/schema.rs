//! JSON Schemas (draft 2020-12) of design documents, made from the types that documents are read into.
//!
//! They say what an editor can know of one document: its fields, their types, words and ranges, what must be there. They are as
//! lenient as the reader: a number stands where a text is wanted, `'true'` where a boolean is, null and `!name` remove. Names of other
//! documents and whatever takes two documents to see are left to the rules.
//!
//! Besides the standard keywords: `x-refers-to` (what kind of thing a text names; on a list its items, on a map its values),
//! `x-unique` (where a value may stand once: `list`, `sibling`, `value`), `x-needed` (must be there after inheritance), `x-words`
//! (`examples` are the words that are known; others are warned about).

mod partial;
pub mod pattern;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{
    BootActionPart, HardwarePart, HostPart, Kind, LinkPart, NetworkPart, RackPart, RegionPart,
};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a whole document of this kind, in either surface form.
#[must_use]
pub fn document(kind: Kind) -> Value {
    let mut schema = envelope(&[kind]);
    schema.insert("title".into(), format!("Drydock {kind}").into());
    schema.insert("description".into(), about(kind).into());
    schema.insert("$defs".into(), definitions(&[kind]));
    Value::Object(schema)
}

/// The schema of any document of a design, in either surface form. Documents of other namespaces may stand between them.
#[must_use]
pub fn all() -> Value {
    let other = json!({
        "properties": { "schema": { "type": "string", "not": { "pattern": "^drydock(/|$)" } } },
        "required": ["schema"],
        "not": { "required": ["apiVersion"] },
    });
    let mut schema = envelope(&Kind::ALL);
    let ours =
        ["if", "then", "else"].map(|key| (key.to_owned(), schema.remove(key).unwrap_or_default()));
    schema.insert("if".into(), other);
    schema.insert("then".into(), true.into());
    schema.insert("else".into(), Value::Object(ours.into_iter().collect()));
    schema.insert("title".into(), "Drydock design".into());
    schema.insert("description".into(), "A document of a site design.".into());
    schema.insert("$defs".into(), definitions(&Kind::ALL));
    Value::Object(schema)
}

/// What a kind of document is for.
fn about(kind: Kind) -> &'static str {
    match kind {
        Kind::Region => {
            "The site as a whole: who may log in, and where packages come from. A site has one."
        }
        Kind::Rack => "A rack: where machines stand.",
        Kind::NetworkLink => {
            "Layer 1 and 2 of a link: what a machine and the switch it is plugged into must agree on."
        }
        Kind::Network => "Layer 3 of a network: its addresses, ranges and routes.",
        Kind::HardwareProfile => "A model of hardware: its firmware, and names for its devices.",
        Kind::HostProfile => {
            "Settings that machines share. Nodes and other profiles inherit from it."
        }
        Kind::BaremetalNode => "A machine. What it does not say it inherits from its host_profile.",
        Kind::BootAction => {
            "What is put on machines after their installation, and runs when they first boot."
        }
    }
}

/// The form is told as the ingester tells it: by `apiVersion` first, then by `schema`. Empty documents are passed over.
fn envelope(kinds: &[Kind]) -> Map<String, Value> {
    let schema = json!({
        "$schema": DRAFT,
        "type": ["object", "null"],
        "if": { "required": ["schema"], "not": { "required": ["apiVersion"] } },
        "then": deckhand(kinds),
        "else": yaml(kinds),
    });
    match schema {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// `apiVersion`, `kind`, `metadata`, `spec`.
fn yaml(kinds: &[Kind]) -> Value {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let bodies = kinds.iter().map(|kind| {
        json!({
            "if": { "properties": { "kind": { "const": kind.as_str() } } },
            "then": { "properties": { "spec": body(*kind, "") } },
        })
    });
    json!({
        "properties": {
            "apiVersion": { "const": "drydock/v1", "description": "Always `drydock/v1`." },
            "kind": { "enum": names, "description": "What the document describes." },
            "metadata": { "$ref": "#/$defs/Metadata" },
            "spec": { "description": "The fields of the kind." },
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "allOf": bodies.collect::<Vec<_>>(),
    })
}

/// `schema`, `metadata`, `data`. A document that layering or substitution completes is checked for what it says, not for what it lacks.
fn deckhand(kinds: &[Kind]) -> Value {
    let name = |kind: &Kind| format!("drydock/{kind}/v1");
    let names: Vec<String> = kinds.iter().map(name).collect();
    let bodies = kinds.iter().map(|kind| {
        json!({
            "if": { "properties": { "schema": { "const": name(kind) } } },
            "then": {
                "if": { "$ref": "#/$defs/Unrendered" },
                "then": { "properties": { "data": body(*kind, partial::SUFFIX) } },
                "else": { "properties": { "data": body(*kind, "") } },
            },
        })
    });
    json!({
        "properties": {
            "schema": { "enum": names, "description": "What the document describes: `drydock/<Kind>/v1`." },
            "metadata": { "$ref": "#/$defs/Metadata" },
            "data": { "description": "The fields of the kind." },
        },
        "required": ["schema", "metadata", "data"],
        "allOf": bodies.collect::<Vec<_>>(),
    })
}

/// Nothing there means that every field is left out.
fn body(kind: Kind, suffix: &str) -> Value {
    let fields = json!({ "$ref": format!("#/$defs/{kind}{suffix}") });
    let mut schema = part(kind, &mut SchemaGenerator::default());
    require(schema.ensure_object());
    let required = schema.get("required").is_some();
    if required && suffix.is_empty() {
        return fields;
    }
    json!({ "anyOf": [fields, { "type": "null" }] })
}

fn definitions(kinds: &[Kind]) -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.meta_schema = None;
    let mut generator = settings
        .with_transform(RecursiveTransform(as_read))
        .into_generator();
    let bodies: Vec<(Kind, Schema)> = kinds
        .iter()
        .map(|kind| (*kind, part(*kind, &mut generator)))
        .collect();
    let mut definitions = Map::new();
    for (kind, mut body) in bodies {
        RecursiveTransform(as_read).transform(&mut body);
        body.insert("description".to_owned(), about(kind).into());
        body.remove("title");
        definitions.insert(kind.as_str().to_owned(), body.into());
    }
    definitions.extend(generator.take_definitions(true));
    let partial = partial::of(&definitions);
    definitions.extend(partial);
    definitions.insert("Metadata".into(), metadata());
    definitions.insert("Unrendered".into(), partial::unrendered());
    Value::Object(definitions)
}

fn part(kind: Kind, generator: &mut SchemaGenerator) -> Schema {
    match kind {
        Kind::Region => RegionPart::json_schema(generator),
        Kind::Rack => RackPart::json_schema(generator),
        Kind::NetworkLink => LinkPart::json_schema(generator),
        Kind::Network => NetworkPart::json_schema(generator),
        Kind::HardwareProfile => HardwarePart::json_schema(generator),
        Kind::BaremetalNode => HostPart::json_schema(generator),
        Kind::HostProfile => {
            let mut schema = HostPart::json_schema(generator);
            if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                // Addresses belong to one machine.
                fields.shift_remove("addressing");
            }
            schema
        }
        Kind::BootAction => BootActionPart::json_schema(generator),
    }
}

/// Deckhand and other tools keep more here than Drydock reads.
fn metadata() -> Value {
    json!({
        "description": "What goes for the document as a whole.",
        "type": "object",
        "properties": {
            "name": {
                "description": "Name, unique among the documents of the kind; others refer to it. For a node it is its host name.",
                "type": ["string", "number", "boolean"],
                "minLength": 1,
                "x-unique": "document"
            },
            "labels": {
                "description": "Labels of the document, for Deckhand's layering.",
                "type": ["object", "null"],
                "additionalProperties": { "type": ["string", "number", "boolean", "null"] }
            }
        },
        "required": ["name"]
    })
}

/// Lets a schema say what the reader takes: see `drydock_model::tree`.
fn as_read(schema: &mut Schema) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    // Nothing, and nothing in a list, tell a reader nothing.
    let empty = [Value::Null, json!([]), json!({})];
    if map
        .get("default")
        .is_some_and(|default| empty.contains(default))
    {
        map.shift_remove("default");
    }
    if map.get("format").is_some_and(|format| format == "int64") {
        map.shift_remove("format");
    }
    require(map);
    let mut types: Vec<&str> = match map.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let nullable = types.contains(&"null");
    types.retain(|name| *name != "null");
    let constrained = ["pattern", "enum", "const", "x-words", "x-text"]
        .iter()
        .any(|key| map.contains_key(*key));
    let (wider, pattern): (&[&str], _) = match types.as_slice() {
        ["string"] if !constrained => (&["string", "number", "boolean"], None),
        ["integer"] => (&["integer", "string"], Some(pattern::INTEGER)),
        ["boolean"] => (&["boolean", "string"], Some(pattern::BOOLEAN)),
        _ => (&[], None),
    };
    if !wider.is_empty() {
        let mut names: Vec<Value> = wider.iter().map(|name| json!(name)).collect();
        names.extend(nullable.then(|| json!("null")));
        map.insert("type".into(), Value::Array(names));
    }
    if let Some(pattern) = pattern {
        map.insert("pattern".into(), pattern.into());
    }
    if let Some(words) = map.get_mut("enum").and_then(Value::as_array_mut)
        && nullable
        && !words.contains(&Value::Null)
    {
        words.push(Value::Null);
    }
}

/// A document's fields all have a default to the reader, nothing; which of them must be there all the same is told by `x-required`.
fn require(map: &mut Map<String, Value>) {
    let mut required = Vec::new();
    for (name, field) in map
        .get_mut("properties")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
    {
        if field
            .as_object_mut()
            .is_some_and(|field| field.shift_remove("x-required").is_some())
        {
            required.push(Value::from(name.as_str()));
        }
    }
    if !required.is_empty() {
        map.insert("required".into(), Value::Array(required));
    }
}

/// A path for all but packages; contents for all but packages, which may also be listed elsewhere.
pub(super) fn asset_needs(schema: &mut Schema) {
    let contents = json!([{ "required": ["data"] }, { "required": ["location"] }]);
    let needs = json_schema!({
        "if": { "properties": { "type": { "const": "pkg_list" } }, "required": ["type"] },
        "then": { "properties": { "data": { "type": ["object", "null"] } }, "anyOf": contents },
        "else": {
            "properties": { "data": { "type": ["string", "number", "boolean", "null"] } },
            "required": ["path"],
            "anyOf": contents,
        },
    });
    if let Value::Object(needs) = needs.to_value() {
        schema.ensure_object().extend(needs);
    }
}

/// `trustmode`, as the published schema spells `trustedmode`.
pub(super) fn other_spelling(schema: &mut Schema) {
    let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(field) = fields.get("trustedmode").cloned() {
        fields.insert("trustmode".into(), field);
        if let Some(field) = fields.get_mut("trustmode").and_then(Value::as_object_mut) {
            field.insert(
                "description".into(),
                "Another spelling of `trustedmode`.".into(),
            );
        }
    }
}
