//! HardwareProfile as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::{Ordered, Scalar};
use super::schema::pattern;
use crate::effective::FirmwareMode;

/// A model of hardware: its firmware, and names for its devices.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HardwarePart {
    /// Maker of the machine. Example: `Dell`.
    pub vendor: Option<String>,
    /// Generation of the chassis model. Example: `'8'`.
    pub generation: Option<String>,
    /// Version of the chassis model within its generation. Example: `'3'`.
    pub hw_version: Option<String>,
    /// Firmware version that the model is certified with. Example: `2.2.3`.
    pub bios_version: Option<String>,
    /// Firmware mode that machines boot in: `bios` (default) or `uefi`.
    pub boot_mode: Option<FirmwareMode>,
    /// How machines boot to be provisioned: `pxe`, `usb` or `hdd`.
    pub bootstrap_protocol: Option<BootstrapProtocol>,
    /// Which interface boots from the network, as the controller counts, from 0.
    #[schemars(extend("minimum" = 0, "maximum" = 4_294_967_295_u32, "examples" = [0]))]
    pub pxe_interface: Option<i64>,
    /// Names for devices, by which profiles and nodes speak of them whatever the hardware.
    pub device_aliases: Option<Ordered<AliasPart>>,
    /// Named sets of CPUs, for kernel parameters: `hardwareprofile:cpuset.NAME`. Example: `sriov: '2,4'`.
    #[schemars(extend("format" = "cpu-list"))]
    pub cpu_sets: Option<Ordered<Scalar>>,
    /// Named settings of huge pages, for kernel parameters: `hardwareprofile:hugepages.NAME.size` and `.count`.
    pub hugepages: Option<Ordered<HugepagesPart>>,
}

/// How the machine boots for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BootstrapProtocol {
    /// From the network.
    Pxe,
    /// From a USB medium.
    Usb,
    /// From its disk.
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

/// The device that an alias stands for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AliasPart {
    /// Address on the bus, or `regexp:` and a regular expression. Example: `'0000:00:03.0'` on PCI, `'2:0.0.0'` on SCSI.
    #[schemars(required, length(min = 1), extend("x-required" = true, "examples" = ["0000:00:03.0", "2:0.0.0"], "x-unique" = "value"))]
    pub address: Option<String>,
    /// The bus. Example: `pci`, `scsi`, `virtio`.
    #[schemars(required, length(min = 1), extend("x-required" = true, "examples" = ["pci", "scsi", "virtio", "usb"]))]
    pub bus_type: Option<String>,
    /// The device that is expected there, as the hardware inventory names it. Example: `82540EM Gigabit Ethernet Controller`.
    pub dev_type: Option<String>,
}

/// Huge pages, as kernel parameters take them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HugepagesPart {
    /// Size of one page, as the kernel wants it: a number with `K`, `M` or `G`. Example: `1G`, `2M`.
    #[schemars(extend("pattern" = pattern::HUGEPAGE, "x-needed" = true, "examples" = ["2M", "1G"]))]
    pub size: Option<String>,
    /// How many pages are set aside, from 0. Example: `300`.
    #[schemars(extend("minimum" = 0, "x-needed" = true, "examples" = [300]))]
    pub count: Option<i64>,
}
