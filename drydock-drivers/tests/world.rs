//! The drivers against the simulated world: BMCs, a MaaS region, machines that boot.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "world/inventory.rs"]
mod inventory;
#[path = "world/ipmi.rs"]
mod ipmi;
#[path = "world/libvirt.rs"]
mod libvirt;
#[path = "world/maas.rs"]
mod maas;
#[path = "world/maas_config.rs"]
mod maas_config;
#[path = "world/maas_faults.rs"]
mod maas_faults;
#[path = "world/maas_identity.rs"]
mod maas_identity;
#[path = "world/redfish.rs"]
mod redfish;
#[path = "world/redfish_faults.rs"]
mod redfish_faults;
#[path = "world/redfish_media.rs"]
mod redfish_media;
#[path = "world/redfish_odd.rs"]
mod redfish_odd;
#[path = "world/run.rs"]
mod run;
#[path = "world/shared.rs"]
mod shared;
#[path = "world/site.rs"]
mod site;
#[path = "world/sushy_tools.rs"]
mod sushy_tools;
