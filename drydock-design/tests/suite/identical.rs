//! A design means the same on any thread, at any repetition, and however much else is compiled beside it.

use std::fmt::Write as _;

use drydock_design::{compile, digest, validate};
use drydock_model::design::Document;

use crate::site::documents;

/// More nodes than one thread compiles alone, with faults of several rules among them.
fn large() -> Vec<Document> {
    let mut text = String::from(include_str!("base.yaml"));
    for number in 0..700 {
        // Each address stands twice, so that it matters which of the two is seen first.
        let address = 20 + number / 2 % 200;
        let _ = write!(
            text,
            "---\napiVersion: drydock/v1\nkind: BaremetalNode\nmetadata: {{name: more-{number:03}}}\nspec:\n  host_profile: base\n  addressing:\n    - {{network: oob, address: 127.20.0.{address}}}\n  metadata: {{tags: [t{}, t{}], rack: r{}}}\n",
            number % 3,
            number % 5,
            number % 7,
        );
    }
    documents("large", text)
}

#[test]
fn on_any_thread_and_at_any_repetition() {
    let documents = large();
    let once = || {
        let compiled = compile(&documents, digest(&[]));
        let findings = validate(&documents, &compiled);
        let design = serde_json::to_string(&compiled.design).unwrap();
        (design, findings)
    };
    let first = once();
    assert!(first.1.len() > 100, "the faults are found");
    let others: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(once)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    for other in others {
        assert_eq!(first.0, other.0);
        assert_eq!(first.1, other.1);
    }
}
