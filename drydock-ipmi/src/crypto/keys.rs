//! The keys of a session: SIK, K1 and K2 (IPMI v2.0 sections 13.31 and 13.32).

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::crypto::mac::{Mac, mac};
use crate::suite::{CipherSuite, HashAlgorithm};

/// Longest password and longest K_g of IPMI v2.0, in bytes (sections 13.31 and 22.30).
pub(crate) const MAX_SECRET: usize = 20;

/// Longest user name, in bytes (IPMI v2.0 section 13.20).
pub(crate) const MAX_USERNAME: usize = 16;

/// What both sides contribute to the handshake and sign (IPMI v2.0 sections 13.20 to 13.24).
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) suite: CipherSuite,
    /// SID_M: the id that the remote console chose for the session.
    pub(crate) console_id: u32,
    /// SID_C: the id that the BMC chose for the session.
    pub(crate) bmc_id: u32,
    /// R_M: random number of the console.
    pub(crate) console_random: [u8; 16],
    /// R_C: random number of the BMC.
    pub(crate) bmc_random: [u8; 16],
    /// GUID_C.
    pub(crate) bmc_guid: [u8; 16],
    /// Role_M: requested privilege in the low nibble, name-only look-up in bit 4.
    pub(crate) role: u8,
    pub(crate) username: Vec<u8>,
}

impl Exchange {
    fn hash(&self) -> HashAlgorithm {
        self.suite.hash()
    }

    fn username_len(&self) -> [u8; 1] {
        [u8::try_from(self.username.len()).unwrap_or(u8::MAX)]
    }

    /// Key exchange authentication code of RAKP message 2 (section 13.21): proves that the BMC knows the password.
    pub(crate) fn bmc_proof(&self, password: &SecretString) -> Mac {
        mac(
            self.hash(),
            password.expose_secret().as_bytes(),
            &[
                &self.console_id.to_le_bytes(),
                &self.bmc_id.to_le_bytes(),
                &self.console_random,
                &self.bmc_random,
                &self.bmc_guid,
                &[self.role],
                &self.username_len(),
                &self.username,
            ],
        )
    }

    /// Key exchange authentication code of RAKP message 3 (section 13.22): proves that the console knows the password.
    pub(crate) fn console_proof(&self, password: &SecretString) -> Mac {
        mac(
            self.hash(),
            password.expose_secret().as_bytes(),
            &[
                &self.bmc_random,
                &self.console_id.to_le_bytes(),
                &[self.role],
                &self.username_len(),
                &self.username,
            ],
        )
    }

    /// The session integrity key SIK (section 13.31). Without a K_g the user's password takes its place.
    pub(crate) fn session_integrity_key(
        &self,
        password: &SecretString,
        kg: Option<&SecretString>,
    ) -> Mac {
        let key = kg.unwrap_or(password);
        mac(
            self.hash(),
            key.expose_secret().as_bytes(),
            &[
                &self.console_random,
                &self.bmc_random,
                &[self.role],
                &self.username_len(),
                &self.username,
            ],
        )
    }

    /// Integrity check value of RAKP message 4 before it is cut (section 13.23): proves that both have the same SIK.
    pub(crate) fn activation_proof(&self, sik: &Mac) -> Mac {
        mac(
            self.hash(),
            sik.as_slice(),
            &[
                &self.console_random,
                &self.bmc_id.to_le_bytes(),
                &self.bmc_guid,
            ],
        )
    }
}

/// The keys that protect the packets of one session; wiped when dropped.
pub(crate) struct SessionKeys {
    hash: HashAlgorithm,
    integrity: Mac,
    confidentiality: Zeroizing<[u8; 16]>,
}

impl SessionKeys {
    /// K1 and the first 16 bytes of K2, both HMACs of a constant under the SIK (section 13.32).
    pub(crate) fn derive(suite: CipherSuite, sik: &Mac) -> Self {
        let hash = suite.hash();
        let k2 = mac(hash, sik.as_slice(), &[&[0x02; 20]]);
        let mut confidentiality = Zeroizing::new([0u8; 16]);
        for (to, from) in confidentiality.iter_mut().zip(k2.as_slice()) {
            *to = *from;
        }
        Self {
            hash,
            integrity: mac(hash, sik.as_slice(), &[&[0x01; 20]]),
            confidentiality,
        }
    }

    /// Length in bytes of the authentication code at the end of a packet.
    pub(crate) fn code_len(&self) -> usize {
        self.hash.integrity_len()
    }

    /// The authentication code of a packet, whole; only the first [`Self::code_len`] bytes are sent.
    pub(crate) fn code(&self, covered: &[u8]) -> Mac {
        mac(self.hash, self.integrity.as_slice(), &[covered])
    }

    /// The AES key.
    pub(crate) fn aes(&self) -> &[u8; 16] {
        &self.confidentiality
    }
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionKeys")
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
