//! The product as its users meet it: the binary, real processes, simulators on loopback.

mod chaos;
mod clocks;
mod crash;
mod database;
mod db;
mod demo;
mod design;
mod ipmitool;
mod matrix;
mod oob;
mod operator;
mod outage;
mod plan;
mod processes;
mod redfish;
mod refusals;
mod rendering;
mod schema;
mod server;
mod tree;
mod validate;

// The program is no library, and what a server asks its renderers cannot be asked from outside.
#[allow(dead_code)]
#[path = "../../src/sandbox.rs"]
mod sandbox;
mod watch;
