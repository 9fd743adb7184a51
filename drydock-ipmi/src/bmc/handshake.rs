//! The BMC's answers to open session, RAKP 1 and RAKP 3 (IPMI v2.0 sections 13.17 to 13.23).

use std::net::SocketAddr;
use std::time::Duration;

use crate::bmc::Bmc;
use crate::bmc::slots::{ActiveSlot, Challenge, Stage};
use crate::crypto::keys::Exchange;
use crate::privilege::Privilege;
use crate::suite::CipherSuite;
use crate::wire::envelope::{self, PayloadType};
use crate::wire::open_session::{OpenSessionRequest, OpenSessionResponse};
use crate::wire::rakp::{Rakp1, Rakp2, Rakp2Body, RakpProof};
use crate::wire::status::HandshakeStatus;

impl Bmc {
    pub(super) fn handshake(
        &mut self,
        now: Duration,
        peer: SocketAddr,
        payload_type: PayloadType,
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        match payload_type {
            PayloadType::OpenSessionRequest => {
                let answer = self.open_session(now, peer, payload)?;
                Some(envelope::encode_handshake(
                    PayloadType::OpenSessionResponse,
                    &answer,
                ))
            }
            PayloadType::Rakp1 => {
                let answer = self.rakp1(now, payload)?;
                Some(envelope::encode_handshake(PayloadType::Rakp2, &answer))
            }
            PayloadType::Rakp3 => {
                let answer = self.rakp3(now, payload)?;
                Some(envelope::encode_handshake(PayloadType::Rakp4, &answer))
            }
            PayloadType::Ipmi => {
                let answer = self.outside_session(payload)?;
                Some(envelope::encode_handshake(PayloadType::Ipmi, &answer))
            }
            PayloadType::OpenSessionResponse | PayloadType::Rakp2 | PayloadType::Rakp4 => None,
        }
    }

    fn open_session(&mut self, now: Duration, peer: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
        if let Some(answer) = self.slots.repeated_open(peer, payload) {
            return Some(answer);
        }
        let request = OpenSessionRequest::decode(payload)?;
        let refuse = |status| {
            Some(
                OpenSessionResponse::Refused {
                    tag: request.tag,
                    status,
                    console_id: Some(request.console_id),
                }
                .encode(),
            )
        };
        let counter_offer = self
            .config
            .quirks
            .counter_offers_suite
            .then(|| self.config.suites.first().copied())
            .flatten();
        let suite = CipherSuite::from_algorithms(request.algorithms)
            .filter(|suite| self.config.suites.contains(suite))
            .or(counter_offer);
        let Some(suite) = suite else {
            self.counters.add_suite_refused();
            return refuse(HandshakeStatus::NO_SUITE_MATCH);
        };
        if request.console_id == 0 {
            return refuse(HandshakeStatus::INVALID_SESSION);
        }
        if self.slots_taken || self.slots.is_full() {
            self.counters.add_slot_refused();
            return refuse(HandshakeStatus::NO_SLOT);
        }
        let mut bmc_id = self.nonces.session_id();
        while self.slots.contains(bmc_id) {
            bmc_id = self.nonces.session_id();
        }
        let granted = match request.privilege {
            0 => Privilege::Administrator.number(),
            wanted => wanted,
        };
        let answer = OpenSessionResponse::Accepted {
            tag: request.tag,
            privilege: if self.config.quirks.privilege_zero {
                0
            } else {
                granted
            },
            console_id: request.console_id,
            bmc_id,
            algorithms: suite.algorithms(),
        }
        .encode();
        let exchange = Exchange {
            suite,
            console_id: request.console_id,
            bmc_id,
            console_random: [0; 16],
            bmc_random: self.nonces.block(),
            bmc_guid: self.config.guid,
            role: 0,
            username: Vec::new(),
        };
        let last = (payload.to_vec(), answer.clone());
        self.slots.insert(now, peer, exchange, last);
        Some(answer)
    }

    fn rakp1(&mut self, now: Duration, payload: &[u8]) -> Option<Vec<u8>> {
        let message = Rakp1::decode(payload)?;
        let slot = self.slots.get(message.bmc_id)?;
        if let Some(answer) = slot.repeated(payload) {
            return Some(answer);
        }
        if !matches!(slot.stage, Stage::Opened) {
            return None;
        }
        self.counters.add_login_attempt();
        let wanted = Privilege::from_number(message.role & 0x0f);
        slot.exchange.console_random = message.console_random;
        slot.exchange.role = message.role;
        slot.exchange.username = message.username;
        let console_id = slot.exchange.console_id;
        let answer = |outcome| {
            Rakp2 {
                tag: message.tag,
                console_id,
                outcome,
            }
            .encode()
        };
        let account = self
            .config
            .accounts
            .iter()
            .find(|account| account.username.as_bytes() == slot.exchange.username);
        let refusal = match (account, wanted) {
            (None, _) => HandshakeStatus::UNAUTHORIZED_NAME,
            (Some(account), Some(limit)) if limit <= account.privilege => {
                let proof = slot.exchange.bmc_proof(&account.password);
                let challenge = Challenge {
                    console_proof: slot.exchange.console_proof(&account.password),
                    sik: slot
                        .exchange
                        .session_integrity_key(&account.password, self.config.kg.as_ref()),
                    limit,
                };
                let answer = answer(Ok(Rakp2Body {
                    bmc_random: slot.exchange.bmc_random,
                    bmc_guid: slot.exchange.bmc_guid,
                    proof: proof.as_slice().to_vec(),
                }));
                let last = (payload.to_vec(), answer.clone());
                slot.advance(now, Stage::Challenged(challenge), last);
                return Some(answer);
            }
            (Some(_), _) => HandshakeStatus::UNAUTHORIZED_ROLE,
        };
        self.slots.remove(message.bmc_id);
        self.counters.add_login_refused();
        Some(answer(Err(refusal)))
    }

    fn rakp3(&mut self, now: Duration, payload: &[u8]) -> Option<Vec<u8>> {
        let message = RakpProof::decode(payload)?;
        let id = message.receiver_id;
        let slot = self.slots.get(id)?;
        if let Some(answer) = slot.repeated(payload) {
            return Some(answer);
        }
        let Ok(proof) = message.outcome else {
            // The console gave up: nothing is answered (section 13.22). An active session is not ended by what anybody
            // could have sent.
            if !matches!(slot.stage, Stage::Active(_)) {
                self.slots.remove(id);
                self.counters.add_login_refused();
            }
            return None;
        };
        let Stage::Challenged(challenge) = &slot.stage else {
            return None;
        };
        let answer = |outcome| {
            RakpProof {
                tag: message.tag,
                receiver_id: slot.exchange.console_id,
                outcome,
            }
            .encode()
        };
        if !challenge.console_proof.matches(&proof) {
            let answer = answer(Err(HandshakeStatus::INVALID_INTEGRITY));
            self.slots.remove(id);
            self.counters.add_login_refused();
            return Some(answer);
        }
        let suite = slot.exchange.suite;
        let proof = slot.exchange.activation_proof(&challenge.sik);
        let answer = answer(Ok(proof.truncated(suite.hash().integrity_len()).to_vec()));
        let active = ActiveSlot::new(&slot.exchange, &challenge.sik, challenge.limit, now);
        let last = (payload.to_vec(), answer.clone());
        slot.advance(now, Stage::Active(active), last);
        self.counters.add_login();
        Some(answer)
    }
}
