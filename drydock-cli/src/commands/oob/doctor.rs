//! `drydock oob doctor`: what a controller can do against what a design needs of it, check by check. Judges what was read; asks nobody.

mod checks;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::rows::{Row, inventories};
use super::site::{Controllers, Ended};
use crate::args::Output;
use crate::exit::Exit;
use crate::print;
use checks::{CHECKS, Subject};

/// Of so many nodes, everything is shown to people; of more, only what is not well.
const IN_FULL: usize = 3;

/// How well it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It works, and somebody ought to look.
    Warning,
    /// It keeps the node from being provisioned.
    Bad,
}

impl Grade {
    fn word(self) -> &'static str {
        match self {
            Grade::Ok => "ok",
            Grade::Warning => "warning",
            Grade::Bad => "BAD",
        }
    }
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Graded {
    /// What was checked.
    pub check: &'static str,
    /// How well it is.
    pub grade: Grade,
    /// What was found.
    pub found: String,
    /// What to do; empty where there is nothing.
    pub advice: String,
}

/// All checks of one node.
#[derive(Clone, Debug, Serialize)]
struct Report {
    node: String,
    grade: Grade,
    checks: Vec<Graded>,
}

/// Grades and prints; exit code 1 when something is bad.
pub fn show(
    output: Output,
    rows: &[Row],
    ended: &Ended,
    controllers: &Controllers,
) -> Result<Exit> {
    let inventories = inventories(&ended.build_data);
    let reports: Vec<Report> = rows
        .iter()
        .map(|row| {
            let designed = controllers.get(&row.node);
            report(&Subject {
                row,
                data: inventories.get(&row.node),
                address: designed.and_then(|it| it.address.as_deref()),
            })
        })
        .collect();
    print::value(output, &json!(reports), |_| people(&reports))?;
    let bad = reports.iter().any(|report| report.grade == Grade::Bad);
    Ok(if bad { Exit::Failed } else { Exit::Done })
}

fn report(subject: &Subject<'_>) -> Report {
    let checks: Vec<Graded> = CHECKS.iter().flat_map(|check| check(subject)).collect();
    let worst = checks.iter().map(|graded| graded.grade).max();
    Report {
        node: subject.row.node.clone(),
        grade: worst.unwrap_or(Grade::Ok),
        checks,
    }
}

fn people(reports: &[Report]) -> String {
    let mut table = print::table(&["node", "check", "grade", "found", "what to do"]);
    let in_full = reports.len() <= IN_FULL;
    for report in reports {
        for graded in &report.checks {
            if in_full || graded.grade != Grade::Ok {
                table.add_row([
                    report.node.as_str(),
                    graded.check,
                    graded.grade.word(),
                    &graded.found,
                    &graded.advice,
                ]);
            }
        }
    }
    let count = |grade: Grade| {
        reports
            .iter()
            .filter(|report| report.grade == grade)
            .count()
    };
    let summary = format!(
        "{} node(s): {} well, {} with warnings, {} bad",
        reports.len(),
        count(Grade::Ok),
        count(Grade::Warning),
        count(Grade::Bad)
    );
    if table.is_empty() {
        return summary;
    }
    format!("{table}\n\n{summary}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn row(result: &str, message: &str) -> Row {
        Row {
            node: "n1".into(),
            result: Some(result.into()),
            message: message.into(),
            ..Row::default()
        }
    }

    /// A controller with which nothing is wrong.
    fn sound() -> Value {
        json!({
            "type": "ipmi", "address": "127.0.0.9:623", "power": "on",
            "boot": {"device": "none", "uefi": true, "persistent": false},
            "session": {"cipher_suite": 17, "privilege": "administrator", "possible": 5, "active": 1},
            "bmc": {"firmware": "2.10", "updating": false}, "health": "OK",
            "log": {"entries": 10, "free_bytes": 16000, "overflow": false, "clock_ahead_s": 2},
            "lan": {"address": "127.0.0.9", "source": "static"},
            "sensors": {"read": 4, "in_alarm": []},
        })
    }

    fn graded(data: &Value) -> Report {
        let row = row("success", "");
        report(&Subject {
            row: &row,
            data: Some(data),
            address: Some("127.0.0.9"),
        })
    }

    #[test]
    fn a_sound_controller_is_well() {
        let report = graded(&sound());
        assert_eq!(report.grade, Grade::Ok, "{report:?}");
        assert!(report.checks.len() >= 10, "{report:?}");
    }

    #[test]
    fn each_fault_is_found_by_its_check() {
        use Grade::{Bad, Warning};
        let cases = [
            ("privilege", Bad, "/session/privilege", json!("user")),
            ("cipher suite", Warning, "/session/cipher_suite", json!(3)),
            ("sessions", Warning, "/session/active", json!(5)),
            (
                "boot override",
                Warning,
                "/boot",
                json!({"device": "pxe", "persistent": true}),
            ),
            ("firmware", Warning, "/bmc/updating", json!(true)),
            ("health", Warning, "/health", json!("Critical")),
            ("clock", Warning, "/log/clock_ahead_s", json!(-7200)),
            ("event log", Warning, "/log/overflow", json!(true)),
            ("event log", Warning, "/log/free_bytes", json!(8)),
            ("network", Warning, "/lan/address", json!("10.0.0.1")),
            ("network", Warning, "/lan/source", json!("dhcp")),
            (
                "sensors",
                Warning,
                "/sensors/in_alarm",
                json!([{"name": "PSU 2", "condition": "critical"}]),
            ),
        ];
        for (check, grade, at, value) in cases {
            let mut data = sound();
            if let Some(place) = data.pointer_mut(at) {
                *place = value;
            }
            let report = graded(&data);
            let found: Vec<_> = report
                .checks
                .iter()
                .filter(|graded| graded.grade != Grade::Ok)
                .collect();
            assert_eq!(found.len(), 1, "{at}: {report:?}");
            assert_eq!((found[0].check, found[0].grade), (check, grade), "{at}");
            assert!(!found[0].advice.is_empty(), "{at}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_told() {
        let mut data = sound();
        data["boot"] = Value::Null;
        data["not_read"] = json!({"boot": "not supported", "events": "no end"});
        let report = graded(&data);
        let of = |check: &str| report.checks.iter().find(|graded| graded.check == check);
        assert_eq!(of("boot device").map(|it| it.grade), Some(Grade::Bad));
        assert_eq!(of("events").map(|it| it.grade), Some(Grade::Warning));
    }

    #[test]
    fn a_controller_that_could_not_be_asked_is_bad_and_nothing_else_is_said() {
        let row = row(
            "failure",
            "get power state on BMC x: user refused; correct it",
        );
        let report = report(&Subject {
            row: &row,
            data: None,
            address: None,
        });
        assert_eq!(report.grade, Grade::Bad);
        assert_eq!(report.checks.len(), 1, "{report:?}");
        assert!(report.checks[0].found.contains("user refused"));
        let shown = people(&[report]);
        assert!(shown.contains("BAD") && shown.contains("1 bad"), "{shown}");
    }

    #[test]
    fn what_was_done_by_hand_has_nothing_to_grade() {
        let row = row("success", "was done by hand");
        let report = report(&Subject {
            row: &row,
            data: None,
            address: None,
        });
        assert_eq!(report.grade, Grade::Ok, "{report:?}");
    }
}
