//! What a field replaceable unit says of itself: Get FRU Inventory Area Info and Read FRU Data (IPMI v2.0 sections 34.1 and
//! 34.2), and the areas of a FRU inventory (Platform Management FRU Information Storage Definition v1.0 revision 1.3).

use crate::command::text::{Coding, write_latin1};
use crate::wire::bytes::Reader;

/// No more fields in this area (FRU definition section 13).
const NO_MORE: u8 = 0xc1;
/// Version of the format, low nibble of the first byte of the header and of each area.
const VERSION: u8 = 0x01;
/// Areas are counted in units of this many bytes.
const UNIT: usize = 8;
/// 1996-01-01 00:00 UTC, from which boards count their age, in seconds since 1970.
const BOARD_EPOCH: u64 = 820_454_400;
/// The longest text of a field.
const LONGEST: usize = 63;

/// An area of a FRU inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FruArea {
    /// Chassis Info Area (FRU definition section 10).
    Chassis,
    /// Board Info Area (section 11).
    Board,
    /// Product Info Area (section 12).
    Product,
}

/// The chassis. Empty texts are fields that are there and say nothing, or that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FruChassis {
    /// Kind of chassis, numbered as in SMBIOS table 17; 0x17 is a rack mount chassis.
    pub kind: u8,
    /// Part number.
    pub part_number: String,
    /// Serial number.
    pub serial: String,
    /// What the maker added.
    pub custom: Vec<String>,
}

/// The main board.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FruBoard {
    /// When it was made, in seconds since 1970 UTC, to the minute; `None` where it does not say.
    pub made: Option<u64>,
    /// Who made it.
    pub manufacturer: String,
    /// What it is called.
    pub product: String,
    /// Serial number.
    pub serial: String,
    /// Part number.
    pub part_number: String,
    /// Which file the inventory was made from.
    pub fru_file: String,
    /// What the maker added.
    pub custom: Vec<String>,
}

/// The product as it was sold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FruProduct {
    /// Who sells it.
    pub manufacturer: String,
    /// What it is called.
    pub name: String,
    /// Part or model number.
    pub model: String,
    /// Version.
    pub version: String,
    /// Serial number.
    pub serial: String,
    /// Asset tag of its owner.
    pub asset_tag: String,
    /// Which file the inventory was made from.
    pub fru_file: String,
    /// What the maker added.
    pub custom: Vec<String>,
}

/// A FRU inventory, as far as this crate reads it: the internal use area and the multi-record area are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FruInventory {
    /// Chassis Info Area.
    pub chassis: Option<FruChassis>,
    /// Board Info Area.
    pub board: Option<FruBoard>,
    /// Product Info Area.
    pub product: Option<FruProduct>,
    /// Areas that are there but cannot be read: cut short, of another version, or with a wrong checksum.
    pub damaged: Vec<FruArea>,
}

fn sums_to_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) == 0
}

/// The fields of an area, in order.
struct Fields<'a> {
    reader: Reader<'a>,
    language: u8,
}

impl Fields<'_> {
    /// The next field; `None` behind the last one, or where it runs past the area's end.
    fn next(&mut self) -> Option<String> {
        let type_length = self.reader.byte().filter(|byte| *byte != NO_MORE)?;
        let bytes = self.reader.take(usize::from(type_length & 0x3f))?;
        Some(Coding::of_fru(type_length, self.language).read(bytes))
    }

    fn rest(mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

impl FruInventory {
    /// From the bytes of an inventory; `None` where they do not begin with a common header (FRU definition section 8).
    /// Never fails on a damaged area: see [`FruInventory::damaged`].
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..UNIT)?;
        let [version, _internal, chassis, board, product, ..] = *header else {
            return None;
        };
        if version & 0x0f != VERSION || !sums_to_zero(header) {
            return None;
        }
        let mut out = Self::default();
        let mut found = |area, offset: u8| {
            if offset == 0 {
                return None;
            }
            let body = area_body(bytes, offset);
            if body.is_none() {
                out.damaged.push(area);
            }
            body
        };
        let chassis = found(FruArea::Chassis, chassis);
        let board = found(FruArea::Board, board);
        let product = found(FruArea::Product, product);
        out.chassis = chassis.and_then(FruChassis::decode);
        out.board = board.and_then(FruBoard::decode);
        out.product = product.and_then(FruProduct::decode);
        Some(out)
    }

    /// To the bytes of an inventory, texts in English. What is longer than 63 bytes is cut.
    pub fn encode(&self) -> Vec<u8> {
        let areas = [
            self.chassis.as_ref().map(FruChassis::encode),
            self.board.as_ref().map(FruBoard::encode),
            self.product.as_ref().map(FruProduct::encode),
        ];
        let mut header = vec![VERSION, 0];
        let mut offset = 1;
        for area in &areas {
            header.push(match area {
                Some(bytes) => {
                    let begins = u8::try_from(offset).unwrap_or(0);
                    offset += bytes.len() / UNIT;
                    begins
                }
                None => 0,
            });
        }
        header.extend([0, 0]);
        close(&mut header);
        header.extend(areas.into_iter().flatten().flatten());
        header
    }
}

/// An area behind its version and length bytes, without its checksum.
fn area_body(bytes: &[u8], offset: u8) -> Option<&[u8]> {
    let from = bytes.get(usize::from(offset) * UNIT..)?;
    let [version, units, ..] = *from else {
        return None;
    };
    let area = from.get(..usize::from(units) * UNIT)?;
    if version & 0x0f != VERSION || !sums_to_zero(area) {
        return None;
    }
    area.get(2..area.len().checked_sub(1)?)
}

/// Pads to whole units, with the checksum as the last byte.
fn close(area: &mut Vec<u8>) {
    while area.len() % UNIT != UNIT - 1 {
        area.push(0);
    }
    let sum = area.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    area.push(sum.wrapping_neg());
}

/// An area from what stands in front of its fields, and the fields.
fn area(head: &[u8], fields: &[&String], custom: &[String]) -> Vec<u8> {
    let mut out = vec![VERSION, 0];
    out.extend_from_slice(head);
    for field in fields.iter().copied().chain(custom) {
        write_latin1(&mut out, field, LONGEST);
    }
    out.push(NO_MORE);
    let units = out.len() / UNIT + 1;
    if let Some(length) = out.get_mut(1) {
        *length = u8::try_from(units).unwrap_or(u8::MAX);
    }
    close(&mut out);
    out
}

impl FruChassis {
    fn decode(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let kind = reader.byte()?;
        let mut fields = Fields {
            reader,
            language: 0,
        };
        let mut next = || fields.next().unwrap_or_default();
        Some(Self {
            kind,
            part_number: next(),
            serial: next(),
            custom: fields.rest(),
        })
    }

    fn encode(&self) -> Vec<u8> {
        area(
            &[self.kind],
            &[&self.part_number, &self.serial],
            &self.custom,
        )
    }
}

impl FruBoard {
    fn decode(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let [language, a, b, c] = reader.array()?;
        let minutes = u64::from(u32::from_le_bytes([a, b, c, 0]));
        let mut fields = Fields { reader, language };
        let mut next = || fields.next().unwrap_or_default();
        Some(Self {
            made: (minutes != 0).then_some(BOARD_EPOCH + minutes * 60),
            manufacturer: next(),
            product: next(),
            serial: next(),
            part_number: next(),
            fru_file: next(),
            custom: fields.rest(),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let made = self.made.unwrap_or(0);
        let minutes = made.saturating_sub(BOARD_EPOCH) / 60;
        let [a, b, c, ..] = minutes.min(0x00ff_ffff).to_le_bytes();
        area(
            &[0, a, b, c],
            &[
                &self.manufacturer,
                &self.product,
                &self.serial,
                &self.part_number,
                &self.fru_file,
            ],
            &self.custom,
        )
    }
}

impl FruProduct {
    fn decode(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let language = reader.byte()?;
        let mut fields = Fields { reader, language };
        let mut next = || fields.next().unwrap_or_default();
        Some(Self {
            manufacturer: next(),
            name: next(),
            model: next(),
            version: next(),
            serial: next(),
            asset_tag: next(),
            fru_file: next(),
            custom: fields.rest(),
        })
    }

    fn encode(&self) -> Vec<u8> {
        area(
            &[0],
            &[
                &self.manufacturer,
                &self.name,
                &self.model,
                &self.version,
                &self.serial,
                &self.asset_tag,
                &self.fru_file,
            ],
            &self.custom,
        )
    }
}

/// Answer to Get FRU Inventory Area Info (section 34.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AreaInfo {
    /// Size in bytes.
    pub(crate) size: u16,
    /// Whether offsets and counts are in units of two bytes.
    pub(crate) words: bool,
}

impl AreaInfo {
    /// From response data after the completion code.
    pub(crate) fn decode(data: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(data);
        Some(Self {
            size: reader.u16()?,
            words: reader.byte()? & 0x01 != 0,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sample() -> FruInventory {
        FruInventory {
            chassis: Some(FruChassis {
                kind: 0x17,
                part_number: "CH-1".into(),
                serial: "C".into(),
                custom: vec!["rack 7".into()],
            }),
            board: Some(FruBoard {
                made: Some(BOARD_EPOCH + 60 * 1_000_000),
                manufacturer: "Acme".into(),
                product: "Board".into(),
                serial: "B123".into(),
                part_number: String::new(),
                fru_file: String::new(),
                custom: Vec::new(),
            }),
            product: Some(FruProduct {
                manufacturer: "Acme".into(),
                name: "Server 9000".into(),
                serial: "S123".into(),
                ..FruProduct::default()
            }),
            damaged: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = sample().encode();
        assert_eq!(bytes.len() % UNIT, 0);
        assert_eq!(FruInventory::decode(&bytes), Some(sample()));
        assert_eq!(
            FruInventory::decode(&FruInventory::default().encode()),
            Some(FruInventory::default())
        );
    }

    #[test]
    fn a_damaged_area_does_not_spoil_the_others() {
        let good = sample().encode();
        let mut bad = good.clone();
        // Byte 12 is in the chassis area.
        bad[12] ^= 1;
        let read = FruInventory::decode(&bad).unwrap();
        assert_eq!(read.damaged, [FruArea::Chassis]);
        assert_eq!((read.chassis, read.board), (None, sample().board));
        let cut = FruInventory::decode(&good[..good.len() - 1]).unwrap();
        assert_eq!(cut.damaged, [FruArea::Product]);
        assert_eq!(cut.chassis, sample().chassis);
        bad[0] = 2;
        assert_eq!(FruInventory::decode(&bad), None);
    }

    /// Fields in each coding, written by hand; the last one runs past the end of its area.
    #[test]
    fn fields_in_each_coding() {
        let mut product = vec![VERSION, 4, 25];
        product.extend([0x83, 0x29, 0xdc, 0xa6]);
        product.extend([0x42, 0x12, 0xb3]);
        product.extend([0x02, 0xbe, 0xef]);
        product.extend([0xc0]);
        product.extend([0xff, 0x41]);
        close(&mut product);
        while product.len() < 32 {
            product.pop();
            product.push(0);
            close(&mut product);
        }
        let mut bytes = vec![VERSION, 0, 0, 0, 1, 0, 0];
        close(&mut bytes);
        bytes.extend(product);
        let read = FruInventory::decode(&bytes).unwrap().product.unwrap();
        assert_eq!(
            (read.manufacturer.as_str(), read.name.as_str()),
            ("IPMI", "12-3")
        );
        assert_eq!((read.model.as_str(), read.version.as_str()), ("beef", ""));
        assert_eq!(read.serial, "");
    }
}
