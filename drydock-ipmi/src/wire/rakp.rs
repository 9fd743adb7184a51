//! RAKP messages 1 to 4: who is there, and proof of it (IPMI v2.0 sections 13.20 to 13.23).

use crate::crypto::keys::MAX_USERNAME;
use crate::wire::bytes::Reader;
use crate::wire::status::HandshakeStatus;

/// RAKP message 1: the console names itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rakp1 {
    pub(crate) tag: u8,
    pub(crate) bmc_id: u32,
    pub(crate) console_random: [u8; 16],
    /// Privilege in the low nibble; bit 4: look up by name only.
    pub(crate) role: u8,
    pub(crate) username: Vec<u8>,
}

/// RAKP message 2: the BMC proves that it knows the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rakp2 {
    pub(crate) tag: u8,
    pub(crate) console_id: u32,
    pub(crate) outcome: Result<Rakp2Body, HandshakeStatus>,
}

/// What RAKP message 2 carries when the BMC goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rakp2Body {
    pub(crate) bmc_random: [u8; 16],
    pub(crate) bmc_guid: [u8; 16],
    pub(crate) proof: Vec<u8>,
}

/// RAKP messages 3 and 4 have one shape: an outcome and, when good, a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RakpProof {
    pub(crate) tag: u8,
    /// Id of the receiver: the BMC's in message 3, the console's in message 4.
    pub(crate) receiver_id: u32,
    pub(crate) outcome: Result<Vec<u8>, HandshakeStatus>,
}

impl Rakp1 {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(28 + self.username.len());
        out.extend_from_slice(&[self.tag, 0, 0, 0]);
        out.extend_from_slice(&self.bmc_id.to_le_bytes());
        out.extend_from_slice(&self.console_random);
        out.extend_from_slice(&[self.role, 0, 0]);
        out.extend(u8::try_from(self.username.len()));
        out.extend_from_slice(&self.username);
        out
    }

    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let [tag, _, _, _] = reader.array()?;
        let bmc_id = reader.u32()?;
        let console_random = reader.array()?;
        let [role, _, _, len] = reader.array()?;
        let len = usize::from(len);
        if len > MAX_USERNAME {
            return None;
        }
        Some(Self {
            tag,
            bmc_id,
            console_random,
            role,
            username: reader.take(len)?.to_vec(),
        })
    }
}

/// Tag, status and receiver's id: how RAKP messages 2, 3 and 4 begin.
fn put_head(out: &mut Vec<u8>, tag: u8, status: HandshakeStatus, receiver_id: u32) {
    out.extend_from_slice(&[tag, status.0, 0, 0]);
    out.extend_from_slice(&receiver_id.to_le_bytes());
}

fn take_head(reader: &mut Reader<'_>) -> Option<(u8, HandshakeStatus, u32)> {
    let [tag, status, _, _] = reader.array()?;
    Some((tag, HandshakeStatus(status), reader.u32()?))
}

impl Rakp2 {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(72);
        match &self.outcome {
            Ok(body) => {
                put_head(&mut out, self.tag, HandshakeStatus::OK, self.console_id);
                out.extend_from_slice(&body.bmc_random);
                out.extend_from_slice(&body.bmc_guid);
                out.extend_from_slice(&body.proof);
            }
            Err(status) => put_head(&mut out, self.tag, *status, self.console_id),
        }
        out
    }

    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let (tag, status, console_id) = take_head(&mut reader)?;
        let outcome = if status == HandshakeStatus::OK {
            Ok(Rakp2Body {
                bmc_random: reader.array()?,
                bmc_guid: reader.array()?,
                proof: reader.rest().to_vec(),
            })
        } else {
            Err(status)
        };
        Some(Self {
            tag,
            console_id,
            outcome,
        })
    }
}

impl RakpProof {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        match &self.outcome {
            Ok(proof) => {
                put_head(&mut out, self.tag, HandshakeStatus::OK, self.receiver_id);
                out.extend_from_slice(proof);
            }
            Err(status) => put_head(&mut out, self.tag, *status, self.receiver_id),
        }
        out
    }

    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let (tag, status, receiver_id) = take_head(&mut reader)?;
        let outcome = if status == HandshakeStatus::OK {
            Ok(reader.rest().to_vec())
        } else {
            Err(status)
        };
        Some(Self {
            tag,
            receiver_id,
            outcome,
        })
    }
}
