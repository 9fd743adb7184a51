//! One row for each node: where its controller is, how the machine stands, what failed and what to do about it.

use std::collections::HashMap;

use drydock_model::oob::OobCommand;
use serde::Serialize;
use serde_json::{Value, json};

use super::site::{Controllers, Ended};
use crate::print;

/// What is said of a machine that nothing was done to.
const LEFT_ALONE: &str = "left alone";

/// A node.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// Its name.
    pub node: String,
    /// Kind of its controller.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Where its controller is.
    pub address: Option<String>,
    /// `on` or `off`, where it is known.
    pub power: Option<String>,
    /// What it boots from next: `device`, `uefi`, `persistent`.
    pub boot: Option<Value>,
    /// `success` or `failure`; `None`: the task did not come to it.
    pub result: Option<String>,
    /// What was said of it in the end: what failed and what to do.
    pub message: String,
}

impl Row {
    /// Whether the command failed on it.
    pub fn failed(&self) -> bool {
        self.result.as_deref() != Some("success")
    }
}

/// The newest inventory of each node, by name.
pub fn inventories(build_data: &[Value]) -> HashMap<String, Value> {
    let mut found = HashMap::new();
    for one in build_data {
        let generator = one["generator"].as_str().unwrap_or_default();
        if !generator.ends_with("_inventory") {
            continue;
        }
        let text = one["data_element"].as_str().unwrap_or_default();
        if let Ok(data) = serde_json::from_str(text) {
            // Oldest first.
            found.insert(print::text(&one["node_name"]), data);
        }
    }
    found
}

/// The rows of these nodes. `done`: what was carried out, where anything was.
pub fn of(
    names: &[String],
    ended: &Ended,
    done: Option<OobCommand>,
    controllers: &Controllers,
) -> Vec<Row> {
    let shares = shares(ended);
    let inventories = inventories(&ended.build_data);
    names
        .iter()
        .map(|name| {
            let designed = controllers.get(name);
            let mut row = Row {
                node: name.clone(),
                kind: designed.map(|it| it.kind.clone()),
                address: designed.and_then(|it| it.address.clone()),
                ..Row::default()
            };
            if let Some(share) = shares.get(name.as_str()) {
                row.result = share["result"]["status"].as_str().map(str::to_owned);
                row.message = last_said(share, row.failed(), name);
            }
            let left_alone = row.message.contains(LEFT_ALONE);
            if let (false, false, Some(command)) = (row.failed(), left_alone, done) {
                (row.power, row.boot) = known_after(command);
            }
            if let Some(data) = inventories.get(name) {
                let text = |key: &str| data[key].as_str().map(str::to_owned);
                row.kind = text("type").or(row.kind);
                row.address = text("address").or(row.address);
                row.power = text("power").or(row.power);
                row.boot = data.get("boot").cloned().or(row.boot);
            }
            row
        })
        .collect()
}

/// Each node's part of the task.
fn shares(ended: &Ended) -> HashMap<&str, &Value> {
    let all = ended.tree.as_object().into_iter().flatten();
    all.map(|(_, task)| task)
        .filter(|task| task["parent_task_id"] == json!(ended.id))
        .filter_map(|task| {
            let name = &task["node_filter"]["filter_set"][0]["node_names"][0];
            Some((name.as_str()?, task))
        })
        .collect()
}

fn last_said(share: &Value, failed: bool, name: &str) -> String {
    let list = share["result"]["details"]["messageList"].as_array();
    let foreseen: Vec<String> = list
        .into_iter()
        .flatten()
        .map(|message| print::text(&message["message"]))
        .filter(|text| text.starts_with("would "))
        .collect();
    if !failed && !foreseen.is_empty() {
        return foreseen.join("; ");
    }
    let mut list = list.into_iter().flatten().rev();
    let last = list.find(|message| !failed || message["error"] == true);
    let text = last.map_or_else(String::new, |message| print::text(&message["message"]));
    let prefix = format!("node {name}: ");
    text.strip_prefix(&prefix).unwrap_or(&text).to_owned()
}

/// What a command that came through has brought about.
fn known_after(command: OobCommand) -> (Option<String>, Option<Value>) {
    match command {
        OobCommand::Status => (None, None),
        OobCommand::On | OobCommand::Cycle => (Some("on".into()), None),
        OobCommand::Off => (Some("off".into()), None),
        OobCommand::Boot(device) => (None, Some(json!({ "device": device }))),
    }
}

/// For people.
pub fn table(rows: &[Row]) -> String {
    let mut table = print::table(&[
        "node",
        "type",
        "address",
        "power",
        "boots next from",
        "result",
    ]);
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    for row in rows {
        let result = match row.result.as_deref() {
            Some("success") => row.message.clone(),
            Some(_) => format!("FAILED: {}", row.message),
            None => "not come to".into(),
        };
        table.add_row([
            row.node.clone(),
            or_dash(&row.kind),
            or_dash(&row.address),
            or_dash(&row.power),
            row.boot.as_ref().map_or_else(|| "-".into(), boot),
            result,
        ]);
    }
    table.to_string()
}

/// A boot override for people.
pub fn boot(boot: &Value) -> String {
    let device = match boot["device"].as_str().unwrap_or_default() {
        "none" | "" => return "its own order".into(),
        "pxe" => "network",
        "another" => "something else",
        device => device,
    };
    if boot["persistent"] == true {
        format!("{device}, always")
    } else {
        device.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::site::Designed;
    use super::*;

    fn ended() -> Ended {
        let share = |name: &str, status: &str, messages: Value| {
            json!({
                "parent_task_id": "t", "node_filter": {"filter_set": [{"node_names": [name]}]},
                "result": {"status": status, "details": {"messageList": messages}},
            })
        };
        let said = |error: bool, text: &str| json!({"error": error, "message": text});
        let data = json!({
            "type": "ipmi", "address": "127.0.0.9:623", "power": "on",
            "boot": {"device": "pxe", "uefi": true, "persistent": true},
        });
        Ended {
            id: "t".into(),
            tree: json!({
                "t": {"result": {"status": "partial_success"}},
                "a": share("n1", "success", json!([said(false, "BMC takes the credentials")])),
                "b": share("n2", "failure", json!([
                    said(true, "node n2: no answer; trying again"),
                    said(true, "node n2: power on was refused; correct it"),
                    said(false, "skipped"),
                ])),
            }),
            build_data: vec![
                json!({"node_name": "n1", "generator": "lshw", "data_element": "{}"}),
                json!({"node_name": "n1", "generator": "ipmi_inventory", "data_element": data.to_string()}),
            ],
        }
    }

    #[test]
    fn a_row_tells_how_a_machine_stands_or_what_failed() {
        let names = ["n1", "n2", "n3"].map(str::to_owned);
        let designed = |address: &str| Designed {
            kind: "redfish".into(),
            address: Some(address.into()),
        };
        let controllers = Controllers::from([("n2".into(), designed("127.0.0.2"))]);
        let rows = of(&names, &ended(), None, &controllers);
        assert_eq!(rows[0].address.as_deref(), Some("127.0.0.9:623"));
        assert_eq!(rows[0].power.as_deref(), Some("on"));
        assert_eq!(
            boot(rows[0].boot.as_ref().unwrap_or(&Value::Null)),
            "network, always"
        );
        assert_eq!(rows[1].kind.as_deref(), Some("redfish"));
        assert!(rows[1].failed() && rows[2].failed());
        assert_eq!(rows[1].message, "power on was refused; correct it");
        let shown = table(&rows);
        for needle in ["FAILED: power on was refused", "not come to", "127.0.0.2"] {
            assert!(shown.contains(needle), "{shown}");
        }
    }

    #[test]
    fn what_was_done_is_known_without_asking_again() {
        let names = ["n1", "n2"].map(str::to_owned);
        let mut ended = ended();
        ended.build_data.clear();
        let rows = of(&names, &ended, Some(OobCommand::Off), &Controllers::new());
        assert_eq!(rows[0].power.as_deref(), Some("off"));
        assert_eq!(rows[1].power, None, "it failed there");
    }
}
