//! The manager (the BMC itself), its firmware, and the machine's event log.

use serde_json::{Value, json};

use super::Service;
use super::read::{Link, collection};

const FIRMWARE: &str = "2.14.7";
const BIOS: &str = "1.9.3";
/// When the event log was cleared.
const BEGIN: &str = "2026-01-01T00:00:01Z";
const LOST: &str = "2026-01-01T00:00:02Z";

impl Service {
    pub(super) fn bios_version(&self) -> &'static str {
        BIOS
    }

    pub(super) fn manager(&self) -> Value {
        let row = self.ways().row;
        let id = row.manager;
        json!({
            "@odata.id": format!("/redfish/v1/Managers/{id}"),
            "@odata.type": "#Manager.v1_19_1.Manager",
            "Id": id,
            "Name": "Manager",
            "ManagerType": "BMC",
            "Manufacturer": row.maker,
            "Model": row.product,
            "FirmwareVersion": FIRMWARE,
            "UUID": self.uuid("manager"),
            "PowerState": "On",
            "Status": {"State": "Enabled", "Health": "OK"},
            "VirtualMedia": Link(format!("/redfish/v1/Managers/{id}/VirtualMedia")),
            "Links": {
                "ManagerForServers": [Link(self.system_path())],
                "ManagerForChassis": [Link(format!("/redfish/v1/Chassis/{}", row.chassis))],
            },
        })
    }

    /// Everything below `UpdateService`.
    pub(super) fn firmware(&self, path: &[&str]) -> Option<Value> {
        let base = "/redfish/v1/UpdateService";
        let member = |id: &str| Link(format!("{base}/FirmwareInventory/{id}"));
        Some(match path {
            [] => json!({
                "@odata.id": base,
                "@odata.type": "#UpdateService.v1_14_1.UpdateService",
                "Id": "UpdateService",
                "Name": "Update Service",
                "ServiceEnabled": true,
                "FirmwareInventory": Link(format!("{base}/FirmwareInventory")),
                // Updates are not simulated; clients look for the property all the same.
                "Actions": {},
            }),
            ["FirmwareInventory"] => collection(
                &format!("{base}/FirmwareInventory"),
                "SoftwareInventoryCollection",
                vec![member("BMC"), member("BIOS")],
            ),
            ["FirmwareInventory", id @ ("BMC" | "BIOS")] => json!({
                "@odata.id": format!("{base}/FirmwareInventory/{id}"),
                "@odata.type": "#SoftwareInventory.v1_10_2.SoftwareInventory",
                "Id": id,
                "Name": format!("{id} firmware"),
                "Version": if *id == "BMC" { FIRMWARE } else { BIOS },
                "Updateable": false,
            }),
            _ => return None,
        })
    }

    /// Everything below `LogServices` of the system.
    pub(super) fn logs(&self, path: &[&str]) -> Option<Value> {
        let base = format!("{}/LogServices", self.system_path());
        Some(match path {
            [] => collection(
                &base,
                "LogServiceCollection",
                vec![Link(format!("{base}/SEL"))],
            ),
            ["SEL"] => json!({
                "@odata.id": format!("{base}/SEL"),
                "@odata.type": "#LogService.v1_5_1.LogService",
                "Id": "SEL",
                "Name": "System Event Log",
                "LogEntryType": "SEL",
                "MaxNumberOfRecords": 1024,
                "OverWritePolicy": "WrapsWhenFull",
                "ServiceEnabled": true,
                "Entries": Link(format!("{base}/SEL/Entries")),
            }),
            ["SEL", "Entries"] => {
                let entries = self.entries();
                let count = entries.len();
                json!({
                    "@odata.id": format!("{base}/SEL/Entries"),
                    "@odata.type": "#LogEntryCollection.LogEntryCollection",
                    "Name": "System Event Log Entries",
                    "Members@odata.count": count,
                    // Log entries come whole in their collection (DSP0268, LogEntryCollection).
                    "Members": entries,
                })
            }
            ["SEL", "Entries", id] => {
                let at: usize = id.parse().ok()?;
                self.entries().into_iter().nth(at.checked_sub(1)?)?
            }
            _ => return None,
        })
    }

    fn entries(&self) -> Vec<Value> {
        let base = format!("{}/LogServices/SEL/Entries", self.system_path());
        let entry = |id: u8, created: &str, severity: &str, text: &str| {
            json!({
                "@odata.id": format!("{base}/{id}"),
                "@odata.type": "#LogEntry.v1_16_2.LogEntry",
                "Id": id.to_string(),
                "Name": format!("Log Entry {id}"),
                "EntryType": "SEL",
                "Created": created,
                "Severity": severity,
                "Message": text,
            })
        };
        let mut all = vec![entry(1, BEGIN, "OK", "The event log was cleared.")];
        if self.faults().bmc.sensor_alarm {
            all.push(entry(2, LOST, "Critical", "PSU 2: input lost."));
        }
        all
    }
}
