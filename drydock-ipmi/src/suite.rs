//! Cipher suites: which authentication, integrity and confidentiality algorithms a session uses.

use std::fmt;

/// The HMAC a suite is built on (IPMI v2.0 section 13.28 and the SHA-256 addition of revision 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// HMAC-SHA1, 20 bytes.
    Sha1,
    /// HMAC-SHA256, 32 bytes.
    Sha256,
}

impl HashAlgorithm {
    /// Length in bytes of a whole HMAC.
    pub const fn mac_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Length in bytes of the shortened HMAC that protects packets and RAKP message 4
    /// (HMAC-SHA1-96, HMAC-SHA256-128; IPMI v2.0 section 13.28.4).
    pub const fn integrity_len(self) -> usize {
        match self {
            Self::Sha1 => 12,
            Self::Sha256 => 16,
        }
    }
}

/// A cipher suite of IPMI v2.0 table 22-20. Only suites that authenticate, protect and encrypt are offered;
/// suite 0 ("none") and the MD5 and xRC4 suites are left out on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CipherSuite {
    /// Suite 3: RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128.
    Suite3,
    /// Suite 17: RAKP-HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128.
    Suite17,
}

/// The three algorithm numbers of an open-session payload (IPMI v2.0 tables 13-17 to 13-19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithms {
    /// Authentication algorithm number, table 13-17.
    pub authentication: u8,
    /// Integrity algorithm number, table 13-18.
    pub integrity: u8,
    /// Confidentiality algorithm number, table 13-19.
    pub confidentiality: u8,
}

impl CipherSuite {
    /// Every suite of this crate, the preferred one first.
    pub const ALL: [CipherSuite; 2] = [CipherSuite::Suite17, CipherSuite::Suite3];

    /// The suite's number in IPMI v2.0 table 22-20.
    pub const fn number(self) -> u8 {
        match self {
            Self::Suite3 => 3,
            Self::Suite17 => 17,
        }
    }

    /// The hash that authentication and integrity are built on.
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::Suite3 => HashAlgorithm::Sha1,
            Self::Suite17 => HashAlgorithm::Sha256,
        }
    }

    /// The algorithm numbers as they stand in an open-session request.
    pub const fn algorithms(self) -> Algorithms {
        match self {
            Self::Suite3 => Algorithms {
                authentication: 0x01,
                integrity: 0x01,
                confidentiality: 0x01,
            },
            Self::Suite17 => Algorithms {
                authentication: 0x03,
                integrity: 0x04,
                confidentiality: 0x01,
            },
        }
    }

    /// The suite that uses exactly these algorithms, if it is one of this crate's.
    pub fn from_algorithms(algorithms: Algorithms) -> Option<CipherSuite> {
        Self::ALL
            .into_iter()
            .find(|suite| suite.algorithms() == algorithms)
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}
