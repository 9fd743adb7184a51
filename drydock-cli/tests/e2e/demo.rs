//! `drydock demo` deploys every sample design, and says what it did.

use serde_json::Value;

use crate::processes::{example, run, said};

fn demo(arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output = run(["demo", "--time-scale", "0", "--json"]
        .iter()
        .chain(arguments));
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .unwrap_or(Value::Null);
    (output.status.code(), line, said(&output))
}

fn deploys(design: &str, nodes: u64) {
    let path = example(design);
    let (code, line, said) = demo(&[&path.display().to_string()]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(line["nodes"], nodes, "{said}");
    assert_eq!(line["deployed"], nodes, "{said}");
    assert_eq!(line["failed"], 0, "{said}");
    assert!(
        line["seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds > 0.0),
        "{said}"
    );
    // Each node is found, commissioned and deployed at the least.
    assert!(
        line["changes"]
            .as_u64()
            .is_some_and(|changes| changes >= 3 * nodes),
        "{said}"
    );
}

#[test]
fn the_bundled_example_needs_no_file() {
    let (code, line, said) = demo(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        (line["nodes"].as_u64(), line["deployed"].as_u64()),
        (Some(4), Some(4)),
        "{said}"
    );
}

#[test]
fn seaworthy_is_deployed() {
    deploys("designs/seaworthy.yaml", 5);
}

#[test]
fn airsloop_is_deployed() {
    deploys("designs/airsloop.yaml", 1);
}

#[test]
fn fullsite_in_deckhand_form_is_deployed() {
    deploys("designs/fullsite-deckhand.yaml", 3);
}

#[test]
fn fullsite_in_the_older_form_is_deployed() {
    deploys("designs/fullsite-yaml.yaml", 2);
}

#[test]
fn the_faulty_fullsite_is_refused_by_file_and_line() {
    let path = example("designs/fullsite-yaml-faulty.yaml");
    let (code, line, said) = demo(&[&path.display().to_string()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        line["error"]
            .as_str()
            .is_some_and(|error| error.contains("DD1007")),
        "{said}"
    );
    let errors: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("error ["))
        .collect();
    assert_eq!(errors.len(), 1, "{said}");
    assert!(
        errors[0].starts_with("error [network/allowed DD1007]"),
        "{said}"
    );
    let is_place = |line: &&str| line.trim_start().starts_with("-->");
    let places: Vec<_> = said.lines().filter(is_place).collect();
    assert_eq!(places.len(), 1, "{said}");
    assert!(
        places[0].ends_with("fullsite-yaml-faulty.yaml:392:11"),
        "{said}"
    );
}

#[test]
fn without_json_there_is_a_table_of_nodes() {
    let output = run(["demo", "--time-scale", "0"]);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    for words in [
        "time scale 0",
        "node",
        "address",
        "image",
        "seconds",
        "result",
        "worker3",
        "10.41.1.13",
        "jammy",
        "deployed",
    ] {
        assert!(said.contains(words), "{words:?} is missing:\n{said}");
    }
    assert!(said.contains("4 of 4 deployed in "), "{said}");
}

#[test]
fn a_machine_that_fails_is_said_and_does_not_hold_up_the_others() {
    let faults = r#"{"machines": {"worker2": {"fails_deployment": true}}}"#;
    let (code, line, said) = demo(&["--faults", faults]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(
        (line["deployed"].as_u64(), line["failed"].as_u64()),
        (Some(3), Some(1)),
        "{said}"
    );
    assert!(
        said.contains("deploy_nodes: ") && said.contains("worker2"),
        "{said}"
    );
}

#[test]
fn a_boot_action_that_reports_failure_fails_its_node() {
    let faults = r#"{"machines": {"control": {"boot_action_fails": true}}}"#;
    let (code, line, said) = demo(&["--faults", faults]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(
        (line["deployed"].as_u64(), line["failed"].as_u64()),
        (Some(3), Some(1)),
        "{said}"
    );
    assert!(
        said.contains("boot action greet on control: reported failure"),
        "{said}"
    );
}

#[test]
fn a_machine_that_never_calls_back_fails_when_the_deadline_passes() {
    let faults = r#"{"machines": {"control": {"never_calls_back": true}}}"#;
    let (code, line, said) = demo(&["--faults", faults, "--set", "timeouts.bootaction_report=1s"]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(
        (line["deployed"].as_u64(), line["failed"].as_u64()),
        (Some(3), Some(1)),
        "{said}"
    );
    assert!(
        said.contains("boot action greet on control: did not report before the deadline"),
        "{said}"
    );
}

#[test]
fn a_database_that_is_in_use_is_not_played_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite://{}", folder.path().join("real.db").display());
    let (code, _, said) = demo(&["--database", &database]);
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = demo(&["--database", &database]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("works on an empty database only"), "{said}");
}
