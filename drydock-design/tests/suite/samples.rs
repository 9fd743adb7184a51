//! The published samples, compiled and validated.

use drydock_design::rules;
use drydock_model::finding::Level;

use crate::site::{findings, lines, sample};

#[test]
fn sound_samples_have_no_error() {
    for name in [
        "seaworthy.yaml",
        "airsloop.yaml",
        "fullsite-deckhand.yaml",
        "fullsite-yaml.yaml",
        "routedomain.yaml",
    ] {
        let found = findings(&sample(name));
        println!("{name}\n{:#?}", lines(&found, Level::Warning));
        assert_eq!(lines(&found, Level::Error), [""; 0], "{name}");
        assert!(found.len() >= rules::ALL.len());
    }
}

#[test]
fn the_faulty_sample_has_one_error_with_its_place() {
    let found = findings(&sample("fullsite-yaml-faulty.yaml"));
    println!("{:#?}", lines(&found, Level::Warning));
    let errors: Vec<_> = found
        .iter()
        .filter(|finding| finding.level == Level::Error)
        .collect();
    assert_eq!(errors.len(), 1);
    assert_eq!(
        (errors[0].code.as_str(), errors[0].rule.as_str()),
        ("DD1007", "network/allowed")
    );
    assert_eq!(
        errors[0].location.as_ref().unwrap().to_string(),
        "examples/designs/fullsite-yaml-faulty.yaml:392:11"
    );
    let documents: Vec<_> = errors[0]
        .documents
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        documents,
        ["HostProfile k8-node", "BaremetalNode compute01"]
    );
}

#[test]
fn published_sites_have_only_the_warnings_that_are_true_of_them() {
    for name in ["seaworthy.yaml", "airsloop.yaml"] {
        let found = findings(&sample(name));
        let others: Vec<String> = found
            .iter()
            .filter(|finding| finding.level >= Level::Warning)
            .filter(|finding| {
                let owner_data = finding.rule == "host/stored-names"
                    && finding.level == Level::Warning
                    && finding.message.contains("owner-data key");
                !owner_data && finding.rule != "reference/rack"
            })
            .map(ToString::to_string)
            .collect();
        assert_eq!(others, [""; 0], "{name}");
        let told = |rule: &str| {
            found
                .iter()
                .any(|finding| finding.rule == rule && finding.level == Level::Warning)
        };
        assert!(told("host/stored-names"), "{name}");
    }
}
