//! Boot devices and boot overrides, in the words that the journal keeps.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a machine can be told to boot from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BootDevice {
    /// The network card.
    #[default]
    #[serde(rename = "pxe")]
    Network,
    /// The default disk.
    #[serde(rename = "disk")]
    Disk,
    /// The CD drive, perhaps a virtual one.
    #[serde(rename = "cd")]
    Cdrom,
    /// The set-up of the firmware.
    #[serde(rename = "setup")]
    Setup,
}

impl From<drydock_model::oob::BootDevice> for BootDevice {
    fn from(wanted: drydock_model::oob::BootDevice) -> Self {
        use drydock_model::oob::BootDevice as Wanted;
        match wanted {
            Wanted::Network => BootDevice::Network,
            Wanted::Disk => BootDevice::Disk,
            Wanted::Cd => BootDevice::Cdrom,
            Wanted::Setup => BootDevice::Setup,
        }
    }
}

impl BootDevice {
    /// All of them.
    pub const ALL: [BootDevice; 4] = [
        BootDevice::Network,
        BootDevice::Disk,
        BootDevice::Cdrom,
        BootDevice::Setup,
    ];

    /// The word that the journal keeps.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            BootDevice::Network => "pxe",
            BootDevice::Disk => "disk",
            BootDevice::Cdrom => "cd",
            BootDevice::Setup => "setup",
        }
    }

    /// As in "set network boot".
    #[must_use]
    pub fn boot(self) -> &'static str {
        match self {
            BootDevice::Network => "network boot",
            BootDevice::Disk => "boot from disk",
            BootDevice::Cdrom => "boot from CD",
            BootDevice::Setup => "boot into the firmware's set-up",
        }
    }

    /// As in "boots from the network".
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            BootDevice::Network => "from the network",
            BootDevice::Disk => "from its disk",
            BootDevice::Cdrom => "from its CD drive",
            BootDevice::Setup => "into its firmware's set-up",
        }
    }
}

/// What a boot override points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Override {
    /// There is none: the firmware's own order counts.
    None,
    /// A device that we never ask for.
    Another,
    /// This device.
    To(BootDevice),
}

impl Override {
    /// The word that the journal keeps.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Override::None => "none",
            Override::Another => "another",
            Override::To(device) => device.word(),
        }
    }
}

impl From<Override> for &'static str {
    fn from(it: Override) -> Self {
        it.word()
    }
}

impl TryFrom<String> for Override {
    type Error = String;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        let devices = BootDevice::ALL.map(Override::To);
        [Override::None, Override::Another]
            .into_iter()
            .chain(devices)
            .find(|it| it.word() == word)
            .ok_or_else(|| format!("{word:?} is no boot device"))
    }
}

/// The boot override of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// What it points at.
    pub device: Override,
    /// Whether the machine boots by UEFI then; `None`: the controller does not say.
    pub uefi: Option<bool>,
    /// Whether it holds for every boot, or for the next one only.
    pub persistent: bool,
    /// Image to put into a virtual CD drive before; a controller that is read tells none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
}

impl Boot {
    /// Whether this device is what comes next. How, and for how long, is left out.
    #[must_use]
    pub fn boots(&self, device: Override) -> bool {
        self.device == device
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let firmware = match self.uefi {
            Some(true) => "UEFI, ",
            Some(false) => "legacy, ",
            None => "",
        };
        let how_long = if self.persistent { "always" } else { "once" };
        write!(
            f,
            "boot device {} ({firmware}{how_long})",
            self.device.word()
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn the_words_of_the_journal_are_read_back() {
        let all = BootDevice::ALL.map(Override::To);
        for device in [Override::None, Override::Another].into_iter().chain(all) {
            let boot = Boot {
                device,
                uefi: Some(true),
                persistent: false,
                media: None,
            };
            let stored = serde_json::to_value(&boot).unwrap();
            assert_eq!(stored["device"], device.word());
            assert_eq!(serde_json::from_value::<Boot>(stored).unwrap(), boot);
            if let Override::To(device) = device {
                assert_eq!(json!(device), json!(device.word()));
            }
        }
        let odd = json!({"device": "floppy", "uefi": null, "persistent": false});
        assert!(serde_json::from_value::<Boot>(odd).is_err());
    }
}
