//! The checks. Each looks at one thing and says nothing where the controller does not tell.

use serde_json::Value;

use super::super::inventory::alarms;
use super::super::rows::{self, Row};
use super::{Grade, Graded};
use crate::print;

/// One node.
pub struct Subject<'a> {
    /// What came of asking.
    pub row: &'a Row,
    /// What its controller told, if anything.
    pub data: Option<&'a Value>,
    /// Where the design says that its controller is.
    pub address: Option<&'a str>,
}

impl Subject<'_> {
    fn at(&self, pointer: &str) -> Option<&Value> {
        let found = self.data?.pointer(pointer)?;
        (!found.is_null()).then_some(found)
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.at(pointer)?.as_str()
    }
}

type Check = fn(&Subject<'_>) -> Vec<Graded>;

/// All of them, in the order in which they are told.
pub const CHECKS: &[Check] = &[
    credentials,
    privilege,
    suite,
    sessions,
    power,
    boot_device,
    boot_override,
    firmware,
    health,
    clock,
    event_log,
    sensors,
    network,
    unread,
];

/// A clock that is further off makes the event log hard to read beside others.
const CLOCK_OFF: u64 = 300;
/// An event log with less room than this is nearly full, in hundredths.
const ROOM: u64 = 10;
/// Bytes of a record of the event log (IPMI v2.0 section 32.1).
const RECORD: u64 = 16;

fn ok(check: &'static str, found: impl Into<String>) -> Vec<Graded> {
    graded(check, Grade::Ok, found, "")
}

fn warning(check: &'static str, found: impl Into<String>, advice: &str) -> Vec<Graded> {
    graded(check, Grade::Warning, found, advice)
}

fn bad(check: &'static str, found: impl Into<String>, advice: &str) -> Vec<Graded> {
    graded(check, Grade::Bad, found, advice)
}

fn graded(
    check: &'static str,
    grade: Grade,
    found: impl Into<String>,
    advice: &str,
) -> Vec<Graded> {
    vec![Graded {
        check,
        grade,
        found: found.into(),
        advice: advice.to_owned(),
    }]
}

fn credentials(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "credentials";
    match of.row.result.as_deref() {
        Some("success") if of.data.is_some() => ok(CHECK, "the controller answers and takes them"),
        Some("success") => ok(CHECK, of.row.message.clone()),
        Some(_) => {
            // Errors end with what to do.
            let text = &of.row.message;
            let (found, advice) = text.rsplit_once("; ").unwrap_or((text, ""));
            bad(CHECK, found, advice)
        }
        None => bad(
            CHECK,
            "the controller was not asked",
            "see what the task says (drydock task show)",
        ),
    }
}

fn privilege(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "privilege";
    match of.text("/session/privilege") {
        None => Vec::new(),
        Some(level @ ("operator" | "administrator" | "oem")) => ok(CHECK, level),
        Some(level) => bad(
            CHECK,
            format!("the account is {level}"),
            "power and boot device need operator: give the account more, and oob.ipmi.privilege likewise",
        ),
    }
}

fn suite(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "cipher suite";
    match of.at("/session/cipher_suite").and_then(Value::as_u64) {
        None => Vec::new(),
        Some(17) => ok(CHECK, "17 (SHA-256)"),
        Some(number) => warning(
            CHECK,
            format!("{number}: the better 17 was refused"),
            "enable cipher suite 17 on the controller, or update its firmware",
        ),
    }
}

fn sessions(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "sessions";
    let count = |pointer: &str| of.at(pointer).and_then(Value::as_u64);
    let (Some(active), Some(possible)) = (count("/session/active"), count("/session/possible"))
    else {
        return Vec::new();
    };
    let found = format!("{active} of {possible} in use, ours among them");
    if possible > 1 && active >= possible {
        return warning(
            CHECK,
            found,
            "nobody else gets in: see who leaves sessions open, or reset the controller",
        );
    }
    ok(CHECK, found)
}

fn power(of: &Subject<'_>) -> Vec<Graded> {
    match of.text("/power") {
        None => Vec::new(),
        Some(state) => ok("power", format!("can be read: {state}")),
    }
}

fn boot_device(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "boot device";
    if let Some(boot) = of.at("/boot") {
        return ok(CHECK, format!("can be read back: {}", rows::boot(boot)));
    }
    match of.text("/not_read/boot") {
        None => Vec::new(),
        Some(why) => bad(
            CHECK,
            format!("cannot be read back: {why}"),
            "network boot cannot be relied on: update the firmware, or use oob.type manual",
        ),
    }
}

fn boot_override(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "boot override";
    let Some(boot) = of.at("/boot") else {
        return Vec::new();
    };
    if boot["persistent"] == true && boot["device"] != "none" {
        return warning(
            CHECK,
            format!("{}: every start, not only the next", rows::boot(boot)),
            "somebody set it so; a deployed machine would not start from its disk: clear it in the firmware's set-up",
        );
    }
    ok(CHECK, "none that stays")
}

fn firmware(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "firmware";
    let Some(version) = of.text("/bmc/firmware") else {
        return Vec::new();
    };
    if of.at("/bmc/updating") == Some(&Value::Bool(true)) {
        return warning(
            CHECK,
            format!("{version}, and an update is under way"),
            "wait until the update has ended",
        );
    }
    ok(CHECK, version)
}

/// As Redfish tells it, of the machine as a whole.
fn health(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "health";
    match of.text("/health") {
        None => Vec::new(),
        Some("OK") => ok(CHECK, "OK"),
        Some(other) => warning(
            CHECK,
            other,
            "look at the machine; drydock oob inventory -o yaml has the sensors and the event log",
        ),
    }
}

fn clock(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "clock";
    let Some(ahead) = of.at("/log/clock_ahead_s").and_then(Value::as_i64) else {
        return Vec::new();
    };
    let off = ahead.unsigned_abs();
    let found = match ahead {
        0 => "right".to_owned(),
        _ => format!("{off} s {}", if ahead > 0 { "ahead" } else { "behind" }),
    };
    if off <= CLOCK_OFF {
        return ok(CHECK, found);
    }
    let advice = if off % 1800 <= CLOCK_OFF || off % 1800 >= 1800 - CLOCK_OFF {
        "perhaps it keeps local time: set the controller to UTC, or give it a time server"
    } else {
        "set the controller's clock, or give it a time server"
    };
    warning(CHECK, found, advice)
}

fn event_log(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "event log";
    let Some(log) = of.at("/log") else {
        return Vec::new();
    };
    let count = |key: &str| log[key].as_u64().unwrap_or(0);
    let (entries, free) = (count("entries"), count("free_bytes"));
    let found = format!("{entries} records, room for {} more", free / RECORD);
    let advice = "save it and clear it (ipmitool sel save, sel clear)";
    if log["overflow"] == true {
        return warning(CHECK, format!("{found}; records were lost"), advice);
    }
    if free * 100 < (free + entries * RECORD) * ROOM {
        return warning(CHECK, format!("{found}: nearly full"), advice);
    }
    ok(CHECK, found)
}

fn sensors(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "sensors";
    let Some(data) = of.data.filter(|data| !data["sensors"].is_null()) else {
        return Vec::new();
    };
    let in_alarm = alarms(data);
    if in_alarm.is_empty() {
        return ok(CHECK, "none in alarm");
    }
    warning(
        CHECK,
        format!("in alarm: {}", in_alarm.join(", ")),
        "look at the machine; drydock oob inventory -o yaml has the values",
    )
}

fn network(of: &Subject<'_>) -> Vec<Graded> {
    const CHECK: &str = "network";
    let Some(told) = of.text("/lan/address") else {
        return Vec::new();
    };
    if let Some(designed) = of.address.filter(|designed| *designed != told) {
        return warning(
            CHECK,
            format!("the controller says that it has {told}, the design has {designed}"),
            "correct one of them, unless addresses are translated on the way",
        );
    }
    if of.text("/lan/source") == Some("dhcp") {
        return warning(
            CHECK,
            format!("{told}, by DHCP"),
            "see that its lease is a fixed one: the design knows this address only",
        );
    }
    ok(CHECK, told)
}

/// Whatever else could not be read.
fn unread(of: &Subject<'_>) -> Vec<Graded> {
    let parts = of.at("/not_read").and_then(Value::as_object);
    parts
        .into_iter()
        .flatten()
        .filter(|(part, _)| *part != "boot")
        .map(|(part, why)| Graded {
            check: named(part),
            grade: Grade::Warning,
            found: format!("not read: {}", print::text(why)),
            advice: "no step depends on it; update the firmware if it matters".into(),
        })
        .collect()
}

/// The names of parts are the drivers'; those known here have a word of their own.
fn named(part: &str) -> &'static str {
    match part {
        "fru" => "inventory",
        "events" => "events",
        "log" => "event log",
        "lan" => "network",
        "sensors" => "sensors",
        "session" => "sessions",
        _ => "other",
    }
}
