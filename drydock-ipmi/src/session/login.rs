//! The handshake that opens a session: open session, RAKP 1 to 4 (IPMI v2.0 section 13.15).

use secrecy::SecretString;
use tracing::debug;

use crate::command::CommandId;
use crate::crypto::keys::{Exchange, SessionKeys};
use crate::crypto::mac::Mac;
use crate::crypto::nonce::NonceSource;
use crate::privilege::Privilege;
use crate::session::active::ActiveSession;
use crate::suite::CipherSuite;
use crate::wire::envelope::{self, Packet, PayloadType};
use crate::wire::open_session::{OpenSessionRequest, OpenSessionResponse};
use crate::wire::rakp::{Rakp1, Rakp2, RakpProof};
use crate::wire::status::HandshakeStatus;

/// Role bit: look the user up by name only, not by name and privilege (section 13.20).
const NAME_ONLY: u8 = 0x10;

/// Who logs in.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) username: String,
    pub(crate) password: SecretString,
    pub(crate) kg: Option<SecretString>,
    pub(crate) privilege: Privilege,
}

/// Why a handshake ended without a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LoginFailure {
    /// The BMC does not take the suite: it said so, or answered with other algorithms.
    SuiteRefused,
    /// All session slots are taken.
    SlotsUsedUp(HandshakeStatus),
    /// The BMC refused name, password, K_g or privilege.
    Refused(HandshakeStatus),
    /// The BMC's proof does not fit our password.
    WrongPassword,
    /// The BMC's last proof does not fit our K_g.
    WrongKg,
    /// A message was sent twice, and the BMC knew the session no more when it got the second.
    Forgotten(HandshakeStatus),
    /// The BMC does not keep to the protocol.
    Protocol(String),
}

/// What a datagram did to the handshake.
pub(crate) enum Progress {
    /// It is not the awaited answer: dropped.
    Ignored,
    /// The next datagram is ready.
    Next,
    /// The session is active.
    Done(Box<ActiveSession>),
    /// It is over.
    Failed(LoginFailure),
}

enum Stage {
    Opening,
    Naming,
    /// RAKP 3 was sent; the SIK is known.
    Proving {
        sik: Mac,
    },
    /// The BMC's proof was not good enough for us, and it does not know that yet.
    Rejected,
    Over,
}

/// One handshake with one suite.
pub(crate) struct Login {
    credentials: Credentials,
    exchange: Exchange,
    stage: Stage,
    tag: u8,
    /// Taken by the session when it becomes active.
    nonces: Option<NonceSource>,
    datagram: Vec<u8>,
    sent: u32,
}

impl Login {
    pub(crate) fn new(
        credentials: Credentials,
        suite: CipherSuite,
        mut nonces: NonceSource,
    ) -> Self {
        let console_id = nonces.session_id();
        let [tag, ..] = nonces.block();
        let request = OpenSessionRequest {
            tag,
            privilege: credentials.privilege.number(),
            console_id,
            algorithms: suite.algorithms(),
        };
        let exchange = Exchange {
            suite,
            console_id,
            bmc_id: 0,
            console_random: nonces.block(),
            bmc_random: [0; 16],
            bmc_guid: [0; 16],
            role: credentials.privilege.number() | NAME_ONLY,
            username: credentials.username.clone().into_bytes(),
        };
        Self {
            credentials,
            exchange,
            stage: Stage::Opening,
            tag,
            nonces: Some(nonces),
            datagram: envelope::encode_handshake(
                PayloadType::OpenSessionRequest,
                &request.encode(),
            ),
            sent: 0,
        }
    }

    /// The datagram to send, or to send again: the same bytes until an answer moves the handshake on.
    pub(crate) fn datagram(&mut self) -> &[u8] {
        self.sent += 1;
        &self.datagram
    }

    /// What the message under way is called.
    pub(crate) fn step_name(&self) -> &'static str {
        match self.stage {
            Stage::Opening => "open session",
            Stage::Naming => "RAKP message 1",
            Stage::Proving { .. } | Stage::Rejected | Stage::Over => "RAKP message 3",
        }
    }

    /// What to send when the handshake is given up where it stands, so that the BMC frees the slot; empty where it holds
    /// none. Ends the handshake.
    ///
    /// RAKP message 3 with a status other than 0 ends a session that is not active yet (section 13.22). Once our own RAKP
    /// message 3 is out the session may be active, with only RAKP message 4 lost: then Close Session ends it.
    pub(crate) fn parting(&mut self) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Opening | Stage::Over => return out,
            Stage::Naming | Stage::Rejected => {}
            Stage::Proving { sik } => {
                let bmc_id = self.exchange.bmc_id;
                let keys = SessionKeys::derive(self.exchange.suite, &sik);
                if let Some(nonces) = self.nonces.take() {
                    let mut session =
                        ActiveSession::new(keys, self.exchange.console_id, bmc_id, nonces);
                    session.request(CommandId::CLOSE_SESSION, &bmc_id.to_le_bytes());
                    out.push(session.datagram().to_vec());
                }
            }
        }
        let message = RakpProof {
            tag: self.tag,
            receiver_id: self.exchange.bmc_id,
            outcome: Err(HandshakeStatus::INVALID_INTEGRITY),
        };
        out.push(envelope::encode_handshake(
            PayloadType::Rakp3,
            &message.encode(),
        ));
        out
    }

    /// Takes a datagram.
    pub(crate) fn receive(&mut self, datagram: &[u8]) -> Progress {
        let Some(Packet::Handshake {
            payload_type,
            payload,
        }) = envelope::decode(datagram)
        else {
            return Progress::Ignored;
        };
        let progress = match (&self.stage, payload_type) {
            (Stage::Opening, PayloadType::OpenSessionResponse) => self.opened(payload),
            (Stage::Naming, PayloadType::Rakp2) => self.named(payload),
            (Stage::Proving { .. }, PayloadType::Rakp4) => self.proven(payload),
            _ => None,
        };
        if let Some(Progress::Failed(failure)) = &progress {
            self.stage = if *failure == LoginFailure::WrongPassword {
                Stage::Rejected
            } else {
                Stage::Over
            };
        }
        progress.unwrap_or(Progress::Ignored)
    }

    fn opened(&mut self, payload: &[u8]) -> Option<Progress> {
        let response = OpenSessionResponse::decode(payload)?;
        let (bmc_id, algorithms) = match response {
            OpenSessionResponse::Refused {
                tag,
                status,
                console_id,
            } => {
                let ours = console_id.is_none_or(|id| id == self.exchange.console_id);
                return (tag == self.tag && ours)
                    .then(|| Progress::Failed(self.open_refusal(status)));
            }
            OpenSessionResponse::Accepted {
                tag,
                console_id,
                bmc_id,
                algorithms,
                ..
            } => {
                if tag != self.tag || console_id != self.exchange.console_id {
                    return None;
                }
                (bmc_id, algorithms)
            }
        };
        if algorithms != self.exchange.suite.algorithms() {
            // Instead of a refusal some BMCs (pyghmi, virtualbmc) put other algorithms in the answer. Nothing is
            // signed yet, so they are not taken on the BMC's word: it counts as a refusal of the suite.
            debug!(suite = %self.exchange.suite, ?algorithms, "other algorithms than asked for");
            return Some(Progress::Failed(LoginFailure::SuiteRefused));
        }
        if bmc_id == 0 {
            return Some(Progress::Failed(LoginFailure::Protocol(
                "the open-session response has session id 0".to_owned(),
            )));
        }
        self.exchange.bmc_id = bmc_id;
        let rakp1 = Rakp1 {
            tag: self.next_tag(),
            bmc_id,
            console_random: self.exchange.console_random,
            role: self.exchange.role,
            username: self.exchange.username.clone(),
        };
        self.stage = Stage::Naming;
        Some(self.go_on(PayloadType::Rakp1, &rakp1.encode()))
    }

    fn named(&mut self, payload: &[u8]) -> Option<Progress> {
        let message = Rakp2::decode(payload)?;
        if message.tag != self.tag || message.console_id != self.exchange.console_id {
            return None;
        }
        let body = match message.outcome {
            Ok(body) => body,
            Err(status) => return Some(Progress::Failed(self.rakp_refusal(status))),
        };
        self.exchange.bmc_random = body.bmc_random;
        self.exchange.bmc_guid = body.bmc_guid;
        let password = &self.credentials.password;
        if !self.exchange.bmc_proof(password).matches(&body.proof) {
            return Some(Progress::Failed(LoginFailure::WrongPassword));
        }
        let sik = self
            .exchange
            .session_integrity_key(password, self.credentials.kg.as_ref());
        let proof = self.exchange.console_proof(password).as_slice().to_vec();
        let rakp3 = RakpProof {
            tag: self.next_tag(),
            receiver_id: self.exchange.bmc_id,
            outcome: Ok(proof),
        };
        self.stage = Stage::Proving { sik };
        Some(self.go_on(PayloadType::Rakp3, &rakp3.encode()))
    }

    fn proven(&mut self, payload: &[u8]) -> Option<Progress> {
        let message = RakpProof::decode(payload)?;
        if message.tag != self.tag || message.receiver_id != self.exchange.console_id {
            return None;
        }
        let proof = match message.outcome {
            Ok(proof) => proof,
            Err(status) => return Some(Progress::Failed(self.rakp_refusal(status))),
        };
        let Stage::Proving { sik } = std::mem::replace(&mut self.stage, Stage::Over) else {
            return None;
        };
        let suite = self.exchange.suite;
        let expected = self.exchange.activation_proof(&sik);
        if !expected.matches_truncated(suite.hash().integrity_len(), &proof) {
            return Some(Progress::Failed(LoginFailure::WrongKg));
        }
        let session = ActiveSession::new(
            SessionKeys::derive(suite, &sik),
            self.exchange.console_id,
            self.exchange.bmc_id,
            self.nonces.take()?,
        );
        Some(Progress::Done(Box::new(session)))
    }

    fn next_tag(&mut self) -> u8 {
        self.tag = self.tag.wrapping_add(1);
        self.tag
    }

    fn go_on(&mut self, payload_type: PayloadType, payload: &[u8]) -> Progress {
        self.datagram = envelope::encode_handshake(payload_type, payload);
        self.sent = 0;
        Progress::Next
    }

    fn open_refusal(&self, status: HandshakeStatus) -> LoginFailure {
        if status.refuses_algorithms() {
            LoginFailure::SuiteRefused
        } else if status.refuses_slot() {
            LoginFailure::SlotsUsedUp(status)
        } else if status.refuses_credentials() {
            LoginFailure::Refused(status)
        } else {
            LoginFailure::Protocol(format!("open session refused with status {status}"))
        }
    }

    /// A status that means "no such session" tells nothing about the password where the message went out twice: the
    /// first copy may have been answered, with the answer lost.
    fn rakp_refusal(&self, status: HandshakeStatus) -> LoginFailure {
        if status == HandshakeStatus::INACTIVE_SESSION || (status.forgot_session() && self.sent > 1)
        {
            LoginFailure::Forgotten(status)
        } else if status.refuses_slot() {
            LoginFailure::SlotsUsedUp(status)
        } else if status.refuses_credentials() {
            LoginFailure::Refused(status)
        } else {
            LoginFailure::Protocol(format!("{} refused with status {status}", self.step_name()))
        }
    }
}
