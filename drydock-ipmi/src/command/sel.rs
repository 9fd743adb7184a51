//! The system event log: Get SEL Info, Get SEL Entry and the records (IPMI v2.0 sections 31.2, 31.5 and 32.1).

use std::fmt;

use crate::command::states;
use crate::command::states::SensorType;
use crate::wire::bytes::Reader;

/// The first record.
pub(crate) const FIRST: u16 = 0x0000;
/// The newest record in a request; in an answer: there is none behind this one.
pub(crate) const LAST: u16 = 0xffff;

/// How full the log is (section 31.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SelInfo {
    /// Number of records.
    pub entries: u16,
    /// Free room in bytes; 0xffff stands for that or more.
    pub free: u16,
    /// When a record was last added, in seconds since 1970 by the BMC's clock.
    pub last_addition: u32,
    /// When the log was last cleared, likewise.
    pub last_erase: u32,
    /// Whether records were lost for want of room.
    pub overflow: bool,
}

impl SelInfo {
    /// From response data after the completion code.
    pub(crate) fn decode(data: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(data);
        let _version = reader.byte()?;
        Some(Self {
            entries: reader.u16()?,
            free: reader.u16()?,
            last_addition: reader.u32()?,
            last_erase: reader.u32()?,
            overflow: reader.byte()? & 0x80 != 0,
        })
    }

    /// To response data after the completion code.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0x51];
        out.extend(self.entries.to_le_bytes());
        out.extend(self.free.to_le_bytes());
        out.extend(self.last_addition.to_le_bytes());
        out.extend(self.last_erase.to_le_bytes());
        // Bit 1: the log can be reserved.
        out.push(0x02 | if self.overflow { 0x80 } else { 0 });
        out
    }
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelEntry {
    /// Its id. Ids are unique, but neither gapless nor always growing.
    pub id: u16,
    /// What it tells.
    pub record: SelRecord,
}

/// What a record tells, by its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelRecord {
    /// Record type 02h: an event (section 32.1).
    Event(SelEvent),
    /// Every other type: the maker's own (sections 32.2 and 32.3), or reserved.
    Oem {
        /// Record type.
        kind: u8,
        /// In seconds since 1970 by the BMC's clock; only record types C0h to DFh have one.
        timestamp: Option<u32>,
        /// What follows, 9 or 13 bytes.
        data: Vec<u8>,
    },
}

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelEvent {
    /// In seconds since 1970 by the BMC's clock; below 0x20000000 the clock was not set: seconds since the BMC started.
    pub timestamp: u32,
    /// Who reports it: slave address or software id in the low byte.
    pub generator: u16,
    /// What kind of sensor.
    pub sensor_type: SensorType,
    /// Which sensor.
    pub sensor: u8,
    /// Event/reading type code, table 42-1: 1 threshold, 0x6f as the sensor's type has it.
    pub event_type: u8,
    /// Whether the state went away rather than came.
    pub deasserted: bool,
    /// Event data; which state is the low nibble of the first byte.
    pub data: [u8; 3],
}

impl SelEntry {
    /// From response data of Get SEL Entry after the completion code: the id of the next record, and this one.
    pub(crate) fn decode_response(data: &[u8]) -> Option<(u16, Self)> {
        let mut reader = Reader::new(data);
        Some((reader.u16()?, Self::decode(reader.rest())?))
    }

    /// From the 16 bytes of a record; `None` where there are fewer.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes.get(..16)?);
        let (id, kind) = (reader.u16()?, reader.byte()?);
        let record = match kind {
            0x02 => {
                let timestamp = reader.u32()?;
                let generator = reader.u16()?;
                let [_revision, sensor_type, sensor, event] = reader.array()?;
                SelRecord::Event(SelEvent {
                    timestamp,
                    generator,
                    sensor_type: SensorType(sensor_type),
                    sensor,
                    event_type: event & 0x7f,
                    deasserted: event & 0x80 != 0,
                    data: reader.array()?,
                })
            }
            0xc0..=0xdf => SelRecord::Oem {
                kind,
                timestamp: Some(reader.u32()?),
                data: reader.rest().to_vec(),
            },
            _ => SelRecord::Oem {
                kind,
                timestamp: None,
                data: reader.rest().to_vec(),
            },
        };
        Some(Self { id, record })
    }

    /// To the 16 bytes of a record; data of a record of the maker's is cut or filled with zeros.
    pub fn encode(&self) -> [u8; 16] {
        let mut bytes = self.id.to_le_bytes().to_vec();
        match &self.record {
            SelRecord::Event(event) => {
                bytes.push(0x02);
                bytes.extend(event.timestamp.to_le_bytes());
                bytes.extend(event.generator.to_le_bytes());
                // Event message format of IPMI v1.5 and later.
                bytes.extend([0x04, event.sensor_type.0, event.sensor]);
                bytes.push(event.event_type & 0x7f | u8::from(event.deasserted) << 7);
                bytes.extend(event.data);
            }
            SelRecord::Oem {
                kind,
                timestamp,
                data,
            } => {
                bytes.push(*kind);
                bytes.extend(timestamp.iter().flat_map(|time| time.to_le_bytes()));
                bytes.extend(data);
            }
        }
        let mut out = [0; 16];
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        out
    }

    /// When it happened, in seconds since 1970; `None` where the record has no time or the BMC's clock was not set.
    pub fn unix_time(&self) -> Option<u32> {
        // Section 37.1: up to 20000000h a time counts from the BMC's start; FFFFFFFFh is "not known".
        let time = match &self.record {
            SelRecord::Event(event) => event.timestamp,
            SelRecord::Oem { timestamp, .. } => (*timestamp)?,
        };
        (time > 0x2000_0000 && time != u32::MAX).then_some(time)
    }
}

impl fmt::Display for SelEntry {
    /// What happened, in words, without the time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.record {
            SelRecord::Event(event) => {
                let offset = event.data.first().map_or(0, |data| data & 0x0f);
                write!(f, "{} {:#04x}: ", event.sensor_type, event.sensor)?;
                match states::state(event.event_type, event.sensor_type, offset) {
                    Some(state) => f.write_str(state.text)?,
                    None => {
                        let [a, b, c] = event.data;
                        write!(
                            f,
                            "event type {:#04x}, data {a:02x} {b:02x} {c:02x}",
                            event.event_type
                        )?;
                    }
                }
                f.write_str(if event.deasserted { " (over)" } else { "" })
            }
            SelRecord::Oem { kind, data, .. } => {
                write!(f, "record type {kind:#04x} of the maker:")?;
                data.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_tell_in_words() {
        let event = SelEntry {
            id: 7,
            record: SelRecord::Event(SelEvent {
                timestamp: 1_700_000_000,
                generator: 0x0020,
                sensor_type: SensorType::TEMPERATURE,
                sensor: 0x30,
                event_type: 1,
                deasserted: false,
                data: [0x59, 0x60, 0x5a],
            }),
        };
        assert_eq!(SelEntry::decode(&event.encode()).unwrap(), event);
        assert_eq!(
            event.to_string(),
            "temperature 0x30: upper critical, going high"
        );
        assert_eq!(event.unix_time(), Some(1_700_000_000));
        for (kind, timestamp, len) in [(0xc0, Some(5), 9), (0xe1, None, 13)] {
            let oem = SelEntry {
                id: 8,
                record: SelRecord::Oem {
                    kind,
                    timestamp,
                    data: vec![1; len],
                },
            };
            assert_eq!(SelEntry::decode(&oem.encode()).unwrap(), oem);
            assert_eq!(oem.unix_time(), None);
        }
        assert_eq!(SelEntry::decode(&[0; 15]), None);
    }
}
