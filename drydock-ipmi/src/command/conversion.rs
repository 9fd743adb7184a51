//! From a raw reading to a number with a unit (IPMI v2.0 sections 36.3 and 43.17).

use std::fmt;

/// How a threshold sensor's raw bytes are to be read (section 36.3): `L((M * x + B * 10^K1) * 10^K2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversion {
    /// Whether raw bytes have a sign, and which.
    pub format: RawFormat,
    /// Linearisation code, seven bits: 0 linear, 1 to 11 a function, 0x70 to 0x7f not linear: the factors hold for one
    /// reading only and have to be asked for (section 35.5).
    pub linearization: u8,
    /// Factor, ten bits with sign.
    pub m: i16,
    /// Offset, ten bits with sign.
    pub b: i16,
    /// Exponent of the offset, four bits with sign.
    pub k1: i8,
    /// Exponent of the result, four bits with sign.
    pub k2: i8,
}

/// Sign of raw readings and thresholds (section 43.1, byte 21, bits 7 and 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawFormat {
    /// 0 to 255.
    Unsigned,
    /// One's complement.
    OnesComplement,
    /// Two's complement.
    TwosComplement,
}

/// A number of `bits` bits with a sign, from the low bits of `raw`.
fn signed(raw: u16, bits: u32) -> i16 {
    (raw << (16 - bits)).cast_signed() >> (16 - bits)
}

impl Conversion {
    /// A linear conversion of unsigned bytes.
    pub const fn linear(m: i16, b: i16, k1: i8, k2: i8) -> Self {
        Self {
            format: RawFormat::Unsigned,
            linearization: 0,
            m,
            b,
            k1,
            k2,
        }
    }

    /// From bytes 25 to 30 of a full sensor record, which are also bytes 3 to 8 of the answer to Get Sensor Reading
    /// Factors (section 35.5).
    pub(crate) fn factors(format: RawFormat, linearization: u8, bytes: [u8; 6]) -> Self {
        let [m, m_tolerance, b, b_accuracy, _, exponents] = bytes;
        let ten = |low: u8, high: u8| signed(u16::from(high >> 6) << 8 | u16::from(low), 10);
        let four = |nibble: u8| i8::try_from(signed(u16::from(nibble), 4)).unwrap_or(0);
        Self {
            format,
            linearization: linearization & 0x7f,
            m: ten(m, m_tolerance),
            b: ten(b, b_accuracy),
            k1: four(exponents & 0x0f),
            k2: four(exponents >> 4),
        }
    }

    /// To bytes 25 to 30 of a full sensor record; tolerance and accuracy are 0.
    pub(crate) fn factor_bytes(&self) -> [u8; 6] {
        let [m, m_high] = self.m.to_le_bytes();
        let [b, b_high] = self.b.to_le_bytes();
        let nibble = |exponent: i8| exponent.cast_unsigned() & 0x0f;
        [
            m,
            m_high << 6,
            b,
            b_high << 6,
            0,
            nibble(self.k2) << 4 | nibble(self.k1),
        ]
    }

    /// Whether the factors hold for every reading.
    pub fn holds_for_all(&self) -> bool {
        self.linearization < 0x70
    }

    /// The number that a raw byte stands for; `None` where there is none, such as the logarithm of 0 or an unknown
    /// linearisation.
    pub fn value(&self, raw: u8) -> Option<f64> {
        let x = match self.format {
            RawFormat::Unsigned => f64::from(raw),
            RawFormat::TwosComplement => f64::from(raw.cast_signed()),
            RawFormat::OnesComplement => {
                let value = raw.cast_signed();
                f64::from(if value < 0 { value + 1 } else { value })
            }
        };
        let ten_to = |exponent: i8| 10f64.powi(i32::from(exponent));
        let y = (f64::from(self.m) * x + f64::from(self.b) * ten_to(self.k1)) * ten_to(self.k2);
        let value = match self.linearization {
            0 | 0x70..=0x7f => y,
            1 => y.ln(),
            2 => y.log10(),
            3 => y.log2(),
            4 => y.exp(),
            5 => 10f64.powf(y),
            6 => y.exp2(),
            7 => y.recip(),
            8 => y * y,
            9 => y * y * y,
            10 => y.sqrt(),
            11 => y.cbrt(),
            _ => return None,
        };
        value.is_finite().then_some(value)
    }
}

/// Unit of a sensor's values (section 43.1 bytes 21 to 23, section 43.17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unit {
    /// Byte 21 without the sign bits: bit 0 per cent, bits 2 and 1 how the modifier applies, bits 5 to 3 per what time.
    pub flags: u8,
    /// Base unit, numbered as in section 43.17: 1 degrees Celsius, 4 volts, 6 watts, 18 revolutions per minute.
    pub base: u8,
    /// Modifier unit, likewise.
    pub modifier: u8,
}

impl Unit {
    /// Degrees Celsius.
    pub const CELSIUS: Self = Self::of(1);
    /// Volts.
    pub const VOLTS: Self = Self::of(4);
    /// Watts.
    pub const WATTS: Self = Self::of(6);
    /// Revolutions per minute.
    pub const RPM: Self = Self::of(18);

    const fn of(base: u8) -> Self {
        Self {
            flags: 0,
            base,
            modifier: 0,
        }
    }
}

fn unit_name(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "°C",
        2 => "°F",
        3 => "K",
        4 => "V",
        5 => "A",
        6 => "W",
        7 => "J",
        8 => "C",
        9 => "VA",
        10 => "nt",
        11 => "lm",
        12 => "lx",
        13 => "cd",
        14 => "kPa",
        15 => "psi",
        16 => "N",
        17 => "CFM",
        18 => "RPM",
        19 => "Hz",
        20 => "µs",
        21 => "ms",
        22 => "s",
        23 => "min",
        24 => "h",
        25 => "d",
        26 => "weeks",
        38 => "bit",
        42 => "byte",
        _ => return None,
    })
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.flags & 0x01 != 0 {
            f.write_str("%")?;
            if self.base == 0 {
                return Ok(());
            }
            f.write_str(" ")?;
        }
        let put = |f: &mut fmt::Formatter<'_>, number: u8| match unit_name(number) {
            Some(name) => f.write_str(name),
            None if number == 0 => Ok(()),
            None => write!(f, "unit {number}"),
        };
        put(f, self.base)?;
        match self.flags >> 1 & 0x03 {
            1 => f.write_str("/").and_then(|()| put(f, self.modifier))?,
            2 => f.write_str("*").and_then(|()| put(f, self.modifier))?,
            _ => {}
        }
        let rate = ["", "/µs", "/ms", "/s", "/min", "/h", "/d"];
        let per = usize::from(self.flags >> 3 & 0x07);
        f.write_str(rate.get(per).copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_come_back() {
        for (m, b, k1, k2) in [
            (1, 0, 0, 0),
            (-512, 511, -8, 7),
            (511, -512, 7, -8),
            (59, -3, 0, -2),
        ] {
            let conversion = Conversion::linear(m, b, k1, k2);
            let bytes = conversion.factor_bytes();
            assert_eq!(
                Conversion::factors(RawFormat::Unsigned, 0, bytes),
                conversion
            );
        }
    }

    #[test]
    fn formulas_of_section_36_3() {
        let close = |found: Option<f64>, wanted: f64| {
            assert!(
                found.is_some_and(|found| (found - wanted).abs() < 1e-9),
                "{found:?} is not {wanted}"
            );
        };
        // 12 V behind a divider: 0xc6 stands for 11.88 V.
        close(Conversion::linear(6, 0, 0, -2).value(0xc6), 11.88);
        close(Conversion::linear(1, -64, 0, 0).value(0x60), 32.0);
        close(Conversion::linear(1, 5, 1, -1).value(10), 6.0);
        let with = |linearization, format| Conversion {
            linearization,
            format,
            ..Conversion::linear(1, 0, 0, 0)
        };
        let functions: [(u8, u8, f64); 12] = [
            (0, 8, 8.0),
            (1, 1, 0.0),
            (2, 100, 2.0),
            (3, 8, 3.0),
            (4, 1, std::f64::consts::E),
            (5, 2, 100.0),
            (6, 3, 8.0),
            (7, 4, 0.25),
            (8, 9, 81.0),
            (9, 2, 8.0),
            (10, 81, 9.0),
            (11, 27, 3.0),
        ];
        for (code, raw, wanted) in functions {
            close(with(code, RawFormat::Unsigned).value(raw), wanted);
        }
        close(with(0, RawFormat::TwosComplement).value(0xff), -1.0);
        close(with(0, RawFormat::OnesComplement).value(0xfe), -1.0);
        close(with(0, RawFormat::OnesComplement).value(0xff), 0.0);
        for (code, raw) in [(1, 0), (7, 0), (12, 1)] {
            assert_eq!(with(code, RawFormat::Unsigned).value(raw), None);
        }
    }

    #[test]
    fn units_are_written_as_people_write_them() {
        assert_eq!(Unit::CELSIUS.to_string(), "°C");
        let percent = Unit {
            flags: 1,
            ..Unit::default()
        };
        assert_eq!(percent.to_string(), "%");
        let flow = Unit {
            flags: 4 << 3,
            base: 42,
            modifier: 0,
        };
        assert_eq!(flow.to_string(), "byte/min");
        assert_eq!(Unit::of(90).to_string(), "unit 90");
    }
}
