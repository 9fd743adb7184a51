//! The boot override of a system (DSP0268, ComputerSystem, `Boot`).
//!
//! Services differ in what they want to be told: some need the mode with each change, some refuse it, some refuse a field that has its value
//! already, some refuse `Continuous`, some take it on the settings resource only. So a refused form is followed by the next one;
//! whether it was kept is read back by the caller.

use nv_redfish::schema::computer_system::{
    BootSourceOverrideEnabled as Enabled, BootSourceOverrideMode as Mode,
};
use serde_json::{Map, Value, json};

use super::quirks::BootForm;
use super::service::Service;
use super::system::{self, System, allowed};
use super::trouble::Trouble;
use crate::oob::{Boot, BootDevice, Override};

const TARGET: &str = "BootSourceOverrideTarget";
const ENABLED: &str = "BootSourceOverrideEnabled";
const MODE: &str = "BootSourceOverrideMode";

/// Targets for a device, best first. Virtual media are a USB drive on some boards (Supermicro, in Ironic's redfish driver).
fn targets(device: BootDevice) -> &'static [&'static str] {
    match device {
        BootDevice::Network => &["Pxe"],
        BootDevice::Disk => &["Hdd"],
        BootDevice::Cdrom => &["Cd", "UsbCd"],
        BootDevice::Setup => &["BiosSetup"],
    }
}

/// What the system boots from next.
pub(super) async fn read(service: &Service, path: &str) -> Result<Boot, Trouble> {
    let system = system::read(service, path).await?;
    // What is pending is what comes next.
    if let Some(settings) = system.settings() {
        match system::read(service, &settings).await {
            Ok(pending) if is_set(&pending) => return Ok(of(&pending)),
            Ok(_) | Err(Trouble::Unsupported(_)) => {}
            Err(trouble) if trouble.status() == Some(404) => {}
            // What could not be read may be an override all the same.
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(of(&system))
}

fn is_set(system: &System) -> bool {
    let enabled = |boot: &nv_redfish::schema::computer_system::Boot| {
        boot.boot_source_override_enabled.flatten()
    };
    let enabled = system.typed.boot.as_ref().and_then(enabled);
    matches!(enabled, Some(Enabled::Once | Enabled::Continuous))
}

pub(super) fn of(system: &System) -> Boot {
    let boot = system.typed.boot.as_ref();
    let shown = system.raw["Boot"][TARGET].as_str().unwrap_or("None");
    let device = BootDevice::ALL
        .into_iter()
        .find(|device| targets(*device).contains(&shown));
    let mode = boot.and_then(|boot| boot.boot_source_override_mode.flatten());
    let enabled = boot.and_then(|boot| boot.boot_source_override_enabled.flatten());
    Boot {
        device: match device {
            _ if !is_set(system) || shown == "None" => Override::None,
            Some(device) => Override::To(device),
            None => Override::Another,
        },
        uefi: match mode {
            Some(Mode::Uefi) => Some(true),
            Some(Mode::Legacy) => Some(false),
            Some(Mode::UnsupportedValue) | None => None,
        },
        persistent: enabled == Some(Enabled::Continuous),
        media: None,
    }
}

/// Asks for a boot device.
pub(super) async fn write(service: &Service, path: &str, wanted: &Boot) -> Result<(), Trouble> {
    let system = system::read(service, path).await?;
    let at = system.settings();
    let at = at.as_deref().unwrap_or(path);
    let mut last = Trouble::Unsupported("a boot override".to_owned());
    for form in forms(&system, wanted)? {
        match service.patch(at, &json!({"Boot": form})).await {
            Err(trouble @ Trouble::Refused(_))
                if trouble.status() == Some(400) && trouble.retry_after().is_none() =>
            {
                last = trouble;
            }
            outcome => return outcome,
        }
    }
    Err(last)
}

/// What may be sent, best first, each once.
pub(super) fn forms(system: &System, wanted: &Boot) -> Result<Vec<Map<String, Value>>, Trouble> {
    let shown = &system.raw["Boot"];
    let Override::To(device) = wanted.device else {
        return Err(Trouble::Unsupported(format!("{wanted} as a wish")));
    };
    let listed = allowed(shown, TARGET);
    let possible = |target: &&&str| listed.as_ref().is_none_or(|all| all.contains(*target));
    let target = targets(device).iter().find(possible).ok_or_else(|| {
        let listed = listed.clone().unwrap_or_default().join(", ");
        Trouble::Unsupported(format!(
            "{} is not among its boot targets {listed}",
            targets(device).join(" or ")
        ))
    })?;
    let wish = wanted.uefi.map(|uefi| if uefi { "UEFI" } else { "Legacy" });
    let has_mode = shown.get(MODE).is_some_and(Value::is_string);
    let mode = has_mode
        .then(|| wish.or_else(|| shown[MODE].as_str()))
        .flatten();
    let with = |enabled: &str, mode: Option<&str>| {
        let mut form = Map::new();
        form.insert(ENABLED.into(), json!(enabled));
        form.insert(TARGET.into(), json!(target));
        if let Some(mode) = mode {
            form.insert(MODE.into(), json!(mode));
        }
        form
    };
    let continuous = wanted.persistent
        && !system.ways.only_once
        && allowed(shown, ENABLED).is_none_or(|all| all.contains(&"Continuous"));
    let mut forms: Vec<Map<String, Value>> = Vec::new();
    for enabled in ["Continuous", "Once"] {
        if enabled == "Continuous" && !continuous {
            continue;
        }
        let whole = with(enabled, mode);
        let without = with(enabled, None);
        let wished = with(enabled, wish.filter(|_| has_mode));
        let mut changed = whole.clone();
        changed.retain(|name, value| shown.get(name) != Some(value));
        forms.extend(match system.ways.boot {
            BootForm::AsWished => [wished, whole, without, changed],
            BootForm::Whole => [whole, wished, without, changed],
            // A mode that differs has to be asked for all the same.
            BootForm::WithoutMode if mode == shown[MODE].as_str() => {
                [without, wished, whole, changed]
            }
            BootForm::WithoutMode => [wished, without, whole, changed],
        });
    }
    let mut once: Vec<Map<String, Value>> = Vec::new();
    for form in forms {
        if !form.is_empty() && !once.contains(&form) {
            once.push(form);
        }
    }
    Ok(once)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::redfish::quirks;

    fn system(boot: Value, maker: &str) -> System {
        System {
            path: "/x".into(),
            typed: serde_json::from_value(
                json!({"@odata.id": "/x", "Id": "1", "Name": "n", "Boot": boot}),
            )
            .unwrap(),
            raw: json!({"Boot": boot}),
            ways: quirks::of(&[maker]),
        }
    }

    fn wish(device: BootDevice, uefi: Option<bool>, persistent: bool) -> Boot {
        Boot {
            device: Override::To(device),
            uefi,
            persistent,
            media: None,
        }
    }

    fn first(boot: Value, maker: &str, wish: &Boot) -> Value {
        json!(forms(&system(boot, maker), wish).unwrap()[0])
    }

    #[test]
    fn the_first_form_is_the_makers() {
        let shown = json!({TARGET: "None", ENABLED: "Disabled", MODE: "UEFI"});
        let network = wish(BootDevice::Network, None, false);
        let without = json!({ENABLED: "Once", TARGET: "Pxe"});
        let whole = json!({ENABLED: "Once", TARGET: "Pxe", MODE: "UEFI"});
        assert_eq!(first(shown.clone(), "", &network), without);
        assert_eq!(first(shown.clone(), "Supermicro", &network), whole);
        let uefi = wish(BootDevice::Network, Some(true), false);
        assert_eq!(first(shown.clone(), "", &uefi), whole);
        assert_eq!(first(shown, "HPE", &uefi), without);
        // A board without modes is told none.
        let bare = json!({TARGET: "None", ENABLED: "Disabled"});
        assert_eq!(first(bare, "Supermicro", &uefi), without);
    }

    #[test]
    fn what_has_its_value_already_is_left_out_in_the_end() {
        let shown = json!({TARGET: "Pxe", ENABLED: "Disabled", MODE: "UEFI"});
        let all = forms(
            &system(shown, ""),
            &wish(BootDevice::Network, Some(true), false),
        )
        .unwrap();
        assert_eq!(json!(all.last()), json!({ENABLED: "Once"}));
    }

    #[test]
    fn continuous_falls_back_to_once() {
        let shown = json!({TARGET: "None", ENABLED: "Disabled"});
        let disk = wish(BootDevice::Disk, None, true);
        let kinds = |boot: Value, maker: &str| -> Vec<Value> {
            let all = forms(&system(boot, maker), &disk).unwrap();
            let mut kinds: Vec<Value> = all.iter().map(|form| form[ENABLED].clone()).collect();
            kinds.dedup();
            kinds
        };
        assert_eq!(kinds(shown.clone(), ""), ["Continuous", "Once"]);
        assert_eq!(kinds(shown.clone(), "Dell Inc."), ["Once"]);
        let mut listed = shown;
        listed[format!("{ENABLED}@Redfish.AllowableValues")] = json!(["Disabled", "Once"]);
        assert_eq!(kinds(listed, ""), ["Once"]);
    }

    #[test]
    fn a_device_is_what_the_service_calls_so() {
        let listed = format!("{TARGET}@Redfish.AllowableValues");
        let shown = json!({TARGET: "None", ENABLED: "Disabled", listed.clone(): ["Pxe", "UsbCd"]});
        let cd = wish(BootDevice::Cdrom, None, false);
        assert_eq!(first(shown.clone(), "", &cd)[TARGET], "UsbCd");
        let setup = wish(BootDevice::Setup, None, false);
        let error = forms(&system(shown, ""), &setup).unwrap_err().to_string();
        assert!(
            error.contains("BiosSetup") && error.contains("Pxe, UsbCd"),
            "{error}"
        );
        for (shown, device) in [
            (
                json!({TARGET: "UsbCd", ENABLED: "Once"}),
                Override::To(BootDevice::Cdrom),
            ),
            (json!({TARGET: "Pxe", ENABLED: "Disabled"}), Override::None),
            (
                json!({TARGET: "SDCard", ENABLED: "Continuous"}),
                Override::Another,
            ),
            (json!({ENABLED: "Once"}), Override::None),
            (json!({}), Override::None),
        ] {
            assert_eq!(of(&system(shown.clone(), "")).device, device, "{shown}");
        }
    }
}
