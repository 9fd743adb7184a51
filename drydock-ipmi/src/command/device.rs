//! Get Device ID (IPMI v2.0 section 20.1).

/// Which controller answers, and with which firmware.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceId {
    /// Device id as the maker numbers its controllers.
    pub id: u8,
    /// Device revision, four bits.
    pub revision: u8,
    /// Major firmware revision, seven bits.
    pub firmware_major: u8,
    /// Minor firmware revision as it should be shown, 0 to 99; the wire carries it as binary-coded decimal.
    pub firmware_minor: u8,
    /// Whether the controller is updating its firmware or otherwise not in normal operation.
    pub updating: bool,
    /// IPMI version in the wire's form: 0x02 is 2.0, 0x51 is 1.5.
    pub ipmi_version: u8,
    /// Which other devices the controller supports, bits as in section 20.1; bit 7 is the chassis.
    pub support: u8,
    /// The maker's IANA enterprise number, 20 bits.
    pub manufacturer: u32,
    /// The maker's product number.
    pub product: u16,
    /// Up to four bytes of further firmware revision; some BMCs send none or fewer.
    pub auxiliary: Vec<u8>,
}

impl DeviceId {
    /// From response data after the completion code.
    pub(crate) fn decode(data: &[u8]) -> Option<Self> {
        let (fixed, rest) = data.split_first_chunk::<11>()?;
        let [
            id,
            revision,
            major,
            minor,
            version,
            support,
            m0,
            m1,
            m2,
            p0,
            p1,
        ] = *fixed;
        Some(Self {
            id,
            revision: revision & 0x0f,
            firmware_major: major & 0x7f,
            firmware_minor: (minor >> 4) * 10 + (minor & 0x0f),
            updating: major & 0x80 != 0,
            ipmi_version: version,
            support,
            manufacturer: u32::from_le_bytes([m0, m1, m2 & 0x0f, 0]),
            product: u16::from_le_bytes([p0, p1]),
            auxiliary: rest.iter().copied().take(4).collect(),
        })
    }

    /// To response data after the completion code.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let [m0, m1, m2, _] = self.manufacturer.to_le_bytes();
        let [p0, p1] = self.product.to_le_bytes();
        let minor = self.firmware_minor.min(99);
        let mut out = vec![
            self.id,
            self.revision & 0x0f,
            self.firmware_major & 0x7f | u8::from(self.updating) << 7,
            ((minor / 10) << 4) | (minor % 10),
            self.ipmi_version,
            self.support,
            m0,
            m1,
            m2 & 0x0f,
            p0,
            p1,
        ];
        out.extend(self.auxiliary.iter().copied().take(4));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_answers() {
        let full = DeviceId {
            id: 0x20,
            revision: 1,
            firmware_major: 2,
            firmware_minor: 47,
            updating: true,
            ipmi_version: 0x02,
            support: 0x80,
            manufacturer: 0x000a_bcde,
            product: 0x1234,
            auxiliary: vec![1, 2, 3, 4],
        };
        let bytes = full.encode();
        assert_eq!(bytes[3], 0x47);
        assert_eq!(DeviceId::decode(&bytes), Some(full.clone()));
        for len in 11..15 {
            let short = DeviceId::decode(&bytes[..len]).map(|id| id.auxiliary.len());
            assert_eq!(short, Some(len - 11));
        }
        assert_eq!(DeviceId::decode(&bytes[..10]), None);
    }
}
