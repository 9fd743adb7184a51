//! Any datagrams to a client in the midst of an IPMI login: no panic, no hang, no session without the password.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drydock_ipmi::fuzz::client_login(bytes));
