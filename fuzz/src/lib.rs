//! What the fuzz targets of designs share: the whole way of a text, from bytes to findings.

use drydock_design::{compile, digest, rules, validate};
use drydock_ingester::DesignIngester;
use drydock_ingester::parse::Limits;
use drydock_model::ingest::{Format, Ingester, Source};

/// Reads a text as a design of this form and goes on with whatever is read of it.
///
/// # Panics
/// When something that must hold for every text does not: a refusal without a finding, a finding without a place in the text, a rule that says
/// nothing at all.
pub fn design(bytes: &[u8], format: Format) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    // Small limits, so that reaching them takes a small text.
    let limits = Limits {
        depth: 32,
        nodes: 20_000,
        repeated_nodes: 2_000,
        repeated_bytes: 64 << 10,
        ..Limits::default()
    };
    let source = Source {
        name: "fuzz".into(),
        format,
        text: text.to_owned(),
        without: Vec::new(),
    };
    match DesignIngester::with_limits(limits).ingest(&[source]) {
        Err(findings) => {
            assert!(!findings.is_empty(), "refused without a finding");
            let lines = text
                .split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
                .count();
            for place in findings
                .iter()
                .filter_map(|finding| finding.location.as_ref())
            {
                assert!(
                    place.line >= 1 && place.line as usize <= lines && place.column >= 1,
                    "a finding stands at {place}, and the text has {lines} lines"
                );
            }
        }
        Ok(documents) => {
            let compiled = compile(&documents, digest(&[]));
            let findings = validate(&documents, &compiled);
            assert!(findings.len() >= rules::ALL.len(), "a rule said nothing");
            assert_eq!(
                findings,
                validate(&documents, &compiled),
                "the second validation says something else"
            );
        }
    }
}
