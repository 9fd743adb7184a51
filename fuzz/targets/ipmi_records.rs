//! Any response data, inventory or log record of IPMI through every parser: no panic, and what was read can be written again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drydock_ipmi::fuzz::records(bytes));
