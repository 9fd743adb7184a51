//! What makes no sense is refused with a message that names it, and an exit code that is not 0.

use crate::processes::{Site, example, run, said};

/// Validates a text; exit code and everything said.
fn validate(text: &[u8]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("site.yaml");
    std::fs::write(&file, text).expect("a file");
    let output = run(["design", "validate", &file.display().to_string()]);
    (output.status.code(), said(&output))
}

#[test]
fn unreadable_designs_are_named_by_file_and_line() {
    let cases: [(&str, &[u8], i32, &[&str]); 5] = [
        ("not YAML", b"a: [1, 2\nb: {", 2, &["site.yaml:", "DD000"]),
        (
            "not UTF-8",
            b"a: \xff\xfe",
            2,
            &["site.yaml:1:4", "not UTF-8"],
        ),
        (
            "without a name",
            b"schema: drydock/Rack/v1\nmetadata: {}\ndata: {}\n",
            1,
            &["site.yaml:", "name"],
        ),
        (
            "of an unknown kind",
            b"schema: drydock/Sofa/v1\nmetadata:\n  name: x\ndata: {}\n",
            1,
            &["site.yaml:1:", "Sofa"],
        ),
        (
            "with an unknown field",
            b"schema: drydock/BootAction/v1\nmetadata:\n  name: x\ndata:\n  node_filtr: {}\n",
            1,
            &[
                "site.yaml:5:3",
                "node_filtr",
                "did you mean \"node_filter\"",
            ],
        ),
    ];
    for (what, text, code, words) in cases {
        let (got, said) = validate(text);
        assert_eq!(got, Some(code), "{what}: {said}");
        for word in words {
            assert!(said.contains(word), "{what}: {word:?} is missing: {said}");
        }
    }
}

#[test]
fn a_missing_profile_is_an_error_at_its_name() {
    let text = std::fs::read_to_string(example("lab.yaml")).expect("the example");
    let line = text
        .lines()
        .position(|line| line == "  host_profile: worker")
        .expect("a worker")
        + 1;
    let broken = text.replacen("  host_profile: worker\n", "  host_profile: wroker\n", 1);
    let (code, said) = validate(broken.as_bytes());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(&format!("site.yaml:{line}:")) && said.contains("wroker"),
        "{said}"
    );
}

#[test]
fn missing_things_have_their_exit_code() {
    let output = run(["design", "validate", "/nonexistent/site.yaml"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let output = run(["--url", "http://127.0.0.1:1", "task", "list"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("is a server running there"),
        "{}",
        said(&output)
    );
    assert_eq!(run(["task", "create"]).status.code(), Some(2));
}

#[test]
fn a_server_does_not_listen_where_others_can_reach_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!(
        "database.url=sqlite://{}",
        folder.path().join("x.db").display()
    );
    let output = run(["serve", "--set", "api.listen=0.0.0.0:0", "--set", &database]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("no access control yet"),
        "{}",
        said(&output)
    );
}

#[test]
fn settings_that_are_not_known_are_refused() {
    let output = run(["serve", "--set", "api.lissen=127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("did you mean \"listen\""),
        "{}",
        said(&output)
    );
    let output = run(["serve", "--set", "drivers.oob=[snmp]"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("no out-of-band driver \"snmp\""),
        "{}",
        said(&output)
    );
}

#[test]
fn a_task_on_an_unknown_design_is_the_clients_mistake() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let unknown = "design:00000000-0000-4000-8000-000000000000";
    let output = site.client(&["task", "create", "-a", "verify_nodes", "-d", unknown]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("there is no design:00000000-0000-4000-8000-000000000000"),
        "{}",
        said(&output)
    );
    let output = site.client(&[
        "task",
        "create",
        "-a",
        "verify_nodes",
        "-d",
        "http://127.0.0.1:1/design.yaml",
    ]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("design.allow_refs"),
        "{}",
        said(&output)
    );
    let output = site.client(&["task", "create", "-a", "paint_nodes", "-d", unknown]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("paint_nodes") && said(&output).contains("deploy_nodes"),
        "{}",
        said(&output)
    );
    let output = site.client(&["task", "show", "00000000-0000-4000-8000-000000000000"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
}

#[test]
fn nodes_are_not_wiped_without_being_asked() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let design = site.upload();
    let output = site.client(&[
        "task",
        "create",
        "-a",
        "destroy_nodes",
        "-d",
        &design,
        "-t",
        "worker",
    ]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("erases 3 node(s): worker1, worker2, worker3"),
        "{}",
        said(&output)
    );
    let output = site.client(&["task", "list", "-o", "json"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "[]");
}

#[test]
fn a_variable_left_empty_changes_no_setting() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!(
        "database.url=sqlite://{}",
        folder.path().join("x.db").display()
    );
    let mut command = crate::processes::drydock();
    command.args(["serve", "--set", &database, "--set", "engine.workers=0"]);
    // Taken for a value, it would be refused before the workers are looked at.
    command
        .env("DRYDOCK__API__LISTEN", "")
        .env("DRYDOCK__DRIVERS__ALLOW_NETWORKS", " ");
    let output = command.output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("engine.workers is 0"),
        "{}",
        said(&output)
    );
}
