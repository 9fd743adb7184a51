//! Sensor data records: what sensors a machine has and how to read them (IPMI v2.0 chapter 43).

use crate::command::conversion::{Conversion, RawFormat, Unit};
use crate::command::states::{SensorType, THRESHOLD};
use crate::command::text::{Coding, write_latin1};
use crate::command::thresholds::Thresholds;
use crate::wire::bytes::Reader;

/// Length in bytes of the header of a record: id, version, type, length.
pub(crate) const HEADER: usize = 5;
/// Version of the record format.
const VERSION: u8 = 0x51;
/// The longest name of a record (section 43.15).
const LONGEST: usize = 16;
/// Slave address of the BMC itself.
const BMC: u8 = 0x20;

/// A record of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdrRecord {
    /// Its id; may change when the repository does.
    pub id: u16,
    /// What it describes.
    pub body: SdrBody,
}

/// What a record describes, by its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SdrBody {
    /// Full (01h) or compact (02h) sensor record; a compact one may stand for several sensors.
    Sensor(SensorRecord),
    /// FRU device locator (11h, section 43.8).
    Fru(FruLocator),
    /// Any other type, with the bytes behind the header.
    Other {
        /// Record type.
        kind: u8,
        /// What follows the header.
        data: Vec<u8>,
    },
}

/// A sensor (sections 43.1 and 43.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorRecord {
    /// Who has the sensor: slave address of a controller in the upper seven bits; 0x20 is the BMC.
    pub owner: u8,
    /// Logical unit of the owner, two bits, and its channel in the upper four.
    pub owner_lun: u8,
    /// Number of the sensor.
    pub number: u8,
    /// What the sensor belongs to, numbered as in section 43.14, and which one of them.
    pub entity: (u8, u8),
    /// What it watches.
    pub sensor_type: SensorType,
    /// Event/reading type code, table 42-1: 1 for thresholds.
    pub event_type: u8,
    /// Unit of its values.
    pub unit: Unit,
    /// How its readings become values; `None` where it has states and no values.
    pub conversion: Option<Conversion>,
    /// Where its values become a matter of concern; raw, and only of threshold sensors with a full record.
    pub thresholds: Thresholds,
    /// Name.
    pub name: String,
    /// How many sensors share a compact record, and how their names differ; 1 in a full record.
    pub shared: Sharing,
}

/// How sensors share a compact record (section 43.2, bytes 24 and 25).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// Number of sensors, with successive sensor numbers.
    pub count: u8,
    /// Whether names end in letters and not in numbers.
    pub letters: bool,
    /// What the first name ends in.
    pub first: u8,
}

impl Sharing {
    /// One sensor for itself.
    pub const ALONE: Self = Self {
        count: 1,
        letters: false,
        first: 0,
    };
}

/// Where a FRU inventory is to be found (section 43.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FruLocator {
    /// Slave address of the controller that has it.
    pub controller: u8,
    /// FRU device id, for Read FRU Data, where `logical`; otherwise the address of a bare memory chip.
    pub device: u8,
    /// Whether the inventory is reached by Read FRU Data.
    pub logical: bool,
    /// What it belongs to, as [`SensorRecord::entity`].
    pub entity: (u8, u8),
    /// Name.
    pub name: String,
}

/// Whole length of a record, from its header.
pub(crate) fn length(header: &[u8]) -> Option<usize> {
    header.get(4).map(|rest| HEADER + usize::from(*rest))
}

fn name(reader: &mut Reader<'_>) -> String {
    let Some(type_length) = reader.byte() else {
        return String::new();
    };
    // Some BMCs announce more bytes than there are.
    let rest = reader.rest();
    let len = usize::from(type_length & 0x1f).min(rest.len());
    Coding::of_record(type_length).read(rest.get(..len).unwrap_or_default())
}

impl SdrRecord {
    /// From the bytes of a record, header included; `None` where it is shorter than its type demands.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let id = reader.u16()?;
        let [_version, kind, length] = reader.array()?;
        let data = reader.take(usize::from(length))?;
        let body = match kind {
            0x01 => SdrBody::Sensor(SensorRecord::decode_full(data)?),
            0x02 => SdrBody::Sensor(SensorRecord::decode_compact(data)?),
            0x11 => SdrBody::Fru(FruLocator::decode(data)?),
            _ => SdrBody::Other {
                kind,
                data: data.to_vec(),
            },
        };
        Some(Self { id, body })
    }

    /// To the bytes of a record, header included.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, data) = match &self.body {
            SdrBody::Sensor(sensor) if sensor.conversion.is_some() => (0x01, sensor.encode_full()),
            SdrBody::Sensor(sensor) => (0x02, sensor.encode_compact()),
            SdrBody::Fru(fru) => (0x11, fru.encode()),
            SdrBody::Other { kind, data } => (*kind, data.clone()),
        };
        let mut out = self.id.to_le_bytes().to_vec();
        out.extend([VERSION, kind, u8::try_from(data.len()).unwrap_or(u8::MAX)]);
        out.extend(data);
        out
    }
}

/// Sign bits of byte 21; `None` where the sensor has no values.
fn raw_format(units: u8) -> Option<RawFormat> {
    match units >> 6 {
        0 => Some(RawFormat::Unsigned),
        1 => Some(RawFormat::OnesComplement),
        2 => Some(RawFormat::TwosComplement),
        _ => None,
    }
}

impl SensorRecord {
    /// A threshold sensor of the BMC.
    pub fn threshold(
        number: u8,
        name: &str,
        sensor_type: SensorType,
        unit: Unit,
        conversion: Conversion,
        thresholds: Thresholds,
    ) -> Self {
        Self {
            owner: BMC,
            owner_lun: 0,
            number,
            entity: (7, 1),
            sensor_type,
            event_type: THRESHOLD,
            unit,
            conversion: Some(conversion),
            thresholds,
            name: name.to_owned(),
            shared: Sharing::ALONE,
        }
    }

    /// A sensor of the BMC that has states; what they mean follows from the event type and the sensor type.
    pub fn discrete(number: u8, name: &str, sensor_type: SensorType, event_type: u8) -> Self {
        Self {
            event_type,
            conversion: None,
            ..Self::threshold(
                number,
                name,
                sensor_type,
                Unit::default(),
                Conversion::linear(0, 0, 0, 0),
                Thresholds::default(),
            )
        }
    }

    /// What full and compact records have in common: bytes 6 to 23. Gives the masks of bytes 15 to 20 too.
    fn decode_start(reader: &mut Reader<'_>) -> Option<(Self, [u8; 6], u8)> {
        let [
            owner,
            owner_lun,
            number,
            entity,
            instance,
            _,
            _,
            kind,
            event_type,
        ] = reader.array()?;
        let masks = reader.array::<6>()?;
        let [units, base, modifier] = reader.array()?;
        let sensor = Self {
            owner,
            owner_lun,
            number,
            entity: (entity, instance),
            sensor_type: SensorType(kind),
            event_type: event_type & 0x7f,
            unit: Unit {
                flags: units & 0x3f,
                base,
                modifier,
            },
            conversion: None,
            thresholds: Thresholds::default(),
            name: String::new(),
            shared: Sharing::ALONE,
        };
        Some((sensor, masks, units))
    }

    fn decode_full(data: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(data);
        let (mut sensor, masks, units) = Self::decode_start(&mut reader)?;
        let linearization = reader.byte()?;
        let factors = reader.array()?;
        let [_flags, _nominal, _normal_max, _normal_min, _max, _min] = reader.array()?;
        let thresholds = reader.array()?;
        let [_positive, _negative, _, _, _oem] = reader.array()?;
        // Byte 19: which thresholds can be read, and so which of the six bytes mean something.
        let [.., readable, _settable] = masks;
        if sensor.event_type == THRESHOLD {
            sensor.thresholds = Thresholds::from_record(readable, thresholds);
        }
        sensor.conversion =
            raw_format(units).map(|format| Conversion::factors(format, linearization, factors));
        sensor.name = name(&mut reader);
        Some(sensor)
    }

    fn decode_compact(data: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(data);
        let (mut sensor, _, _) = Self::decode_start(&mut reader)?;
        let [sharing, offset] = reader.array()?;
        let [_positive, _negative, _, _, _, _oem] = reader.array()?;
        sensor.shared = Sharing {
            count: (sharing & 0x0f).max(1),
            letters: sharing >> 4 & 0x03 == 1,
            first: offset & 0x7f,
        };
        sensor.name = name(&mut reader);
        Some(sensor)
    }

    /// The sensors that share this record, each with its own number and name; the sensor itself where it is alone.
    pub fn each(&self) -> Vec<Self> {
        if self.shared.count <= 1 {
            return vec![self.clone()];
        }
        (0..self.shared.count)
            .map(|at| {
                let end = self.shared.first.saturating_add(at);
                let suffix = if self.shared.letters {
                    char::from(b'A' + end % 26).to_string()
                } else {
                    end.to_string()
                };
                Self {
                    number: self.number.wrapping_add(at),
                    name: format!("{}{suffix}", self.name),
                    shared: Sharing::ALONE,
                    ..self.clone()
                }
            })
            .collect()
    }

    /// Whether Get Sensor Reading, sent to the BMC, reaches it. Others are behind bridges.
    pub fn is_of_bmc(&self) -> bool {
        self.owner == BMC && self.owner_lun == 0
    }

    fn encode_start(&self, readable: u8, units: u8) -> Vec<u8> {
        vec![
            self.owner,
            self.owner_lun,
            self.number,
            self.entity.0,
            self.entity.1,
            // Initialised, events and scanning on; re-arms by itself; thresholds can be read.
            0x63,
            if self.event_type == THRESHOLD {
                0x44
            } else {
                0x40
            },
            self.sensor_type.0,
            self.event_type,
            0,
            0,
            0,
            0,
            readable,
            0,
            units | self.unit.flags & 0x3f,
            self.unit.base,
            self.unit.modifier,
        ]
    }

    fn encode_full(&self) -> Vec<u8> {
        let conversion = self.conversion.unwrap_or(Conversion::linear(0, 0, 0, 0));
        let format = match conversion.format {
            RawFormat::Unsigned => 0x00,
            RawFormat::OnesComplement => 0x40,
            RawFormat::TwosComplement => 0x80,
        };
        let (readable, bytes) = self.thresholds.to_record();
        let mut out = self.encode_start(readable, format);
        out.push(conversion.linearization & 0x7f);
        out.extend(conversion.factor_bytes());
        // No nominal and normal values; the sensor can show every raw byte.
        let (max, min) = match conversion.format {
            RawFormat::Unsigned => (0xff, 0x00),
            RawFormat::OnesComplement | RawFormat::TwosComplement => (0x7f, 0x80),
        };
        out.extend([0, 0, 0, 0, max, min]);
        out.extend(bytes);
        out.extend([0, 0, 0, 0, 0]);
        write_latin1(&mut out, &self.name, LONGEST);
        out
    }

    fn encode_compact(&self) -> Vec<u8> {
        let mut out = self.encode_start(0, 0xc0);
        let letters = if self.shared.letters { 0x10 } else { 0 };
        out.extend([self.shared.count & 0x0f | letters, self.shared.first & 0x7f]);
        out.extend([0, 0, 0, 0, 0, 0]);
        write_latin1(&mut out, &self.name, LONGEST);
        out
    }
}

impl FruLocator {
    fn decode(data: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(data);
        let [controller, device, access, _channel, _, _kind, _modifier] = reader.array()?;
        let [entity, instance, _oem] = reader.array()?;
        Some(Self {
            controller,
            device,
            logical: access & 0x80 != 0,
            entity: (entity, instance),
            name: name(&mut reader),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let access = if self.logical { 0x80 } else { 0 };
        let mut out = vec![self.controller, self.device, access, 0, 0];
        // Device type 10h: a logical FRU device; modifier 0: an IPMI FRU inventory.
        out.extend([0x10, 0x00, self.entity.0, self.entity.1, 0]);
        write_latin1(&mut out, &self.name, LONGEST);
        out
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back() {
        let mut fan = SensorRecord::threshold(
            0x41,
            "Fan 1",
            SensorType::FAN,
            Unit::RPM,
            Conversion::linear(100, 0, 0, 0),
            Thresholds {
                lower_critical: Some(5),
                ..Thresholds::default()
            },
        );
        fan.conversion = fan.conversion.map(|conversion| Conversion {
            format: RawFormat::TwosComplement,
            linearization: 0x70,
            ..conversion
        });
        let mut supplies = SensorRecord::discrete(0x50, "PSU", SensorType::POWER_SUPPLY, 0x6f);
        supplies.shared = Sharing {
            count: 3,
            letters: false,
            first: 1,
        };
        let locator = FruLocator {
            controller: 0x20,
            device: 3,
            logical: true,
            entity: (7, 1),
            name: "Riser".into(),
        };
        let bodies = [
            SdrBody::Sensor(fan),
            SdrBody::Sensor(supplies.clone()),
            SdrBody::Fru(locator),
            SdrBody::Other {
                kind: 0xc0,
                data: vec![1, 2, 3],
            },
        ];
        for (id, body) in (1..).zip(bodies) {
            let record = SdrRecord { id, body };
            let bytes = record.encode();
            assert_eq!(length(&bytes), Some(bytes.len()));
            assert_eq!(SdrRecord::decode(&bytes), Some(record));
            assert_eq!(SdrRecord::decode(&bytes[..bytes.len() - 1]), None);
        }
        let names: Vec<(u8, String)> = supplies
            .each()
            .into_iter()
            .map(|sensor| (sensor.number, sensor.name))
            .collect();
        let expected = [(0x50, "PSU1"), (0x51, "PSU2"), (0x52, "PSU3")];
        assert_eq!(names, expected.map(|(at, name)| (at, name.to_owned())));
    }
}
