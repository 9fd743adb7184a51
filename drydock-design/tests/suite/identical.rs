//! A design means the same on any thread, at any repetition, and however much else is compiled beside it.

use std::fmt::Write as _;

use drydock_design::rules::{self, LevelOverride, Options, Site};
use drydock_design::{compile, digest, validate, validate_with};
use drydock_model::design::Document;

use crate::site::{compiled, documents};

/// More nodes than one thread compiles alone, with faults of several rules among them.
fn large() -> Vec<Document> {
    // A root file system that is too small, on all nodes by their profile.
    let mut text = include_str!("base.yaml").replacen("size: 20g", "size: 1g", 1);
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

#[test]
fn many_nodes_are_judged_as_rule_by_rule() {
    let documents = large();
    let compiled = compiled(&documents);
    let options = Options {
        levels: [
            ("boot/definition".to_owned(), LevelOverride::Off),
            ("reference/rack".to_owned(), LevelOverride::Error),
        ]
        .into(),
        ..Options::default()
    };
    let site = Site::with_options(&documents, &compiled, &options);
    let by_rule: Vec<_> = rules::ALL.iter().flat_map(|rule| rule.run(&site)).collect();
    assert_eq!(validate_with(&documents, &compiled, &options), by_rule);
    // Told once by whoever judged the first of its nodes, with the nodes that others judged.
    let small = by_rule.iter().filter(|found| found.rule == "storage/boot");
    let named: Vec<usize> = small.map(|found| found.documents.len()).collect();
    assert!(matches!(named[..], [all] if all > 700), "{named:?}");
}
