//! Templates of boot actions.

use drydock_design::template::{check, render};
use serde_json::json;

fn context() -> serde_json::Value {
    json!({
        "node": {"hostname": "n1", "labels": {"b": "2", "a": "1"}, "tags": ["x"], "network": {"calico": {"ip": "10.0.0.1"}}},
        "action": {"design_ref": "deckhand+http://host/api?x=1&y=a b/ü~"},
    })
}

#[test]
fn what_published_actions_use_works() {
    for (template, expected) in [
        ("{{ node.hostname }}", "n1"),
        (
            "{% for k, v in node.labels.items() %}&labels.dynamic={{ k }}={{ v }}{% endfor %}",
            "&labels.dynamic=a=1&labels.dynamic=b=2",
        ),
        (
            "{{ action.design_ref | urlencode }}",
            "deckhand%2Bhttp%3A//host/api%3Fx%3D1%26y%3Da%20b/%C3%BC~",
        ),
        ("{{ node.network.calico.ip }}", "10.0.0.1"),
        ("{{ node.labels.get('zz', 'none') }}", "none"),
        ("{{ node.hostname.upper() }}", "N1"),
        ("{% if 'x' in node.tags %}yes{% endif %}", "yes"),
        ("<{{ '<a>' }}>", "<<a>>"),
        ("a\n", "a"),
    ] {
        assert_eq!(
            render(template, &context()).as_deref(),
            Ok(expected),
            "{template}"
        );
        assert_eq!(check(template), Ok(()), "{template}");
    }
}

#[test]
fn what_is_not_there_is_an_error() {
    for template in [
        "{{ node.nothing }}",
        "{{ nobody }}",
        "{{ node.hostname | nofilter }}",
        "{{ node.hostname",
        "{% for %}",
    ] {
        assert!(render(template, &context()).is_err(), "{template}");
    }
    assert!(
        check("{{ nobody }}")
            .unwrap_err()
            .contains("unknown variable nobody")
    );
    assert!(check("x\n{{ node.hostname").unwrap_err().contains("line"));
    assert_eq!(
        check(
            "{% set mine = node.hostname %}{{ mine }}{% for i in range(3) %}{{ loop.index }}{% endfor %}"
        ),
        Ok(())
    );
}

#[test]
fn time_and_space_are_bounded() {
    let endless =
        "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}";
    assert!(render(endless, &context()).unwrap_err().contains("fuel"));
    let long = "x".repeat(100_000);
    let huge = format!("{{% for a in range(9999) %}}{long}{{% endfor %}}");
    assert!(render(&huge, &context()).is_err());
}

#[test]
fn errors_do_not_tell_values() {
    let context = json!({"node": {"hostname": "n1"}, "action": {"action_key": "secret-key"}});
    let error = render("{{ action.action_key.nothing }}", &context).unwrap_err();
    assert!(!error.contains("secret-key"), "{error}");
}
