//! An active session: one request at a time, and which datagram is the response to it.

use crate::command::CommandId;
use crate::crypto::keys::SessionKeys;
use crate::crypto::nonce::NonceSource;
use crate::wire::envelope::{self, Packet};
use crate::wire::message::{Request, Response};
use crate::wire::window::{Window, next_sequence};

/// A response that belongs to the outstanding request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) completion: u8,
    pub(crate) data: Vec<u8>,
}

/// What is waited for.
#[derive(Debug)]
struct Outstanding {
    id: CommandId,
    rq_seq: u8,
    data: Vec<u8>,
    message: Vec<u8>,
    datagram: Vec<u8>,
}

/// The console's half of an active session.
pub(crate) struct ActiveSession {
    keys: SessionKeys,
    console_id: u32,
    bmc_id: u32,
    sequence: u32,
    rq_seq: u8,
    window: Window,
    nonces: NonceSource,
    outstanding: Option<Outstanding>,
}

impl ActiveSession {
    pub(crate) fn new(
        keys: SessionKeys,
        console_id: u32,
        bmc_id: u32,
        nonces: NonceSource,
    ) -> Self {
        Self {
            keys,
            console_id,
            bmc_id,
            sequence: 0,
            rq_seq: 0,
            window: Window::default(),
            nonces,
            outstanding: None,
        }
    }

    /// The id that the BMC gave the session; Close Session names it.
    pub(crate) fn bmc_id(&self) -> u32 {
        self.bmc_id
    }

    /// Starts a request; whatever was outstanding is given up. The datagram to send is [`Self::datagram`].
    pub(crate) fn request(&mut self, id: CommandId, data: &[u8]) {
        self.rq_seq = (self.rq_seq + 1) & 0x3f;
        let message = Request::from_console(id.netfn, id.cmd, self.rq_seq, data).encode();
        let datagram = self.seal(&message);
        self.outstanding = Some(Outstanding {
            id,
            rq_seq: self.rq_seq,
            data: data.to_vec(),
            message,
            datagram,
        });
    }

    /// Asks the outstanding question anew, with another rqSeq, for a BMC that takes the old one for a duplicate whose
    /// answer it will not repeat. For reads only.
    pub(crate) fn renew(&mut self) {
        if let Some(outstanding) = self.outstanding.take() {
            self.request(outstanding.id, &outstanding.data);
        }
    }

    /// The datagram of the outstanding request, the same one each time; empty when nothing is outstanding.
    pub(crate) fn datagram(&self) -> &[u8] {
        self.outstanding
            .as_ref()
            .map_or(&[], |outstanding| &outstanding.datagram)
    }

    /// Wraps the outstanding message, with its rqSeq, in a packet with a new session sequence number.
    ///
    /// A BMC that keeps to section 6.12.13 drops the same datagram as a duplicate, so where the *response* was lost
    /// only a new packet gets another one. For reads only: the BMC runs the command again.
    pub(crate) fn rewrap(&mut self) {
        if let Some(mut outstanding) = self.outstanding.take() {
            outstanding.datagram = self.seal(&outstanding.message);
            self.outstanding = Some(outstanding);
        }
    }

    /// The response to the outstanding request; `None` for every other datagram, which is to be dropped. The request
    /// stays outstanding until the next one, because the caller may wait for a better response.
    pub(crate) fn receive(&mut self, datagram: &[u8]) -> Option<Answer> {
        let Some(Packet::Protected(packet)) = envelope::decode(datagram) else {
            return None;
        };
        if packet.session_id != self.console_id {
            return None;
        }
        let message = packet.open(&self.keys)?;
        if !self.window.accept(packet.sequence) {
            return None;
        }
        let response = Response::decode(&message)?;
        let outstanding = self.outstanding.as_ref()?;
        let expected = (
            outstanding.id.netfn | 1,
            outstanding.id.cmd,
            outstanding.rq_seq,
        );
        if (response.netfn, response.cmd, response.rq_seq) != expected {
            return None;
        }
        Some(Answer {
            completion: response.completion,
            data: response.data.to_vec(),
        })
    }

    fn seal(&mut self, message: &[u8]) -> Vec<u8> {
        self.sequence = next_sequence(self.sequence);
        envelope::encode_protected(
            &self.keys,
            self.bmc_id,
            self.sequence,
            self.nonces.block(),
            message,
        )
    }
}
