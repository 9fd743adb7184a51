//! What is wanted of a node's out-of-band controller.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::task::word_enum;

word_enum!(
    /// From what a machine is to start.
    BootDevice, "boot device" {
        /// The network (PXE, HTTP boot).
        Network = "network",
        /// The first disk.
        Disk = "disk",
        /// A CD, often virtual media.
        Cd = "cd",
        /// The firmware's own set-up.
        Setup = "setup",
    }
);

word_enum!(
    /// What `oob_nodes` does, as requests name it.
    OobVerb, "verb" {
        /// Look: reachable, credentials, power, what the machine says of itself.
        Status = "status",
        /// Switch on.
        On = "on",
        /// Switch off.
        Off = "off",
        /// Switch off, wait until it is off, switch on.
        Cycle = "cycle",
        /// Set what it starts from next.
        Boot = "boot",
    }
);

/// The parameters of an `oob_nodes` task. Written as `{"verb": "boot", "device": "network"}`; other verbs have no device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub enum OobCommand {
    /// See [`OobVerb::Status`].
    Status,
    /// See [`OobVerb::On`].
    On,
    /// See [`OobVerb::Off`].
    Off,
    /// See [`OobVerb::Cycle`].
    Cycle,
    /// See [`OobVerb::Boot`].
    Boot(BootDevice),
}

impl OobCommand {
    /// Its verb.
    #[must_use]
    pub fn verb(self) -> OobVerb {
        match self {
            OobCommand::Status => OobVerb::Status,
            OobCommand::On => OobVerb::On,
            OobCommand::Off => OobVerb::Off,
            OobCommand::Cycle => OobVerb::Cycle,
            OobCommand::Boot(_) => OobVerb::Boot,
        }
    }

    /// Whether it takes away the power of a machine, so that what runs on it stops.
    #[must_use]
    pub fn interrupts(self) -> bool {
        matches!(self, OobCommand::Off | OobCommand::Cycle)
    }
}

impl fmt::Display for OobCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OobCommand::Boot(device) => write!(f, "boot {device}"),
            other => other.verb().fmt(f),
        }
    }
}

impl From<OobCommand> for Map<String, Value> {
    fn from(command: OobCommand) -> Self {
        let mut map = Map::new();
        map.insert("verb".into(), command.verb().as_str().into());
        if let OobCommand::Boot(device) = command {
            map.insert("device".into(), device.as_str().into());
        }
        map
    }
}

impl TryFrom<Map<String, Value>> for OobCommand {
    type Error = String;

    /// The error names the field and what it may be.
    fn try_from(mut map: Map<String, Value>) -> Result<Self, Self::Error> {
        let verb = word::<OobVerb>(&mut map, "verb")?
            .ok_or_else(|| format!("verb is missing; it is one of {}", words(OobVerb::ALL)))?;
        let device = word::<BootDevice>(&mut map, "device")?;
        if let Some(name) = map.keys().next() {
            return Err(format!("unknown field {name:?}; there are verb and device"));
        }
        match (verb, device) {
            (OobVerb::Boot, device) => Ok(OobCommand::Boot(device.unwrap_or(BootDevice::Network))),
            (verb, Some(_)) => Err(format!(
                "device: the verb {verb} takes none; only boot does"
            )),
            (OobVerb::Status, None) => Ok(OobCommand::Status),
            (OobVerb::On, None) => Ok(OobCommand::On),
            (OobVerb::Off, None) => Ok(OobCommand::Off),
            (OobVerb::Cycle, None) => Ok(OobCommand::Cycle),
        }
    }
}

/// A field that is a word, taken out; absent and null are the same.
fn word<T: FromStr<Err = String>>(
    map: &mut Map<String, Value>,
    name: &str,
) -> Result<Option<T>, String> {
    match map.shift_remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text
            .parse()
            .map(Some)
            .map_err(|error| format!("{name}: {error}")),
        Some(other) => Err(format!("{name}: a word is expected and not {other}")),
    }
}

fn words<T: fmt::Display>(all: &[T]) -> String {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_command_comes_back_as_it_was_written() {
        let mut all = vec![
            OobCommand::Status,
            OobCommand::On,
            OobCommand::Off,
            OobCommand::Cycle,
        ];
        all.extend(
            BootDevice::ALL
                .iter()
                .map(|device| OobCommand::Boot(*device)),
        );
        for command in all {
            let text = serde_json::to_string(&command).unwrap();
            let back: OobCommand = serde_json::from_str(&text).unwrap();
            assert_eq!(back, command, "{text}");
        }
        let plain: OobCommand = serde_json::from_value(json!({"verb": "boot"})).unwrap();
        assert_eq!(plain, OobCommand::Boot(BootDevice::Network));
        assert_eq!(
            json!(OobCommand::Boot(BootDevice::Cd)),
            json!({"verb": "boot", "device": "cd"})
        );
        assert_eq!(json!(OobCommand::Off), json!({"verb": "off"}));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (written, needle) in [
            (
                json!({}),
                "verb is missing; it is one of status, on, off, cycle, boot",
            ),
            (
                json!({"verb": "reboot"}),
                "known are status, on, off, cycle, boot",
            ),
            (json!({"verb": 1}), "verb: a word is expected"),
            (
                json!({"verb": "boot", "device": "floppy"}),
                "known are network, disk, cd, setup",
            ),
            (
                json!({"verb": "off", "device": "disk"}),
                "the verb off takes none",
            ),
            (
                json!({"verb": "on", "when": "now"}),
                "unknown field \"when\"",
            ),
        ] {
            let error = serde_json::from_value::<OobCommand>(written).unwrap_err();
            assert!(error.to_string().contains(needle), "{error}");
        }
    }
}
