//! Drivers: what turns a step into calls to a controller or a provisioner.
//!
//! Purpose: implementations of the model's `Driver` and `NodeProvisioner` ports for IPMI and Redfish controllers, nodes
//! without any controller, and MaaS. Each observes, plans purely, and applies one change a call.
//!
//! Non-goals: no decision about what runs when (the engine's), no memory that outlives the process (the journal's), and
//! no packet to an address outside [`AllowNetworks`].

pub mod allow;
pub mod credential;
pub mod ipmi;
pub mod libvirt;
pub mod maas;
pub mod manual;
pub mod oob;
pub mod redfish;

#[cfg(test)]
mod trial;

pub use allow::AllowNetworks;
