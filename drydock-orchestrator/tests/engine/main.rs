//! The engine over a real store, with a driver whose world is a few counters: what is done, what is done again, and what is not.
#![allow(clippy::unwrap_used)]

mod bench;
mod crash;
mod pure;
mod simulated;
mod steps;
mod verdicts;
mod waves;
