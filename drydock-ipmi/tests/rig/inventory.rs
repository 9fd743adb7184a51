//! What the simulated machines of these tests say of themselves.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part"
)]

use std::net::Ipv4Addr;

use drydock_ipmi::bmc::Inventory;
use drydock_ipmi::{
    AddressSource, Conversion, FruBoard, FruChassis, FruInventory, FruLocator, FruProduct,
    LanConfiguration, SdrBody, SdrRecord, SelEntry, SelEvent, SelRecord, SensorReading,
    SensorRecord, SensorType, Sharing, Thresholds, Unit,
};

/// Number of the temperature sensor.
pub const TEMPERATURE: u8 = 0x30;
/// Number of the fan.
pub const FAN: u8 = 0x31;
/// Number of the first of two power supplies that share a record.
pub const SUPPLY: u8 = 0x40;

/// The inventory of FRU device 0.
pub fn fru() -> FruInventory {
    FruInventory {
        chassis: Some(FruChassis {
            kind: 0x17,
            part_number: "CH-42".into(),
            serial: "C0042".into(),
            custom: Vec::new(),
        }),
        board: Some(FruBoard {
            // 2023-11-14 22:13 UTC.
            made: Some(1_699_999_980),
            manufacturer: "Acme Boards".into(),
            product: "X9 Board".into(),
            serial: "B0042".into(),
            part_number: "BP-1".into(),
            fru_file: String::new(),
            custom: vec!["rev C".into()],
        }),
        product: Some(FruProduct {
            manufacturer: "Acme".into(),
            name: "Server 9000".into(),
            model: "S9K".into(),
            version: "1.2".into(),
            serial: "S0042".into(),
            asset_tag: "tag 7".into(),
            ..FruProduct::default()
        }),
        damaged: Vec::new(),
    }
}

/// An event about the temperature sensor; its time follows from its id.
pub fn event(id: u16) -> SelEntry {
    SelEntry {
        id,
        record: SelRecord::Event(SelEvent {
            timestamp: 1_700_000_000 + u32::from(id),
            generator: 0x0020,
            sensor_type: SensorType::TEMPERATURE,
            sensor: TEMPERATURE,
            event_type: 1,
            deasserted: id.is_multiple_of(2),
            data: [0x59, 0x60, 0x5a],
        }),
    }
}

/// Records of a temperature, a fan, two power supplies and a riser card.
pub fn records() -> Vec<SdrRecord> {
    let temperature = SensorRecord::threshold(
        TEMPERATURE,
        "CPU Temp",
        SensorType::TEMPERATURE,
        Unit::CELSIUS,
        Conversion::linear(5, 0, 0, -1),
        Thresholds {
            upper_non_critical: Some(160),
            upper_critical: Some(180),
            ..Thresholds::default()
        },
    );
    let fan = SensorRecord::threshold(
        FAN,
        "Fan 1",
        SensorType::FAN,
        Unit::RPM,
        Conversion::linear(100, 0, 0, 0),
        Thresholds {
            lower_critical: Some(5),
            ..Thresholds::default()
        },
    );
    let mut supplies = SensorRecord::discrete(SUPPLY, "PSU", SensorType::POWER_SUPPLY, 0x6f);
    supplies.shared = Sharing {
        count: 2,
        letters: false,
        first: 1,
    };
    let riser = FruLocator {
        controller: 0x20,
        device: 1,
        logical: true,
        entity: (0x0b, 1),
        name: "Riser".into(),
    };
    let bodies = [
        SdrBody::Sensor(temperature),
        SdrBody::Sensor(fan),
        SdrBody::Sensor(supplies),
        SdrBody::Fru(riser),
    ];
    (1..)
        .zip(bodies)
        .map(|(id, body)| SdrRecord { id: id * 3, body })
        .collect()
}

/// All of it. The fan stands still, and the second power supply has no input.
pub fn inventory() -> Inventory {
    let reading = |raw, states| SensorReading {
        raw,
        unavailable: false,
        states,
    };
    let riser = FruInventory {
        product: Some(FruProduct {
            name: "Riser".into(),
            ..FruProduct::default()
        }),
        ..FruInventory::default()
    };
    Inventory {
        fru: [(0, fru().encode()), (1, riser.encode())].into(),
        sel: (1..=40).map(event).collect(),
        sel_time: Some(1_767_225_600),
        sdr: records(),
        readings: [
            (TEMPERATURE, reading(85, None)),
            (FAN, reading(0, None)),
            (SUPPLY, reading(0, Some(0b0001))),
            (SUPPLY + 1, reading(0, Some(0b1001))),
        ]
        .into(),
        lan: LanConfiguration {
            address: Some(Ipv4Addr::new(127, 0, 0, 9)),
            source: Some(AddressSource::Static),
            mac: Some([0x02, 0, 0, 0xab, 0xcd, 0xef]),
            mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
            gateway: Some(Ipv4Addr::new(127, 0, 0, 1)),
            vlan: Some(77),
        },
    }
}
