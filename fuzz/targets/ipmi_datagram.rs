//! Any datagram through every parser of IPMI: no panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drydock_ipmi::fuzz::datagram(bytes));
