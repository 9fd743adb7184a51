//! Small trees, and what is made of them.

use drydock_ingester::{DesignIngester, Rendered};
use drydock_model::finding::{Finding, Level};
use drydock_model::ingest::{Format, Source};

pub(crate) const POLICY: &str = "schema: deckhand/LayeringPolicy/v1\nmetadata: {schema: metadata/Control/v1, name: layering-policy}\n\
     data: {layerOrder: [global, type, site, cicd]}\n";

pub(crate) fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.into(),
        format: Format::Auto,
        text: text.into(),
        without: Vec::new(),
    }
}

/// A document of the kind that takes any data: the `metadata` and `data` are in flow style.
pub(crate) fn document(schema: &str, name: &str, metadata: &str, data: &str) -> String {
    let comma = if metadata.is_empty() { "" } else { ", " };
    format!("---\nschema: {schema}\nmetadata: {{name: {name}{comma}{metadata}}}\ndata: {data}\n")
}

/// The policy in one file and the other documents in another.
pub(crate) fn tree(documents: &[String]) -> Vec<Source> {
    vec![
        source("policy.yaml", POLICY),
        source("site.yaml", &documents.concat()),
    ]
}

pub(crate) fn render(sources: &[Source]) -> Result<Vec<Rendered>, Vec<Finding>> {
    DesignIngester::default().render(sources)
}

/// The data of the documents of a tree, as JSON.
pub(crate) fn rendered(documents: &[String]) -> Vec<String> {
    match render(&tree(documents)) {
        Ok(documents) => documents
            .iter()
            .map(|document| {
                let data = document.data().unwrap().to_json();
                format!("{} {data}", document.name())
            })
            .collect(),
        Err(findings) => panic!("{findings:#?}"),
    }
}

/// The findings of a tree that cannot be rendered.
pub(crate) fn refused(sources: &[Source]) -> Vec<Finding> {
    let Err(findings) = render(sources) else {
        panic!("it was rendered");
    };
    for finding in &findings {
        assert_eq!((finding.level, &*finding.code), (Level::Error, "DD000"));
        assert!(!finding.diagnostic.is_empty(), "{finding}");
    }
    findings
}

/// Place and rule of each finding.
pub(crate) fn shown(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .map(|finding| {
            let place = finding.location.as_ref().unwrap();
            format!("{place} {}", finding.rule)
        })
        .collect()
}
