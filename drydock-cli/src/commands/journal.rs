//! The journal for people.

use serde_json::Value;

use crate::print;

/// Longest evidence in a line, in characters.
const LINE: usize = 60;

/// A table of journal entries, of one task or of one node.
pub fn people(entries: &Value, of_task: bool) -> String {
    let mut table = print::table(&[
        "intended",
        if of_task { "node" } else { "task" },
        "verb",
        "target",
        "risk",
        "attempt",
        "epoch",
        "outcome",
        "ms",
        "evidence",
    ]);
    for entry in entries.as_array().into_iter().flatten() {
        let change = &entry["change"];
        let outcome = match entry["outcome"].as_str() {
            Some(outcome) => outcome.to_owned(),
            None => "not known".to_owned(),
        };
        table.add_row([
            print::text(&entry["intended"]).chars().take(23).collect(),
            print::text(&entry[if of_task { "node" } else { "task" }]),
            print::text(&change["verb"]),
            print::text(&change["target"]),
            print::text(&change["risk"]),
            print::text(&entry["attempt"]),
            print::text(&entry["epoch"]),
            outcome,
            print::text(&entry["latency_ms"]),
            short(&print::text(&entry["evidence"])),
        ]);
    }
    table.to_string()
}

fn short(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LINE {
        return line;
    }
    line.chars().take(LINE - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_intent_without_an_outcome_says_so() {
        let entries = json!([{
            "intended": "2026-01-02T03:04:05.678901Z", "node": "n1", "task": "t1", "attempt": 2, "epoch": 7,
            "change": {"verb": "power_off", "target": "bmc 127.0.0.9:623", "risk": "reboots"},
            "outcome": null, "evidence": null, "latency_ms": null,
        }]);
        let (of_task, of_node) = (people(&entries, true), people(&entries, false));
        for text in [&of_task, &of_node] {
            for needle in [
                "2026-01-02T03:04:05.678",
                "power_off",
                "reboots",
                "not known",
            ] {
                assert!(text.contains(needle), "{text}");
            }
        }
        assert!(of_task.contains("n1") && of_node.contains("t1"));
    }

    #[test]
    fn long_evidence_is_cut_for_the_line() {
        let text = short(&"ü ".repeat(100));
        assert_eq!(text.chars().count(), LINE);
        assert!(text.ends_with("..."));
        assert_eq!(short("a\n b"), "a b");
    }
}
