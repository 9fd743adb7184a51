//! The `Boot` object of a computer system (DSP0268, ComputerSystem), and the boot flags that are behind it.

use serde_json::{Map, Value, json};

use super::answer::Reply;
use super::quirks::Ways;

/// Boot flags as IPMI has them (IPMI v2.0 table 28-14, parameter 5): what the machine keeps.
pub(super) type Flags = [u8; 5];

const VALID: u8 = 0x80;
const PERSISTENT: u8 = 0x40;
const UEFI: u8 = 0x20;
const DEVICE: u8 = 0x3c;

const TARGET: &str = "BootSourceOverrideTarget";
const ENABLED: &str = "BootSourceOverrideEnabled";
const MODE: &str = "BootSourceOverrideMode";

/// Targets by the device selector that they are.
const TARGETS: [(&str, u8); 7] = [
    ("None", 0x00),
    ("Pxe", 0x04),
    ("Hdd", 0x08),
    ("Diags", 0x10),
    ("Cd", 0x14),
    ("BiosSetup", 0x18),
    ("Usb", 0x3c),
];

/// The object as it is shown.
pub(super) fn shown(flags: Flags, ways: &Ways) -> Value {
    let [first, second, ..] = flags;
    let enabled = match (first & VALID != 0, first & PERSISTENT != 0) {
        (false, _) => "Disabled",
        (true, false) => "Once",
        (true, true) => "Continuous",
    };
    let target = TARGETS
        .iter()
        .find(|(_, device)| first & VALID != 0 && *device == second & DEVICE)
        .map_or("None", |(name, _)| name);
    let targets: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    json!({
        ENABLED: enabled,
        format!("{ENABLED}@Redfish.AllowableValues"): lengths(ways),
        MODE: mode(flags),
        format!("{MODE}@Redfish.AllowableValues"): ["Legacy", "UEFI"],
        TARGET: target,
        format!("{TARGET}@Redfish.AllowableValues"): targets,
    })
}

/// Legacy only where it was asked for: an override that is off has no mode of its own.
fn mode([first, ..]: Flags) -> &'static str {
    if first & VALID != 0 && first & UEFI == 0 {
        "Legacy"
    } else {
        "UEFI"
    }
}

fn lengths(ways: &Ways) -> Vec<&'static str> {
    let mut lengths = vec!["Disabled", "Once"];
    if !ways.is.refuses_continuous {
        lengths.push("Continuous");
    }
    lengths
}

/// The flags that a change of the object leads to, or why it is refused.
pub(super) fn changed(
    flags: Flags,
    change: &Map<String, Value>,
    ways: &Ways,
) -> Result<Flags, Reply> {
    let now = shown(flags, ways);
    let mut wanted = now.clone();
    for (name, value) in change {
        let known: Vec<&str> = match name.as_str() {
            TARGET => TARGETS.iter().map(|(name, _)| *name).collect(),
            ENABLED => lengths(ways),
            MODE => vec!["Legacy", "UEFI"],
            other => {
                return Err(Reply::refusal(
                    400,
                    "Base.1.18.PropertyUnknown",
                    format!(
                        "The property {other} is not in the list of valid properties for the resource."
                    ),
                ));
            }
        };
        if !value.as_str().is_some_and(|value| known.contains(&value)) {
            return Err(Reply::not_in_list(name, value));
        }
        if ways.is.refuses_unchanged && now.get(name) == Some(value) {
            return Err(Reply::refusal(
                400,
                "Base.1.18.PropertyValueConflict",
                format!("The property {name} has the value {value} already."),
            ));
        }
        if let Some(field) = wanted.get_mut(name) {
            field.clone_from(value);
        }
    }
    if ways.is.wants_whole_boot
        && let Some(missing) = [TARGET, ENABLED, MODE]
            .into_iter()
            .find(|name| !change.contains_key(*name))
    {
        return Err(Reply::lacks(missing));
    }
    Ok(flags_of(&wanted))
}

fn flags_of(wanted: &Value) -> Flags {
    let is = |name: &str, value: &str| wanted.get(name).and_then(Value::as_str) == Some(value);
    if is(ENABLED, "Disabled") {
        return [0; 5];
    }
    let mut first = VALID;
    if is(ENABLED, "Continuous") {
        first |= PERSISTENT;
    }
    if is(MODE, "UEFI") {
        first |= UEFI;
    }
    let device = TARGETS
        .iter()
        .find(|(name, _)| is(TARGET, name))
        .map_or(0, |(_, device)| *device);
    [first, device, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::MachineFaults;

    fn ways() -> Ways {
        Ways::of(&MachineFaults::default())
    }

    fn change(flags: Flags, change: Value, ways: &Ways) -> Result<Flags, u16> {
        changed(flags, change.as_object().unwrap(), ways).map_err(|reply| reply.status)
    }

    #[test]
    fn what_is_set_is_shown() {
        for (target, device) in TARGETS {
            for (length, bits) in [("Once", 0x80), ("Continuous", 0xc0)] {
                for (mode, bit) in [("UEFI", 0x20), ("Legacy", 0x00)] {
                    let object = json!({TARGET: target, ENABLED: length, MODE: mode});
                    let flags = change([0; 5], object.clone(), &ways()).unwrap();
                    assert_eq!(flags, [bits | bit, device, 0, 0, 0], "{object}");
                    let shown = shown(flags, &ways());
                    for name in [TARGET, ENABLED, MODE] {
                        assert_eq!(shown[name], object[name], "{object}");
                    }
                }
            }
        }
        let off = change([0xe0, 4, 0, 0, 0], json!({ENABLED: "Disabled"}), &ways());
        assert_eq!(off, Ok([0; 5]));
        assert_eq!(shown([0; 5], &ways())[ENABLED], "Disabled");
    }

    #[test]
    fn nonsense_and_what_a_maker_refuses_is_refused() {
        let pxe = json!({TARGET: "Pxe", ENABLED: "Continuous"});
        for wrong in [
            json!({TARGET: "Floppy"}),
            json!({TARGET: 4}),
            json!({ENABLED: "once"}),
            json!({"BootNext": "x"}),
        ] {
            assert_eq!(change([0; 5], wrong.clone(), &ways()), Err(400), "{wrong}");
        }
        let mut picky = ways();
        picky.is.refuses_continuous = true;
        assert_eq!(change([0; 5], pxe.clone(), &picky), Err(400));
        let mut picky = ways();
        picky.is.wants_whole_boot = true;
        assert_eq!(change([0; 5], pxe.clone(), &picky), Err(400));
        let mut picky = ways();
        picky.is.refuses_unchanged = true;
        assert_eq!(change([0; 5], pxe.clone(), &picky), Ok([0xe0, 4, 0, 0, 0]));
        assert_eq!(change([0xe0, 4, 0, 0, 0], pxe, &picky), Err(400));
    }
}
