//! HMAC with either hash, and comparison in constant time.

use hmac::{Hmac, KeyInit, Mac as _};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize as _, Zeroizing};

use crate::suite::HashAlgorithm;

/// Block length in bytes of SHA-1 and of SHA-256, and so the longest HMAC key that is used as it is (RFC 2104).
const BLOCK: usize = 64;

/// An HMAC value; wiped when dropped, because session keys are HMAC values too.
#[derive(Clone)]
pub(crate) struct Mac {
    bytes: Zeroizing<[u8; 32]>,
    len: usize,
}

impl Mac {
    /// The whole value.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.truncated(self.len)
    }

    /// The first `len` bytes, or all where there are fewer.
    pub(crate) fn truncated(&self, len: usize) -> &[u8] {
        self.bytes
            .get(..len.min(self.len))
            .unwrap_or(self.bytes.as_slice())
    }

    /// Whether `received` is the whole value; takes the same time wherever the first difference is.
    pub(crate) fn matches(&self, received: &[u8]) -> bool {
        self.as_slice().ct_eq(received).into()
    }

    /// Whether `received` is the first `len` bytes of the value; in constant time.
    pub(crate) fn matches_truncated(&self, len: usize, received: &[u8]) -> bool {
        self.truncated(len).ct_eq(received).into()
    }
}

/// HMAC of the concatenated `parts`. All keys of IPMI have at most 32 bytes; one longer than a hash block would be cut.
pub(crate) fn mac(hash: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Mac {
    let mut block = [0u8; BLOCK];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut bytes = Zeroizing::new([0u8; 32]);
    match hash {
        HashAlgorithm::Sha1 => {
            let mut state = Hmac::<Sha1>::new(&block.into());
            parts.iter().for_each(|part| state.update(part));
            let out = state.finalize().into_bytes();
            bytes.iter_mut().zip(out).for_each(|(to, from)| *to = from);
        }
        HashAlgorithm::Sha256 => {
            let mut state = Hmac::<Sha256>::new(&block.into());
            parts.iter().for_each(|part| state.update(part));
            let out = state.finalize().into_bytes();
            bytes.iter_mut().zip(out).for_each(|(to, from)| *to = from);
        }
    }
    block.zeroize();
    Mac {
        bytes,
        len: hash.mac_len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 test case 2 and RFC 4231 test case 2.
    #[test]
    fn rfc_vectors() {
        let key = b"Jefe";
        let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
        assert_eq!(
            mac(HashAlgorithm::Sha1, key, &parts).as_slice(),
            [
                0xef, 0xfc, 0xdf, 0x6a, 0xe5, 0xeb, 0x2f, 0xa2, 0xd2, 0x74, 0x16, 0xd5, 0xf1, 0x84,
                0xdf, 0x9c, 0x25, 0x9a, 0x7c, 0x79
            ]
        );
        let sha256 = mac(HashAlgorithm::Sha256, key, &parts);
        assert_eq!(sha256.truncated(4), [0x5b, 0xdc, 0xc1, 0x46]);
        assert!(sha256.matches(sha256.as_slice()));
        assert!(!sha256.matches(sha256.truncated(16)));
        assert!(sha256.matches_truncated(16, sha256.truncated(16)));
        assert!(!sha256.matches_truncated(16, &[0; 16]));
        assert!(!sha256.matches_truncated(16, &[]));
    }
}
