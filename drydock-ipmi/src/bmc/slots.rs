//! The BMC's session slots: sessions that have begun and sessions that are active.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::crypto::keys::{Exchange, SessionKeys};
use crate::crypto::mac::Mac;
use crate::privilege::Privilege;
use crate::wire::envelope::{self, Protected};
use crate::wire::window::{Window, next_sequence};

/// How far a session has come.
pub(crate) enum Stage {
    /// The open-session request was answered.
    Opened,
    /// RAKP message 2 was sent.
    Challenged(Challenge),
    /// RAKP message 4 was sent.
    Active(ActiveSlot),
}

/// What the BMC expects in RAKP message 3, and what it will have then.
pub(crate) struct Challenge {
    pub(crate) console_proof: Mac,
    pub(crate) sik: Mac,
    pub(crate) limit: Privilege,
}

/// One session slot.
pub(crate) struct Slot {
    pub(crate) exchange: Exchange,
    pub(crate) stage: Stage,
    peer: SocketAddr,
    last_seen: Duration,
    /// The last handshake message and its answer: a repeated datagram gets the same answer and changes nothing.
    last: (Vec<u8>, Vec<u8>),
}

/// The BMC's half of an active session.
pub(crate) struct ActiveSlot {
    keys: SessionKeys,
    console_id: u32,
    sequence: u32,
    window: Window,
    last_seen: Duration,
    /// The level at present.
    pub(crate) privilege: Privilege,
    /// The highest level the login allows.
    pub(crate) limit: Privilege,
    closing: bool,
    /// The request before.
    previous: Vec<u8>,
}

/// All slots, by the BMC's session id.
pub(crate) struct Slots {
    by_id: HashMap<u32, Slot>,
    capacity: usize,
    idle: Duration,
}

impl Slots {
    pub(crate) fn new(capacity: usize, idle: Duration) -> Self {
        Self {
            by_id: HashMap::new(),
            capacity,
            idle,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.by_id.len() >= self.capacity
    }

    pub(crate) fn clear(&mut self) {
        self.by_id.clear();
    }

    pub(crate) fn contains(&self, id: u32) -> bool {
        self.by_id.contains_key(&id)
    }

    /// Ends what was idle for too long; gives the number of ended sessions.
    pub(crate) fn reap(&mut self, now: Duration) -> usize {
        let before = self.by_id.len();
        let idle = self.idle;
        self.by_id
            .retain(|_, slot| now.saturating_sub(slot.last_seen()) <= idle);
        before - self.by_id.len()
    }

    /// Takes a slot for a session whose open-session request was just answered.
    pub(crate) fn insert(
        &mut self,
        now: Duration,
        peer: SocketAddr,
        exchange: Exchange,
        last: (Vec<u8>, Vec<u8>),
    ) {
        let slot = Slot {
            stage: Stage::Opened,
            peer,
            last_seen: now,
            last,
            exchange,
        };
        self.by_id.insert(slot.exchange.bmc_id, slot);
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Slot> {
        self.by_id.remove(&id)
    }

    pub(crate) fn get(&mut self, id: u32) -> Option<&mut Slot> {
        self.by_id.get_mut(&id)
    }

    /// The answer already given to this open-session request of this peer.
    pub(crate) fn repeated_open(&self, peer: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
        self.by_id
            .values()
            .find(|slot| slot.peer == peer && slot.last.0 == payload)
            .map(|slot| slot.last.1.clone())
    }

    /// The active session with this id.
    pub(crate) fn active(&mut self, id: u32) -> Option<&mut ActiveSlot> {
        match &mut self.by_id.get_mut(&id)?.stage {
            Stage::Active(active) => Some(active),
            Stage::Opened | Stage::Challenged(_) => None,
        }
    }
}

impl Slot {
    fn last_seen(&self) -> Duration {
        match &self.stage {
            Stage::Active(active) => active.last_seen,
            Stage::Opened | Stage::Challenged(_) => self.last_seen,
        }
    }

    /// The answer already given to this handshake message.
    pub(crate) fn repeated(&self, payload: &[u8]) -> Option<Vec<u8>> {
        (self.last.0 == payload).then(|| self.last.1.clone())
    }

    /// Moves on to a new stage and remembers what brought it there.
    pub(crate) fn advance(&mut self, now: Duration, stage: Stage, last: (Vec<u8>, Vec<u8>)) {
        self.stage = stage;
        self.last_seen = now;
        self.last = last;
    }
}

impl ActiveSlot {
    /// Sessions begin at user level, or lower where the login allows less (IPMI v2.0 section 22.18).
    pub(crate) fn new(exchange: &Exchange, sik: &Mac, limit: Privilege, now: Duration) -> Self {
        Self {
            keys: SessionKeys::derive(exchange.suite, sik),
            console_id: exchange.console_id,
            sequence: 0,
            window: Window::default(),
            last_seen: now,
            privilege: limit.min(Privilege::User),
            limit,
            closing: false,
            previous: Vec::new(),
        }
    }

    /// The message of a packet that is authentic and, unless `again`, was not seen before.
    pub(crate) fn open(
        &mut self,
        packet: &Protected<'_>,
        now: Duration,
        again: bool,
    ) -> Option<Vec<u8>> {
        let message = packet.open(&self.keys)?;
        if !self.window.accept(packet.sequence) && !again {
            return None;
        }
        self.last_seen = now;
        Some(message)
    }

    pub(crate) fn seal(&mut self, iv: [u8; 16], message: &[u8]) -> Vec<u8> {
        self.sequence = next_sequence(self.sequence);
        envelope::encode_protected(&self.keys, self.console_id, self.sequence, iv, message)
    }

    /// Whether this request, rqSeq and all, is the one before; takes note of it.
    pub(crate) fn is_repeated(&mut self, message: &[u8]) -> bool {
        if self.previous == message {
            return true;
        }
        self.previous = message.to_vec();
        false
    }

    /// The session ends once the answer is out.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }
}
