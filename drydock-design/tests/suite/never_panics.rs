//! Whatever is read compiles and validates without a panic.

use drydock_design::{compile, digest, rules, validate};
use drydock_ingester::DesignIngester;
use drydock_model::ingest::{Format, Ingester, Source};
use proptest::prelude::*;

const BASE: &str = include_str!("base.yaml");

fn run(text: String) {
    let source = Source {
        name: "any".into(),
        format: Format::Auto,
        text,
        without: Vec::new(),
    };
    if let Ok(documents) = DesignIngester::default().ingest(&[source]) {
        let compiled = compile(&documents, digest(&[]));
        assert!(validate(&documents, &compiled).len() >= rules::ALL.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// A line of the sound design is replaced by another, or goes.
    #[test]
    fn with_lines_moved(from in 0usize..200, to in 0usize..200, remove in any::<bool>()) {
        let mut lines: Vec<&str> = BASE.lines().collect();
        let (from, to) = (from % lines.len(), to % lines.len());
        if remove {
            lines.remove(from);
        } else {
            lines[to] = lines[from];
        }
        run(lines.join("\n"));
    }

    /// A value of the sound design becomes something else.
    #[test]
    fn with_a_value_changed(line in 0usize..200, value in "(null|\\[\\]|\\{\\}|-1|0|''|'!x'|99999999999|'::/0'|'%'|\\PC{0,8})") {
        let mut lines: Vec<String> = BASE.lines().map(str::to_owned).collect();
        let line = line % lines.len();
        if let Some((key, _)) = lines[line].clone().split_once(": ") {
            lines[line] = format!("{key}: {value}");
        }
        run(lines.join("\n"));
    }
}
