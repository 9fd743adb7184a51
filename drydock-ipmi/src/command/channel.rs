//! Get Channel Authentication Capabilities and Get Channel Cipher Suites (IPMI v2.0 sections 22.13 and 22.15).

use crate::suite::CipherSuite;

/// "This channel" as a channel number.
const THIS_CHANNEL: u8 = 0x0e;
/// Bit of the request: also tell about IPMI v2.0.
const WITH_V20: u8 = 0x80;

/// Request data for the channel the request comes in by.
pub(crate) fn capabilities_request(privilege: u8) -> [u8; 2] {
    [THIS_CHANNEL | WITH_V20, privilege]
}

/// What the client needs to know from the capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AuthCapabilities {
    /// Whether the channel takes RMCP+ sessions; `None` where the BMC does not say.
    pub(crate) rmcp_plus: Option<bool>,
}

impl AuthCapabilities {
    /// From response data after the completion code.
    pub(crate) fn decode(data: &[u8]) -> Option<Self> {
        let [_channel, types, _status, extended, ..] = *data else {
            return None;
        };
        let has_extended = types & 0x80 != 0;
        Some(Self {
            rmcp_plus: has_extended.then_some(extended & 0x02 != 0),
        })
    }
}

/// Capabilities of a BMC with named users that takes RMCP+ sessions only.
pub(crate) fn capabilities_response(with_v20: bool, has_kg: bool) -> [u8; 8] {
    let types = if with_v20 { 0x80 } else { 0x00 };
    let named_users = 0x04;
    let status = named_users | if has_kg { 0x20 } else { 0x00 };
    let extended = if with_v20 { 0x02 } else { 0x00 };
    [0x01, types, status, extended, 0, 0, 0, 0]
}

/// Whether the request wants to know about IPMI v2.0.
pub(crate) fn wants_v20(data: &[u8]) -> bool {
    data.first().is_some_and(|channel| channel & WITH_V20 != 0)
}

/// Response data of Get Channel Cipher Suites: the channel and the wanted 16 bytes of the suite records (table 22-18).
pub(crate) fn cipher_suites_response(suites: &[CipherSuite], list_index: u8) -> Vec<u8> {
    let mut ordered = suites.to_vec();
    ordered.sort_unstable();
    let records: Vec<u8> = ordered
        .iter()
        .flat_map(|suite| {
            let algorithms = suite.algorithms();
            [
                0xc0,
                suite.number(),
                algorithms.authentication,
                0x40 | algorithms.integrity,
                0x80 | algorithms.confidentiality,
            ]
        })
        .collect();
    let from = usize::from(list_index & 0x3f) * 16;
    let mut out = vec![0x01];
    out.extend(records.iter().skip(from).take(16));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rmcp_plus_is_told_apart() {
        let plus = |data: &[u8]| AuthCapabilities::decode(data).map(|found| found.rmcp_plus);
        assert_eq!(plus(&capabilities_response(true, false)), Some(Some(true)));
        assert_eq!(plus(&capabilities_response(false, true)), Some(None));
        assert_eq!(plus(&[1, 0x84, 0x04, 0x01, 0, 0, 0, 0]), Some(Some(false)));
        assert_eq!(plus(&[1, 0x80, 0]), None);
    }

    #[test]
    fn suites_are_listed_in_pieces_of_sixteen_bytes() {
        let all = cipher_suites_response(&CipherSuite::ALL, 0x80);
        let expected = [0x01, 0xc0, 3, 0x01, 0x41, 0x81, 0xc0, 17, 0x03, 0x44, 0x81];
        assert_eq!(all, expected);
        assert_eq!(cipher_suites_response(&CipherSuite::ALL, 0x81), [0x01]);
    }
}
