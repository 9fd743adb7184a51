//! Findings as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format, errata 01), for code hosts and editors.

use drydock_design::rules::{self, ALL, READING, Rule};
use drydock_model::finding::{DocumentRef, Finding, Level, Location};
use serde_json::{Map, Value, json};

use super::report::Report;
use super::texts::Span;
use super::{place, remarks};

/// Where the format's schema is published.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Documents named with one result; a profile may be inherited by ten thousand nodes.
const DOCUMENTS: usize = 100;

/// Where the documentation is published; empty until the package says so. Rules carry the text of their page with them.
const HOMEPAGE: &str = env!("CARGO_PKG_HOMEPAGE");

/// The whole log: one run, every rule, the findings that are shown.
pub fn log(report: &Report<'_>) -> Value {
    let results: Vec<Value> = report
        .found()
        .map(|finding| result(finding, report))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver(HOMEPAGE) },
            "invocations": [{ "executionSuccessful": report.readable }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn registry() -> impl Iterator<Item = &'static Rule> {
    READING.iter().chain(ALL.iter().copied())
}

/// The tool and its rules (section 3.19).
fn driver(homepage: &str) -> Value {
    let rules: Vec<Value> = registry().map(|rule| descriptor(rule, homepage)).collect();
    let version = env!("CARGO_PKG_VERSION");
    let mut driver = json!({
        "name": "drydock",
        "version": version,
        "semanticVersion": version,
        "rules": rules,
    });
    if !homepage.is_empty() {
        driver["informationUri"] = json!(homepage);
    }
    driver
}

/// A rule (section 3.49).
fn descriptor(rule: &Rule, homepage: &str) -> Value {
    let mut descriptor = json!({
        "id": rule.id,
        "name": rule.name.split(' ').collect::<String>(),
        "shortDescription": { "text": rule.what },
        "fullDescription": { "text": format!("{} {}", rule.what, rule.why) },
        "help": { "text": rule.fix, "markdown": rules::page(rule) },
        "defaultConfiguration": { "level": level(rule.level) },
        "properties": { "code": rule.code },
    });
    if !homepage.is_empty() {
        let page = rules::page_name(rule).replace(".md", ".html");
        let uri = format!("{}/rules/{page}", homepage.trim_end_matches('/'));
        descriptor["helpUri"] = json!(uri);
    }
    descriptor
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "note",
    }
}

/// A finding (section 3.27).
fn result(finding: &Finding, report: &Report<'_>) -> Value {
    let mut result = Map::new();
    result.insert("ruleId".into(), json!(finding.rule));
    if let Some(index) = registry().position(|rule| rule.id == finding.rule) {
        result.insert("ruleIndex".into(), json!(index));
    }
    result.insert("level".into(), json!(level(finding.level)));
    result.insert("message".into(), json!({ "text": told(finding) }));
    let span = report.texts.fix_span(finding);
    if let Some(location) = location(finding, span, report) {
        result.insert("locations".into(), json!([location]));
    }
    if finding.chain.len() > 1 {
        let steps = finding.chain.iter().enumerate();
        let related: Vec<Value> = steps.map(|(id, step)| related(id, step, report)).collect();
        result.insert("relatedLocations".into(), json!(related));
    }
    if let (Some(location), Some(fix), Some(span)) = (&finding.location, &finding.fix, span) {
        result.insert(
            "fixes".into(),
            json!([{
                "description": { "text": format!("write {}", fix.by) },
                "artifactChanges": [{
                    "artifactLocation": artifact(location, report),
                    "replacements": [{
                        "deletedRegion": region(location.line, span),
                        "insertedContent": { "text": fix.by },
                    }],
                }],
            }]),
        );
    }
    result.insert("properties".into(), json!({ "code": finding.code }));
    Value::Object(result)
}

fn told(finding: &Finding) -> String {
    let mut said = vec![finding.message.clone()];
    said.extend(Some(finding.diagnostic.clone()).filter(|advice| !advice.is_empty()));
    said.extend(remarks(finding));
    said.join("\n")
}

/// Where it is: the place, and the documents by name (sections 3.28, 3.33).
fn location(finding: &Finding, span: Option<Span>, report: &Report<'_>) -> Option<Value> {
    let mut whole = Map::new();
    if let Some(location) = &finding.location {
        let region = span.map_or_else(
            || json!({ "startLine": location.line, "startColumn": location.column }),
            |span| region(location.line, span),
        );
        whole.insert(
            "physicalLocation".into(),
            json!({ "artifactLocation": artifact(location, report), "region": region }),
        );
    }
    if !finding.documents.is_empty() {
        let documents = finding.documents.iter().take(DOCUMENTS);
        let names: Vec<Value> = documents.map(logical).collect();
        whole.insert("logicalLocations".into(), json!(names));
    }
    (!whole.is_empty()).then_some(Value::Object(whole))
}

/// A document that the value is inherited through.
fn related(id: usize, document: &DocumentRef, report: &Report<'_>) -> Value {
    let mut step = json!({
        "id": id,
        "logicalLocations": [logical(document)],
        "message": { "text": document.to_string() },
    });
    if let Some(location) = report.places.get(document) {
        step["physicalLocation"] = json!({
            "artifactLocation": artifact(location, report),
            "region": { "startLine": location.line, "startColumn": location.column },
        });
    }
    step
}

fn logical(document: &DocumentRef) -> Value {
    json!({
        "name": document.name,
        "fullyQualifiedName": format!("{}/{}", document.kind, document.name),
    })
}

fn artifact(location: &Location, report: &Report<'_>) -> Value {
    json!({ "uri": place::uri(&location.source, &report.folder) })
}

fn region(line: u32, span: Span) -> Value {
    json!({ "startLine": line, "startColumn": span.start, "endColumn": span.end })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use drydock_model::design::Kind;
    use drydock_model::finding::Fix;

    use super::super::tests::{document, finding, source};
    use super::*;

    #[test]
    fn a_result_has_what_the_specification_asks_for() {
        let mut found = finding("./site a.yaml", 2, 9);
        found.rule = "network/cidr".into();
        found.documents = vec![document(Kind::BaremetalNode, "n1")];
        found.chain = vec![
            document(Kind::BaremetalNode, "n1"),
            document(Kind::HostProfile, "worker"),
        ];
        found.fix = Some(Fix {
            replace: "10.0.0.5/24".into(),
            by: "10.0.0.0/24".into(),
        });
        let findings = [found];
        let sources = [source("./site a.yaml", "spec:\n  cidr: '10.0.0.5/24'\n")];
        let mut report = Report::new(&findings, &sources, |_| true);
        let profile = Location {
            source: "profiles.yaml".into(),
            line: 7,
            column: 3,
        };
        let worker = document(Kind::HostProfile, "worker");
        report.places.insert(worker, profile);
        let mut results = log(&report)["runs"][0]["results"].take();
        // It moves with each new rule.
        results[0]["ruleIndex"].take();
        insta::assert_json_snapshot!(results);
    }

    #[test]
    fn the_driver_lists_every_rule_at_its_index() {
        let findings: Vec<Finding> = registry()
            .map(|rule| Finding {
                rule: rule.id.into(),
                level: rule.level,
                ..finding("site.yaml", 1, 1)
            })
            .collect();
        let log = log(&Report::new(&findings, &[], |_| true));
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        assert_eq!(run["columnKind"], "unicodeCodePoints");
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let results = run["results"].as_array().unwrap();
        assert_eq!((rules.len(), results.len()), (findings.len(), rules.len()));
        for (index, (rule, result)) in rules.iter().zip(results).enumerate() {
            assert_eq!(result["ruleIndex"], index);
            assert_eq!(result["ruleId"], rule["id"]);
            assert_eq!(result["level"], rule["defaultConfiguration"]["level"]);
            for text in ["shortDescription", "fullDescription", "help"] {
                assert!(!rule[text]["text"].as_str().unwrap().is_empty(), "{rule}");
            }
        }
    }

    #[test]
    fn links_are_told_where_the_documentation_is_published() {
        let rule = rules::find("network/cidr").unwrap();
        assert_eq!(
            descriptor(rule, "https://docs.example/drydock/")["helpUri"],
            "https://docs.example/drydock/rules/network-cidr.html"
        );
        assert!(descriptor(rule, "").get("helpUri").is_none());
    }

    #[test]
    fn what_the_client_does_not_know_has_no_index() {
        let found = Finding {
            rule: "sofa/colour".into(),
            location: None,
            ..finding("", 1, 1)
        };
        let findings = [found];
        let log = log(&Report::new(&findings, &[], |_| true));
        let result = &log["runs"][0]["results"][0];
        assert!(result.get("ruleIndex").is_none() && result.get("locations").is_none());
    }
}
