//! What a machine says of itself, as build data: who made it, firmware, power, network cards, sensors in alarm, the end of the event log.
//!
//! Reads only. What a service does not have or does not give is told in the data and is no failure: the power state and the
//! credentials are what the step is about. Documents are read as they come: one odd field costs that field.

use std::time::{Duration, Instant};

use drydock_model::effective::Node;
use serde_json::{Map, Value, json};

use super::Redfish;
use super::actor::{Answer, Command};
use super::media::{managers, references};
use super::service::Service;
use super::trouble::Trouble;

/// What makes this build data.
pub(super) const GENERATOR: &str = "redfish_inventory";
/// So many of the newest records of the event log.
const EVENTS: usize = 20;
/// Most single sensors that are read where they do not come together.
const SENSORS: usize = 64;
/// Most network cards that are read.
const CARDS: usize = 32;
/// All of it takes no longer.
const LONGEST: Duration = Duration::from_secs(60);

/// A part of the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Manager,
    Cards,
    Sensors,
    Events,
}

impl Part {
    /// Its name in the data.
    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Manager => "bmc",
            Part::Cards => "interfaces",
            Part::Sensors => "sensors",
            Part::Events => "events",
        }
    }
}

impl Redfish {
    /// Everything about the node that its BMC tells in time; at most half of the time that the step has.
    pub(super) async fn inventory(
        &self,
        node: &Node,
        power_on: bool,
        identity: &Value,
        time_left: Duration,
    ) -> Value {
        let end = Instant::now() + LONGEST.min(time_left / 2);
        let mut data = Map::new();
        let mut missing = Map::new();
        data.insert("power".into(), json!(if power_on { "on" } else { "off" }));
        if let Value::Object(identity) = identity {
            data.extend(identity.clone());
        }
        let mut gone: Option<&str> = None;
        for part in [Part::Manager, Part::Cards, Part::Events, Part::Sensors] {
            let name = part.name();
            if let Some(earlier) = gone {
                let why = format!("not asked for: reading {earlier} came to no end");
                missing.insert(name.into(), why.into());
                continue;
            }
            let left = end.saturating_duration_since(Instant::now());
            let asked = tokio::time::timeout(left, self.send(node, Command::Read(part))).await;
            let why = match asked {
                Ok(Ok(Answer::Part(value))) => {
                    data.insert(name.into(), value);
                    continue;
                }
                Ok(Ok(_)) => "the answer to another question".to_owned(),
                // One part may be refused and the others not.
                Ok(Err(error)) => {
                    if error.is_transient() {
                        gone = Some(name);
                    }
                    error.got
                }
                Err(_) => {
                    gone = Some(name);
                    format!(
                        "no end within the {:.0} s that were left",
                        left.as_secs_f64()
                    )
                }
            };
            missing.insert(name.into(), why.into());
        }
        if !missing.is_empty() {
            data.insert("not_read".into(), missing.into());
        }
        Value::Object(data)
    }
}

/// Who made the system, and what runs in it.
pub(super) fn identity(system: &Value, root: &Value) -> Value {
    json!({
        "vendor": system["Manufacturer"],
        "model": system["Model"],
        "serial": system["SerialNumber"],
        "sku": system["SKU"],
        "uuid": system["UUID"],
        "bios": system["BiosVersion"],
        "health": health(system),
        "processors": system["ProcessorSummary"]["Count"],
        "memory_gib": system["MemorySummary"]["TotalSystemMemoryGiB"],
        "redfish_version": root["RedfishVersion"],
    })
}

/// The system in one line.
pub(super) fn description(identity: &Value) -> String {
    let word = |name: &str| identity[name].as_str().filter(|text| !text.is_empty());
    format!(
        "{} {}, serial number {}, BIOS {}, Redfish {}",
        word("vendor").unwrap_or("unknown maker"),
        word("model").unwrap_or("unknown model"),
        word("serial").unwrap_or("unknown"),
        word("bios").unwrap_or("unknown"),
        word("redfish_version").unwrap_or("of unknown version"),
    )
}

/// Reads one part.
pub(super) async fn read(service: &Service, system: &Value, part: Part) -> Result<Value, Trouble> {
    match part {
        Part::Manager => manager(service, system).await,
        Part::Cards => cards(service, system).await,
        Part::Sensors => sensors(service, system).await,
        Part::Events => events(service, system).await,
    }
}

fn absent(what: &str) -> Trouble {
    Trouble::Unsupported(format!("it has no {what}"))
}

fn link(document: &Value, name: &str) -> Option<String> {
    document[name]["@odata.id"].as_str().map(str::to_owned)
}

/// The worst that a resource says of itself and what is below it.
fn health(document: &Value) -> &Value {
    let status = &document["Status"];
    if status["HealthRollup"].is_string() {
        &status["HealthRollup"]
    } else {
        &status["Health"]
    }
}

async fn manager(service: &Service, system: &Value) -> Result<Value, Trouble> {
    let managers = managers(service, system).await?;
    let path = managers.first().ok_or_else(|| absent("manager"))?;
    let manager = service.get(path).await?;
    Ok(json!({
        "model": manager["Model"],
        "firmware": manager["FirmwareVersion"],
        "type": manager["ManagerType"],
        "health": health(&manager),
    }))
}

async fn cards(service: &Service, system: &Value) -> Result<Value, Trouble> {
    let path = link(system, "EthernetInterfaces").ok_or_else(|| absent("network cards"))?;
    let mut all = Vec::new();
    for member in whole(service, service.members(&path).await?, CARDS).await? {
        let mac = [&member["MACAddress"], &member["PermanentMACAddress"]];
        all.push(json!({
            "name": member["Id"],
            "mac": mac.into_iter().find(|mac| mac.is_string()),
            "link": member["LinkStatus"],
        }));
    }
    Ok(Value::Array(all))
}

/// Members that came as mere references are read.
async fn whole(service: &Service, members: Vec<Value>, most: usize) -> Result<Vec<Value>, Trouble> {
    let mut all = Vec::new();
    for member in members.into_iter().take(most) {
        let bare = member.as_object().is_none_or(|fields| fields.len() <= 1);
        match member["@odata.id"].as_str() {
            Some(path) if bare => all.push(service.get(path).await?),
            _ => all.push(member),
        }
    }
    Ok(all)
}

/// The sensors of all chassis of the system: by the old resources, which hold all of them, else one by one.
async fn sensors(service: &Service, system: &Value) -> Result<Value, Trouble> {
    let chassis = references(&system["Links"]["Chassis"]);
    if chassis.is_empty() {
        return Err(absent("chassis"));
    }
    let mut all: Vec<Value> = Vec::new();
    for path in chassis {
        let chassis = service.get(&path).await?;
        let mut old = false;
        for (resource, lists) in [
            ("Thermal", ["Temperatures", "Fans"]),
            ("Power", ["Voltages", "PowerSupplies"]),
        ] {
            let Some(path) = link(&chassis, resource) else {
                continue;
            };
            let mut document = service.get(&path).await?;
            old = true;
            for list in lists {
                if let Value::Array(members) = document[list].take() {
                    all.extend(members);
                }
            }
        }
        if let Some(path) = link(&chassis, "Sensors").filter(|_| !old) {
            let members = service.members(&path).await?;
            all.extend(whole(service, members, SENSORS).await?);
        }
    }
    let alarms: Vec<Value> = all.iter().filter(|it| is_alarm(it)).map(alarm).collect();
    Ok(json!({"read": all.len(), "in_alarm": alarms}))
}

pub(super) fn is_alarm(sensor: &Value) -> bool {
    let health = &sensor["Status"]["Health"];
    health.is_string() && health != "OK"
}

pub(super) fn alarm(sensor: &Value) -> Value {
    let readings = [
        "Reading",
        "ReadingCelsius",
        "ReadingVolts",
        "LineInputVoltage",
    ];
    let reading = readings.iter().map(|name| &sensor[*name]);
    json!({
        "name": sensor["Name"],
        "condition": sensor["Status"]["Health"],
        "state": sensor["Status"]["State"],
        "value": reading.into_iter().find(|it| it.is_number()),
        "unit": sensor["ReadingUnits"],
    })
}

/// The newest records of the log of hardware events: of the system, else of its manager.
async fn events(service: &Service, system: &Value) -> Result<Value, Trouble> {
    let mut services = link(system, "LogServices");
    if services.is_none()
        && let Some(manager) = managers(service, system).await?.first()
    {
        services = link(&service.get(manager).await?, "LogServices");
    }
    let services = services.ok_or_else(|| absent("event log"))?;
    let logs = references(&Value::Array(service.members(&services).await?));
    let log = hardware_log(&logs).ok_or_else(|| absent("event log"))?;
    let log = service.get(log).await?;
    let entries = link(&log, "Entries").ok_or_else(|| absent("entries in its event log"))?;
    let mut all = whole(service, service.members(&entries).await?, 2000).await?;
    all.sort_by(|one, other| age(one).cmp(&age(other)));
    let newest = all.split_off(all.len().saturating_sub(EVENTS));
    Ok(newest.iter().map(event).collect())
}

/// The log that makers keep of hardware: SEL, HPE's integrated management log, OpenBMC's event log; else the first.
pub(super) fn hardware_log(logs: &[String]) -> Option<&str> {
    let id = |path: &str| {
        let path = path.trim_end_matches('/');
        path.rsplit('/').next().unwrap_or_default().to_lowercase()
    };
    ["sel", "iml", "eventlog", "log1"]
        .iter()
        .find_map(|wanted| logs.iter().find(|path| id(path) == *wanted))
        .or(logs.first())
        .map(String::as_str)
}

/// By time, which sorts as text, then by number.
pub(super) fn age(entry: &Value) -> (&str, u64) {
    let id = entry["Id"].as_str().and_then(|id| id.parse().ok());
    (
        entry["Created"].as_str().unwrap_or_default(),
        id.unwrap_or(0),
    )
}

pub(super) fn event(entry: &Value) -> Value {
    json!({
        "id": entry["Id"],
        "time": entry["Created"],
        "severity": entry["Severity"],
        "text": entry["Message"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_says_little_is_told_all_the_same() {
        let bare = identity(&json!({}), &json!({}));
        assert!(description(&bare).starts_with("unknown maker unknown model"));
        let system = json!({"Manufacturer": "Maker", "Model": "M7", "SerialNumber": "s-1", "Status": {"Health": "OK", "HealthRollup": "Critical"}});
        let told = identity(&system, &json!({"RedfishVersion": "1.18.0"}));
        assert_eq!(told["health"], "Critical");
        assert_eq!(
            description(&told),
            "Maker M7, serial number s-1, BIOS unknown, Redfish 1.18.0"
        );
    }

    #[test]
    fn what_is_not_well_is_in_alarm() {
        let of = |health: Value| is_alarm(&json!({"Status": {"Health": health}}));
        assert!(of(json!("Critical")) && of(json!("Warning")));
        assert!(!of(json!("OK")) && !of(json!(null)));
        assert!(!is_alarm(&json!({"Name": "x"})));
    }

    #[test]
    fn the_log_of_the_hardware_is_preferred() {
        let logs = ["/a/Lclog/", "/a/Sel"].map(str::to_owned);
        assert_eq!(hardware_log(&logs), Some("/a/Sel"));
        assert_eq!(hardware_log(&logs[..1]), Some("/a/Lclog/"));
        assert_eq!(hardware_log(&[]), None);
    }
}
