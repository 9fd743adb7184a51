//! Speed of a large site; run by hand.

use crate::site::{compiled, documents};

#[test]
fn a_thousand_nodes() {
    let base = include_str!("base.yaml");
    let (head, _) = base
        .split_once("---\napiVersion: drydock/v1\nkind: BaremetalNode")
        .unwrap();
    let mut text = head.to_owned();
    for n in 0..1000 {
        let (a, b) = (n / 200, n % 200 + 10);
        text.push_str(&format!("---\napiVersion: drydock/v1\nkind: BaremetalNode\nmetadata: {{name: n{n}}}\nspec:\n  host_profile: base\n  addressing:\n    - {{network: oob, address: 127.20.{a}.{b}}}\n    - {{network: mgmt, address: 10.0.{a}.{b}}}\n    - {{network: storage, address: 'fd00:1::{n}'}}\n  metadata: {{rack: r1, boot_mac: '52:54:00:00:{:02x}:{:02x}'}}\n", n / 256, n % 256));
    }
    let t = std::time::Instant::now();
    let docs = documents("big", text);
    println!("ingest {:?}", t.elapsed());
    let t = std::time::Instant::now();
    let c = compiled(&docs);
    println!("compile {:?}", t.elapsed());
    let t = std::time::Instant::now();
    let f = drydock_design::validate(&docs, &c);
    println!("validate {:?} {}", t.elapsed(), f.len());
}
