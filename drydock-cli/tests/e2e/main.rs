//! The product as its users meet it: the binary, real processes, simulators on loopback.

mod crash;
mod db;
mod demo;
mod design;
mod ipmitool;
mod processes;
mod refusals;
mod schema;
mod server;
mod tree;
mod validate;
