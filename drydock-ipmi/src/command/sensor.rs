//! Get Sensor Reading (IPMI v2.0 section 35.14), and what a reading means.

use std::fmt;

use crate::command::conversion::{Conversion, Unit};
use crate::command::sdr::SensorRecord;
use crate::command::states::{self, Condition, SensorType, THRESHOLD};
use crate::command::thresholds;

/// What a sensor shows, as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SensorReading {
    /// The raw byte; means something only where there is a [`Conversion`].
    pub raw: u8,
    /// Whether the BMC has no reading just now, or does not scan the sensor.
    pub unavailable: bool,
    /// Which states hold: bits 0 to 14 of a discrete sensor, bits 0 to 5 the comparison status of a threshold sensor.
    /// `None` where the BMC leaves it out.
    pub states: Option<u16>,
}

impl SensorReading {
    /// From response data after the completion code.
    pub(crate) fn decode(data: &[u8]) -> Option<Self> {
        let (&[raw, flags], states) = data.split_first_chunk::<2>()?;
        let states = match states {
            [] => None,
            [low] => Some(u16::from(*low)),
            // The top bit is reserved and is sent as 1.
            [low, high, ..] => Some(u16::from_le_bytes([*low, high & 0x7f])),
        };
        Some(Self {
            raw,
            unavailable: flags & 0x20 != 0 || flags & 0x40 == 0,
            states,
        })
    }

    /// To response data after the completion code.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.raw, if self.unavailable { 0xe0 } else { 0xc0 }];
        if let Some(states) = self.states {
            let [low, high] = states.to_le_bytes();
            out.extend([low, high | 0x80]);
        }
        out
    }
}

/// A sensor as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    /// Its number.
    pub number: u8,
    /// Its name.
    pub name: String,
    /// What it watches.
    pub sensor_type: SensorType,
    /// The value; `None` where the sensor has states only, or no reading just now.
    pub value: Option<f64>,
    /// Unit of the value.
    pub unit: Unit,
    /// How it is.
    pub condition: Condition,
    /// What is behind the condition, in words: the states that hold.
    pub states: Vec<&'static str>,
}

impl Sensor {
    /// What a reading of this sensor means. `conversion` is the record's own, or the one that holds for this reading.
    pub(crate) fn read(
        record: &SensorRecord,
        conversion: Option<Conversion>,
        reading: SensorReading,
    ) -> Self {
        let mut sensor = Self {
            number: record.number,
            name: record.name.clone(),
            sensor_type: record.sensor_type,
            value: None,
            unit: record.unit,
            condition: Condition::Unknown,
            states: Vec::new(),
        };
        if reading.unavailable {
            return sensor;
        }
        sensor.value = conversion.and_then(|conversion| conversion.value(reading.raw));
        if record.event_type == THRESHOLD {
            let status = match (reading.states, conversion) {
                (Some(states), _) => u8::try_from(states & 0x3f).unwrap_or(0),
                (None, Some(conversion)) => record.thresholds.compare(conversion, reading.raw),
                (None, None) => return sensor,
            };
            sensor.condition = thresholds::condition(status);
            sensor.states = beyond(status);
            return sensor;
        }
        let Some(bits) = reading.states else {
            return sensor;
        };
        sensor.condition = Condition::Normal;
        for number in (0..15).filter(|number| bits & (1 << number) != 0) {
            if let Some(state) = states::state(record.event_type, record.sensor_type, number) {
                sensor.condition = sensor.condition.max(state.condition);
                sensor.states.push(state.text);
            }
        }
        sensor
    }
}

/// Which limits a comparison status says are passed.
fn beyond(status: u8) -> Vec<&'static str> {
    let limits = [
        "below lower non-critical",
        "below lower critical",
        "below lower non-recoverable",
        "above upper non-critical",
        "above upper critical",
        "above upper non-recoverable",
    ];
    limits
        .into_iter()
        .enumerate()
        .filter(|(at, _)| status & (1 << at) != 0)
        .map(|(_, text)| text)
        .collect()
}

impl fmt::Display for Sensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        if let Some(value) = self.value {
            // Three digits behind the point are more than any sensor means.
            let rounded = (value * 1000.0).round() / 1000.0;
            write!(f, "{rounded} {}, ", self.unit)?;
        }
        write!(f, "{}", self.condition)?;
        if !self.states.is_empty() {
            write!(f, " ({})", self.states.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::command::thresholds::Thresholds;

    fn temperature() -> SensorRecord {
        SensorRecord::threshold(
            1,
            "CPU",
            SensorType::TEMPERATURE,
            Unit::CELSIUS,
            Conversion::linear(5, 0, 0, -1),
            Thresholds {
                upper_critical: Some(190),
                ..Thresholds::default()
            },
        )
    }

    fn read(record: &SensorRecord, data: &[u8]) -> String {
        let reading = SensorReading::decode(data).unwrap();
        Sensor::read(record, record.conversion, reading).to_string()
    }

    #[test]
    fn thresholds_raise_an_alarm() {
        let record = temperature();
        assert_eq!(read(&record, &[85, 0xc0, 0xc0]), "CPU: 42.5 °C, normal");
        let hot = "CPU: 96 °C, critical (above upper critical)";
        assert_eq!(read(&record, &[192, 0xc0, 0b1_0000, 0x80]), hot);
        // A BMC that leaves the comparison to us.
        assert_eq!(read(&record, &[192, 0xc0]), hot);
        for off in [0xe0, 0x00] {
            assert_eq!(read(&record, &[192, off, 0b1_0000]), "CPU: unknown");
        }
    }

    #[test]
    fn states_raise_an_alarm() {
        let record = SensorRecord::discrete(2, "PSU 1", SensorType::POWER_SUPPLY, 0x6f);
        assert_eq!(
            read(&record, &[0, 0xc0, 1, 0x80]),
            "PSU 1: normal (present)"
        );
        let failed = "PSU 1: critical (present, input lost)";
        assert_eq!(read(&record, &[0, 0xc0, 0b1001, 0x80]), failed);
        assert_eq!(read(&record, &[0, 0xc0]), "PSU 1: unknown");
    }

    #[test]
    fn readings_come_back() {
        for (unavailable, states) in [(false, Some(0x7fff)), (true, Some(0)), (false, None)] {
            let reading = SensorReading {
                raw: 7,
                unavailable,
                states,
            };
            assert_eq!(SensorReading::decode(&reading.encode()), Some(reading));
        }
        assert_eq!(SensorReading::decode(&[1]), None);
    }
}
