//! Boot actions: keys, rendering of assets, reports of deployed machines.

pub mod keys;
pub mod render;
pub mod service;
pub mod templates;

mod archive;
mod cache;
pub(crate) mod report;
