//! What a machine says of itself, as build data: inventory, power, sensors in alarm, the end of the event log, network settings.
//!
//! Reads only. What a BMC does not have or does not give is told in the data and is no failure: the power state and the
//! credentials are what the step is about. Custom fields of the inventory are left out: some makers print passwords there.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use drydock_ipmi::{
    AddressSource, CipherSuite, DeviceId, FruInventory, LanConfiguration, SelEntry, SelInfo,
    SelRecord, Sensor, SessionInfo,
};
use drydock_model::effective::Node;
use serde_json::{Map, Value, json};

use super::Ipmi;
use super::actor::{Answer, Command};

/// What makes this build data.
pub(super) const GENERATOR: &str = "ipmi_inventory";
/// So many of the newest records of the event log.
pub(super) const EVENTS: usize = 20;
/// All of it takes no longer.
const LONGEST: Duration = Duration::from_secs(60);

impl Ipmi {
    /// Everything about the node that its BMC tells in time; at most half of the time that the step has.
    pub(super) async fn inventory(
        &self,
        node: &Node,
        power_on: bool,
        device: &DeviceId,
        time_left: Duration,
    ) -> Value {
        let end = Instant::now() + LONGEST.min(time_left / 2);
        let mut data = Map::new();
        let mut missing = Map::new();
        data.insert("power".into(), json!(if power_on { "on" } else { "off" }));
        data.insert("bmc".into(), of_device(device));
        let mut gone = None;
        for (name, command) in [
            ("session", Command::Login),
            ("fru", Command::Inventory),
            ("lan", Command::Lan),
            ("log", Command::Log),
            ("events", Command::Events),
            ("sensors", Command::Sensors),
        ] {
            if let Some(earlier) = gone {
                let why = format!("not asked for: reading {earlier} came to no end");
                missing.insert(name.into(), why.into());
                continue;
            }
            let left = end.saturating_duration_since(Instant::now());
            let asked = tokio::time::timeout(left, self.send(node, command)).await;
            let why = match asked {
                Ok(Ok(Answer::Unread(why))) => why,
                Ok(Ok(answer)) => {
                    add(&mut data, name, &answer);
                    continue;
                }
                // The BMC has trouble: it is left alone.
                Ok(Err(error)) => {
                    gone = Some(name);
                    error.to_string()
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

fn add(data: &mut Map<String, Value>, name: &str, answer: &Answer) {
    let value = match answer {
        Answer::Inventory(fru) => {
            for (key, value) in identity(fru) {
                data.insert(key.into(), json!(value));
            }
            of_fru(fru)
        }
        Answer::Lan(lan) => of_lan(lan),
        Answer::Login(suite, info) => of_session(*suite, info),
        Answer::Log(log, time) => of_log(log, *time),
        Answer::Events(events) => events.iter().map(of_event).collect(),
        Answer::Sensors(sensors) => of_sensors(sensors),
        _ => Value::Null,
    };
    data.insert(name.into(), value);
}

fn of_device(device: &DeviceId) -> Value {
    json!({
        "device_id": device.id,
        "revision": device.revision,
        "firmware": firmware(device),
        // One digit a nibble, the major one low (section 20.1).
        "ipmi_version": format!("{}.{}", device.ipmi_version & 0x0f, device.ipmi_version >> 4),
        "manufacturer_id": device.manufacturer,
        "product_id": device.product,
        "updating": device.updating,
    })
}

/// The minor number is two decimal digits, one a nibble (section 20.1).
pub(super) fn firmware(device: &DeviceId) -> String {
    format!("{}.{:02x}", device.firmware_major, device.firmware_minor)
}

/// Vendor, model and serial number: of the product, else of the board, the serial number else of the chassis.
fn identity(fru: &FruInventory) -> [(&'static str, Option<&str>); 3] {
    let (product, board) = (fru.product.as_ref(), fru.board.as_ref());
    let chassis = fru.chassis.as_ref();
    [
        (
            "vendor",
            first([
                product.map(|it| it.manufacturer.as_str()),
                board.map(|it| it.manufacturer.as_str()),
                None,
            ]),
        ),
        (
            "model",
            first([
                product.map(|it| it.name.as_str()),
                product.map(|it| it.model.as_str()),
                board.map(|it| it.product.as_str()),
            ]),
        ),
        (
            "serial",
            first([
                product.map(|it| it.serial.as_str()),
                chassis.map(|it| it.serial.as_str()),
                board.map(|it| it.serial.as_str()),
            ]),
        ),
    ]
}

/// The first that says anything.
fn first(texts: [Option<&str>; 3]) -> Option<&str> {
    texts.into_iter().flatten().find(|text| !text.is_empty())
}

fn of_fru(fru: &FruInventory) -> Value {
    json!({
        "chassis": fru.chassis.as_ref().map(|it| json!({
            "type": it.kind, "part_number": it.part_number, "serial": it.serial,
        })),
        "board": fru.board.as_ref().map(|it| json!({
            "made": it.made.and_then(|at| i64::try_from(at).ok()).and_then(moment),
            "manufacturer": it.manufacturer, "product": it.product,
            "serial": it.serial, "part_number": it.part_number,
        })),
        "product": fru.product.as_ref().map(|it| json!({
            "manufacturer": it.manufacturer, "name": it.name, "model": it.model,
            "version": it.version, "serial": it.serial, "asset_tag": it.asset_tag,
        })),
        "damaged": fru.damaged.iter().map(|area| format!("{area:?}").to_lowercase()).collect::<Vec<_>>(),
    })
}

fn of_sensors(sensors: &[Sensor]) -> Value {
    let alarms: Vec<Value> = sensors
        .iter()
        .filter(|sensor| sensor.condition.is_alarm())
        .map(|sensor| {
            json!({
                "number": sensor.number,
                "name": sensor.name,
                "type": sensor.sensor_type.to_string(),
                "condition": sensor.condition.to_string(),
                "value": sensor.value,
                "unit": sensor.unit.to_string(),
                "states": sensor.states,
            })
        })
        .collect();
    json!({"read": sensors.len(), "in_alarm": alarms})
}

fn of_event(entry: &SelEntry) -> Value {
    let what = match &entry.record {
        SelRecord::Event(event) => json!({
            "sensor": event.sensor,
            "type": event.sensor_type.to_string(),
            "deasserted": event.deasserted,
        }),
        SelRecord::Oem { kind, .. } => json!({"record_type": kind}),
    };
    json!({
        "id": entry.id,
        "time": entry.unix_time().and_then(|at| moment(i64::from(at))),
        "text": entry.to_string(),
        "about": what,
    })
}

fn of_session(suite: CipherSuite, info: &SessionInfo) -> Value {
    json!({
        "cipher_suite": suite.number(),
        "privilege": info.own.and_then(|own| own.privilege).map(|level| level.to_string()),
        "possible": info.possible,
        "active": info.active,
    })
}

/// How full the log is, and how far its clock is ahead of ours.
fn of_log(log: &SelInfo, time: Option<u32>) -> Value {
    let ahead = time.map(|time| i64::from(time) - Utc::now().timestamp());
    json!({
        "entries": log.entries,
        "free_bytes": log.free,
        "overflow": log.overflow,
        "clock_ahead_s": ahead,
    })
}

fn of_lan(lan: &LanConfiguration) -> Value {
    let source = lan.source.map(|source| match source {
        AddressSource::Unspecified => "unspecified",
        AddressSource::Static => "static",
        AddressSource::Dhcp => "dhcp",
        AddressSource::System => "system",
        AddressSource::Other => "other",
    });
    json!({
        "address": lan.address,
        "source": source,
        "mac": lan.mac.map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":")),
        "mask": lan.mask,
        "gateway": lan.gateway,
        "vlan": lan.vlan,
    })
}

fn moment(unix: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(unix, 0)
}

#[cfg(test)]
mod tests {
    use drydock_ipmi::{FruBoard, FruProduct};

    use super::*;

    #[test]
    fn the_product_names_the_machine_and_the_board_stands_in_for_it() {
        let board = FruBoard {
            manufacturer: "Board maker".into(),
            product: "B1".into(),
            serial: "b-7".into(),
            custom: vec!["ADMIN/ADMIN".into()],
            ..FruBoard::default()
        };
        let product = FruProduct {
            manufacturer: "Maker".into(),
            serial: "p-7".into(),
            ..FruProduct::default()
        };
        let both = FruInventory {
            board: Some(board),
            product: Some(product),
            ..FruInventory::default()
        };
        let of = |fru: &FruInventory| identity(fru).map(|(_, value)| value.map(str::to_owned));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(of(&both), [text("Maker"), text("B1"), text("p-7")]);
        let bare = FruInventory::default();
        assert_eq!(of(&bare), [None, None, None]);
        assert!(!of_fru(&both).to_string().contains("ADMIN"));
    }
}
