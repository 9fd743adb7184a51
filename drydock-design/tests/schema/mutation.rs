//! Breaks every field that the schemas know, in every class that fits, and looks whether it is told.
//!
//! The mutants come from walking the schemas along one valid design ([`walk`], [`breed`]), so that a new field is among them without
//! anyone thinking of it - once the design uses it, which [`every_field_is_used`] demands.

#[path = "mutation/breed.rs"]
mod breed;
#[path = "mutation/harmless.rs"]
mod harmless;
#[path = "mutation/walk.rs"]
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use drydock_ingester::DesignIngester;
use drydock_model::design::{Document, Kind, schema};
use drydock_model::finding::{Finding, Level};
use drydock_model::ingest::{Format, Ingester, Source};
use serde_json::Value;

use crate::site::{asked, findings_with, lines};
use crate::valid::{Judge, values};
use breed::{Class, Mutant};

/// The design as values, one for each document.
fn whole() -> Vec<Value> {
    let mut documents = values(include_str!("mutation/whole.yaml"));
    let named = |documents: &[Value], name: &str| {
        documents
            .iter()
            .position(|document| document["metadata"]["name"] == name)
            .unwrap()
    };
    let profile = documents[named(&documents, "base")]["spec"].clone();
    let node = named(&documents, "n1");
    let own = documents[node]["spec"].take();
    documents[node]["spec"] = profile;
    for (key, value) in own.as_object().unwrap() {
        match (key.as_str(), value) {
            ("metadata", Value::Object(more)) => {
                for (key, value) in more {
                    documents[node]["spec"]["metadata"][key] = value.clone();
                }
            }
            _ => documents[node]["spec"][key] = value.clone(),
        }
    }
    documents
}

fn kind(document: &Value) -> Kind {
    let schema = document["schema"]
        .as_str()
        .and_then(|schema| schema.split('/').nth(1));
    document["kind"]
        .as_str()
        .or(schema)
        .unwrap()
        .parse()
        .unwrap()
}

fn ingest(text: String) -> Result<Vec<Document>, Vec<Finding>> {
    let source = Source {
        name: "whole.yaml".into(),
        format: Format::Auto,
        text,
        without: Vec::new(),
    };
    DesignIngester::default().ingest(&[source])
}

/// The schema of each kind.
fn schemas() -> BTreeMap<Kind, Value> {
    Kind::ALL.map(|kind| (kind, schema::document(kind))).into()
}

#[test]
fn the_design_is_sound() {
    let documents: Vec<Document> = whole()
        .iter()
        .flat_map(|document| ingest(document.to_string()).unwrap())
        .collect();
    let found = findings_with(&documents, &asked());
    assert_eq!(lines(&found, Level::Warning), [""; 0]);
}

#[test]
fn every_field_is_used() {
    let schemas = schemas();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for document in whole() {
        let kind = kind(&document);
        used.extend(
            walk::spots(kind, &schemas[&kind], &document)
                .into_iter()
                .map(|spot| spot.path),
        );
    }
    let known: BTreeSet<String> = schemas
        .iter()
        .flat_map(|(kind, schema)| walk::paths(*kind, schema))
        .collect();
    let unused: Vec<_> = known.difference(&used).collect();
    assert!(unused.is_empty(), "no document uses {unused:#?}");
    assert!(known.len() > 150, "{}", known.len());
}

/// What became of a mutant.
struct Told {
    mutant: Mutant,
    /// Why the reader refused it.
    refused: Option<String>,
    /// The findings that the sound design has not.
    findings: Vec<String>,
    /// Why the schema refuses it; `None` where the text alone is broken.
    schema: Option<Result<(), String>>,
}

/// Breeds all mutants and judges each, on all processors.
fn judged() -> Vec<Told> {
    let values = whole();
    let schemas = schemas();
    let judges: BTreeMap<Kind, Judge> = schemas
        .iter()
        .map(|(kind, schema)| (*kind, Judge::new(schema.clone())))
        .collect();
    let sound: Vec<Document> = values
        .iter()
        .flat_map(|document| ingest(document.to_string()).unwrap())
        .collect();
    assert_eq!(sound.len(), values.len());
    let mutants = breed::all(&values, &schemas, &judges);
    let next = AtomicUsize::new(0);
    let told = Mutex::new(Vec::with_capacity(mutants.len()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = judge(mutant.clone(), &sound, &judges);
                    told.lock().unwrap().push(found);
                }
            });
        }
    });
    let mut told = told.into_inner().unwrap();
    told.sort_by_key(|one| one.mutant.id());
    told
}

fn judge(mutant: Mutant, sound: &[Document], judges: &BTreeMap<Kind, Judge>) -> Told {
    let schema = mutant
        .value
        .as_ref()
        .map(|value| judges[&mutant.kind].judge(value));
    let (refused, findings) = match ingest(mutant.text.clone()) {
        Err(findings) => {
            let findings = lines(&findings, Level::Warning);
            (findings.first().cloned(), findings)
        }
        Ok(documents) => {
            let mut design = sound.to_vec();
            design.splice(mutant.document..=mutant.document, documents);
            (
                None,
                lines(&findings_with(&design, &asked()), Level::Warning),
            )
        }
    };
    Told {
        mutant,
        refused,
        findings,
        schema,
    }
}

/// One test for all that is asked of mutants, since judging them takes most of the time.
#[test]
fn every_broken_field_is_told_and_the_schemas_agree() {
    let told = judged();
    every_broken_field_is_told(&told);
    schemas_and_reader_agree(&told);
}

fn every_broken_field_is_told(told: &[Told]) {
    let mut counts: BTreeMap<Class, (usize, usize)> = BTreeMap::new();
    let mut silent: Vec<&Mutant> = Vec::new();
    for one in told {
        let (all, found) = counts.entry(one.mutant.class).or_default();
        *all += 1;
        if one.findings.is_empty() {
            silent.push(&one.mutant);
        } else {
            *found += 1;
        }
    }
    for (class, (all, found)) in &counts {
        println!("{class:?}: {found} of {all}");
    }
    let found = told.len() - silent.len();
    println!("all: {found} of {}", told.len());
    assert_eq!(counts.len(), 5, "every class has mutants");

    let listed = |mutant: &Mutant| {
        harmless::LIST
            .iter()
            .any(|(class, path, _)| *class == mutant.class && *path == mutant.path)
    };
    let unlisted: Vec<String> = silent
        .iter()
        .filter(|mutant| !listed(mutant))
        .map(|mutant| mutant.id())
        .collect();
    assert!(unlisted.is_empty(), "nothing is told of {unlisted:#?}");
    let told_after_all: Vec<_> = harmless::LIST
        .iter()
        .filter(|(class, path, _)| {
            !silent
                .iter()
                .any(|mutant| mutant.class == *class && mutant.path == *path)
        })
        .collect();
    assert!(
        told_after_all.is_empty(),
        "listed as harmless, but told or gone: {told_after_all:#?}"
    );
    assert!(harmless::LIST.iter().all(|(_, _, why)| why.len() > 20));
    assert!(found * 100 >= told.len() * 98, "{found} of {}", told.len());
}

fn schemas_and_reader_agree(told: &[Told]) {
    let mut wrong = Vec::new();
    let (mut both, mut lax) = (0, BTreeSet::new());
    for one in told {
        let Some(schema) = &one.schema else { continue };
        let id = one.mutant.id();
        match (schema, &one.refused) {
            (Ok(()), Some(why)) => match harmless::lax(&one.mutant) {
                Some(entry) => {
                    lax.insert(entry);
                }
                None => wrong.push(format!("{id}: the reader refuses, not the schema: {why}")),
            },
            // What the schema refuses, the reader refuses or a rule tells.
            (Err(why), None) if one.findings.is_empty() => {
                wrong.push(format!("{id}: the schema alone refuses: {why}"));
            }
            (Err(_), _) => both += 1,
            (Ok(()), None) => {}
        }
    }
    println!("refused by both: {both}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(both > 1000, "{both}");
    let listed: BTreeSet<&str> = harmless::LAX.iter().map(|(what, _)| *what).collect();
    assert_eq!(lax, listed, "each reason has its case");
}
