//! Random numbers, session ids and initialization vectors from one seed, so that the protocol code needs no I/O
//! and a simulator can be replayed.

use zeroize::Zeroizing;

use crate::crypto::mac::mac;
use crate::suite::HashAlgorithm;

/// A stream of unpredictable bytes: HMAC-SHA256 over a counter, keyed with the seed.
pub(crate) struct NonceSource {
    seed: Zeroizing<[u8; 32]>,
    counter: u64,
}

impl NonceSource {
    /// A stream from a seed; the same seed gives the same stream.
    pub(crate) fn from_seed(seed: [u8; 32]) -> Self {
        Self {
            seed: Zeroizing::new(seed),
            counter: 0,
        }
    }

    /// A stream that nobody can predict, seeded by the operating system.
    pub(crate) fn from_os() -> Result<Self, getrandom::Error> {
        let mut seed = [0u8; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self::from_seed(seed))
    }

    /// The next 16 bytes.
    pub(crate) fn block(&mut self) -> [u8; 16] {
        self.counter = self.counter.wrapping_add(1);
        let value = mac(
            HashAlgorithm::Sha256,
            self.seed.as_slice(),
            &[&self.counter.to_be_bytes()],
        );
        let mut block = [0u8; 16];
        for (to, from) in block.iter_mut().zip(value.as_slice()) {
            *to = *from;
        }
        block
    }

    /// A session id: any number but 0, which means "outside a session" (IPMI v2.0 section 13.6).
    pub(crate) fn session_id(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.block();
        u32::from_le_bytes([a, b, c, d]).max(1)
    }
}
