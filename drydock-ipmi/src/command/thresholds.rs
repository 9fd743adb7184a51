//! Thresholds of a sensor, and on which side of them a reading is (IPMI v2.0 sections 35.9 and 35.14).

use crate::command::conversion::Conversion;
use crate::command::states::Condition;

/// Raw thresholds; `None` where the sensor has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Thresholds {
    /// At or below it: non-critical.
    pub lower_non_critical: Option<u8>,
    /// At or below it: critical.
    pub lower_critical: Option<u8>,
    /// At or below it: non-recoverable.
    pub lower_non_recoverable: Option<u8>,
    /// At or above it: non-critical.
    pub upper_non_critical: Option<u8>,
    /// At or above it: critical.
    pub upper_critical: Option<u8>,
    /// At or above it: non-recoverable.
    pub upper_non_recoverable: Option<u8>,
}

/// How bad each bit of the comparison status is: bit 0 lower non-critical, 1 lower critical, 2 lower non-recoverable, then
/// the upper ones in the same order.
const CONDITIONS: [Condition; 6] = [
    Condition::Warning,
    Condition::Critical,
    Condition::NonRecoverable,
    Condition::Warning,
    Condition::Critical,
    Condition::NonRecoverable,
];

impl Thresholds {
    /// In the order of the bits of masks and comparison status.
    fn in_order(self) -> [Option<u8>; 6] {
        [
            self.lower_non_critical,
            self.lower_critical,
            self.lower_non_recoverable,
            self.upper_non_critical,
            self.upper_critical,
            self.upper_non_recoverable,
        ]
    }

    fn from_order(order: [Option<u8>; 6]) -> Self {
        let [a, b, c, d, e, f] = order;
        Self {
            lower_non_critical: a,
            lower_critical: b,
            lower_non_recoverable: c,
            upper_non_critical: d,
            upper_critical: e,
            upper_non_recoverable: f,
        }
    }

    fn masked(readable: u8, bytes: [u8; 6]) -> Self {
        let mut order = [None; 6];
        for (at, (to, byte)) in order.iter_mut().zip(bytes).enumerate() {
            *to = (readable & (1 << at) != 0).then_some(byte);
        }
        Self::from_order(order)
    }

    fn mask(self) -> u8 {
        self.in_order()
            .iter()
            .enumerate()
            .filter(|(_, threshold)| threshold.is_some())
            .fold(0, |mask, (at, _)| mask | 1 << at)
    }

    /// From the mask and bytes 37 to 42 of a full sensor record: upper non-recoverable first (section 43.1).
    pub(crate) fn from_record(readable: u8, bytes: [u8; 6]) -> Self {
        let [unr, uc, unc, lnr, lc, lnc] = bytes;
        Self::masked(readable, [lnc, lc, lnr, unc, uc, unr])
    }

    /// To the mask and bytes 37 to 42 of a full sensor record.
    pub(crate) fn to_record(self) -> (u8, [u8; 6]) {
        let [lnc, lc, lnr, unc, uc, unr] = self.in_order().map(Option::unwrap_or_default);
        (self.mask(), [unr, uc, unc, lnr, lc, lnc])
    }

    /// From response data of Get Sensor Thresholds after the completion code (section 35.9).
    pub(crate) fn decode(data: &[u8]) -> Option<Self> {
        let (mask, bytes) = data.split_first()?;
        Some(Self::masked(*mask, *bytes.first_chunk()?))
    }

    /// To response data of Get Sensor Thresholds after the completion code.
    pub(crate) fn encode(self) -> Vec<u8> {
        let bytes = self.in_order().map(Option::unwrap_or_default);
        [&[self.mask()], bytes.as_slice()].concat()
    }

    /// The comparison status of a raw reading (section 35.14, byte 3), for BMCs that leave it out and for simulated ones.
    pub(crate) fn compare(self, conversion: Conversion, raw: u8) -> u8 {
        let Some(value) = conversion.value(raw) else {
            return 0;
        };
        let mut status = 0;
        for (at, threshold) in self.in_order().into_iter().enumerate() {
            let Some(limit) = threshold.and_then(|raw| conversion.value(raw)) else {
                continue;
            };
            let beyond = if at < 3 {
                value <= limit
            } else {
                value >= limit
            };
            status |= u8::from(beyond) << at;
        }
        status
    }
}

/// The worst that a comparison status says.
pub(crate) fn condition(status: u8) -> Condition {
    CONDITIONS
        .iter()
        .enumerate()
        .filter(|(at, _)| status & (1 << at) != 0)
        .map(|(_, condition)| *condition)
        .max()
        .unwrap_or(Condition::Normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Thresholds = Thresholds {
        lower_non_critical: Some(10),
        lower_critical: Some(5),
        lower_non_recoverable: None,
        upper_non_critical: Some(80),
        upper_critical: Some(90),
        upper_non_recoverable: Some(100),
    };

    #[test]
    fn both_layouts_come_back() {
        let (mask, bytes) = LIMITS.to_record();
        assert_eq!((mask, bytes), (0b11_1011, [100, 90, 80, 0, 5, 10]));
        assert_eq!(Thresholds::from_record(mask, bytes), LIMITS);
        assert_eq!(Thresholds::decode(&LIMITS.encode()), Some(LIMITS));
        assert_eq!(Thresholds::decode(&[0xff, 1]), None);
    }

    #[test]
    fn readings_are_judged() {
        let plain = Conversion::linear(1, 0, 0, 0);
        let table = [
            (50, 0, Condition::Normal),
            (10, 0b00_0001, Condition::Warning),
            (3, 0b00_0011, Condition::Critical),
            (80, 0b00_1000, Condition::Warning),
            (95, 0b01_1000, Condition::Critical),
            (200, 0b11_1000, Condition::NonRecoverable),
        ];
        for (raw, status, wanted) in table {
            assert_eq!(LIMITS.compare(plain, raw), status, "{raw}");
            assert_eq!(condition(status), wanted);
        }
        // With 1/x a larger raw byte is a smaller value: 1/200 is below 1/100.
        let inverse = Conversion {
            linearization: 7,
            ..plain
        };
        let low = Thresholds {
            lower_critical: Some(100),
            ..Thresholds::default()
        };
        assert_eq!(low.compare(inverse, 200), 0b10);
        assert_eq!(low.compare(inverse, 50), 0);
    }
}
