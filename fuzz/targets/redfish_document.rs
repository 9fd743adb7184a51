//! Any answer of a Redfish service through everything that reads one: no panic, and any object is still a system.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drydock_drivers::redfish::fuzz::documents(bytes));
