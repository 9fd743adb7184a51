//! Any datagrams to a client with an IPMI command under way: none counts as the answer.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drydock_ipmi::fuzz::client_session(bytes));
