//! Commands that talk to a server, and `db`, which needs none.

pub mod db;
pub mod design;
pub mod finding;
mod journal;
pub mod node;
pub mod oob;
pub mod plan;
pub mod task;
