//! What a simulated machine says of itself: FRU inventory, event log, sensors, network settings, as data.

use std::collections::BTreeMap;

use crate::bmc::{Bmc, Outcome};
use crate::command::CommandId;
use crate::command::conversion::Conversion;
use crate::command::lan::LanConfiguration;
use crate::command::sdr::{SdrBody, SdrRecord, SensorRecord};
use crate::command::sel::{LAST, SelEntry, SelInfo};
use crate::command::sensor::SensorReading;
use crate::command::states::THRESHOLD;
use crate::completion::CompletionCode;
use crate::privilege::Privilege;

/// Revision of the LAN parameters, first byte of every answer (section 23.2).
const PARAMETER_REVISION: u8 = 0x11;
/// The channel of the network card, and the medium "802.3 LAN" (tables 6-1 and 6-3).
const LAN_CHANNEL: u8 = 0x01;
const MEDIUM_LAN: u8 = 0x04;

/// The data behind the commands of chapters 23, 31, 33, 34 and 35. What is empty is answered as such.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inventory {
    /// Bytes of each FRU device, by its id; [`FruInventory::encode`](crate::FruInventory::encode) makes them.
    pub fru: BTreeMap<u8, Vec<u8>>,
    /// Event log, oldest first.
    pub sel: Vec<SelEntry>,
    /// Clock of the event log, seconds since 1970; `None`: the BMC does not tell.
    pub sel_time: Option<u32>,
    /// Sensor data repository.
    pub sdr: Vec<SdrRecord>,
    /// What the sensors show, by number. A threshold sensor's comparison status follows from its record.
    pub readings: BTreeMap<u8, SensorReading>,
    /// Network settings.
    pub lan: LanConfiguration,
}

impl Inventory {
    /// The record of a sensor.
    fn sensor(&self, number: u8) -> Option<SensorRecord> {
        self.sdr.iter().find_map(|record| match &record.body {
            SdrBody::Sensor(sensor) => sensor
                .each()
                .into_iter()
                .find(|sensor| sensor.number == number),
            _ => None,
        })
    }

    fn reading(&self, number: u8) -> Outcome {
        let mut reading = *self
            .readings
            .get(&number)
            .ok_or(CompletionCode::NOT_PRESENT)?;
        let sensor = self.sensor(number);
        if let Some((record, conversion)) =
            sensor.and_then(|record| Some((record.clone(), record.conversion?)))
            && record.event_type == THRESHOLD
        {
            let status = record.thresholds.compare(conversion, reading.raw);
            reading.states = Some(u16::from(status));
        }
        Ok(reading.encode())
    }

    fn thresholds(&self, number: u8) -> Outcome {
        let sensor = self.sensor(number).ok_or(CompletionCode::NOT_PRESENT)?;
        if sensor.event_type == THRESHOLD {
            Ok(sensor.thresholds.encode())
        } else {
            Err(CompletionCode(0xcd))
        }
    }

    fn factors(&self, number: u8, raw: u8) -> Outcome {
        let conversion: Conversion = self
            .sensor(number)
            .and_then(|sensor| sensor.conversion)
            .ok_or(CompletionCode::NOT_PRESENT)?;
        let next = raw.saturating_add(1);
        Ok([&[next], conversion.factor_bytes().as_slice()].concat())
    }

    fn sel_entry(&self, id: u16) -> Outcome {
        let at = match id {
            0 => 0,
            LAST => self.sel.len().wrapping_sub(1),
            id => self
                .sel
                .iter()
                .position(|entry| entry.id == id)
                .unwrap_or(usize::MAX),
        };
        let entry = self.sel.get(at).ok_or(CompletionCode::NOT_PRESENT)?;
        let next = self.sel.get(at + 1).map_or(LAST, |entry| entry.id);
        Ok([next.to_le_bytes().as_slice(), &entry.encode()].concat())
    }

    fn sel_info(&self) -> SelInfo {
        let entries = u16::try_from(self.sel.len()).unwrap_or(u16::MAX);
        SelInfo {
            entries,
            free: 0x4000u16.saturating_sub(entries.saturating_mul(16)),
            last_addition: self
                .sel
                .last()
                .and_then(SelEntry::unix_time)
                .unwrap_or(u32::MAX),
            last_erase: u32::MAX,
            overflow: false,
        }
    }
}

/// The level that a command about the inventory needs (IPMI v2.0 table G-1); `None` for other commands.
pub(super) fn needed_privilege(id: CommandId) -> Option<Privilege> {
    match id {
        CommandId::SESSION_INFO
        | CommandId::CHANNEL_INFO
        | CommandId::SENSOR_FACTORS
        | CommandId::SENSOR_THRESHOLDS
        | CommandId::SENSOR_READING
        | CommandId::FRU_AREA_INFO
        | CommandId::READ_FRU
        | CommandId::SDR_INFO
        | CommandId::RESERVE_SDR
        | CommandId::GET_SDR
        | CommandId::SEL_INFO
        | CommandId::SEL_TIME
        | CommandId::RESERVE_SEL
        | CommandId::SEL_ENTRY => Some(Privilege::User),
        CommandId::LAN_PARAMETER => Some(Privilege::Operator),
        _ => None,
    }
}

/// A part of something, as a reader asked for it.
fn part(bytes: &[u8], from: usize, count: usize, largest: usize) -> Result<&[u8], CompletionCode> {
    if count > largest {
        return Err(CompletionCode::CANNOT_RETURN);
    }
    let rest = bytes
        .get(from..)
        .filter(|rest| !rest.is_empty())
        .ok_or(CompletionCode::OUT_OF_RANGE)?;
    Ok(rest.get(..count).unwrap_or(rest))
}

impl Bmc {
    /// Carries out a command about the inventory of a machine that has one.
    pub(super) fn inventory_command(
        &mut self,
        id: CommandId,
        data: &[u8],
        inventory: &Inventory,
    ) -> Outcome {
        let largest = usize::from(self.config.quirks.largest_read.unwrap_or(64));
        match (id, data) {
            (CommandId::CHANNEL_INFO, [channel]) => match channel & 0x0f {
                LAN_CHANNEL | 0x0e => {
                    // IPMI's own enterprise number stands for "as the specification has it".
                    Ok(vec![
                        LAN_CHANNEL,
                        MEDIUM_LAN,
                        0x01,
                        0x80,
                        0xf2,
                        0x1b,
                        0x00,
                        0,
                        0,
                    ])
                }
                _ => Err(CompletionCode::INVALID_FIELD),
            },
            (CommandId::LAN_PARAMETER, [_, number, _, _]) => {
                let data = inventory
                    .lan
                    .parameter(*number)
                    .ok_or(CompletionCode::PARAMETER_NOT_SUPPORTED)?;
                Ok([&[PARAMETER_REVISION], data.as_slice()].concat())
            }
            (CommandId::FRU_AREA_INFO, [device]) => {
                let fru = inventory
                    .fru
                    .get(device)
                    .ok_or(CompletionCode::NOT_PRESENT)?;
                let [low, high] = u16::try_from(fru.len()).unwrap_or(u16::MAX).to_le_bytes();
                Ok(vec![low, high, 0])
            }
            (CommandId::READ_FRU, [device, low, high, count]) => {
                let fru = inventory
                    .fru
                    .get(device)
                    .ok_or(CompletionCode::NOT_PRESENT)?;
                let from = usize::from(u16::from_le_bytes([*low, *high]));
                let found = part(fru, from, usize::from(*count), largest)?;
                let count = u8::try_from(found.len()).unwrap_or(u8::MAX);
                Ok([&[count], found].concat())
            }
            (CommandId::SDR_INFO, []) => {
                let [low, high] = u16::try_from(inventory.sdr.len())
                    .unwrap_or(u16::MAX)
                    .to_le_bytes();
                // Version, records, free room unknown, two times, can be reserved.
                let mut out = vec![0x51, low, high, 0xff, 0xff];
                out.extend([0; 8]);
                out.push(0x02);
                Ok(out)
            }
            (CommandId::RESERVE_SDR | CommandId::RESERVE_SEL, []) => {
                self.reservation = self.reservation.wrapping_add(1).max(1);
                Ok(self.reservation.to_le_bytes().to_vec())
            }
            (CommandId::GET_SDR, [r0, r1, id0, id1, from, count]) => self.get_sdr(
                u16::from_le_bytes([*r0, *r1]),
                u16::from_le_bytes([*id0, *id1]),
                (usize::from(*from), usize::from(*count)),
                (inventory, largest),
            ),
            (CommandId::SEL_INFO, []) => Ok(inventory.sel_info().encode()),
            (CommandId::SEL_TIME, []) => match inventory.sel_time {
                Some(time) => Ok(time.to_le_bytes().to_vec()),
                None => Err(CompletionCode::INVALID_COMMAND),
            },
            (CommandId::SEL_ENTRY, [_, _, low, high, from, count]) => {
                let answer = inventory.sel_entry(u16::from_le_bytes([*low, *high]))?;
                let (next, record) = answer.split_at(2);
                let count = usize::from(*count).min(record.len());
                let found = part(record, usize::from(*from), count, record.len())?;
                Ok([next, found].concat())
            }
            (CommandId::SENSOR_READING, [number]) => inventory.reading(*number),
            (CommandId::SENSOR_THRESHOLDS, [number]) => inventory.thresholds(*number),
            (CommandId::SENSOR_FACTORS, [number, raw]) => inventory.factors(*number, *raw),
            _ => Err(CompletionCode::INVALID_LENGTH),
        }
    }

    /// Section 33.12. A whole record needs no reservation; a part does.
    fn get_sdr(
        &mut self,
        reservation: u16,
        id: u16,
        (from, count): (usize, usize),
        (inventory, largest): (&Inventory, usize),
    ) -> Outcome {
        self.sdr_reads = self.sdr_reads.wrapping_add(1);
        let every = self.config.quirks.cancels_reservation_every;
        if crate::bmc::Faults::hits(every, u64::from(self.sdr_reads)) {
            self.reservation = self.reservation.wrapping_add(1).max(1);
        }
        if from != 0 && reservation != self.reservation {
            return Err(CompletionCode::RESERVATION_CANCELLED);
        }
        let at = match id {
            0 => 0,
            LAST => inventory.sdr.len().wrapping_sub(1),
            id => inventory
                .sdr
                .iter()
                .position(|record| record.id == id)
                .unwrap_or(usize::MAX),
        };
        let record = inventory.sdr.get(at).ok_or(CompletionCode::NOT_PRESENT)?;
        let bytes = record.encode();
        // FFh is "the whole record" (section 33.12).
        let count = if count == 0xff { bytes.len() } else { count };
        let found = part(&bytes, from, count, largest)?;
        let next = inventory.sdr.get(at + 1).map_or(LAST, |record| record.id);
        Ok([next.to_le_bytes().as_slice(), found].concat())
    }
}
