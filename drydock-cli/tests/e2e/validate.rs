//! `drydock design validate`: every form of its answer, every exit code, every source.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::processes::{Site, drydock, example, run, said};

/// Validates in the folder of the example designs, so that they are named by file name alone.
fn validate(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the binary runs")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = drydock();
    command
        .current_dir(example("designs"))
        .args(["design", "validate"])
        .args(arguments);
    command
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

/// Only these rules, so that a snapshot is about the form and not about every rule that there will be.
const THREE_RULES: [&str; 8] = [
    "--allow",
    "all",
    "--deny",
    "network/allowed",
    "--deny",
    "host/stored-names",
    "--deny",
    "oob/clear-secret",
];

const FAULTY: &str = "fullsite-yaml-faulty.yaml";

/// A design with seven warnings and no error: a rack that is not defined, five times, and owner data that cannot be stored as written, twice.
const WARNED: &str = "seaworthy.yaml";

/// A design with an unknown field, on line 5.
const UNREADABLE: &[u8] =
    b"schema: drydock/BootAction/v1\nmetadata:\n  name: x\ndata:\n  node_filtr: {}\n";

#[test]
fn the_table_shows_lines_carets_and_what_to_write() {
    let output = validate(&[FAULTY]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    insta::assert_snapshot!(printed(&output));
}

#[test]
fn a_secret_in_the_design_is_not_shown() {
    let text = std::fs::read_to_string(example("designs").join(WARNED)).expect("the design");
    assert!(text.contains("credential: password123"));
    for format in ["table", "json", "yaml", "sarif", "github"] {
        let output = validate(&[WARNED, "--level", "info", "-o", format]);
        assert!(
            said(&output).contains("oob/clear-secret"),
            "{}",
            said(&output)
        );
        assert!(!said(&output).contains("password123"), "{}", said(&output));
    }
}

#[test]
fn json_and_yaml_tell_the_same() {
    let output = validate(&[FAULTY, "-o", "json", "--level", "info"]);
    assert_eq!(output.status.code(), Some(1));
    let value = json(&output);
    let count = |level: &str, least: usize| {
        let findings = value["findings"].as_array().expect("findings");
        let of_level = findings
            .iter()
            .filter(|finding| finding["level"] == level)
            .count();
        assert!(of_level >= least, "{level}: {value:#}");
        of_level
    };
    assert_eq!(value["errors"], count("Error", 1));
    assert_eq!(value["warnings"], count("Warning", 0));
    // Rules that found nothing say so on this level, and are no findings.
    assert!(value["infos"].as_u64().expect("infos") < count("Info", 2) as u64);
    let yaml = printed(&validate(&[FAULTY, "-o", "yaml", "--level", "info"]));
    let first = yaml.lines().next().expect("a line");
    assert_eq!(first, format!("errors: {}", value["errors"]));
    let rules = |text: &str| text.matches("rule: ").count();
    assert_eq!(
        rules(&yaml),
        value["findings"].as_array().expect("findings").len()
    );
}

#[test]
fn sarif_names_rules_and_places() {
    let output = validate(&[FAULTY, "-o", "sarif"]);
    assert_eq!(output.status.code(), Some(1));
    let log = json(&output);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "drydock");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let text = std::fs::read_to_string(example("designs").join(FAULTY)).expect("the design");
    let lines: Vec<&str> = text.lines().collect();
    let results = run["results"].as_array().expect("results");
    assert!(!results.is_empty());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).unwrap_or(0);
        assert_eq!(rules[index]["id"], result["ruleId"]);
        for fix in result["fixes"].as_array().into_iter().flatten() {
            let replacement = &fix["artifactChanges"][0]["replacements"][0];
            let region = &replacement["deletedRegion"];
            let at = |key: &str| usize::try_from(region[key].as_u64().expect(key)).expect(key);
            let line: Vec<char> = lines[at("startLine") - 1].chars().collect();
            let replaced: String = line[at("startColumn") - 1..at("endColumn") - 1]
                .iter()
                .collect();
            assert!(
                result["message"]["text"]
                    .as_str()
                    .is_some_and(|told| told.contains(&replaced)),
                "{replaced:?}: {result:#}"
            );
        }
        for location in result["locations"].as_array().into_iter().flatten() {
            let place = &location["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], FAULTY, "{result:#}");
            let line = place["region"]["startLine"].as_u64().expect("a line");
            assert!((1..=lines.len() as u64).contains(&line), "{result:#}");
        }
    }
    let output = validate(&[&[FAULTY, "-o", "sarif"], &THREE_RULES[..]].concat());
    let mut results = json(&output)["runs"][0]["results"].take();
    for result in results.as_array_mut().expect("results") {
        // It moves with each new rule.
        result
            .as_object_mut()
            .expect("a result")
            .remove("ruleIndex");
    }
    insta::assert_json_snapshot!(results);
}

#[test]
fn github_gets_one_line_for_each_finding() {
    let output = validate(&[FAULTY, "-o", "github", "--level", "info"]);
    assert_eq!(output.status.code(), Some(1));
    let text = printed(&output);
    let (commands, sum) = text.trim_end().rsplit_once('\n').expect("lines");
    assert!(sum.starts_with("1 error(s), "), "{text}");
    for line in commands.lines() {
        let known = ["::error ", "::warning ", "::notice "];
        assert!(known.iter().any(|known| line.starts_with(known)), "{line}");
    }
    let output = validate(&[&[FAULTY, "-o", "github"], &THREE_RULES[..]].concat());
    insta::assert_snapshot!(printed(&output));
}

#[test]
fn allowing_and_denying_decide_the_exit_code() {
    let cases: [(&[&str], i32, &str); 7] = [
        (&[WARNED], 0, "0 error(s), 7 warning(s)"),
        (
            &[WARNED, "--deny", "reference/rack"],
            1,
            "5 error(s), 2 warning(s)",
        ),
        (
            &[WARNED, "--deny", "reference/*"],
            1,
            "5 error(s), 2 warning(s)",
        ),
        (
            &[WARNED, "--deny", "reference/*", "--allow", "reference/rack"],
            0,
            "0 error(s), 2 warning(s)",
        ),
        (&[WARNED, "--allow", "all"], 0, "0 error(s), 0 warning(s)"),
        (&[FAULTY, "--allow", "all"], 0, "0 error(s)"),
        (&[FAULTY, "--level", "error"], 1, "error [network/allowed"),
    ];
    for (arguments, code, told) in cases {
        let output = validate(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            said(&output)
        );
        assert!(
            said(&output).contains(told),
            "{arguments:?}: {}",
            said(&output)
        );
    }
    // What is not shown counts all the same.
    let output = validate(&[WARNED, "--level", "error"]);
    assert_eq!(printed(&output), "0 error(s), 7 warning(s)\n");
    let of_level = |flag: &[&str]| printed(&validate(&[&[WARNED], flag].concat()));
    assert_eq!(of_level(&["--all"]), of_level(&["--level", "info"]));
}

#[test]
fn words_that_make_no_sense_are_usage_errors() {
    let cases: [(&[&str], &str); 6] = [
        (&["--allow", "network/cird"], "did you mean network/cidr?"),
        (&["--deny", "DD2006"], "that is the code of network/cidr"),
        (&["--allow", "document/form"], "cannot be allowed"),
        (
            &["--allow", "host/name", "--deny", "host/name"],
            "both allowed and denied",
        ),
        (&["--level", "fatal"], "possible values"),
        (&["-o", "xml"], "possible values"),
    ];
    for (arguments, told) in cases {
        let output = validate(&[&[FAULTY], arguments].concat());
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            said(&output)
        );
        assert!(
            said(&output).contains(told),
            "{arguments:?}: {}",
            said(&output)
        );
    }
}

/// Gives bytes to standard input; what the binary did not take is no failure.
fn with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("standard input");
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).is_ok());
        child.wait_with_output().expect("the binary ends")
    })
}

#[test]
fn standard_input_is_a_source() {
    let good = std::fs::read(example("designs").join(WARNED)).expect("a design");
    let output = with_input(&["-"], &good);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("--> <stdin>:"), "{}", said(&output));
    let output = with_input(&["-", "-o", "sarif"], UNREADABLE);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let run = &json(&output)["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    let place = &run["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "%3Cstdin%3E");
    assert_eq!(place["region"]["startLine"], 5);
    let fix = &run["results"][0]["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(fix["insertedContent"]["text"], "node_filter");
}

/// As a pipe from a command that failed: what was never written must not pass a check.
#[test]
fn nothing_at_all_is_no_valid_design() {
    for nothing in ["", "---\n# nothing yet\n"] {
        let output = with_input(&["-"], nothing.as_bytes());
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(
            printed(&output).contains("holds no document"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn a_document_that_cannot_be_read_hides_no_finding() {
    let mut text = std::fs::read(example("designs").join(FAULTY)).expect("a design");
    text.extend_from_slice(b"---\n");
    text.extend_from_slice(UNREADABLE);
    let output = with_input(&["-"], &text);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for rule in ["document/schema", "network/allowed"] {
        assert!(said(&output).contains(rule), "{rule}: {}", said(&output));
    }
}

#[test]
fn what_is_no_text_is_told_at_its_first_bad_byte() {
    let output = with_input(&["-"], b"a: 1\nb: \xff\n");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let text = printed(&output);
    for told in ["document/readable", "<stdin>:2:4", "not UTF-8", "iconv"] {
        assert!(text.contains(told), "{text}");
    }
    let output = with_input(&["-", "-o", "json"], b"\xff");
    assert_eq!(json(&output)["findings"][0]["rule"], "document/readable");
}

/// Runs with at most this much address space, so that what is not bounded ends badly.
fn within(gibibytes: u64, arguments: &[&str]) -> Output {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", r#"ulimit -v "$1"; shift; exec "$@""#, "sh"])
        .arg((gibibytes << 20).to_string())
        .arg(env!("CARGO_BIN_EXE_drydock"))
        .args(["design", "validate"])
        .args(arguments)
        .stdin(Stdio::null());
    shell.output().expect("the binary runs")
}

#[test]
fn what_never_ends_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = folder.path().join("long.yaml");
    let file = std::fs::File::create(&long).expect("a file");
    file.set_len(1 << 30).expect("a length");
    for name in ["/dev/zero", &long.display().to_string()] {
        let output = within(2, &[name]);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", said(&output));
        assert!(
            said(&output).contains("longer than 64 MiB (67108864 bytes)"),
            "{name}: {}",
            said(&output)
        );
    }
}

fn make_pipe(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status();
    assert!(status.expect("mkfifo runs").success());
}

#[test]
fn a_pipe_without_end_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let name = pipe.display().to_string();
    make_pipe(&pipe);
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || {
            let mut pipe = std::fs::File::options()
                .write(true)
                .open(pipe)
                .expect("the pipe");
            // Ends when the reader has gone.
            while pipe.write_all(&[b'#'; 65536]).is_ok() {}
        })
    };
    let output = within(2, &[&name]);
    writer.join().expect("the writer");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("64 MiB"), "{}", said(&output));
}

#[test]
fn a_pipe_that_ends_is_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    make_pipe(&pipe);
    let good = std::fs::read(example("designs").join(WARNED)).expect("a design");
    let name = pipe.display().to_string();
    let writer = std::thread::spawn(move || std::fs::write(pipe, good).expect("the pipe"));
    let output = validate(&[&name]);
    writer.join().expect("the writer");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // Found in a folder, nobody may ever write to it.
    std::fs::rename(Path::new(&name), folder.path().join("x.yaml")).expect("a new name");
    let output = run(["design", "validate", &folder.path().display().to_string()]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("x.yaml is not a regular file"));
}

#[test]
fn what_cannot_be_read_is_not_taken_for_a_faulty_design() {
    let refused = "http://127.0.0.1:1/site.yaml";
    let cases: [(&[&str], i32); 4] = [
        (&["/nonexistent.yaml"], 3),
        (&[refused], 2),
        (
            &[
                "--url",
                "http://127.0.0.1:1",
                "design:00000000-0000-4000-8000-000000000000",
            ],
            2,
        ),
        (&["README.md"], 2),
    ];
    for (arguments, code) in cases {
        let output = validate(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            said(&output)
        );
    }
}

#[test]
fn a_servers_design_is_told_like_a_file() {
    let mut site = Site::new("designs/seaworthy.yaml", "0", None);
    let _server = site.serve(&[]);
    let design = site.upload();
    let validate =
        |arguments: &[&str]| site.client(&[&["design", "validate", &design], arguments].concat());
    let output = validate(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let table = printed(&output);
    assert!(table.contains("warning [reference/rack"), "{table}");
    assert!(table.ends_with("0 error(s), 7 warning(s)\n"), "{table}");
    // The server asks its node provisioner for images and kernels, which the command line has not.
    let rules = [
        "--deny",
        "reference/rack",
        "--allow",
        "platform/selection",
        "-o",
        "json",
    ];
    let output = validate(&rules);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let there = json(&output);
    let file = site.design.display().to_string();
    let here = json(&run([&["design", "validate", &file][..], &rules].concat()));
    assert_eq!(there, here);
    let output = validate(&["-o", "github"]);
    assert!(
        printed(&output).starts_with("::warning file="),
        "{}",
        said(&output)
    );
    let output = validate(&["-o", "sarif"]);
    assert_eq!(
        json(&output)["runs"][0]["results"][0]["ruleId"],
        "reference/rack"
    );
    let missing = "design:00000000-0000-4000-8000-000000000000";
    let output = site.client(&["design", "validate", missing]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
}

#[test]
fn findings_of_a_refused_upload_are_told_one_by_one() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let file = site.folder.path().join("bad.yaml");
    std::fs::write(&file, UNREADABLE).expect("a file");
    let output = site.client(&["design", "upload", &file.display().to_string()]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let told = said(&output);
    assert!(told.contains("\nerror [document/schema DD001]: "), "{told}");
    assert!(told.contains("bad.yaml:5:3\n"), "{told}");
}
