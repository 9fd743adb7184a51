//! The published trees come to the published designs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use drydock_ingester::{DesignIngester, parse_tree, to_stream};
use drydock_model::design::{Document, Kind};
use drydock_model::finding::Location;
use drydock_model::ingest::{Ingester, Source};
use serde_json::Value;

use super::site::{render, source};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|word| word == "yaml") {
            into.push(path);
        }
    }
}

/// The texts of a site and of the layer above it; names are paths below `trees`.
pub(crate) fn site(name: &str) -> Vec<Source> {
    let trees = examples().join("trees");
    let mut files = Vec::new();
    collect(&trees.join("global"), &mut files);
    collect(&trees.join("site").join(name), &mut files);
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(&trees).unwrap().display().to_string();
        source(&name, &std::fs::read_to_string(path).unwrap())
    };
    files.iter().map(read).collect()
}

fn published(name: &str) -> Source {
    let path = examples().join("designs").join(format!("{name}.yaml"));
    source(name, &std::fs::read_to_string(path).unwrap())
}

type ByName = BTreeMap<(Kind, String), Value>;

fn by_name(documents: &[Document]) -> ByName {
    let json = |document: &Document| {
        let key = (document.kind, document.name.clone());
        (key, document.to_json(true))
    };
    documents.iter().map(json).collect()
}

fn ingest(sources: &[Source]) -> Vec<Document> {
    let documents = DesignIngester::default().ingest(sources);
    documents.unwrap_or_else(|findings| panic!("{findings:#?}"))
}

#[test]
fn trees_come_to_the_published_designs() {
    for (name, count) in [("seaworthy", 26), ("airsloop", 20)] {
        let documents = ingest(&site(name));
        let expected = ingest(&[published(name)]);
        assert_eq!(documents.len(), count, "{name}");
        assert_eq!(by_name(&documents).len(), count, "{name}: names are unique");
        for (key, document) in &by_name(&expected) {
            let found = by_name(&documents).remove(key);
            assert_eq!(found.as_ref(), Some(document), "{name}: {key:?}");
        }
        assert_eq!(expected.len(), count, "{name}");
    }
}

#[test]
fn the_stream_says_the_same_again_and_always_in_the_same_words() {
    for name in ["seaworthy", "airsloop"] {
        let sources = site(name);
        let stream = to_stream(&render(&sources).ok().unwrap()).unwrap();
        assert_eq!(stream, to_stream(&render(&sources).ok().unwrap()).unwrap());
        let again = ingest(&[source("rendered.yaml", &stream)]);
        assert_eq!(by_name(&again), by_name(&ingest(&sources)), "{name}");
        let from = format!("---\n# site/{name}/profiles/region.yaml:");
        assert!(stream.contains(&from), "{name}");
        let kept = parse_tree(&stream, "rendered.yaml").unwrap();
        for document in kept {
            let layer = document.find(&["metadata", "layeringDefinition", "layer"]);
            assert!(layer.is_some(), "metadata is kept as written");
        }
    }
}

/// The line of a file of a tree that holds a text.
fn line(sources: &[Source], name: &str, holds: &str) -> Location {
    let source = sources.iter().find(|source| &*source.name == name).unwrap();
    let at = source
        .text
        .lines()
        .position(|line| line.contains(holds))
        .unwrap();
    Location {
        source: name.into(),
        line: u32::try_from(at + 1).unwrap(),
        column: 0,
    }
}

#[test]
fn values_stand_where_they_were_written() {
    let sources = site("seaworthy");
    let documents = ingest(&sources);
    let of = |kind: Kind, name: &str, path: &[&str]| {
        let mut found = documents.iter();
        let found = found.find(|document| document.kind == kind && document.name == name);
        let place = found.unwrap().find_location(path).unwrap();
        Location { column: 0, ..place }
    };
    let profile = |path: &[&str]| of(Kind::HostProfile, "dp_r720", path);
    let dp = "site/seaworthy/profiles/host/dp_r720.yaml";
    assert_eq!(
        profile(&["primary_network"]),
        line(&sources, dp, "primary_network")
    );
    // Inherited from the layer above.
    let global = "global/profiles/host/dp.yaml";
    assert_eq!(
        profile(&["oob", "account"]),
        line(&sources, global, "account:")
    );
    assert_eq!(
        profile(&["platform", "image"]),
        line(&sources, global, "image:")
    );
    // Merged: the site's own value in a map of the layer above.
    let own = profile(&["platform", "kernel_params", "console"]);
    assert_eq!(own, line(&sources, dp, "console:"));
    // Substituted from another document.
    assert_eq!(
        of(
            Kind::Region,
            "seaworthy",
            &["repositories", "main_archive", "url"]
        )
        .source
        .as_ref(),
        "global/software/config/versions.yaml"
    );
    // A secret is told where it is substituted, so that its own line is never shown.
    assert_eq!(
        profile(&["oob", "credential"]),
        line(&sources, global, "path: .oob.credential")
    );
}

#[test]
fn folders_may_be_given_in_any_order() {
    let mut sources = site("airsloop");
    let expected = by_name(&ingest(&sources));
    sources.reverse();
    assert_eq!(by_name(&ingest(&sources)), expected);
}

#[test]
fn a_document_deleted_by_itself_stays_away() {
    let mut sources = site("airsloop");
    let gone = drydock_model::finding::DocumentRef {
        kind: Kind::Region,
        name: "airsloop".into(),
    };
    for source in &mut sources {
        source.without.push(gone.clone());
    }
    assert!(
        ingest(&sources)
            .iter()
            .all(|document| document.reference() != gone)
    );
    assert_eq!(ingest(&sources).len(), 19);
    assert_eq!(render(&sources).ok().unwrap().len(), 19);
}
