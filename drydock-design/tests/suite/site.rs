//! Designs to test with.

use drydock_design::rules::Options;
use drydock_design::{Compiled, compile, digest, validate, validate_with};
use drydock_ingester::DesignIngester;
use drydock_model::design::Document;
use drydock_model::finding::{Finding, Level};
use drydock_model::ingest::{Format, Ingester, Source};

/// A published sample of this repository.
pub fn sample(name: &str) -> Vec<Document> {
    let path = format!("{}/../examples/designs/{name}", env!("CARGO_MANIFEST_DIR"));
    documents(
        &format!("examples/designs/{name}"),
        std::fs::read_to_string(path).unwrap(),
    )
}

/// A design as text.
pub fn documents(name: &str, text: String) -> Vec<Document> {
    let source = Source {
        name: name.into(),
        format: Format::Auto,
        text,
        without: Vec::new(),
    };
    DesignIngester::default()
        .ingest(&[source])
        .unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// Compiles a design.
pub fn compiled(documents: &[Document]) -> Compiled {
    compile(documents, digest(&[]))
}

/// All findings of a design.
pub fn findings(documents: &[Document]) -> Vec<Finding> {
    validate(documents, &compiled(documents))
}

/// All findings of a design, judged with options.
pub fn findings_with(documents: &[Document], options: &Options) -> Vec<Finding> {
    validate_with(documents, &compiled(documents), options)
}

/// What a node provisioner says that has the image and the kernel of the sound design.
pub fn asked() -> Options {
    let kernels = ["ga-24.04", "hwe-24.04"].map(str::to_owned);
    Options {
        offered_images: Some([("noble".to_owned(), kernels.into())].into()),
        ..Options::default()
    }
}

/// The findings above a level, one line each.
pub fn lines(findings: &[Finding], least: Level) -> Vec<String> {
    findings
        .iter()
        .filter(|finding| finding.level >= least)
        .map(ToString::to_string)
        .collect()
}

/// The sound design of `base.yaml`, altered.
pub fn base_with(edits: &[(&str, &str)]) -> (Vec<Document>, String) {
    let mut text = include_str!("base.yaml").to_owned();
    for (old, new) in edits {
        assert!(text.contains(old), "{old:?} is not in the sound design");
        text = text.replacen(old, new, 1);
    }
    (documents("base.yaml", text.clone()), text)
}

/// Where a text stands: line and column of each time. `@text` is the place of the text; `key: value` that of the value.
pub fn places(text: &str, wanted: &str) -> Vec<(u32, u32)> {
    let (needle, skip) = match wanted.strip_prefix('@') {
        Some(needle) => (needle, 0),
        None => (wanted, wanted.find(": ").map_or(0, |colon| colon + 2)),
    };
    text.match_indices(needle)
        .map(|(start, _)| {
            let before = &text[..start + skip];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            (u32::try_from(line).unwrap(), u32::try_from(column).unwrap())
        })
        .collect()
}
