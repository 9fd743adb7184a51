//! The computer system that a node is (DSP0268, ComputerSystem): which one, its power, and switching it.

use std::time::{Duration, Instant};

use nv_redfish::core::RedfishSettings as _;
use nv_redfish::schema::computer_system::ComputerSystem;
use nv_redfish::schema::resource::PowerState;
use serde_json::{Map, Value, json};

use super::quirks::{self, Ways};
use super::service::Service;
use super::trouble::Trouble;
use crate::oob::Switched;

/// What of a system is decoded. Everything else may be as odd as it likes.
const DECODED: [&str; 9] = [
    "@odata.id",
    "@odata.type",
    "@odata.etag",
    "Id",
    "Name",
    "PowerState",
    "Boot",
    "Actions",
    "@Redfish.Settings",
];
/// Of its boot settings; all are words.
const DECODED_BOOT: [&str; 3] = [
    "BootSourceOverrideTarget",
    "BootSourceOverrideEnabled",
    "BootSourceOverrideMode",
];
const RESET: &str = "#ComputerSystem.Reset";
/// Pause between two tries of a command that the present state forbids.
const CONFLICT_PAUSE: Duration = Duration::from_secs(2);

/// It is tried again for so long at least, however short the settings are.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);

/// A system as it was read.
pub(super) struct System {
    /// Its path.
    pub(super) path: String,
    /// As the client crate has it.
    pub(super) typed: ComputerSystem,
    /// As it came, with what the crate leaves out.
    pub(super) raw: Value,
    pub(super) ways: Ways,
}

/// The path of the system that the design names, or of the only one.
pub(super) async fn find(service: &Service, named: Option<&str>) -> Result<String, Trouble> {
    let systems = service.root()["Systems"]["@odata.id"]
        .as_str()
        .ok_or_else(|| Trouble::Unsupported("the service lists no systems".to_owned()))?;
    let members = service.members(systems).await?;
    let paths: Vec<&str> = members
        .iter()
        .filter_map(|member| member["@odata.id"].as_str())
        .collect();
    choose(&paths, named).map(str::to_owned)
}

/// Whether the service has this system and no other, so that whatever else it has is this system's.
pub(super) async fn is_alone(service: &Service) -> Result<bool, Trouble> {
    let Some(systems) = service.root()["Systems"]["@odata.id"].as_str() else {
        return Ok(false);
    };
    Ok(service.members(systems).await?.len() == 1)
}

fn choose<'a>(paths: &[&'a str], named: Option<&str>) -> Result<&'a str, Trouble> {
    let id = |path: &str| {
        let path = path.trim_end_matches('/');
        path.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let listed = || {
        let ids: Vec<String> = paths.iter().map(|path| id(path)).collect();
        ids.join(", ")
    };
    match (named, paths) {
        (Some(named), _) => paths
            .iter()
            .find(|path| id(path) == named || path.trim_end_matches('/') == named)
            .copied()
            .ok_or_else(|| {
                let listed = listed();
                Trouble::Unsupported(format!(
                    "the design names system {named:?} (oob.redfish_system), and the service lists {listed}"
                ))
            }),
        (None, [only]) => Ok(only),
        (None, []) => Err(Trouble::Unsupported(
            "the service lists no systems".to_owned(),
        )),
        (None, _) => Err(Trouble::Unsupported(format!(
            "the service lists several systems ({}): name the node's in oob.redfish_system",
            listed()
        ))),
    }
}

/// Reads a system.
pub(super) async fn read(service: &Service, path: &str) -> Result<System, Trouble> {
    let raw = service.get(path).await?;
    let typed = service
        .compat()
        .decode(decoded(path, &raw))
        .map_err(|error| Trouble::Garbage(format!("system {path}: {error}")))?;
    let makers = [&raw["Manufacturer"], &service.root()["Vendor"]];
    let makers = makers.map(|maker| maker.as_str().unwrap_or_default());
    Ok(System {
        path: path.to_owned(),
        typed,
        ways: quirks::of(&makers),
        raw,
    })
}

/// The part that is decoded, with what the schema demands and a service may have left out.
pub(super) fn decoded(path: &str, raw: &Value) -> Value {
    let mut lean = Map::new();
    for name in DECODED {
        if let Some(value) = raw.get(name).filter(|value| !value.is_null()) {
            lean.insert(name.to_owned(), value.clone());
        }
    }
    lean.insert("@odata.id".to_owned(), json!(path));
    for name in ["Id", "Name"] {
        if !lean.get(name).is_some_and(Value::is_string) {
            lean.insert(name.to_owned(), json!(path));
        }
    }
    let mut boot = Map::new();
    for name in DECODED_BOOT {
        if let Some(value) = raw["Boot"].get(name).filter(|value| value.is_string()) {
            boot.insert(name.to_owned(), value.clone());
        }
    }
    lean.insert("Boot".to_owned(), Value::Object(boot));
    let target = &raw["Actions"][RESET]["target"];
    let actions = if target.is_string() {
        json!({RESET: {"target": target}})
    } else {
        json!({})
    };
    lean.insert("Actions".to_owned(), actions);
    let settings = &raw["@Redfish.Settings"]["SettingsObject"]["@odata.id"];
    lean.remove("@Redfish.Settings");
    if settings.is_string() {
        let object = json!({"SettingsObject": {"@odata.id": settings}});
        lean.insert("@Redfish.Settings".to_owned(), object);
    }
    if !raw["PowerState"].is_string() {
        lean.remove("PowerState");
    }
    Value::Object(lean)
}

/// The words that a document allows for a property or parameter; `None`: it does not say.
pub(super) fn allowed<'a>(document: &'a Value, name: &str) -> Option<Vec<&'a str>> {
    let all = document[format!("{name}@Redfish.AllowableValues")].as_array()?;
    let words: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
    (!words.is_empty()).then_some(words)
}

impl System {
    /// Where its pending settings are written, if not to itself.
    pub(super) fn settings(&self) -> Option<String> {
        let object = self.typed.settings_object()?;
        Some(object.id().to_string())
    }

    /// Whether it is on.
    ///
    /// # Errors
    /// On its way it is neither: whoever took it for what it leaves would find it done, and it would come to be the other.
    pub(super) fn power(&self) -> Result<bool, Trouble> {
        match self.state() {
            // Suspended machines have power, and lose what they hold without it.
            Some(PowerState::On | PowerState::Paused | PowerState::Sleeping) => Ok(true),
            Some(PowerState::Off | PowerState::Hibernating) => Ok(false),
            Some(state @ (PowerState::PoweringOn | PowerState::PoweringOff)) => Err(
                Trouble::NotYet(format!("the system is on its way (PowerState {state:?})")),
            ),
            // Some say nothing while they start.
            Some(PowerState::UnsupportedValue) | None => Err(Trouble::NotYet(format!(
                "it does not say whether the system is on (PowerState {})",
                self.raw["PowerState"]
            ))),
        }
    }

    fn state(&self) -> Option<PowerState> {
        self.typed.power_state.flatten()
    }

    fn is_on_its_way(&self, on: bool) -> bool {
        let state = self.state();
        state
            == Some(if on {
                PowerState::PoweringOn
            } else {
                PowerState::PoweringOff
            })
    }
}

/// Switches the system. What the present state forbids is tried again for a while, since it may pass by itself: iDRAC takes no
/// On shortly after Off.
pub(super) async fn switch(
    service: &Service,
    path: &str,
    on: bool,
    patience: Duration,
) -> Result<Switched, Trouble> {
    let patience = patience.max(LEAST_PATIENCE);
    let end = Instant::now() + patience;
    loop {
        let system = read(service, path).await?;
        if system.is_on_its_way(on) {
            return Ok(Switched::Acknowledged);
        }
        if system.power().ok() == Some(on) {
            return Ok(Switched::SoAlready);
        }
        let (target, kind) = reset_type(service, &system, on).await?;
        let sent = service.act(&target, &json!({"ResetType": kind})).await;
        let refusal = match sent {
            Ok(()) if kind == "GracefulShutdown" => return Ok(Switched::AskedToShutDown),
            Ok(()) => return Ok(Switched::Acknowledged),
            Err(Trouble::Refused(refusal)) if matches!(refusal.status, 400 | 409) => refusal,
            Err(other) => return Err(other),
        };
        let now = read(service, path).await?;
        if now.power().ok() == Some(on) || now.is_on_its_way(on) {
            return Ok(Switched::SoAlready);
        }
        let passes = refusal.status == 409;
        let pause = refusal
            .retry_after
            .unwrap_or(CONFLICT_PAUSE.min(patience / 4));
        if !passes || Instant::now() + pause >= end {
            return Err(Trouble::Refused(refusal));
        }
        tokio::time::sleep(pause).await;
    }
}

/// Where the reset action is, and which of its types does this.
async fn reset_type(
    service: &Service,
    system: &System,
    on: bool,
) -> Result<(String, &'static str), Trouble> {
    let action = &system.raw["Actions"][RESET];
    let target = action["target"]
        .as_str()
        .ok_or_else(|| Trouble::Unsupported(format!("system {} has no {RESET}", system.path)))?;
    let wanted: &[&'static str] = if on {
        // Not PushPowerButton, which is a toggle: sent a second time, after a lost answer, it would switch off again.
        &["On", "ForceOn"]
    } else {
        &["ForceOff", "GracefulShutdown"]
    };
    let mut listed: Option<Vec<String>> =
        allowed(action, "ResetType").map(|all| all.into_iter().map(str::to_owned).collect());
    if listed.is_none()
        && let Some(info) = action["@Redfish.ActionInfo"].as_str()
    {
        listed = parameter(&service.get(info).await?, "ResetType");
    }
    let Some(listed) = listed else {
        return Ok((target.to_owned(), wanted[0]));
    };
    let found = wanted
        .iter()
        .find(|kind| listed.iter().any(|it| it == *kind));
    found.map(|kind| (target.to_owned(), *kind)).ok_or_else(|| {
        let toggle = if listed.iter().any(|it| it == "PushPowerButton") {
            "; PushPowerButton is not used, since it switches off what is on: do it by hand"
        } else {
            ""
        };
        Trouble::Unsupported(format!(
            "none of {} is among the reset types {}{toggle}",
            wanted.join(", "),
            listed.join(", ")
        ))
    })
}

/// The values of an action's parameter (DSP0268, ActionInfo).
pub(super) fn parameter(info: &Value, name: &str) -> Option<Vec<String>> {
    let parameters = info["Parameters"].as_array()?;
    let parameter = parameters.iter().find(|it| it["Name"] == name)?;
    let values = parameter["AllowableValues"].as_array()?;
    let words: Vec<String> = values
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_what_is_named_or_alone_is_chosen() {
        let both = ["/redfish/v1/Systems/DPU1", "/redfish/v1/Systems/1/"];
        assert_eq!(choose(&both, Some("1")).unwrap(), both[1]);
        assert_eq!(
            choose(&both, Some("/redfish/v1/Systems/1")).unwrap(),
            both[1]
        );
        assert_eq!(choose(&both[1..], None).unwrap(), both[1]);
        for (paths, named, said) in [
            (&both[..], None, "DPU1, 1"),
            (&both[..], Some("2"), "DPU1, 1"),
            (&both[..1], Some("1"), "DPU1"),
            (&[], None, "no systems"),
        ] {
            let error = choose(paths, named).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn an_odd_document_is_still_a_system() {
        let raw = json!({
            "Id": 7, "UUID": "", "LastResetTime": "0000-00-00", "PowerState": "On", "Links": 3,
            "Boot": {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideMode": null, "BootOrder": {}},
            "Actions": {RESET: {"target": "/x", "ResetType@Redfish.AllowableValues": 1}, "Oem": []},
            "@Redfish.Settings": {"SettingsObject": {"@odata.id": "/s"}, "Time": "never"},
        });
        let system: ComputerSystem =
            serde_json::from_value(decoded("/redfish/v1/Systems/1", &raw)).unwrap();
        assert_eq!(system.power_state, Some(Some(PowerState::On)));
        assert_eq!(system.settings_object().unwrap().id().to_string(), "/s");
        let raw = json!({"PowerState": {}, "Boot": [], "Actions": null, "@Redfish.Settings": "x"});
        let system: ComputerSystem = serde_json::from_value(decoded("/x", &raw)).unwrap();
        assert!(system.power_state.is_none() && system.settings_object().is_none());
    }

    #[test]
    fn values_stand_in_the_action_or_beside_it() {
        let info = json!({"Parameters": [{"Name": "Other"}, {"Name": "ResetType", "AllowableValues": ["On", 3]}]});
        assert_eq!(parameter(&info, "ResetType"), Some(vec!["On".to_owned()]));
        assert_eq!(parameter(&json!({}), "ResetType"), None);
        let action = json!({"ResetType@Redfish.AllowableValues": ["On", "ForceOff"]});
        assert_eq!(allowed(&action, "ResetType"), Some(vec!["On", "ForceOff"]));
    }
}
