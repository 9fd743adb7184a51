//! Cryptography of RMCP+: HMACs, session keys, AES-CBC payloads and the source of random bytes.

pub(crate) mod cipher;
pub(crate) mod keys;
pub(crate) mod mac;
pub(crate) mod nonce;
