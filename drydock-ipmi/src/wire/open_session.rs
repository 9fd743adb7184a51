//! RMCP+ Open Session request and response (IPMI v2.0 sections 13.17 and 13.18).

use crate::suite::Algorithms;
use crate::wire::bytes::Reader;
use crate::wire::status::HandshakeStatus;

/// What a console asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenSessionRequest {
    pub(crate) tag: u8,
    /// Highest privilege wanted; 0 means as high as the algorithms allow.
    pub(crate) privilege: u8,
    pub(crate) console_id: u32,
    pub(crate) algorithms: Algorithms,
}

/// What the BMC answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OpenSessionResponse {
    Accepted {
        tag: u8,
        privilege: u8,
        console_id: u32,
        bmc_id: u32,
        algorithms: Algorithms,
    },
    Refused {
        tag: u8,
        status: HandshakeStatus,
        /// Left out by some BMCs.
        console_id: Option<u32>,
    },
}

fn put_algorithms(out: &mut Vec<u8>, algorithms: Algorithms) {
    let numbers = [
        algorithms.authentication,
        algorithms.integrity,
        algorithms.confidentiality,
    ];
    for (kind, number) in (0u8..).zip(numbers) {
        out.extend_from_slice(&[kind, 0, 0, 8, number, 0, 0, 0]);
    }
}

/// Three payloads of eight bytes in order: kind, reserved, length, number. A length of 0 ("any algorithm") is not taken.
fn take_algorithms(reader: &mut Reader<'_>) -> Option<Algorithms> {
    let mut one = |wanted: u8| {
        let [kind, _, _, len, number, ..] = reader.array::<8>()?;
        (kind == wanted && len == 8).then_some(number & 0x3f)
    };
    Some(Algorithms {
        authentication: one(0)?,
        integrity: one(1)?,
        confidentiality: one(2)?,
    })
}

impl OpenSessionRequest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        out.extend_from_slice(&[self.tag, self.privilege, 0, 0]);
        out.extend_from_slice(&self.console_id.to_le_bytes());
        put_algorithms(&mut out, self.algorithms);
        out
    }

    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let [tag, privilege, _, _] = reader.array()?;
        Some(Self {
            tag,
            privilege: privilege & 0x0f,
            console_id: reader.u32()?,
            algorithms: take_algorithms(&mut reader)?,
        })
    }
}

impl OpenSessionResponse {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(36);
        match self {
            Self::Accepted {
                tag,
                privilege,
                console_id,
                bmc_id,
                algorithms,
            } => {
                out.extend_from_slice(&[*tag, HandshakeStatus::OK.0, *privilege, 0]);
                out.extend_from_slice(&console_id.to_le_bytes());
                out.extend_from_slice(&bmc_id.to_le_bytes());
                put_algorithms(&mut out, *algorithms);
            }
            Self::Refused {
                tag,
                status,
                console_id,
            } => {
                out.extend_from_slice(&[*tag, status.0, 0, 0]);
                out.extend(console_id.iter().flat_map(|id| id.to_le_bytes()));
            }
        }
        out
    }

    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let [tag, status] = reader.array()?;
        let status = HandshakeStatus(status);
        if status != HandshakeStatus::OK {
            let console_id = reader.take(2).and_then(|_| reader.u32());
            return Some(Self::Refused {
                tag,
                status,
                console_id,
            });
        }
        let [privilege, _] = reader.array()?;
        Some(Self::Accepted {
            tag,
            privilege: privilege & 0x0f,
            console_id: reader.u32()?,
            bmc_id: reader.u32()?,
            algorithms: take_algorithms(&mut reader)?,
        })
    }
}
