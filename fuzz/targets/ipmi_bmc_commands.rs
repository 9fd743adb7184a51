//! Any IPMI commands within a session: each gets one answer.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drydock_ipmi::fuzz::bmc_commands(bytes));
