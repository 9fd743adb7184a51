//! Any text as the template of a boot action: the check takes bounded time and space, and what it passes names nothing unknown.
//!
//! Only texts that cannot grow are rendered. A template may ask for all memory by one filter, which ends the process that renders it; a server
//! therefore renders in a process of its own (`docs/adr/0005`), and here such a text would be a finding that is none.
#![no_main]

use drydock_design::template;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fn context() -> Value {
    json!({
        "node": {
            "hostname": "node-1",
            "domain": "example.org",
            "tags": ["a", "b"],
            "labels": {"role": "compute", "x": "y z"},
            "network": {"mgmt": {"ip": "10.0.0.1", "cidr": "10.0.0.0/24", "dns_suffix": "example.org"}},
            "interfaces": {"bond0": {"sriov_vf_count": 0}},
        },
        "action": {"key": "00ff", "report_url": "http://127.0.0.1:9000/", "design_ref": "design:1?x=y&z"},
    })
}

/// Signs that join values to larger ones.
const JOINING: [char; 4] = ['~', '+', '*', '%'];

/// Words of what takes a size from the template, keeps a value to be used again, or writes its argument more than once. A digit stands for all
/// sizes: what has one is rendered only without a call.
const GROWING: [&str; 28] = [
    "format",
    "indent",
    "center",
    "ljust",
    "rjust",
    "zfill",
    "expandtabs",
    "replace",
    "join",
    "batch",
    "slice",
    "range",
    "set",
    "with",
    "macro",
    "call",
    "import",
    "include",
    "extends",
    "block",
    "recursive",
    "filter",
    "namespace",
    "dict",
    "debug",
    "tojson",
    "pprint",
    "loop",
];

/// Whether what stands between the signs of tags could grow. The whole text is looked at, which is too careful and simple; the sign of a
/// percentage that belongs to a tag is not one that joins.
fn may_grow(text: &str) -> bool {
    let expressions = text.replace("{%", "").replace("%}", "");
    expressions.contains(JOINING)
        || GROWING.iter().any(|word| expressions.contains(word))
        // Loops within loops take their product.
        || expressions.matches("for").count() > 2
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let checked = template::check(text);
    if may_grow(text) {
        return;
    }
    let rendered = template::render(text, &context());
    if let (Ok(()), Err(error)) = (checked, rendered) {
        for unknown in ["unknown filter", "unknown test", "unknown variable"] {
            assert!(
                !error.starts_with(unknown),
                "the check passes what does not render: {error}"
            );
        }
        assert!(
            !error.contains("10.0.0.1"),
            "an error tells a value: {error}"
        );
    }
});
