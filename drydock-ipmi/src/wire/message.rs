//! The IPMI LAN message inside a packet: addresses, network function, command, data, two checksums
//! (IPMI v2.0 section 13.8).

use crate::wire::bytes::Reader;

/// Slave address of the BMC.
const BMC: u8 = 0x20;
/// Software id of a remote console.
const CONSOLE: u8 = 0x81;

/// A request to the BMC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    /// Network function, even.
    pub(crate) netfn: u8,
    /// Logical unit that is asked.
    pub(crate) lun: u8,
    /// Address of the requester, 0x81 for a remote console.
    pub(crate) requester: u8,
    /// Six bits that the response repeats.
    pub(crate) rq_seq: u8,
    /// Logical unit that asks.
    pub(crate) rq_lun: u8,
    pub(crate) cmd: u8,
    pub(crate) data: &'a [u8],
}

/// A response of the BMC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    /// Network function, odd.
    pub(crate) netfn: u8,
    pub(crate) rq_seq: u8,
    pub(crate) cmd: u8,
    pub(crate) completion: u8,
    pub(crate) data: &'a [u8],
}

/// Two's complement checksum: all bytes and the checksum add up to 0 (section 13.8).
fn checksum(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0u8, |sum, byte| sum.wrapping_add(*byte))
        .wrapping_neg()
}

fn frame(first: [u8; 2], second: [u8; 3], rest: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + rest.iter().map(|part| part.len()).sum::<usize>());
    out.extend_from_slice(&first);
    out.push(checksum(&first));
    out.extend_from_slice(&second);
    for part in rest {
        out.extend_from_slice(part);
    }
    let tail = checksum(out.get(3..).unwrap_or_default());
    out.push(tail);
    out
}

/// The two headers and what follows them, with both checksums checked.
fn open(bytes: &[u8]) -> Option<([u8; 2], [u8; 3], &[u8])> {
    let (_, body) = bytes.split_last()?;
    let (head, tail) = bytes.split_at_checked(3)?;
    if checksum(head) != 0 || checksum(tail) != 0 {
        return None;
    }
    let mut reader = Reader::new(body);
    let first = reader.array::<3>()?;
    let second = reader.array::<3>()?;
    let [address, netfn, _] = first;
    Some(([address, netfn], second, reader.rest()))
}

impl<'a> Request<'a> {
    /// A request of a remote console to the BMC's first logical unit.
    pub(crate) fn from_console(netfn: u8, cmd: u8, rq_seq: u8, data: &'a [u8]) -> Self {
        Self {
            netfn,
            lun: 0,
            requester: CONSOLE,
            rq_seq,
            rq_lun: 0,
            cmd,
            data,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        frame(
            [BMC, self.netfn << 2 | self.lun & 0x03],
            [
                self.requester,
                self.rq_seq << 2 | self.rq_lun & 0x03,
                self.cmd,
            ],
            &[self.data],
        )
    }

    /// A request that is addressed to the BMC; `None` for everything else.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let ([address, netfn], [requester, seq, cmd], data) = open(bytes)?;
        (address == BMC && (netfn >> 2).is_multiple_of(2)).then_some(Self {
            netfn: netfn >> 2,
            lun: netfn & 0x03,
            requester,
            rq_seq: seq >> 2,
            rq_lun: seq & 0x03,
            cmd,
            data,
        })
    }

    /// The response to this request.
    pub(crate) fn respond(&self, completion: u8, data: &[u8]) -> Vec<u8> {
        frame(
            [self.requester, (self.netfn | 1) << 2 | self.rq_lun & 0x03],
            [BMC, self.rq_seq << 2 | self.lun & 0x03, self.cmd],
            &[&[completion], data],
        )
    }
}

impl<'a> Response<'a> {
    /// A response that is addressed to a remote console; `None` for everything else.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let ([address, netfn], [_, seq, cmd], rest) = open(bytes)?;
        let (completion, data) = rest.split_first()?;
        (address == CONSOLE && !(netfn >> 2).is_multiple_of(2)).then_some(Self {
            netfn: netfn >> 2,
            rq_seq: seq >> 2,
            cmd,
            completion: *completion,
            data,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The bytes that ipmitool sends for Get Channel Authentication Capabilities.
    #[test]
    fn a_known_request() {
        let request = Request::from_console(0x06, 0x38, 0, &[0x8e, 0x04]);
        let bytes = [0x20, 0x18, 0xc8, 0x81, 0x00, 0x38, 0x8e, 0x04, 0xb5];
        assert_eq!(request.encode(), bytes);
        assert_eq!(Request::decode(&bytes).unwrap(), request);
    }

    #[test]
    fn a_response_answers_its_request() {
        let request = Request::from_console(0x00, 0x01, 0x3f, &[]);
        let bytes = request.respond(0xc1, &[9, 8]);
        let response = Response::decode(&bytes).unwrap();
        assert_eq!((response.netfn, response.cmd), (0x01, 0x01));
        assert_eq!((response.rq_seq, response.completion), (0x3f, 0xc1));
        assert_eq!(response.data, [9, 8]);
        assert_eq!(Request::decode(&bytes), None);
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let bytes = Request::from_console(0x00, 0x02, 5, &[1]).encode();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            assert_eq!(Request::decode(&bad), None, "byte {at}");
        }
    }
}
