//! Where documents and assets come from: `file:`, `http(s):`, `deckhand+http(s):` and `promenade+http(s):` references.
//!
//! Purpose: [`Fetcher`] implements the model's [`References`](drydock_model::reference::References) port within the
//! limits that the operator set - what may be named at all (`design.allow_refs`), where a host really is
//! (`references.map`), how large an answer may be and how long it may take. What stands behind Keystone is asked with a
//! token (`references.keystone`), which goes nowhere else.
//!
//! Scope: one reference in, its bytes out. What the bytes mean is the ingester's business; `design:<uuid>` names a design
//! in the store and never reaches this crate.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod allow;
mod fetcher;
mod file;
mod host_map;
mod http;
mod keystone;
mod location;
mod retry;
mod settings;
mod web;

pub use fetcher::Fetcher;
pub use settings::{KeystoneSettings, ReferenceSettings};
