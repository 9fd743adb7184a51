//! HTTP API v1.0.
//!
//! Purpose: the paths, JSON shapes and status codes that clients of Drydock know, over the store, the designs and the engine's views.
//!
//! Non-goals: no decision about machines is taken here; no SQL, no driver, no parser is named here.

pub mod error;
pub mod server;
pub mod state;
pub mod wire;

mod body;
mod page;
mod query;
mod request;
mod routes;

pub use routes::endpoints;
