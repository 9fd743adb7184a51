//! Names in templates of boot actions, against what the templates are really rendered with.

use drydock_design::template::{TemplateContext, render};
use drydock_model::finding::{Finding, Level};
use serde_json::Value;

use crate::site::{base_with, compiled, findings};

/// The findings about a template of a boot action for these nodes, and what rendering it on each of them says. Node n1 has its address on
/// the network pxe by DHCP, n2 a static one.
fn judged(template: &str, nodes: &str) -> (Vec<Finding>, Vec<Result<String, String>>) {
    let data = format!("data: {}", Value::from(template));
    let (documents, _) = base_with(&[
        ("data: '{{ node.hostname | upper }}'", &data),
        ("node_names: [n2]", &format!("node_names: [{nodes}]")),
    ]);
    let mut found = findings(&documents);
    found.retain(|finding| finding.rule == "boot/template" && finding.level >= Level::Warning);
    let rendered = contexts(nodes)
        .iter()
        .map(|context| render(template, context))
        .collect();
    (found, rendered)
}

fn contexts(nodes: &str) -> Vec<Value> {
    let design = compiled(&base_with(&[]).0).design;
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
    nodes
        .split(", ")
        .map(|name| {
            let node = design.node(name).unwrap();
            let context = TemplateContext::new(&design, node, id, "00", "http://r", "file:d");
            serde_json::to_value(context).unwrap()
        })
        .collect()
}

#[test]
fn what_would_fail_on_a_node_is_an_error() {
    for (template, message, advice) in [
        (
            "\n{{ node.hostnam }}",
            "node.hostnam in line 2 of the template: node has no hostnam, so it fails on n1, n2",
            "did you mean hostname?",
        ),
        (
            "{{ node.network.mgmtx.ip }}",
            "mgmtx is not there on n1, n2, for want of a static address on network mgmtx",
            "did you mean mgmt?",
        ),
        (
            "{{ node.network.pxe.ip }}",
            "node.network.pxe.ip in line 1 of the template: pxe is not there on n1, for want",
            "give it to the nodes",
        ),
        (
            "{{ node.network['pxe'].cidr | lower }}",
            "pxe is not there on n1, for want",
            "give it to the nodes",
        ),
        (
            "{{ node.network.mgmt.addr }}",
            "node.network.mgmt has no addr",
            "known are ip, cidr, dns_suffix",
        ),
        (
            "{{ node.interfaces.bond1.sriov }}",
            "an interface bond1",
            "give it to the nodes",
        ),
        (
            "{{ node.interfaces.bond0.vfcount }}",
            "node.interfaces.bond0 has no vfcount",
            "did you mean vf_count?",
        ),
        (
            "{{ node.labels.rule }}",
            "rule in owner_data",
            "did you mean role?",
        ),
        (
            "{{ action.report }}",
            "action has no report",
            "known are action_id",
        ),
        (
            "{{ node.hostname.short }}",
            "node.hostname has no short",
            "end the path before it",
        ),
        (
            "{% for i in range(2) %}{{ node.hostnam }}{% endfor %}",
            "node has no hostnam",
            "did you mean hostname?",
        ),
        (
            "{% for k in node.label %}{{ k }}{% endfor %}",
            "node has no label",
            "did you mean labels?",
        ),
        (
            "{% if node.rack %}x{% endif %}",
            "node has no rack",
            "did you mean tags?",
        ),
        (
            "{% set ip = node.network.pxe.ip %}x",
            "pxe is not there on n1",
            "give it",
        ),
        (
            "{{ node.network.pxe.ip.split('.') }}",
            "pxe is not there on n1",
            "give it",
        ),
    ] {
        let (found, rendered) = judged(template, "n1, n2");
        let [finding] = found.as_slice() else {
            panic!("{template}: {found:#?}");
        };
        assert_eq!(finding.level, Level::Error, "{template}");
        assert!(finding.message.contains(message), "{}", finding.message);
        let is_near = finding.diagnostic.contains(advice) || template.contains("rack");
        assert!(is_near, "{template}: {}", finding.diagnostic);
        assert!(
            finding.message.contains("data of /opt/hello.sh"),
            "{}",
            finding.message
        );
        assert!(
            rendered.iter().any(Result::is_err),
            "{template} does render"
        );
    }
}

#[test]
fn filters_that_need_a_value_are_known() {
    let wrong = [
        "capitalize",
        "float",
        "int",
        "length",
        "list",
        "lower",
        "replace('a', 'b')",
        "sort",
        "title",
        "trim",
        "upper",
        "urlencode",
    ]
    .into_iter()
    .filter(|filter| {
        let template = format!("{{{{ node.hostnam | {filter} }}}}");
        let (found, rendered) = judged(&template, "n2");
        found.len() != 1 || rendered[0].is_ok()
    });
    assert_eq!(wrong.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn what_asks_first_is_not_told() {
    for template in [
        "{{ node.hostnam | default('x') }}",
        "{{ node.network.pxe | d('x') }}",
        "{% if node.network.pxe is defined %}{{ node.network.pxe.ip }}{% endif %}",
        "{% if node.network.pxe is undefined %}{% else %}{{ node.network.pxe.ip }}{% endif %}",
        "{{ node.network.pxe.ip if node.network.pxe is defined else 'dhcp' }}",
        "{% if node.rack is defined and node.rack.name %}{{ node.rack.name }}{% endif %}",
        "{% if 'rack' in node.labels %}{{ node.labels.rack }}{% endif %}",
        "{% if 'rack' in node %}{{ node.rack }}{% endif %}",
        "{% if node.labels.get('rack') %}{{ node.labels.rack }}{% endif %}",
        "{% if 'second' in node.tags %}{{ node.network.pxe.ip }}{% endif %}",
        "{{ node.labels.get('rack', 'none') }}",
        "{% for k, v in node.labels.items() %}{{ k }}={{ v }}{% endfor %}",
        "{% for name in node.network %}{{ node.network[name].ip }}{% endfor %}",
        "{% set mine = node.labels.rack %}{% if mine is defined %}{{ mine }}{% endif %}",
        "{% for node in [{'name': 'a'}] %}{{ node.name }}{% endfor %}",
        "{% for i in range(1000) %}{% endfor %}",
        "{% macro f(n) %}{% if n > 0 %}x{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
        "{{ node.network.default.ip }} {{ node.network['mgmt']['ip'] }} {{ node.tags[0] }}",
    ] {
        let (found, rendered) = judged(template, "n1, n2");
        assert!(found.is_empty(), "{template}: {found:#?}");
        for one in rendered {
            assert!(one.is_ok(), "{template}: {one:?}");
        }
    }
}

/// Every path through a value, with the names that templates use.
fn paths(value: &Value, path: &str, all: &mut Vec<String>) {
    if let Value::Object(members) = value {
        for (name, member) in members {
            let path = format!("{path}.{name}");
            all.push(path.clone());
            paths(member, &path, all);
        }
    }
}

#[test]
fn the_check_knows_what_the_context_holds() {
    for node in ["n1", "n2"] {
        let context = &contexts(node)[0];
        let mut all = Vec::new();
        paths(&context["node"], "node", &mut all);
        paths(&context["action"], "action", &mut all);
        assert!(all.len() > 20, "{all:?}");
        let whole: String = all
            .iter()
            .map(|path| format!("{{{{ {path} }}}}\n"))
            .collect();
        let (found, _) = judged(&whole, node);
        assert!(found.is_empty(), "{found:#?}");
        for path in all {
            let template = format!("{{{{ {path}x }}}}");
            let (found, rendered) = judged(&template, node);
            assert_eq!(found.len(), 1, "{template}");
            assert!(rendered[0].is_err(), "{template}");
        }
    }
}

#[test]
fn a_template_that_cannot_end_is_a_warning() {
    for (template, says) in [
        (
            "{% for a in range(2000) %}\n{% for b in range(0, 1500) %}{{ a * b }}{% endfor %}{% endfor %}",
            "the loop in line 2 of the template turns 3000000 times",
        ),
        (
            "{% for a in range(0, 1000000, 2) %}{% endfor %}",
            "the range in line 1 of the template has 500000 values",
        ),
        (
            "{% macro f(n) %}{{ n }}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
            "the macro f calls itself in line 1 of the template without a condition",
        ),
    ] {
        let (found, rendered) = judged(template, "n2");
        let [finding] = found.as_slice() else {
            panic!("{template}: {found:#?}");
        };
        assert_eq!(finding.level, Level::Warning);
        assert!(finding.message.contains(says), "{}", finding.message);
        assert!(rendered[0].is_err(), "{template} does render");
    }
}

#[test]
fn only_the_first_few_nodes_are_named() {
    let (found, _) = judged("{{ node.network.pxe.ip }}", "n2");
    assert!(found.is_empty(), "n2 has a static address: {found:#?}");
    let node = "---\napiVersion: drydock/v1\nkind: BaremetalNode\nmetadata: {name: nX}\nspec: {host_profile: base}\n";
    let more: String = (3..9).map(|n| node.replace('X', &n.to_string())).collect();
    let (documents, _) = base_with(&[
        (
            "data: '{{ node.hostname | upper }}'",
            "data: '{{ node.network.pxe.ip }}'",
        ),
        (
            "  node_filter:\n    filter_set:\n      - node_names: [n2]\n  assets:\n    - path: /opt/hello.sh",
            "  assets:\n    - path: /opt/hello.sh",
        ),
        (
            "---\napiVersion: drydock/v1\nkind: BootAction",
            &format!("{more}---\napiVersion: drydock/v1\nkind: BootAction"),
        ),
    ]);
    let found = findings(&documents);
    let told: Vec<&str> = found
        .iter()
        .filter(|finding| finding.rule == "boot/template")
        .map(|finding| finding.message.as_str())
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("on n1, n3, n4 and 4 more, for want of"),
        "{told:?}"
    );
}
