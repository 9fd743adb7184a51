//! HardwareProfile as written.

use serde::Deserialize;

use super::scalar::{Ordered, Scalar};
use crate::effective::FirmwareMode;

/// A HardwareProfile.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HardwarePart {
    /// Vendor.
    pub vendor: Option<String>,
    /// Generation.
    pub generation: Option<String>,
    /// Version within the generation.
    pub hw_version: Option<String>,
    /// Certified firmware version.
    pub bios_version: Option<String>,
    /// Firmware mode.
    pub boot_mode: Option<FirmwareMode>,
    /// `pxe`, `usb`, `hdd`.
    pub bootstrap_protocol: Option<BootstrapProtocol>,
    /// Which interface boots from the network, as the controller counts.
    pub pxe_interface: Option<i64>,
    /// Aliases of devices.
    pub device_aliases: Option<Ordered<AliasPart>>,
    /// Sets of CPUs for kernel parameters.
    pub cpu_sets: Option<Ordered<Scalar>>,
    /// Huge pages for kernel parameters.
    pub hugepages: Option<Ordered<HugepagesPart>>,
}

/// How the machine boots for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BootstrapProtocol {
    /// Network.
    Pxe,
    /// USB.
    Usb,
    /// Disk.
    Hdd,
}

impl BootstrapProtocol {
    /// As documents write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BootstrapProtocol::Pxe => "pxe",
            BootstrapProtocol::Usb => "usb",
            BootstrapProtocol::Hdd => "hdd",
        }
    }
}

/// What an alias stands for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AliasPart {
    /// Address on the bus, or `regexp:...`.
    pub address: Option<String>,
    /// Bus.
    pub bus_type: Option<String>,
    /// Expected model.
    pub dev_type: Option<String>,
}

/// Huge pages.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct HugepagesPart {
    /// Size as the kernel wants it.
    pub size: Option<String>,
    /// How many.
    pub count: Option<i64>,
}
