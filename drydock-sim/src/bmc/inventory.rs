//! What a simulated machine says of itself: who made it, its sensors, its event log, its BMC's address.

use std::net::IpAddr;

use chrono::Utc;
use drydock_ipmi::bmc::Inventory;
use drydock_ipmi::{
    AddressSource, Conversion, FruBoard, FruChassis, FruInventory, FruProduct, LanConfiguration,
    SdrBody, SdrRecord, SelEntry, SelEvent, SelRecord, SensorReading, SensorRecord, SensorType,
    Thresholds, Unit,
};

use crate::shape::MachineShape;

/// Who makes all machines here, and what they are called; the MaaS side says the same.
const MAKER: &str = "drydock-sim";
const PRODUCT: &str = "Simulated Server";
/// 2026-01-01 00:00 UTC: when the event log was cleared, in seconds since 1970.
const BEGIN: u32 = 1_767_225_600;
/// Kind of chassis: rack mount.
const RACK_MOUNT: u8 = 0x17;

/// Numbers of the sensors.
mod number {
    pub(super) const CPU: u8 = 0x01;
    pub(super) const FAN: u8 = 0x02;
    pub(super) const RAIL: u8 = 0x03;
    pub(super) const POWER: u8 = 0x04;
    pub(super) const SUPPLIES: [u8; 2] = [0x10, 0x11];
}

/// States of a power supply: there, and without input.
const PRESENT: u16 = 1 << 0;
const INPUT_LOST: u16 = 1 << 3;
/// Event/reading type code: the states follow from the sensor type.
const SENSOR_SPECIFIC: u8 = 0x6f;
/// Sensor type of the event log itself, and its state "cleared".
const EVENT_LOG: SensorType = SensorType(0x10);
const CLEARED: u8 = 0x02;

/// The inventory of a machine; `alarm`: its second power supply has no input.
pub(super) fn inventory(shape: &MachineShape, powered: bool, alarm: bool) -> Inventory {
    Inventory {
        fru: [(0, fru(shape).encode())].into(),
        sel: event_log(alarm),
        sel_time: u32::try_from(Utc::now().timestamp()).ok(),
        sdr: records(),
        readings: readings(powered, alarm).into_iter().collect(),
        lan: lan(shape),
    }
}

fn fru(shape: &MachineShape) -> FruInventory {
    FruInventory {
        chassis: Some(FruChassis {
            kind: RACK_MOUNT,
            serial: shape.name.clone(),
            ..FruChassis::default()
        }),
        board: Some(FruBoard {
            made: Some(u64::from(BEGIN)),
            manufacturer: MAKER.into(),
            product: "Motherboard".into(),
            serial: shape.name.clone(),
            ..FruBoard::default()
        }),
        product: Some(FruProduct {
            manufacturer: MAKER.into(),
            name: PRODUCT.into(),
            serial: shape.name.clone(),
            ..FruProduct::default()
        }),
        damaged: Vec::new(),
    }
}

fn records() -> Vec<SdrRecord> {
    let plain = Conversion::linear(1, 0, 0, 0);
    let upper = |warn, critical| Thresholds {
        upper_non_critical: Some(warn),
        upper_critical: Some(critical),
        ..Thresholds::default()
    };
    let sensor = |number, name, kind, unit, conversion, thresholds| {
        SensorRecord::threshold(number, name, kind, unit, conversion, thresholds)
    };
    let mut sensors = vec![
        sensor(
            number::CPU,
            "CPU Temp",
            SensorType::TEMPERATURE,
            Unit::CELSIUS,
            plain,
            upper(85, 95),
        ),
        sensor(
            number::FAN,
            "Fan 1",
            SensorType::FAN,
            Unit::RPM,
            Conversion::linear(100, 0, 0, 0),
            Thresholds {
                lower_critical: Some(5),
                ..Thresholds::default()
            },
        ),
        sensor(
            number::RAIL,
            "12V",
            SensorType::VOLTAGE,
            Unit::VOLTS,
            Conversion::linear(6, 0, 0, -2),
            Thresholds {
                lower_critical: Some(180),
                upper_critical: Some(220),
                ..Thresholds::default()
            },
        ),
        sensor(
            number::POWER,
            "Power",
            SensorType(0x0b),
            Unit::WATTS,
            Conversion::linear(4, 0, 0, 0),
            upper(200, 240),
        ),
    ];
    for (supply, number) in (1..).zip(number::SUPPLIES) {
        let name = format!("PSU {supply}");
        let supply =
            SensorRecord::discrete(number, &name, SensorType::POWER_SUPPLY, SENSOR_SPECIFIC);
        sensors.push(supply);
    }
    (1..)
        .zip(sensors)
        .map(|(id, sensor)| SdrRecord {
            id,
            body: SdrBody::Sensor(sensor),
        })
        .collect()
}

fn readings(powered: bool, alarm: bool) -> Vec<(u8, SensorReading)> {
    let reading = |raw, unavailable, states| SensorReading {
        raw,
        unavailable,
        states,
    };
    let [first, second] = number::SUPPLIES;
    let input = if alarm { INPUT_LOST } else { 0 };
    vec![
        (
            number::CPU,
            reading(if powered { 42 } else { 21 }, false, None),
        ),
        // Without power a fan has nothing to show, and a rail is down.
        (number::FAN, reading(56, !powered, None)),
        (number::RAIL, reading(201, !powered, None)),
        (
            number::POWER,
            reading(if powered { 45 } else { 2 }, false, None),
        ),
        (first, reading(0, false, Some(PRESENT))),
        (second, reading(0, false, Some(PRESENT | input))),
    ]
}

fn event_log(alarm: bool) -> Vec<SelEntry> {
    let event = |id: u16, sensor_type, sensor, state| SelEntry {
        id,
        record: SelRecord::Event(SelEvent {
            timestamp: BEGIN + u32::from(id),
            generator: 0x0020,
            sensor_type,
            sensor,
            event_type: SENSOR_SPECIFIC,
            deasserted: false,
            data: [state, 0xff, 0xff],
        }),
    };
    let [_, second] = number::SUPPLIES;
    let mut log = vec![event(1, EVENT_LOG, 0, CLEARED)];
    if alarm {
        log.push(event(2, SensorType::POWER_SUPPLY, second, 0x03));
    }
    log
}

fn lan(shape: &MachineShape) -> LanConfiguration {
    let address = match shape.bmc_address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    LanConfiguration {
        address,
        source: Some(AddressSource::Static),
        // Locally administered, and unique as the address is.
        mac: address.map(|address| {
            let [a, b, c, d] = address.octets();
            [0x02, 0x00, a, b, c, d]
        }),
        ..LanConfiguration::default()
    }
}
