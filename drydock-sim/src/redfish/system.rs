//! Computer systems (DSP0268, ComputerSystem): the machine's own, its power and boot override, and systems that are nobody's.

use serde_json::{Map, Value, json};
use std::time::Duration;
use uuid::Uuid;

use drydock_ipmi::Control;

use super::answer::Reply;
use super::boot;
use super::read::{Link, collection, etag};
use super::{Service, State};
use crate::faults::Accepted;
use crate::machine::core::Phase;

/// Reset types and what they do.
const RESETS: [(&str, Control); 5] = [
    ("On", Control::On),
    ("ForceOff", Control::Off),
    ("GracefulShutdown", Control::SoftOff),
    ("ForceRestart", Control::Reset),
    ("PowerCycle", Control::Cycle),
];

impl Service {
    pub(super) fn system_path(&self) -> String {
        format!("/redfish/v1/Systems/{}", self.ways().row.system)
    }

    /// An id that is always the same for this machine.
    pub(super) fn uuid(&self, of: &str) -> Uuid {
        let name = format!("{of} of {}", self.machine.shape.name);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
    }

    /// Ids of the systems that are nobody's.
    pub(super) fn others(&self) -> Vec<String> {
        let count = self.ways().is.other_systems;
        (1..=count).map(|number| format!("DPU{number}")).collect()
    }

    fn resets(&self) -> Vec<&'static str> {
        let no_cycle = self.ways().is.no_power_cycle;
        RESETS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !(no_cycle && *name == "PowerCycle"))
            .collect()
    }

    fn power_state(&self) -> &'static str {
        let phase = self.machine.phase();
        match phase {
            Phase::TurningOn if self.ways().is.shows_power_on_its_way => "PoweringOn",
            Phase::TurningOff if self.ways().is.shows_power_on_its_way => "PoweringOff",
            Phase::Off | Phase::TurningOn => "Off",
            _ => "On",
        }
    }

    /// The machine's own system.
    pub(super) fn system(&self) -> Value {
        let ways = self.ways();
        let path = self.system_path();
        let shape = &self.machine.shape;
        let health = self.health();
        let mut value = json!({
            "@odata.id": path,
            "@odata.type": "#ComputerSystem.v1_22_1.ComputerSystem",
            "Id": ways.row.system,
            "Name": "System",
            "SystemType": "Physical",
            "Manufacturer": ways.row.maker,
            "Model": ways.row.product,
            "SerialNumber": shape.name,
            "HostName": shape.name,
            "UUID": self.uuid("system"),
            "BiosVersion": self.bios_version(),
            "PowerState": self.power_state(),
            "Status": {"State": "Enabled", "Health": "OK", "HealthRollup": health},
            "ProcessorSummary": {"Count": 2, "LogicalProcessorCount": shape.cpu_count},
            "MemorySummary": {"TotalSystemMemoryGiB": shape.memory_mib / 1024},
            "Boot": boot::shown(self.machine.boot_flags(), &ways),
            "EthernetInterfaces": Link(format!("{path}/EthernetInterfaces")),
            "LogServices": Link(format!("{path}/LogServices")),
            "Links": {
                "Chassis": [Link(format!("/redfish/v1/Chassis/{}", ways.row.chassis))],
                "ManagedBy": [Link(format!("/redfish/v1/Managers/{}", ways.row.manager))],
            },
            "Actions": {"#ComputerSystem.Reset": {
                "target": format!("{path}/Actions/ComputerSystem.Reset"),
                "ResetType@Redfish.AllowableValues": self.resets(),
            }},
        });
        if ways.is.boot_on_settings {
            value["@Redfish.Settings"] = json!({
                "@odata.type": "#Settings.v1_3_5.Settings",
                "SettingsObject": Link(format!("{path}/Settings")),
                "SupportedApplyTimes": ["OnReset"],
            });
        }
        etag(value, &ways)
    }

    /// The settings resource, where there is one.
    pub(super) fn settings(&self) -> Option<Value> {
        let ways = self.ways();
        ways.is.boot_on_settings.then(|| {
            let value = json!({
                "@odata.id": format!("{}/Settings", self.system_path()),
                "@odata.type": "#ComputerSystem.v1_22_1.ComputerSystem",
                "Id": "Settings",
                "Name": "System Pending Settings",
                "Boot": boot::shown(self.machine.boot_flags(), &ways),
            });
            etag(value, &ways)
        })
    }

    /// A system that is nobody's.
    pub(super) fn other_system(&self, id: &str) -> Value {
        let path = format!("/redfish/v1/Systems/{id}");
        json!({
            "@odata.id": path,
            "@odata.type": "#ComputerSystem.v1_22_1.ComputerSystem",
            "Id": id,
            "Name": format!("Data Processing Unit {id}"),
            "SystemType": "DPU",
            "SerialNumber": format!("{}-{id}", self.machine.shape.name),
            "UUID": self.uuid(id),
            "PowerState": "On",
            "Status": {"State": "Enabled", "Health": "OK"},
            "Boot": boot::shown([0; 5], &self.ways()),
            "Links": {},
            "Actions": {"#ComputerSystem.Reset": {
                "target": format!("{path}/Actions/ComputerSystem.Reset"),
                "ResetType@Redfish.AllowableValues": self.resets(),
            }},
        })
    }

    /// Everything below `EthernetInterfaces` of the machine's system.
    pub(super) fn cards(&self, path: &[&str]) -> Option<Value> {
        let base = format!("{}/EthernetInterfaces", self.system_path());
        let nics = &self.machine.shape.nics;
        Some(match path {
            [] => collection(
                &base,
                "EthernetInterfaceCollection",
                nics.iter()
                    .map(|nic| Link(format!("{base}/{}", nic.name)))
                    .collect(),
            ),
            [id] => {
                let nic = nics.iter().find(|nic| nic.name == *id)?;
                json!({
                    "@odata.id": format!("{base}/{id}"),
                    "@odata.type": "#EthernetInterface.v1_12_1.EthernetInterface",
                    "Id": id,
                    "Name": format!("Card {id}"),
                    "MACAddress": nic.mac,
                    "PermanentMACAddress": nic.mac,
                    "InterfaceEnabled": true,
                    "LinkStatus": "LinkUp",
                    "Status": {"State": "Enabled", "Health": "OK"},
                })
            }
            _ => return None,
        })
    }

    /// PATCH of the system, or of its settings resource.
    pub(super) fn patch_boot(
        &self,
        on_settings: bool,
        body: &Value,
        state: &mut State,
    ) -> Result<Reply, Reply> {
        let ways = self.ways();
        let boot = self.only_boot(body)?;
        if ways.is.boot_on_settings != on_settings {
            return Err(Reply::not_writable("Boot"));
        }
        let post = Duration::from_millis(ways.is.post_ms);
        if self.machine.booted_within(post) {
            return Err(Reply::refusal(
                400,
                "iLO.2.14.UnableToModifyDuringSystemPOST",
                "The value cannot be changed while the system is in POST.",
            ));
        }
        let flags = boot::changed(self.machine.boot_flags(), boot, &ways)?;
        if ways.is.accepted == Accepted::Task {
            return Ok(self.begin_task(Some(flags), state));
        }
        self.machine.boot_flags_from_bmc(flags);
        Ok(match ways.is.accepted {
            Accepted::Content => Reply::success(),
            _ => Reply::new(204, None),
        })
    }

    fn only_boot<'a>(&self, body: &'a Value) -> Result<&'a Map<String, Value>, Reply> {
        let Some(fields) = body.as_object() else {
            return Err(Reply::lacks("Boot"));
        };
        if let Some(other) = fields.keys().find(|name| *name != "Boot") {
            return Err(Reply::not_writable(other));
        }
        let boot = fields.get("Boot").ok_or_else(|| Reply::lacks("Boot"))?;
        boot.as_object()
            .ok_or_else(|| Reply::not_in_list("Boot", boot))
    }

    /// The action ComputerSystem.Reset.
    pub(super) fn reset(&self, body: &Value, state: &mut State) -> Result<Reply, Reply> {
        let kind = body.get("ResetType").unwrap_or(&Value::Null);
        let named = kind.as_str().filter(|name| self.resets().contains(name));
        let control = named
            .and_then(|named| RESETS.iter().find(|(name, _)| *name == named))
            .map(|(_, control)| *control);
        let Some(control) = control else {
            return Err(Reply::refusal(
                400,
                "Base.1.18.ActionParameterNotSupported",
                format!("The parameter ResetType with the value {kind} is not supported."),
            ));
        };
        let ways = self.ways();
        let on = self.machine.powered();
        let same = match control {
            Control::On => on,
            Control::Off | Control::SoftOff => !on,
            Control::Cycle | Control::Reset => false,
        };
        let too_soon = control == Control::On
            && self
                .machine
                .off_within(Duration::from_millis(ways.is.on_after_off_ms));
        let (status, id) = ways.row.not_now;
        let not_now = |status| {
            let state = self.power_state();
            let text = format!("The operation is not possible while the power is {state}.");
            Reply::refusal(status, id, text)
        };
        if too_soon {
            return Err(not_now(409));
        }
        if same && ways.is.refuses_same_power || self.machine.power_from_bmc(control).is_err() {
            return Err(not_now(status));
        }
        Ok(match ways.is.accepted {
            Accepted::Task => self.begin_task(None, state),
            Accepted::Content => Reply::success(),
            Accepted::Usual => Reply::new(204, None),
        })
    }
}
