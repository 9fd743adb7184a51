//! Boot actions: keys, rendering of assets, reports of deployed machines.

pub mod keys;
pub mod render;
pub mod service;

mod archive;
mod cache;
mod context;
pub(crate) mod report;
