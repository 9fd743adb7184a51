//! The HTTP API through its front door: a server on a free port of 127.0.0.1, a real store, a real engine, a real client.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "api/bootactions.rs"]
mod bootactions;
#[path = "api/builddata.rs"]
mod builddata;
#[path = "api/client.rs"]
mod client;
#[path = "api/confirm.rs"]
mod confirm;
#[path = "api/designs.rs"]
mod designs;
#[path = "api/endpoints.rs"]
mod endpoints;
#[path = "api/events.rs"]
mod events;
#[path = "api/every_request.rs"]
mod every_request;
#[path = "api/health.rs"]
mod health;
#[path = "api/lists.rs"]
mod lists;
#[path = "api/nodes.rs"]
mod nodes;
#[path = "api/oob.rs"]
mod oob;
#[path = "api/parts.rs"]
mod parts;
#[path = "api/plans.rs"]
mod plans;
#[path = "api/provisioner.rs"]
mod provisioner;
#[path = "api/raw.rs"]
mod raw;
#[path = "api/retry.rs"]
mod retry;
#[path = "api/server.rs"]
mod server;
#[path = "api/strategy.rs"]
mod strategy;
#[path = "api/tasks.rs"]
mod tasks;
#[path = "api/validation.rs"]
mod validation;
