//! `drydock design schema`: what editors are pointed at.

use serde_json::Value;

use crate::processes::{run, said};

fn printed(arguments: &[&str]) -> String {
    let output = run([&["design", "schema"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_schema_is_printed_for_any_document_and_for_one_kind() {
    let any: Value = serde_json::from_str(&printed(&[])).expect("JSON");
    let one: Value = serde_json::from_str(&printed(&["Network"])).expect("JSON");
    for schema in [&any, &one] {
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert_eq!(
            schema["$defs"]["Network"]["properties"]["mtu"]["maximum"],
            65536
        );
    }
    assert!(any["$defs"]["Rack"].is_object() && one["$defs"]["Rack"].is_null());
}

#[test]
fn yaml_says_the_same_as_json() {
    let text = printed(&["Rack", "-o", "yaml"]);
    let trees = drydock_ingester::parse_tree(&text, "schema").expect("YAML");
    let json: Value = serde_json::from_str(&printed(&["Rack", "-o", "json"])).expect("JSON");
    assert_eq!(trees[0].to_json(), json);
}

#[test]
fn an_unknown_kind_is_refused_with_those_that_are_known() {
    let output = run(["design", "schema", "Networks"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("Networks") && error.contains("BaremetalNode, BootAction"),
        "{error}"
    );
}
