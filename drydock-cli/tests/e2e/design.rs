//! `drydock design diff` and `drydock design graph`, on files and on the server's designs.

use serde_json::Value;

use crate::processes::{Site, example, run, said};

/// The example, altered; the folder keeps it.
fn altered(folder: &tempfile::TempDir, from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(example("lab.yaml")).expect("the example");
    assert!(text.contains(from), "{from:?} is not in the example");
    let file = folder.path().join("altered.yaml");
    std::fs::write(&file, text.replacen(from, to, 1)).expect("a file");
    file.display().to_string()
}

fn lab() -> String {
    example("lab.yaml").display().to_string()
}

#[test]
fn the_exit_code_tells_whether_designs_differ() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = altered(&folder, "    image: ", "    image: other-");
    let same = run(["design", "diff", &lab(), &lab()]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    let differs = run(["design", "diff", &lab(), &other]);
    assert_eq!(differs.status.code(), Some(1), "{}", said(&differs));
    assert!(
        said(&differs).contains("~ platform.image: "),
        "{}",
        said(&differs)
    );
    let json = run(["design", "diff", &lab(), &other, "-o", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["changed"][0]["changes"][0]["path"], "platform.image");
    assert_eq!(json["changed"][0]["concerns"][0], "platform");
    let yaml = run(["design", "diff", &lab(), &other, "-o", "yaml"]);
    assert!(
        said(&yaml).contains("path: platform.image"),
        "{}",
        said(&yaml)
    );
}

#[test]
fn what_cannot_be_read_is_no_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.yaml");
    let bad = file.display().to_string();
    for text in [&b"a: [1, 2\nb: {"[..], b"a: \xff\xfe"] {
        std::fs::write(&file, text).expect("a file");
        for sources in [[&lab(), &bad], [&bad, &lab()]] {
            let output = run(["design", "diff", sources[0], sources[1]]);
            assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        }
    }
    let gone = run(["design", "diff", &lab(), "/nonexistent/site.yaml"]);
    assert_eq!(gone.status.code(), Some(3), "{}", said(&gone));
    let silent = run([
        "--url",
        "http://127.0.0.1:1",
        "design",
        "diff",
        &lab(),
        "design:x",
    ]);
    assert_eq!(silent.status.code(), Some(2), "{}", said(&silent));
}

#[test]
fn a_design_of_the_server_is_compared_and_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let there = site.upload();
    let here = site.design.display().to_string();
    let same = site.client(&["design", "diff", &here, &there]);
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    let text = std::fs::read_to_string(&site.design).expect("the design");
    let other = folder.path().join("other.yaml");
    std::fs::write(&other, text.replacen("    image: ", "    image: other-", 1)).expect("a file");
    let other = other.display().to_string();
    let differs = site.client(&["design", "diff", &there, &other]);
    assert_eq!(differs.status.code(), Some(1), "{}", said(&differs));
    assert!(said(&differs).contains("-> other-"), "{}", said(&differs));
    let drawn = |source: &str, format: &str| {
        let output = site.client(&["design", "graph", "--format", format, source]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        String::from_utf8(output.stdout).expect("text")
    };
    for format in ["svg", "dot"] {
        assert_eq!(drawn(&there, format), drawn(&here, format));
    }
    assert!(drawn(&here, "svg").starts_with("<svg ") && drawn(&here, "dot").starts_with("graph "));
}

#[test]
fn a_node_that_is_not_there_cannot_be_drawn() {
    let output = run(["design", "graph", &lab(), "--node", "nobody"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("it has no node nobody"),
        "{}",
        said(&output)
    );
    assert!(output.stdout.is_empty());
}
