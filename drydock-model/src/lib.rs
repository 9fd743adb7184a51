//! The vocabulary of Drydock and the ports that its rooms meet at.
//!
//! Purpose: one place for what everybody talks about - design parts, the effective design, tasks, steps, changes,
//! findings, ids - and for the traits that stores, drivers, ingesters and reference resolvers implement.
//!
//! Non-goals: no I/O, no framework, no policy. Nothing in here opens a socket or a file, and nothing here knows how a
//! plan is made or where a task is stored.

pub mod boot;
pub mod build_data;
pub mod change;
pub mod clock;
pub mod design;
pub mod driver;
pub mod effective;
pub mod event;
pub mod filter;
pub mod finding;
pub mod forecast;
pub mod id;
pub mod ingest;
pub mod oob;
pub mod operator;
pub mod reference;
pub mod step;
pub mod store;
pub mod strategy;
pub mod task;
pub mod tree;
