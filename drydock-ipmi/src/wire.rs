//! Bytes to messages and back. Nothing here keeps state, does I/O or panics on any input.

pub(crate) mod bytes;
pub(crate) mod envelope;
pub(crate) mod message;
pub(crate) mod open_session;
pub(crate) mod rakp;
pub(crate) mod status;
pub(crate) mod window;
