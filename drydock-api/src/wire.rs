//! Shapes on the wire, as clients know them.

pub mod status;
pub mod task;
