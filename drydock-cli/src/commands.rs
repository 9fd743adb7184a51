//! Commands that talk to a server.

pub mod design;
pub mod node;
pub mod task;
