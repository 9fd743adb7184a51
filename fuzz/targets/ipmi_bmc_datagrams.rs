//! Any datagrams to a BMC with a session open: no panic, and the session survives.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drydock_ipmi::fuzz::bmc_datagrams(bytes));
