//! System boot options (IPMI v2.0 sections 28.12 and 28.13, parameters of table 28-14).

use std::fmt;

/// Parameter 0: set in progress.
pub(crate) const SET_IN_PROGRESS: u8 = 0;
/// Parameter 3: when the BMC clears the boot flags by itself.
pub(crate) const FLAG_CLEARING: u8 = 3;
/// Parameter 4: who has seen the boot flags.
pub(crate) const ACKNOWLEDGE: u8 = 4;
/// Parameter 5: boot flags.
pub(crate) const FLAGS: u8 = 5;
/// Parameter 3, bit 3: keep the flags even when no chassis control follows within 60 seconds.
pub(crate) const KEEP_WITHOUT_CONTROL: u8 = 0x08;

const VALID: u8 = 0x80;
const PERSISTENT: u8 = 0x40;
const EFI: u8 = 0x20;

/// From where a system boots (table 28-14, parameter 5, data 2, bits 5 to 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BootDevice {
    /// No override: the firmware's own order.
    None,
    /// Network.
    Pxe,
    /// Default hard disk.
    Disk,
    /// CD or DVD, often virtual media.
    Cd,
    /// Firmware set-up.
    Bios,
}

impl BootDevice {
    /// The device selector, in place in data 2.
    const fn selector(self) -> u8 {
        match self {
            Self::None => 0x00,
            Self::Pxe => 0x04,
            Self::Disk => 0x08,
            Self::Cd => 0x14,
            Self::Bios => 0x18,
        }
    }

    /// 0x24 is what Supermicro firmware wants and shows for the disk under UEFI.
    const fn from_selector(selector: u8, mode: BootMode) -> Option<BootDevice> {
        match (selector, mode) {
            (0x00, _) => Some(Self::None),
            (0x04, _) => Some(Self::Pxe),
            (0x08, _) | (0x24, BootMode::Uefi) => Some(Self::Disk),
            (0x14, _) => Some(Self::Cd),
            (0x18, _) => Some(Self::Bios),
            _ => None,
        }
    }
}

impl fmt::Display for BootDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no override",
            Self::Pxe => "PXE",
            Self::Disk => "disk",
            Self::Cd => "CD",
            Self::Bios => "BIOS set-up",
        })
    }
}

/// Which firmware interface the boot uses (data 1, bit 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BootMode {
    /// PC compatible ("legacy").
    Bios,
    /// UEFI.
    Uefi,
}

/// For how long a boot override holds (data 1, bit 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Persistence {
    /// For the next boot only.
    Once,
    /// Until it is changed.
    Persistent,
}

/// The boot flags, parameter 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootOptions {
    /// Whether the flags are in force at all. A BMC clears this after the boot that used them.
    pub valid: bool,
    /// Device; `None` where the BMC names one this crate has no name for (see [`BootOptions::raw`]).
    pub device: Option<BootDevice>,
    /// Firmware interface.
    pub mode: BootMode,
    /// Once or until changed.
    pub persistence: Persistence,
    /// The five data bytes as they are.
    pub raw: [u8; 5],
}

impl BootOptions {
    /// Flags that are in force.
    pub fn new(device: BootDevice, mode: BootMode, persistence: Persistence) -> Self {
        let mut first = VALID;
        if persistence == Persistence::Persistent {
            first |= PERSISTENT;
        }
        if mode == BootMode::Uefi {
            first |= EFI;
        }
        Self {
            valid: true,
            device: Some(device),
            mode,
            persistence,
            raw: [first, device.selector(), 0, 0, 0],
        }
    }

    /// From the five data bytes of parameter 5.
    pub fn from_raw(raw: [u8; 5]) -> Self {
        let [first, second, ..] = raw;
        let mode = if first & EFI != 0 {
            BootMode::Uefi
        } else {
            BootMode::Bios
        };
        Self {
            valid: first & VALID != 0,
            device: BootDevice::from_selector(second & 0x3c, mode),
            mode,
            persistence: if first & PERSISTENT != 0 {
                Persistence::Persistent
            } else {
                Persistence::Once
            },
            raw,
        }
    }

    /// From response data after the completion code: parameter version, parameter, data. BMCs that keep only the
    /// device send fewer bytes than five; what is missing is 0.
    pub(crate) fn decode(data: &[u8]) -> Option<Self> {
        let (header, flags) = data.split_first_chunk::<2>()?;
        if header[1] & 0x7f != FLAGS || flags.len() < 2 {
            return None;
        }
        let mut raw = [0u8; 5];
        for (to, from) in raw.iter_mut().zip(flags) {
            *to = *from;
        }
        Some(Self::from_raw(raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BootDevice::{Bios, Cd, Disk, Pxe};
    use BootMode::Uefi;
    use Persistence::{Once, Persistent};

    #[test]
    fn flags_are_what_bmcs_expect() {
        let table = [
            (Pxe, Uefi, Once, [0xa0, 0x04]),
            (Pxe, Uefi, Persistent, [0xe0, 0x04]),
            (Pxe, BootMode::Bios, Once, [0x80, 0x04]),
            (Pxe, BootMode::Bios, Persistent, [0xc0, 0x04]),
            (Disk, Uefi, Persistent, [0xe0, 0x08]),
            (Bios, BootMode::Bios, Once, [0x80, 0x18]),
            (Cd, BootMode::Bios, Once, [0x80, 0x14]),
            (BootDevice::None, BootMode::Bios, Once, [0x80, 0x00]),
        ];
        for (device, mode, persistence, [first, second]) in table {
            let options = BootOptions::new(device, mode, persistence);
            assert_eq!(options.raw, [first, second, 0, 0, 0]);
            assert_eq!(BootOptions::from_raw(options.raw), options);
        }
    }

    #[test]
    fn what_some_bmcs_answer() {
        let supermicro = BootOptions::from_raw([0xe0, 0x24, 0, 0, 0]);
        assert_eq!(supermicro.device, Some(Disk));
        let unknown = BootOptions::from_raw([0x80, 0x3c, 0, 0, 0]);
        assert_eq!(unknown.device, None);
        assert_eq!(BootOptions::decode(&[1, 4, 0, 0]), None);
        assert_eq!(BootOptions::decode(&[1]), None);
        let short = BootOptions::decode(&[1, 5, 0x80, 4]);
        assert_eq!(short.and_then(|options| options.device), Some(Pxe));
    }
}
