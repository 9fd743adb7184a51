//! Any text as the template of a boot action: bounded time and space, and what the check passes names nothing unknown.
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

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let checked = template::check(text);
    let rendered = template::render(text, &context());
    if let (Ok(()), Err(error)) = (checked, rendered) {
        assert!(
            !error.contains("10.0.0.1"),
            "an error tells a value: {error}"
        );
    }
});
