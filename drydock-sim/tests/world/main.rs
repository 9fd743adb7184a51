//! The simulated world through its public door: BMCs by IPMI, MaaS by HTTP, machines by what they call back.

#![allow(clippy::unwrap_used)]

mod api;
mod bmc;
mod door;
mod faults;
mod life;
mod network;
mod oauth;
mod redfish;
mod site;
mod states;
mod storage;
