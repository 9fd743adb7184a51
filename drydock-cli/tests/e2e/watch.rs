//! What an operator sees of a task: strategies, the stream of events, the journal, the history of a node.

use serde_json::{Value, json};

use crate::processes::{Site, said, until};

/// Lines of JSON.
fn lines(output: &std::process::Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn a_task_in_waves_is_followed_over_the_death_of_its_server() {
    let mut site = Site::new("lab.yaml", "0.02", None);
    let server = site.serve(&[]);
    let design = site.upload();
    site.succeed("prepare_site", &design);
    let output = site.client(&[
        "task",
        "create",
        "-a",
        "prepare_nodes",
        "-d",
        &design,
        "--canary",
        "1",
        "--max-in-flight",
        "2",
        "--stop-at",
        "50",
        "-o",
        "json",
    ]);
    assert!(output.status.success(), "{}", said(&output));
    let task: Value = serde_json::from_slice(&output.stdout).expect("a task");
    assert_eq!(
        task["strategy"],
        json!({"canary": 1, "max_in_flight": 2, "stop_at_failures_percent": 50})
    );
    let id = task["task_id"].as_str().expect("an id");
    // It watches, and the server is killed under it and comes back.
    let mut watching = site.client_beside(&["task", "watch", id, "--json"]);
    until("a step that ended", || {
        watching
            .output()
            .contains("\"status\":\"done\"")
            .then_some(())
    });
    server.kill();
    let _again = site.serve(&[]);
    let code = until("the watch to end", || watching.ended());
    assert_eq!(code, 0, "{}", watching.output());
    let text = watching.output();
    let told: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let ids: Vec<u64> = told
        .iter()
        .filter_map(|event| event["id"].as_str()?.parse().ok())
        .collect();
    // Nothing is missed and nothing told twice.
    let all: Vec<u64> = (1..=ids.len() as u64).collect();
    assert_eq!(ids, all, "{text}");
    // Asked again, from the beginning, it is the same.
    let again = site.client(&["task", "watch", id, "--json"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    let numbered = |events: &[Value]| -> Vec<Value> {
        let with_id = events.iter().filter(|event| !event["id"].is_null());
        with_id.cloned().collect()
    };
    assert_eq!(numbered(&lines(&again)), numbered(&told));

    let journal = site.client(&["task", "journal", id, "-o", "json"]);
    let journal: Value = serde_json::from_slice(&journal.stdout).expect("a journal");
    let entries = journal.as_array().expect("a list");
    assert!(!entries.is_empty());
    for entry in entries {
        for field in ["step", "attempt", "epoch", "evidence", "latency_ms"] {
            assert!(
                !entry[field].is_null() || entry["outcome"].is_null(),
                "{entry:#}"
            );
        }
        for field in ["target", "verb", "risk"] {
            assert!(entry["change"][field].is_string(), "{entry:#}");
        }
    }
    let node = entries[0]["node"].as_str().expect("a node");
    let history = site.client(&["node", "history", node, "-o", "json"]);
    let history: Value = serde_json::from_slice(&history.stdout).expect("a history");
    let of_node: Vec<&Value> = entries.iter().filter(|it| it["node"] == node).collect();
    let told: Vec<&Value> = history.as_array().expect("a list").iter().collect();
    assert_eq!(told, of_node, "only this task has been about {node}");
    for command in [["task", "journal", id], ["node", "history", node]] {
        let table = said(&site.client(&command));
        assert!(
            table.contains("outcome") && table.contains("reboots"),
            "{table}"
        );
        assert!(!table.contains("correct-horse"), "the password is told");
    }
}

#[test]
fn what_is_not_there_cannot_be_watched() {
    let mut site = Site::new("lab.yaml", "0", None);
    let _server = site.serve(&[]);
    let nobody = "00000000-0000-4000-8000-000000000000";
    for (command, code) in [
        (vec!["task", "watch", nobody], 3),
        (vec!["task", "journal", nobody], 3),
        (vec!["node", "history", "nobody"], 3),
        (
            vec![
                "task",
                "create",
                "-a",
                "noop",
                "-d",
                "design:x",
                "--group-by",
                "row",
            ],
            2,
        ),
        (
            vec![
                "task", "create", "-a", "noop", "-d", "design:x", "--canary", "0",
            ],
            2,
        ),
    ] {
        let output = site.client(&command);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{command:?}: {}",
            said(&output)
        );
    }
}
