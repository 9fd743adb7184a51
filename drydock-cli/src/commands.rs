//! Commands that talk to a server.

pub mod design;
mod finding;
pub mod node;
pub mod task;
