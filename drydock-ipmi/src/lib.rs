//! IPMI 2.0 over RMCP+ for provisioning: power and boot device of a machine through its BMC.
//!
//! # Purpose
//!
//! - [`Client::connect`] opens a [`Session`] over UDP with cipher suite 17 or 3; its methods read and control the
//!   chassis and the boot device, and read what the machine says of itself: FRU inventory, event log, sensors, network
//!   settings. One command is under way at a time, by construction.
//! - [`bmc`] is the other side: a BMC for simulators, which standard tools such as `ipmitool` take for a real one.
//!
//! # How it is built
//!
//! Bytes to messages (`wire`), keys (`crypto`) and both halves of a session (`session`, [`bmc::Bmc`]) do no I/O, know no
//! clock and panic on no input. The tokio parts, `client` and [`bmc::serve`], only send, receive and wait.
//!
//! A datagram counts as an answer only when it is authentic, its session sequence number is new and within the window,
//! and rqSeq, network function and command are those of the outstanding request. Everything else is dropped and the wait
//! goes on, so a duplicated or late answer never stands for another question.
//!
//! A wrong password costs one login attempt, never more: BMCs lock accounts.
//!
//! # Non-goals
//!
//! IPMI v1.5 sessions, suites without authentication or encryption, serial over LAN, bridging to other controllers, writing
//! to event log, inventory or sensors, ASF presence ping. Retrying whole operations, pacing and comparing what was read back with what was
//! asked for belong to the driver that uses this crate.
//!
//! Section numbers in this crate are those of "IPMI Intelligent Platform Management Interface Specification Second
//! Generation v2.0", revision 1.1.

pub mod bmc;
mod client;
mod command;
mod completion;
mod crypto;
mod error;
pub mod fuzz;
mod privilege;
mod session;
mod suite;
mod wire;

pub use client::{Client, Session, Target, Traffic, TrafficSnapshot};
pub use command::boot::{BootDevice, BootMode, BootOptions, Persistence};
pub use command::chassis::{ChassisStatus, Control, RestorePolicy};
pub use command::conversion::{Conversion, RawFormat, Unit};
pub use command::device::DeviceId;
pub use command::fru::{FruArea, FruBoard, FruChassis, FruInventory, FruProduct};
pub use command::lan::{AddressSource, LanConfiguration, OwnSession, SessionInfo};
pub use command::sdr::{FruLocator, SdrBody, SdrRecord, SensorRecord, Sharing};
pub use command::sel::{SelEntry, SelEvent, SelInfo, SelRecord};
pub use command::sensor::{Sensor, SensorReading};
pub use command::states::{Condition, SensorType};
pub use command::thresholds::Thresholds;
pub use completion::CompletionCode;
pub use error::{AuthRefusal, Error};
pub use privilege::Privilege;
pub use suite::{Algorithms, CipherSuite, HashAlgorithm};
pub use wire::status::HandshakeStatus;

#[cfg(test)]
mod robustness;
