//! Drivers: what turns a step into calls to a controller or a provisioner.
//!
//! Purpose: implementations of the model's `Driver` and `NodeProvisioner` ports for IPMI controllers, nodes without any
//! controller, and MaaS. Each observes, plans purely, and applies one change a call.
//!
//! Non-goals: no decision about what runs when (the engine's), no memory that outlives the process (the journal's), and
//! no packet to an address outside [`AllowNetworks`].

pub mod allow;
pub mod credential;
pub mod ipmi;
pub mod maas;
pub mod manual;

#[cfg(test)]
mod trial;

pub use allow::AllowNetworks;
