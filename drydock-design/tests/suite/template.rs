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
    let said = render(&huge, &context()).unwrap_err();
    assert_eq!(said, "the template yields more than 16777216 bytes");
}

/// Runs on a thread with half the stack that a thread of the server has.
fn on_little_stack<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(act);
    thread.unwrap().join().unwrap()
}

#[test]
fn no_text_is_too_deep_or_too_long_for_the_check() {
    let many = |what: &str| what.repeat(100_000);
    let (open, close) = (many("("), many(")"));
    let texts = [
        ("{% if true %}".repeat(1_000), "30 statements"),
        (many("{% set a %}"), "30 statements"),
        (format!("{{{{ {open}node{close} }}}}"), "30 brackets"),
        (format!("{{{{ {}1 }}}}", many("[")), "30 brackets"),
        (format!("{{{{ {}1 }}}}", many("not ")), "200 signs"),
        (format!("{{{{ {}1 }}}}", many("- ")), "200 signs"),
        (format!("{{{{ node{} }}}}", many(".a")), "200 signs"),
        (format!("{{{{ node{} }}}}", many("[0]")), "200 signs"),
        (format!("{{{{ node{} }}}}", many("()")), "200 signs"),
        (format!("{{{{ node{} }}}}", many("|upper")), "200 signs"),
        (format!("{{{{ 1{} }}}}", many(" if 1")), "200 signs"),
        (format!("{{{{ 1{} }}}}", many("+1")), "200 signs"),
        (format!("{{% set {open}a{close} = 1 %}}"), "30 brackets"),
        (
            format!("{{% if 1 %}}{}{{% endif %}}", many("{% elif 1 %}")),
            "100 branches",
        ),
        (many("{{ node }}"), "250000 words"),
        (" ".repeat((16 << 20) + 1), "16777217 bytes"),
    ];
    for (text, words) in texts {
        let begin = text.chars().take(40).collect::<String>();
        let said = on_little_stack(move || check(&text)).unwrap_err();
        assert!(said.contains(words), "{begin}: {said}");
    }
}

#[test]
fn what_keeps_within_the_bounds_needs_little_stack() {
    let deep = |what: &str, times: usize| what.repeat(times);
    let nested = format!(
        "{}{{{{ {}1{} }}}}{}",
        deep("{% if 1 %}{% elif 2 %}{% elif 3 %}{% elif 4 %}", 30),
        deep("(not ", 30),
        deep(")", 30),
        deep("{% endif %}", 30)
    );
    let texts = [
        nested,
        format!("{{{{ {}1{} }}}}", deep("(", 30), deep(")", 30)),
        format!("{{{{ {}1 }}}}", deep("not ", 200)),
        format!("{{{{ {}1 }}}}", deep("- ", 200)),
        format!("{{{{ node{} }}}}", deep(".a", 200)),
        format!("{{{{ node{} }}}}", deep("|upper", 200)),
        format!("{{{{ 1{} }}}}", deep("+1", 200)),
        format!("{{% set {}a{} = 1 %}}", deep("(", 30), deep(")", 30)),
        format!("{{% if 1 %}}{}{{% endif %}}", deep("{% elif 1 %}", 100)),
        "x".repeat(10 << 20),
        format!("{}{}", "x".repeat(10 << 20), "{{ node }}".repeat(80_000)),
    ];
    for text in texts {
        let begin = text.chars().take(40).collect::<String>();
        assert_eq!(on_little_stack(move || check(&text)), Ok(()), "{begin}");
    }
}

#[test]
fn a_check_computes_nothing() {
    // 100 MB each, if the constants were computed.
    let large = "{{ 'x' * 100000000 }}{{ [1] * 100000000 }}".repeat(10_000);
    assert_eq!(check(&large), Ok(()));
    for template in [
        "{{ '{:>7841584730205061120}'.format(node.domain) }}",
        "{{ node.domain | indent(10000000000) }}",
        "{{ '%99999999999d' | format(1) }}",
    ] {
        assert_eq!(check(template), Ok(()), "{template}");
    }
}

#[test]
fn names_are_known_where_they_were_set() {
    for template in [
        "{% if node %}{% set a = 1 %}{% else %}{% set a = 2 %}{% endif %}{{ a }}",
        "{% filter upper %}{% set a = 1 %}{% endfilter %}{{ a }}",
        "{% set a %}x{% endset %}{{ a }}",
        "{% with a = 1, b = a %}{{ b }}{% endwith %}",
        "{% macro m(a, b=1) %}{{ a }}{{ b }}{{ caller() }}{% endmacro %}{% call m(1) %}x{% endcall %}",
        "{% for a, (b, c) in node.x if a recursive %}{{ loop(b) }}{{ c }}{% endfor %}",
        "{% set ns = namespace(a=1) %}{% set ns.b = 2 %}{{ ns.b }}",
    ] {
        assert_eq!(check(template), Ok(()), "{template}");
    }
    for (template, name) in [
        ("{% if node %}{% set a = 1 %}{% endif %}{{ a }}", "a"),
        ("{% for a in node.x %}{% endfor %}{{ a }}", "a"),
        ("{% for a in node.x %}{% endfor %}{{ loop }}", "loop"),
        ("{% with a = 1 %}{% endwith %}{{ a }}", "a"),
        ("{% set a = a %}", "a"),
        ("{% set ns.b = 2 %}", "ns"),
        ("{{ nobody[1:2] }}", "nobody"),
        ("{{ node[1:nobody] }}", "nobody"),
        ("{{ node.get(x=[{1: nobody}]) }}", "nobody"),
        ("{{ 1 if nobody else 2 }}", "nobody"),
        ("{{ 1 is eq(nobody) }}", "nobody"),
        ("{{ 1 < 2 < nobody }}", "nobody"),
    ] {
        let said = check(template).unwrap_err();
        let expected = format!("unknown variable {name}; known are node, action");
        assert_eq!(said, expected, "{template}");
    }
}

#[test]
fn no_error_is_as_long_as_its_template() {
    let name = "n".repeat(1 << 20);
    for template in [
        format!("{{{{ {name} }}}}"),
        format!("{{{{ node | {name} }}}}"),
        format!("{{% {name} %}}"),
    ] {
        assert!(check(&template).unwrap_err().len() < 1_200);
        assert!(render(&template, &context()).unwrap_err().len() < 1_200);
    }
}

#[test]
fn errors_do_not_tell_values() {
    let context = json!({"node": {"hostname": "n1"}, "action": {"action_key": "secret-key"}});
    let error = render("{{ action.action_key.nothing }}", &context).unwrap_err();
    assert!(!error.contains("secret-key"), "{error}");
}

#[test]
fn filters_and_tests_that_do_not_exist_are_found_without_rendering() {
    let template =
        "ok\n{% if node.tags is containing('x') %}{{ node.hostname | shorten }}{% endif %}";
    assert_eq!(
        check(template).unwrap_err(),
        "unknown test containing in line 2 of the template"
    );
    assert_eq!(
        check("{% if false %}{{ node.hostname | shorten(3) }}{% endif %}").unwrap_err(),
        "unknown filter shorten in line 1 of the template"
    );
    assert_eq!(
        check("{% macro m() %}{{ node | shorten }}{% endmacro %}{% set a %}{{ 1 is defined }}{% endset %}")
            .unwrap_err(),
        "unknown filter shorten in line 1 of the template"
    );
    assert_eq!(
        check("{{ node.hostname | upper | urlencode }}{{ node is mapping }}"),
        Ok(())
    );
}
