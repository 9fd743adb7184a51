//! The outside world of a site on loopback: BMCs, a MaaS region, and machines that boot, install and call back.
//!
//! Purpose: `drydock demo`, `drydock sim` and the tests speak the real protocols (IPMI 2.0 over UDP, Redfish
//! over HTTP and TLS, the MaaS 2.0 REST
//! API, HTTP call-backs) to something that behaves as the recorded real servers did, in one process and without any
//! packet outside 127.0.0.0/8 and ::1. Start a [`World`] from a [`SiteShape`]; break it with [`Faults`]; read what was
//! done to it from its [`CallLog`].
//!
//! Not its purpose: to know what drydock wants. Nothing here reads a site design; what a machine does follows only from
//! what its BMC and MaaS were told.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bmc;
mod call_log;
mod error;
mod faults;
mod maas;
mod machine;
mod port;
mod redfish;
mod shape;
mod stand_in;
mod timing;
mod world;

pub use call_log::{Call, CallLog, Entry, Origin};
pub use error::SimError;
pub use faults::{
    Accepted, BmcFaults, Etags, Faults, MaasFault, MachineFaults, RedfishFaults, Vendor,
};
pub use machine::core::Phase;
pub use machine::{CallBackState, MachineState};
pub use shape::{BmcKind, DiskShape, MachineShape, NicShape, SiteShape, Transport};
pub use timing::{Timing, Wait};
pub use world::World;
