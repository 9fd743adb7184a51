//! The client's side of a session as state machines without I/O: datagrams in, datagrams out.

pub(crate) mod active;
pub(crate) mod login;
