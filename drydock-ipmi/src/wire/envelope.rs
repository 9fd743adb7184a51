//! RMCP and session headers, and the integrity trailer of protected packets
//! (IPMI v2.0 sections 13.1 and 13.6, tables 13-4 and 13-8).

use crate::crypto::cipher;
use crate::crypto::keys::SessionKeys;
use crate::wire::bytes::Reader;

/// RMCP version 1.0, reserved, no acknowledge wanted, class IPMI (section 13.1.3).
const RMCP: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
/// Authentication type "none" of an IPMI v1.5 session header.
const AUTH_NONE: u8 = 0x00;
/// Authentication type that marks an RMCP+ session header.
const AUTH_RMCP_PLUS: u8 = 0x06;
/// Bit of the payload type: the payload is encrypted.
const ENCRYPTED: u8 = 0x80;
/// Bit of the payload type: the packet ends with an authentication code.
const AUTHENTICATED: u8 = 0x40;
/// "Next header" byte in front of the authentication code; always this value (section 13.6).
const NEXT_HEADER: u8 = 0x07;

/// Payload types of table 13-16 that this crate uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadType {
    Ipmi = 0x00,
    OpenSessionRequest = 0x10,
    OpenSessionResponse = 0x11,
    Rakp1 = 0x12,
    Rakp2 = 0x13,
    Rakp3 = 0x14,
    Rakp4 = 0x15,
}

impl PayloadType {
    fn from_number(number: u8) -> Option<Self> {
        [
            Self::Ipmi,
            Self::OpenSessionRequest,
            Self::OpenSessionResponse,
            Self::Rakp1,
            Self::Rakp2,
            Self::Rakp3,
            Self::Rakp4,
        ]
        .into_iter()
        .find(|known| *known as u8 == number)
    }
}

/// A datagram as far as it can be understood without keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// IPMI v1.5 packet outside a session, with an IPMI message.
    Sessionless(&'a [u8]),
    /// RMCP+ packet outside a session: a message of the handshake, or an IPMI message (ipmitool asks for the cipher
    /// suites that way).
    Handshake {
        payload_type: PayloadType,
        payload: &'a [u8],
    },
    /// RMCP+ packet inside a session, encrypted and authenticated, with an IPMI message; not yet checked.
    Protected(Protected<'a>),
}

/// A protected packet before its authentication code was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protected<'a> {
    pub(crate) session_id: u32,
    pub(crate) sequence: u32,
    /// The packet from the authentication type on: what the code covers, then the code.
    from_auth_type: &'a [u8],
    payload: &'a [u8],
}

/// Takes a datagram apart; `None` for whatever is not IPMI over RMCP in a form this crate uses.
///
/// Packets inside a session must be encrypted and authenticated: the suites of this crate always do both, so anything
/// less was not sent by the other side of a session.
pub(crate) fn decode(datagram: &[u8]) -> Option<Packet<'_>> {
    let mut reader = Reader::new(datagram);
    let [version, _, _, class] = reader.array::<4>()?;
    if version != 0x06 || class != 0x07 {
        return None;
    }
    let from_auth_type = reader.rest();
    match reader.byte()? {
        AUTH_NONE => {
            let (_sequence, session_id) = (reader.u32()?, reader.u32()?);
            let len = usize::from(reader.byte()?);
            let message = reader.take(len)?;
            (session_id == 0).then_some(Packet::Sessionless(message))
        }
        AUTH_RMCP_PLUS => {
            let flags = reader.byte()?;
            let payload_type = PayloadType::from_number(flags & 0x3f)?;
            let (session_id, sequence) = (reader.u32()?, reader.u32()?);
            let len = usize::from(reader.u16()?);
            let payload = reader.take(len)?;
            let protection = flags & (ENCRYPTED | AUTHENTICATED);
            match (session_id, protection) {
                (0, 0) => Some(Packet::Handshake {
                    payload_type,
                    payload,
                }),
                (1.., 0xc0) if payload_type == PayloadType::Ipmi => {
                    Some(Packet::Protected(Protected {
                        session_id,
                        sequence,
                        from_auth_type,
                        payload,
                    }))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

impl Protected<'_> {
    /// The IPMI message, if the authentication code is right and the payload can be decrypted.
    pub(crate) fn open(&self, keys: &SessionKeys) -> Option<Vec<u8>> {
        let covered_len = self.from_auth_type.len().checked_sub(keys.code_len())?;
        let (covered, code) = self.from_auth_type.split_at_checked(covered_len)?;
        if !keys.code(covered).matches_truncated(keys.code_len(), code) {
            return None;
        }
        cipher::decrypt(keys.aes(), self.payload)
    }
}

/// An IPMI v1.5 packet outside a session (table 13-8).
pub(crate) fn encode_sessionless(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(14 + message.len());
    out.extend_from_slice(&RMCP);
    out.push(AUTH_NONE);
    out.extend_from_slice(&[0; 8]);
    out.push(u8::try_from(message.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(message);
    out
}

/// An RMCP+ packet outside a session.
pub(crate) fn encode_handshake(payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + payload.len());
    out.extend_from_slice(&RMCP);
    put_header(&mut out, payload_type as u8, 0, 0, payload);
    out
}

/// An RMCP+ packet inside a session: the message encrypted, the packet authenticated.
pub(crate) fn encode_protected(
    keys: &SessionKeys,
    session_id: u32,
    sequence: u32,
    iv: [u8; 16],
    message: &[u8],
) -> Vec<u8> {
    let payload = cipher::encrypt(keys.aes(), iv, message);
    let mut covered = Vec::with_capacity(payload.len() + 40);
    let flags = PayloadType::Ipmi as u8 | ENCRYPTED | AUTHENTICATED;
    put_header(&mut covered, flags, session_id, sequence, &payload);
    // Pad, so that everything from the authentication type to the next-header byte is a multiple of 4 (section 13.6).
    let pad = (4 - (covered.len() + 2) % 4) % 4;
    covered.extend(std::iter::repeat_n(0xff, pad));
    covered.extend(u8::try_from(pad));
    covered.push(NEXT_HEADER);
    let code = keys.code(&covered);
    let mut out = Vec::with_capacity(RMCP.len() + covered.len() + keys.code_len());
    out.extend_from_slice(&RMCP);
    out.extend_from_slice(&covered);
    out.extend_from_slice(code.truncated(keys.code_len()));
    out
}

fn put_header(out: &mut Vec<u8>, flags: u8, session_id: u32, sequence: u32, payload: &[u8]) {
    out.push(AUTH_RMCP_PLUS);
    out.push(flags);
    out.extend_from_slice(&session_id.to_le_bytes());
    out.extend_from_slice(&sequence.to_le_bytes());
    let len = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(payload);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::crypto::mac::mac;
    use crate::suite::CipherSuite;

    #[test]
    fn protected_packets_open_only_as_they_were() {
        for suite in CipherSuite::ALL {
            let keys = SessionKeys::derive(suite, &mac(suite.hash(), b"sik", &[]));
            let sent = encode_protected(&keys, 77, 3, [9; 16], b"message");
            let Some(Packet::Protected(packet)) = decode(&sent) else {
                panic!("not a protected packet");
            };
            assert_eq!((packet.session_id, packet.sequence), (77, 3));
            assert_eq!(packet.open(&keys).unwrap(), b"message");
            for at in 4..sent.len() {
                let mut bad = sent.clone();
                bad[at] ^= 1;
                if let Some(Packet::Protected(packet)) = decode(&bad) {
                    assert_eq!(packet.open(&keys), None, "suite {suite}, byte {at}");
                }
            }
        }
    }

    #[test]
    fn unprotected_packets_are_no_session_packets() {
        let mut bytes = encode_handshake(PayloadType::Ipmi, b"payload");
        assert!(matches!(decode(&bytes), Some(Packet::Handshake { .. })));
        bytes[6] = 1;
        assert_eq!(decode(&bytes), None);
    }
}
