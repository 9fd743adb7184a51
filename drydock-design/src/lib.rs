//! Design documents to the effective design, and what is to be said about it.
//!
//! Purpose: inheritance, aliases, route domains, filters ([`compile()`], [`select()`]), and every rule ([`validate()`], [`rules::ALL`]).
//! Beside it, what two designs differ in ([`diff`]) and what one looks like ([`graph`]). Pure and thread-safe, so that the command
//! line, the API, the engine and an editor share it. Nothing here panics on a bad design: what can be compiled is compiled, the rest
//! are findings.
//!
//! Non-goals: no I/O, no reading of YAML (that is `drydock-ingester`), no talk to any machine.

mod compile;
pub mod diff;
mod digest;
pub mod graph;
mod index;
mod inherit;
mod parallel;
mod report;
pub mod rules;
mod select;
pub mod size;
pub mod template;

pub use compile::{Compiled, Gaps, compile, compile_with, judge};
pub use digest::digest;
pub use rules::{validate, validate_with};
pub use select::{FilterError, select};
