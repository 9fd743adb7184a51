//! `drydock oob inventory`: what controllers have told of their machines.

use anyhow::Result;
use serde_json::{Value, json};

use super::rows::inventories;
use crate::args::Output;
use crate::exit::Exit;
use crate::print;

/// Prints it; exit code 1 when nothing is known of one of the nodes.
pub fn show(output: Output, names: &[String], build_data: &[Value]) -> Result<Exit> {
    let found = inventories(build_data);
    let collected = |name: &str| {
        let of_node = |one: &&Value| one["node_name"] == name;
        let last = build_data.iter().rev().find(of_node);
        last.map(|one| print::text(&one["collected_date"]))
    };
    let list: Vec<Value> = names
        .iter()
        .filter_map(|name| {
            let data = found.get(name)?;
            Some(json!({ "node": name, "collected": collected(name), "inventory": data }))
        })
        .collect();
    let unknown: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !found.contains_key(*name))
        .collect();
    print::value(output, &json!(list), people)?;
    if unknown.is_empty() {
        return Ok(Exit::Done);
    }
    eprintln!(
        "nothing is known of {}; drydock oob inventory --fresh asks the controllers",
        unknown.join(", ")
    );
    Ok(Exit::Failed)
}

fn people(list: &Value) -> String {
    let mut table = print::table(&[
        "node",
        "maker",
        "model",
        "serial",
        "BMC firmware",
        "power",
        "in alarm",
        "events",
        "collected",
    ]);
    for one in list.as_array().into_iter().flatten() {
        let data = &one["inventory"];
        table.add_row([
            print::text(&one["node"]),
            print::text(&data["vendor"]),
            print::text(&data["model"]),
            print::text(&data["serial"]),
            print::text(&data["bmc"]["firmware"]),
            print::text(&data["power"]),
            alarms(data).join(", "),
            print::text(&data["log"]["entries"]),
            print::text(&one["collected"]).chars().take(19).collect(),
        ]);
    }
    format!("{table}\n-o yaml shows everything, event log and sensors in alarm among it")
}

/// Names of the sensors in alarm.
pub fn alarms(data: &Value) -> Vec<String> {
    let list = data["sensors"]["in_alarm"].as_array();
    let name = |sensor: &Value| match print::text(&sensor["name"]) {
        name if name.is_empty() => format!("sensor {}", sensor["number"]),
        name => name,
    };
    list.into_iter().flatten().map(name).collect()
}
