//! Node filters.

use drydock_design::select;
use drydock_model::filter::NodeFilter;

use crate::site::{compiled, documents};

const DESIGN: &str = "
apiVersion: drydock/v1
kind: Rack
metadata: {name: r1}
spec: {labels: {zone: a, row: '1'}, location: {hall: '7'}}
---
apiVersion: drydock/v1
kind: Rack
metadata: {name: r2}
spec: {labels: {zone: b, row: '1'}}
---
apiVersion: drydock/v1
kind: BaremetalNode
metadata: {name: c}
spec: {metadata: {rack: r1, tags: [x, y], owner_data: {role: control, site: s}}}
---
apiVersion: drydock/v1
kind: BaremetalNode
metadata: {name: a}
spec: {metadata: {rack: r2, tags: [y], owner_data: {role: worker, site: s}}}
---
apiVersion: drydock/v1
kind: BaremetalNode
metadata: {name: b}
spec: {metadata: {tags: [z]}}
";

fn selected(filter: &str) -> Result<Vec<String>, String> {
    let design = compiled(&documents("filter.yaml", DESIGN.into())).design;
    let filter: Option<NodeFilter> = serde_json::from_str(filter).unwrap();
    match select(&design, filter.as_ref()) {
        Ok(nodes) => Ok(nodes.iter().map(|node| node.name.clone()).collect()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn cases() {
    for (filter, expected) in [
        ("null", vec!["c", "a", "b"]),
        (
            r#"{"filter_set": [{"node_names": ["b", "c", "b", "nobody"]}]}"#,
            vec!["c", "b"],
        ),
        (r#"{"filter_set": [{"node_names": ["nobody"]}]}"#, vec![]),
        (r#"{"filter_set": [{"node_tags": ["y"]}]}"#, vec!["c", "a"]),
        (
            r#"{"filter_set": [{"node_tags": ["x", "z"], "filter_type": "intersection"}]}"#,
            vec!["c", "b"],
        ),
        (
            r#"{"filter_set": [{"node_labels": {"role": "control", "site": "s"}}]}"#,
            vec!["c", "a"],
        ),
        (
            r#"{"filter_set": [{"filter_type": "intersection", "node_labels": {"role": "control", "site": "s"}}]}"#,
            vec!["c"],
        ),
        (
            r#"{"filter_set": [{"rack_names": ["r2", "r9"]}]}"#,
            vec!["a"],
        ),
        (
            r#"{"filter_set": [{"rack_labels": {"row": "1"}}]}"#,
            vec!["c", "a"],
        ),
        (
            r#"{"filter_set": [{"rack_labels": {"hall": "7"}}]}"#,
            vec!["c"],
        ),
        (
            r#"{"filter_set": [{"filter_type": "intersection", "rack_labels": {"zone": "a", "hall": "7"}}]}"#,
            vec!["c"],
        ),
        (
            r#"{"filter_set": [{"filter_type": "intersection", "rack_labels": {"zone": "b", "hall": "7"}}]}"#,
            vec![],
        ),
        (
            r#"{"filter_set": [{"filter_type": "union", "node_names": ["b"], "node_tags": ["x"]}]}"#,
            vec!["c", "b"],
        ),
        (
            r#"{"filter_set": [{"filter_type": "intersection", "node_names": ["a", "b"], "node_tags": ["y"]}]}"#,
            vec!["a"],
        ),
        (
            r#"{"filter_set": [{"node_names": ["b"], "node_tags": [], "node_labels": {}, "rack_names": null}]}"#,
            vec!["b"],
        ),
        (
            r#"{"filter_set": [{"node_names": ["a"]}, {"node_names": ["c", "a"]}]}"#,
            vec!["c", "a"],
        ),
        (
            r#"{"filter_set_type": "intersection", "filter_set": [{"node_tags": ["y"]}, {"rack_names": ["r1"]}]}"#,
            vec!["c"],
        ),
    ] {
        assert_eq!(
            selected(filter),
            Ok(expected.into_iter().map(str::to_owned).collect()),
            "{filter}"
        );
    }
}

#[test]
fn a_filter_that_says_nothing_is_refused() {
    for filter in [
        "{}",
        r#"{"filter_set": []}"#,
        r#"{"filter_set": [{}]}"#,
        r#"{"filter_set": [{"node_names": []}]}"#,
        r#"{"filter_set": [{"node_names": ["a"]}, {"node_labels": {}}]}"#,
    ] {
        assert!(selected(filter).is_err(), "{filter}");
    }
}
