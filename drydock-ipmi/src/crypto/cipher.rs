//! AES-CBC-128 payloads with the confidentiality trailer (IPMI v2.0 section 13.29).

use aes::Aes128;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};

/// Length in bytes of an AES block, of its key and of the initialization vector in front of a payload.
pub(crate) const BLOCK: usize = 16;

/// Initialization vector, then the encrypted data with its trailer: pad bytes 1, 2, 3, ... and their number.
pub(crate) fn encrypt(key: &[u8; BLOCK], iv: [u8; BLOCK], plain: &[u8]) -> Vec<u8> {
    let pad = (BLOCK - (plain.len() + 1) % BLOCK) % BLOCK;
    let mut padded = Vec::with_capacity(plain.len() + BLOCK);
    padded.extend_from_slice(plain);
    padded.extend((1u8..).take(pad));
    padded.extend(u8::try_from(pad));
    let mut out = Vec::with_capacity(BLOCK + padded.len());
    out.extend_from_slice(&iv);
    out.extend(
        cbc::Encryptor::<Aes128>::new(key.into(), (&iv).into())
            .encrypt_padded_vec::<NoPadding>(&padded),
    );
    out
}

/// The data of an encrypted payload without its trailer; `None` where it cannot be one.
///
/// The pad bytes themselves are not looked at: the packet is authenticated before it is decrypted, and some BMCs
/// fill the pad with something else.
pub(crate) fn decrypt(key: &[u8; BLOCK], payload: &[u8]) -> Option<Vec<u8>> {
    let (iv, body) = payload.split_first_chunk::<BLOCK>()?;
    if body.is_empty() {
        return None;
    }
    let mut plain = cbc::Decryptor::<Aes128>::new(key.into(), iv.into())
        .decrypt_padded_vec::<NoPadding>(body)
        .ok()?;
    let pad = usize::from(plain.pop()?);
    if pad >= BLOCK {
        return None;
    }
    let len = plain.len().checked_sub(pad)?;
    plain.truncate(len);
    Some(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_length_comes_back() {
        let key = [7; BLOCK];
        for len in 0..70u8 {
            let plain: Vec<u8> = (0..len).collect();
            let sealed = encrypt(&key, [len; BLOCK], &plain);
            assert_eq!(sealed.len() % BLOCK, 0);
            assert_eq!(decrypt(&key, &sealed).unwrap(), plain);
        }
    }

    #[test]
    fn what_is_no_payload_is_refused() {
        let key = [7; BLOCK];
        assert_eq!(decrypt(&key, &[]), None);
        assert_eq!(decrypt(&key, &[0; BLOCK]), None);
        assert_eq!(decrypt(&key, &[0; BLOCK + 3]), None);
    }
}
