//! The product as its users meet it: the binary, real processes, simulators on loopback.

mod crash;
mod demo;
mod ipmitool;
mod processes;
mod refusals;
mod server;
