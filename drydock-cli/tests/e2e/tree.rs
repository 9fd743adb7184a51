//! Unrendered site trees, wherever a design may be named.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::processes::{Site, example, run, said};

/// The folders of a site's tree.
fn folders(site: &str) -> [String; 2] {
    let trees = example("trees");
    [trees.join("global"), trees.join("site").join(site)].map(|path| path.display().to_string())
}

fn published(site: &str) -> String {
    example("designs")
        .join(format!("{site}.yaml"))
        .display()
        .to_string()
}

fn design(verb: &str, arguments: &[&str]) -> Output {
    run(["design", verb].iter().chain(arguments))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

#[test]
fn rendered_trees_mean_what_the_published_designs_mean() {
    let folder = tempfile::tempdir().expect("a folder");
    for (site, documents) in [("seaworthy", 26), ("airsloop", 20)] {
        let [global, own] = folders(site);
        let yaml = design("render", &[&global, &own]);
        assert_eq!(yaml.status.code(), Some(0), "{}", said(&yaml));
        let file = folder.path().join("rendered.yaml");
        std::fs::write(&file, &yaml.stdout).expect("a file");
        let file = file.display().to_string();
        let tree = format!("{global},{own}");
        let same = design("diff", &[&file, &tree]);
        assert_eq!(same.status.code(), Some(0), "{}", said(&same));
        // Documents stand in the order of the files, and so boot actions in another than where the published designs were rendered.
        let differs = json(&design("diff", &[&tree, &published(site), "-o", "json"]));
        for node in differs["changed"].as_array().expect("nodes") {
            let changes = node["changes"].as_array().expect("changes");
            let paths: Vec<_> = changes.iter().map(|change| &change["path"]).collect();
            assert_eq!(paths, ["boot_actions"], "{differs:#}");
        }
        for others in ["added", "removed"] {
            assert_eq!(
                differs[others].as_array().map(Vec::len),
                Some(0),
                "{differs:#}"
            );
        }
        let list = json(&design("render", &[&own, &global, "-o", "json"]));
        let list = list.as_array().expect("a list");
        assert_eq!(list.len(), documents);
        let region = |document: &&Value| document["schema"] == "drydock/Region/v1";
        let region = list.iter().find(region).expect("a region");
        assert_eq!(region["metadata"]["name"], site);
        let key = region["data"]["authorized_keys"][0].as_str();
        assert!(key.is_some_and(|key| key.starts_with("ssh-rsa ")));
    }
}

#[test]
fn findings_of_a_tree_are_those_of_its_rendering_but_for_their_places() {
    for site in ["seaworthy", "airsloop"] {
        let [global, own] = folders(site);
        let arguments = [&*global, &*own, "--level", "info", "-o", "json"];
        let tree = design("validate", &arguments);
        let file = design(
            "validate",
            &[&published(site), "--level", "info", "-o", "json"],
        );
        assert_eq!(tree.status.code(), Some(0), "{}", said(&tree));
        let (tree, file) = (json(&tree), json(&file));
        let told = |value: &Value| {
            let findings = value["findings"].as_array().expect("findings").iter();
            let mut told: Vec<String> = findings
                .map(|finding| {
                    let mut finding = finding.clone();
                    finding["location"] = Value::Null;
                    finding.to_string()
                })
                .collect();
            told.sort();
            told
        };
        assert_eq!(told(&tree), told(&file), "{site}");
        assert_eq!(
            (&tree["errors"], &tree["warnings"]),
            (&file["errors"], &file["warnings"])
        );
        for finding in tree["findings"].as_array().expect("findings") {
            let Some(source) = finding["location"]["source"].as_str() else {
                continue;
            };
            let text = std::fs::read_to_string(source).expect("a file of the tree");
            let line = finding["location"]["line"].as_u64().expect("a line");
            assert!(
                (1..=text.lines().count() as u64).contains(&line),
                "{finding:#}"
            );
        }
    }
}

/// A password is told of where it is substituted; the line on which it stands is not shown.
#[test]
fn findings_about_a_secret_do_not_show_it() {
    let [global, own] = folders("seaworthy");
    let output = design("validate", &[&global, &own, "--level", "info"]);
    assert!(
        said(&output).contains("oob/clear-secret"),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains("password123"), "{}", said(&output));
}

#[test]
fn what_a_tree_lacks_is_named_by_file_and_line() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&example("trees"), folder.path());
    let secrets = "site/seaworthy/secrets/passphrases/ipmi_admin_password.yaml";
    std::fs::remove_file(folder.path().join(secrets)).expect("a file");
    let [global, own] = ["global", "site/seaworthy"].map(|name| folder.path().join(name));
    let [global, own] = [global, own].map(|path| path.display().to_string());
    for verb in ["validate", "render", "show", "list"] {
        let output = design(verb, &[&global, &own]);
        let code = if verb == "validate" { 1 } else { 2 };
        let got = output.status.code();
        assert_eq!(got, Some(code), "{verb}: {}", said(&output));
        for words in [
            "document/substitution",
            "global/profiles/host/cp.yaml:17:",
            "global/profiles/host/dp.yaml:",
            "drydock/HostProfile/v1 cp-global",
            "deckhand/Passphrase/v1 ipmi_admin_password is not there (path .)",
        ] {
            assert!(
                said(&output).contains(words),
                "{verb}: {words}: {}",
                said(&output)
            );
        }
    }
    let profiles = format!("{global}/profiles/host");
    let output = design("validate", &[&profiles]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("deckhand/LayeringPolicy"),
        "{}",
        said(&output)
    );
    let twice = design(
        "validate",
        &[&global, &own, &global, &format!("{own}/networks")],
    );
    assert!(
        !said(&twice).contains("second layering policy"),
        "{}",
        said(&twice)
    );
}

#[test]
fn a_tree_is_uploaded_as_one_rendered_text() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let [global, own] = folders("airsloop");
    let output = site.client(&["design", "upload", &global, &own]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let there = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let tree = format!("{global},{own}");
    let same = site.client(&["design", "diff", &there, &tree]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    let mixed = site.client(&["design", "show", &there, &own]);
    assert_eq!(mixed.status.code(), Some(2), "{}", said(&mixed));
    let server = site.client(&["design", "render", &there]);
    assert_eq!(server.status.code(), Some(2), "{}", said(&server));
    let listed = site.client(&["design", "list"]);
    assert!(said(&listed).contains(&there), "{}", said(&listed));
}

#[test]
fn a_parent_that_is_not_given_is_told_beside_the_rendered_tree() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "schema: deckhand/LayeringPolicy/v1\nmetadata: {schema: metadata/Control/v1, name: policy}\ndata: {layerOrder: [global, site]}\n---\nschema: drydock/Rack/v1\nmetadata:\n  schema: metadata/Document/v1\n  name: r1\n  layeringDefinition:\n    layer: site\n    parentSelector: {of: base}\n    actions: [{method: merge, path: .}]\ndata: {location: {hall: '7'}}\n";
    std::fs::write(folder.path().join("site.yaml"), text).expect("a file");
    let output = design("render", &[&folder.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.contains("hall: \"7\"") && !printed.contains("warning"),
        "{printed}"
    );
    let beside = String::from_utf8_lossy(&output.stderr);
    assert!(
        beside.contains("site.yaml:11:21: warning [document/layering DD000]: r1: the parentSelector selects no document"),
        "{beside}"
    );
}
