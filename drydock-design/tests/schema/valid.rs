//! The JSON Schemas of documents: they take what the reader takes.

use std::collections::BTreeMap;

use drydock_ingester::parse_tree;
use drydock_model::design::{Kind, schema};
use serde_json::{Value, json};

/// A schema ready to judge documents.
pub struct Judge {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Judge {
    pub fn new(schema: Value) -> Self {
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        compiler.add_resource("schema.json", schema).unwrap();
        let index = compiler.compile("schema.json", &mut schemas).unwrap();
        Judge { schemas, index }
    }

    /// Why the schema refuses a document.
    pub fn judge(&self, document: &Value) -> Result<(), String> {
        self.schemas
            .validate(document, self.index)
            .map_err(|error| error.to_string())
    }
}

const SAMPLES: [&str; 6] = [
    "airsloop.yaml",
    "fullsite-deckhand.yaml",
    "fullsite-yaml-faulty.yaml",
    "fullsite-yaml.yaml",
    "routedomain.yaml",
    "seaworthy.yaml",
];

fn sample(name: &str) -> Vec<Value> {
    let path = format!("{}/../examples/designs/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    values(&text)
}

/// The documents of a text as an editor sees them.
pub fn values(text: &str) -> Vec<Value> {
    let trees = parse_tree(text, "text").unwrap();
    trees
        .iter()
        .map(drydock_model::tree::Tree::to_json)
        .collect()
}

#[test]
fn the_samples_are_valid() {
    let any = Judge::new(schema::all());
    let each: BTreeMap<Kind, Judge> = Kind::ALL
        .map(|kind| (kind, Judge::new(schema::document(kind))))
        .into();
    for name in SAMPLES {
        let documents = sample(name);
        assert!(!documents.is_empty(), "{name}");
        for document in documents.iter().filter(|document| !document.is_null()) {
            let name = format!("{name}: {}", document["metadata"]["name"]);
            any.judge(document)
                .unwrap_or_else(|why| panic!("{name}: {why}"));
            let Some(kind) = kind(document) else { continue };
            each[&kind]
                .judge(document)
                .unwrap_or_else(|why| panic!("{name}: {why}"));
        }
    }
}

/// What layering and substitution will complete is what editors see most.
#[test]
fn trees_of_layers_are_valid_before_they_are_rendered() {
    let any = Judge::new(schema::all());
    let mut folders = vec![format!("{}/../examples/trees", env!("CARGO_MANIFEST_DIR")).into()];
    let mut ours = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir::<std::path::PathBuf>(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "yaml") {
                for document in values(&std::fs::read_to_string(&path).unwrap()) {
                    let name = format!("{}: {}", path.display(), document["metadata"]["name"]);
                    any.judge(&document)
                        .unwrap_or_else(|why| panic!("{name}: {why}"));
                    ours += usize::from(kind(&document).is_some());
                }
            }
        }
    }
    assert!(ours > 20, "{ours}");
}

/// The kind of a document of ours.
fn kind(document: &Value) -> Option<Kind> {
    let schema = document["schema"]
        .as_str()
        .and_then(|schema| schema.split('/').nth(1));
    document["kind"].as_str().or(schema)?.parse().ok()
}

#[test]
fn schemas_are_valid_themselves() {
    // A reference that leads nowhere, or a keyword with a value that it cannot have, fails to compile.
    for kind in Kind::ALL {
        Judge::new(schema::document(kind));
    }
}

#[test]
fn every_field_has_a_description() {
    fn walk(path: &str, schema: &Value, bare: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if field["description"]
                .as_str()
                .is_none_or(|text| text.len() < 10)
            {
                bare.push(path.clone());
            }
            walk(&path, field, bare);
        }
    }
    let mut bare = Vec::new();
    for (name, definition) in schema::all()["$defs"].as_object().unwrap() {
        if !name.ends_with("Unrendered") {
            walk(name, definition, &mut bare);
        }
    }
    assert_eq!(bare, [""; 0]);
}

fn network(body: Value) -> Value {
    json!({ "apiVersion": "drydock/v1", "kind": "Network", "metadata": { "name": "n" }, "spec": body })
}

#[test]
fn what_the_reader_takes_leniently_is_valid() {
    let judge = Judge::new(schema::all());
    let host = |body: Value| json!({ "apiVersion": "drydock/v1", "kind": "HostProfile", "metadata": { "name": "h" }, "spec": body });
    for document in [
        network(json!({ "cidr": "10.0.0.0/24", "mtu": "9000", "vlan": 7, "ranges": null })),
        network(json!({ "cidr": "fd00::/64", "dns": { "servers": ["fd00::1"] } })),
        host(json!({ "interfaces": { "bond0": null, "!pxe": "whatever" } })),
        host(
            json!({ "interfaces": { "bond0": { "networks": ["!a", 5], "sriov": { "trustmode": "yes" }, "odd": 1 } } }),
        ),
        host(json!({ "oob": { "!port": null, "account": 7, "more": true } })),
        host(
            json!({ "metadata": { "owner_data": { "a/b": false, "!c": [] }, "tags": [1, true] } }),
        ),
        host(Value::Null),
        json!({ "schema": "pegleg/SoftwareVersions/v1", "data": 5 }),
        json!({ "schema": "drydock/Network/v1", "metadata": { "name": "n", "layeringDefinition": { "abstract": true } }, "data": { "mtu": 9000 } }),
        json!({ "schema": "drydock/Network/v1", "metadata": { "name": "n", "substitutions": [{}] }, "data": { "cidr": "CIDR" } }),
    ] {
        judge
            .judge(&document)
            .unwrap_or_else(|why| panic!("{document}: {why}"));
    }
}

#[test]
fn what_the_reader_refuses_is_invalid() {
    let judge = Judge::new(schema::all());
    for document in [
        network(json!({ "cidr": "10.0.0.0/24", "mtuu": 9000 })),
        network(json!({ "cidr": ["10.0.0.0/24"] })),
        network(Value::Null),
        json!({ "apiVersion": "drydock/v1", "kind": "Network", "metadata": {}, "spec": {} }),
        json!({ "apiVersion": "drydock/v1", "kind": "Networks", "metadata": { "name": "n" }, "spec": {} }),
        json!({ "apiVersion": "drydock/v1", "kind": "HostProfile", "metadata": { "name": "n" }, "spec": { "addressing": [] } }),
        json!({ "schema": "drydock/Network/v1", "metadata": { "name": "n", "substitutions": [{}] }, "data": { "mtuu": 1 } }),
        json!({ "schema": "drydock/Network/v2", "metadata": { "name": "n" }, "data": { "cidr": "10.0.0.0/24" } }),
        json!([]),
    ] {
        assert!(judge.judge(&document).is_err(), "{document}");
    }
}
