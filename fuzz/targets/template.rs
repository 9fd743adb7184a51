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

/// Words of what takes a size from the template, keeps a value to be used again, or writes a value larger than it is.
const GROWING: [&str; 27] = [
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
];

/// Filters that take the name of another one as a value, which no check can know.
const BY_NAME: [&str; 3] = ["map", "select", "reject"];

/// Filters and calls that a text may have. A string taken apart and written as a list is five times as long, so a chain of them grows, too.
const CALLS: usize = 4;

/// How often a text may say `for` or `endfor`, since one loop within the other takes the product of both.
const LOOPS: usize = 4;

/// Whether it could. Words and signs are looked for in the whole text, which is too careful and simple; only the signs of tags do not count.
fn may_grow(text: &str) -> bool {
    let inside = text.replace("{%", "").replace("%}", "");
    inside.contains(JOINING)
        || inside.matches(['|', '(']).count() > CALLS
        || inside.matches("for").count() > LOOPS
        || GROWING.iter().any(|word| inside.contains(word))
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
        let unknown = error.starts_with("unknown filter") || error.starts_with("unknown test");
        assert!(
            !unknown || BY_NAME.iter().any(|word| text.contains(word)),
            "the check passes what does not render: {error}"
        );
        assert!(
            !error.contains("10.0.0.1"),
            "an error tells a value: {error}"
        );
    }
});
