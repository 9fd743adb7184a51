//! A MaaS region on loopback: the 2.0 REST API over HTTP, stateful, as recorded from real servers.
//!
//! Not simulated: the nodes' own metadata API (machines tell the region by function call), zones and pools other than
//! `default`, users other than `admin`, node timeouts, RAID and bcache, the `/v2` and `/v3` APIs.

mod account;
mod address;
mod boot_images;
mod details;
mod events;
mod fabric;
mod form;
mod interface;
mod interface_ops;
mod layout;
mod lifecycle;
mod machine_ops;
mod node;
mod oauth;
mod region;
mod render;
mod repository;
mod request;
mod results;
mod router;
mod server;
mod status;
mod storage;
mod storage_ops;
mod subnet;
mod tag;

pub(crate) use oauth::ApiKey;
pub(crate) use region::{PowerWire, SharedRegion};
pub(crate) use server::{Door, serve};
