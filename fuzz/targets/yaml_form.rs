//! Any text as a design in the yaml form: no panic, no hang, no refusal without a finding.
#![no_main]

use drydock_model::ingest::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drydock_fuzz::design(bytes, Format::Yaml));
