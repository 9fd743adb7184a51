//! A site whose controllers speak Redfish, each like another maker's.

use crate::processes::{example, run, said};

/// The bundled example with other controllers.
fn design(folder: &tempfile::TempDir) -> String {
    let text = std::fs::read_to_string(example("lab.yaml")).expect("the example");
    assert_eq!(text.matches("    type: ipmi\n").count(), 1);
    let path = folder.path().join("lab.yaml");
    let text = text.replace("    type: ipmi\n", "    type: redfish\n");
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

#[test]
fn a_site_of_many_makers_is_deployed() {
    let folder = tempfile::tempdir().expect("a folder");
    let faults = r#"{"machines": {
        "control": {"bmc": {"vendor": "idrac"}}, "worker1": {"bmc": {"vendor": "ilo"}},
        "worker2": {"bmc": {"vendor": "xcc"}}, "worker3": {"bmc": {"vendor": "sushy_tools"}}}}"#;
    let design = design(&folder);
    let output = run(["demo", "--time-scale", "0", "--faults", faults, &design]);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("4 of 4 deployed in "), "{said}");
}

#[test]
fn a_certificate_that_nobody_vouched_for_is_refused_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let design = design(&folder);
    let insecure = ["--set", "oob.redfish.insecure=false"];
    let mut arguments = vec!["demo", "--time-scale", "0"];
    arguments.extend(insecure);
    arguments.push(&design);
    let output = run(arguments);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in [
        "its certificate is not trusted",
        "its SHA-256 is",
        "oob.redfish.fingerprints",
    ] {
        assert!(said.contains(words), "{words:?} is missing:\n{said}");
    }
    assert!(!said.contains("correct-horse"), "{said}");
}
