//! The sensors of a machine: their records from the repository, and their readings.

use tracing::debug;

use crate::client::inventory::{PIECE, refusal, wants_less};
use crate::client::session::Session;
use crate::command::CommandId;
use crate::command::conversion::Conversion;
use crate::command::sdr::{self, SdrBody, SdrRecord, SensorRecord};
use crate::command::sensor::{Sensor, SensorReading};
use crate::command::thresholds::Thresholds;
use crate::completion::CompletionCode;
use crate::error::Error;

/// How often a record is begun again because the reservation was lost on the way.
const RESERVATIONS: u32 = 8;
/// More records than any repository has: the end of a walk through one that leads in a circle.
const LONGEST_REPOSITORY: usize = 4096;
/// The first record; in an answer the last one's next is [`LAST`].
const FIRST: u16 = 0x0000;
const LAST: u16 = 0xffff;

/// Where the records are: in the repository (chapter 33) or, where a BMC has none, in the controller itself (sections 35.3
/// and 35.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Source {
    reserve: CommandId,
    get: CommandId,
}

const REPOSITORY: Source = Source {
    reserve: CommandId::RESERVE_SDR,
    get: CommandId::GET_SDR,
};
const DEVICE: Source = Source {
    reserve: CommandId::RESERVE_DEVICE_SDR,
    get: CommandId::GET_DEVICE_SDR,
};

/// How far the reading of a repository has come.
struct Reading {
    source: Source,
    reservation: u16,
    /// How many bytes the BMC gives at once.
    piece: u8,
}

impl Session {
    /// All records of the sensor data repository (sections 33.11 and 33.12), or of the controller where it has none. They
    /// change with the hardware and the firmware only: keep them.
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`]. [`Error::Unsupported`] where the BMC has no records at all. A record that cannot be
    /// read is left out.
    pub async fn sdr_records(&mut self) -> Result<Vec<SdrRecord>, Error> {
        let (source, reservation) = match self.reserve(REPOSITORY).await {
            Ok(reservation) => (REPOSITORY, reservation),
            Err(Error::Unsupported { .. }) => (DEVICE, self.reserve(DEVICE).await?),
            Err(error) => return Err(error),
        };
        let mut reading = Reading {
            source,
            reservation,
            piece: PIECE,
        };
        let mut records = Vec::new();
        let mut id = FIRST;
        for _ in 0..LONGEST_REPOSITORY {
            let Some((next, bytes)) = self.sdr_record(&mut reading, id).await? else {
                break;
            };
            match SdrRecord::decode(&bytes) {
                Some(record) => records.push(record),
                None => debug!(bmc = %self.addr(), id, ?bytes, "sensor data record left out"),
            }
            if next == LAST || next == id {
                break;
            }
            id = next;
        }
        Ok(records)
    }

    async fn reserve(&mut self, source: Source) -> Result<u16, Error> {
        let attempted = "reserve the sensor data repository";
        let data = self.read(attempted, source.reserve, &[]).await?;
        match data.first_chunk() {
            Some(id) => Ok(u16::from_le_bytes(*id)),
            None => Err(self.malformed(attempted, &data)),
        }
    }

    /// The bytes of a record and the id of the next; `None` where there is none with this id. Begins again with a new
    /// reservation where the old one was lost: the repository may have changed in between.
    async fn sdr_record(
        &mut self,
        reading: &mut Reading,
        id: u16,
    ) -> Result<Option<(u16, Vec<u8>)>, Error> {
        let mut lost = 0;
        loop {
            match self.sdr_pieces(reading, id).await {
                Ok(record) => return Ok(Some(record)),
                Err(error) => match refusal(&error) {
                    Some(CompletionCode::RESERVATION_CANCELLED) if lost < RESERVATIONS => {
                        lost += 1;
                        reading.reservation = self.reserve(reading.source).await?;
                    }
                    Some(CompletionCode::NOT_PRESENT) => return Ok(None),
                    Some(code) if reading.piece > 4 && wants_less(code) => reading.piece /= 2,
                    _ => return Err(error),
                },
            }
        }
    }

    /// Header first, because it tells the length, then the rest in pieces.
    async fn sdr_pieces(&mut self, reading: &Reading, id: u16) -> Result<(u16, Vec<u8>), Error> {
        let attempted = format!("get sensor data record {id:#06x}");
        let (mut bytes, mut length, mut next) = (Vec::new(), sdr::HEADER, LAST);
        while bytes.len() < length {
            let piece = usize::from(reading.piece).min(length - bytes.len());
            let [r0, r1] = reading.reservation.to_le_bytes();
            let [id0, id1] = id.to_le_bytes();
            let number = |value: usize| u8::try_from(value).unwrap_or(u8::MAX);
            let request = [r0, r1, id0, id1, number(bytes.len()), number(piece)];
            let data = self.read(&attempted, reading.source.get, &request).await?;
            let Some((found, part)) = data
                .split_first_chunk()
                .filter(|(_, part)| !part.is_empty())
            else {
                return Err(self.malformed(&attempted, &data));
            };
            next = u16::from_le_bytes(*found);
            bytes.extend(part.iter().take(length - bytes.len()));
            if bytes.len() == sdr::HEADER {
                // An offset is one byte, so no record is longer.
                length = sdr::length(&bytes).unwrap_or(length).min(0xff);
            }
        }
        Ok((next, bytes))
    }

    /// Get Sensor Reading (section 35.14).
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`]. [`Error::CompletionCode`] with 0xCB where there is no such sensor.
    pub async fn sensor_reading(&mut self, number: u8) -> Result<SensorReading, Error> {
        let attempted = format!("get the reading of sensor {number:#04x}");
        let data = self
            .read(&attempted, CommandId::SENSOR_READING, &[number])
            .await?;
        SensorReading::decode(&data).ok_or_else(|| self.malformed(&attempted, &data))
    }

    /// Get Sensor Thresholds (section 35.9): those in force, which may differ from the record's.
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`].
    pub async fn sensor_thresholds(&mut self, number: u8) -> Result<Thresholds, Error> {
        let attempted = format!("get the thresholds of sensor {number:#04x}");
        let data = self
            .read(&attempted, CommandId::SENSOR_THRESHOLDS, &[number])
            .await?;
        Thresholds::decode(&data).ok_or_else(|| self.malformed(&attempted, &data))
    }

    /// Reads the sensors that these records describe, as far as the BMC has them itself. A sensor that is not there, as with
    /// a drive bay without a drive, is left out.
    ///
    /// # Errors
    ///
    /// As every command: see [`Error`].
    pub async fn sensors(&mut self, records: &[SdrRecord]) -> Result<Vec<Sensor>, Error> {
        let described = records
            .iter()
            .filter_map(|record| match &record.body {
                SdrBody::Sensor(sensor) if sensor.is_of_bmc() => Some(sensor),
                _ => None,
            })
            .flat_map(SensorRecord::each);
        let mut sensors = Vec::new();
        for record in described {
            match self.sensor(&record).await {
                Ok(sensor) => sensors.push(sensor),
                Err(error) if refusal(&error).is_some_and(is_absent) => {
                    debug!(sensor = record.name, %error, "sensor left out");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(sensors)
    }

    async fn sensor(&mut self, record: &SensorRecord) -> Result<Sensor, Error> {
        let reading = self.sensor_reading(record.number).await?;
        let conversion = match record.conversion {
            Some(conversion) if !conversion.holds_for_all() && !reading.unavailable => Some(
                self.conversion_at(record.number, conversion, reading.raw)
                    .await?,
            ),
            other => other,
        };
        Ok(Sensor::read(record, conversion, reading))
    }

    /// Get Sensor Reading Factors (section 35.5), for sensors that are not linear.
    async fn conversion_at(
        &mut self,
        number: u8,
        record: Conversion,
        raw: u8,
    ) -> Result<Conversion, Error> {
        let attempted = format!("get the reading factors of sensor {number:#04x}");
        let data = self
            .read(&attempted, CommandId::SENSOR_FACTORS, &[number, raw])
            .await?;
        match data.get(1..).and_then(|bytes| bytes.first_chunk()) {
            Some(factors) => Ok(Conversion::factors(
                record.format,
                record.linearization,
                *factors,
            )),
            None => Err(self.malformed(&attempted, &data)),
        }
    }
}

/// Codes that BMCs answer for a sensor that the machine does not have just now.
fn is_absent(code: CompletionCode) -> bool {
    [
        CompletionCode::NOT_PRESENT,
        CompletionCode(0xcd),
        CompletionCode::NOT_IN_THIS_STATE,
        CompletionCode(0xce),
        CompletionCode(0xd3),
    ]
    .contains(&code)
}
