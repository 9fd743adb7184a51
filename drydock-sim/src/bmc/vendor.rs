//! Peculiarities of BMCs by who makes them, as data.
//!
//! Sources: OpenBMC's missing boot parameter 3 and Supermicro's device selector are what their firmware does on the wire; those
//! of pyghmi's BMC and of ipmi_sim were found by running them; [`Vendor::Minimal`] collects what single BMCs of several makers do.

use drydock_ipmi::CipherSuite;
use drydock_ipmi::bmc::{BmcConfig, Quirks};

use crate::faults::Vendor;

/// Bit of the first byte of the boot flags: UEFI.
const EFI: u8 = 0x20;
/// Bits of the second byte that name the device; "disk", and what Supermicro has in its place under UEFI.
const DEVICE: u8 = 0x3c;
const DISK: u8 = 0x08;
const SUPERMICRO_UEFI_DISK: u8 = 0x24;

/// Sets a BMC up as this vendor would.
pub(super) fn apply(vendor: Vendor, mut config: BmcConfig) -> BmcConfig {
    match vendor {
        Vendor::Plain
        | Vendor::Supermicro
        | Vendor::Idrac
        | Vendor::Ilo
        | Vendor::Xcc
        | Vendor::SushyTools => {}
        Vendor::Minimal => {
            config.quirks = Quirks {
                short_device_id: true,
                no_set_in_progress: true,
                no_flag_clearing: true,
                keeps_only_boot_device: true,
                privilege_zero: true,
                largest_read: Some(16),
                ..Quirks::default()
            };
        }
        Vendor::Openbmc => config.quirks.no_flag_clearing = true,
        Vendor::Pyghmi => {
            config.suites = vec![CipherSuite::Suite3];
            config.quirks.counter_offers_suite = true;
        }
        Vendor::IpmiSim => {
            config.suites = vec![CipherSuite::Suite3];
            config.quirks.runs_repeated_packets = true;
        }
    }
    config
}

/// The maker's IANA enterprise number; 0 is nobody's.
pub(super) fn manufacturer(vendor: Vendor) -> u32 {
    match vendor {
        Vendor::Supermicro => 10_876,
        _ => 0,
    }
}

/// Whether the chassis command "cycle" is refused.
pub(super) fn lacks_cycle(vendor: Vendor) -> bool {
    vendor == Vendor::Pyghmi
}

fn exchange(flags: [u8; 5], from: u8, to: u8) -> [u8; 5] {
    let [first, second, rest @ ..] = flags;
    if first & EFI == 0 || second & DEVICE != from {
        return flags;
    }
    let [c, d, e] = rest;
    [first, second & !DEVICE | to, c, d, e]
}

/// The boot flags as this vendor shows them.
pub(super) fn shown_flags(vendor: Vendor, flags: [u8; 5]) -> [u8; 5] {
    match vendor {
        Vendor::Supermicro => exchange(flags, DISK, SUPERMICRO_UEFI_DISK),
        _ => flags,
    }
}

/// The boot flags that a machine understands, from those that this vendor was told.
pub(super) fn kept_flags(vendor: Vendor, flags: [u8; 5]) -> [u8; 5] {
    match vendor {
        Vendor::Supermicro => exchange(flags, SUPERMICRO_UEFI_DISK, DISK),
        _ => flags,
    }
}
