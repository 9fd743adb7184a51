//! The drivers against the simulated world: BMCs, a MaaS region, machines that boot.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "world/inventory.rs"]
mod inventory;
#[path = "world/ipmi.rs"]
mod ipmi;
#[path = "world/maas.rs"]
mod maas;
#[path = "world/maas_config.rs"]
mod maas_config;
#[path = "world/maas_faults.rs"]
mod maas_faults;
#[path = "world/maas_identity.rs"]
mod maas_identity;
#[path = "world/run.rs"]
mod run;
#[path = "world/site.rs"]
mod site;
