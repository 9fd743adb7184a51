//! The chassis: temperatures, fans, power supplies, by the old resources (Thermal, Power) and by the new ones (Sensors).

use serde_json::{Value, json};

use super::Service;
use super::read::{Link, collection};

/// A sensor: id, name, kind, unit, reading.
type Sensor = (&'static str, &'static str, &'static str, &'static str, f64);

impl Service {
    fn chassis_path(&self) -> String {
        format!("/redfish/v1/Chassis/{}", self.ways().row.chassis)
    }

    /// Everything below the chassis.
    pub(super) fn chassis(&self, path: &[&str]) -> Option<Value> {
        let base = self.chassis_path();
        Some(match path {
            [] => self.enclosure(&base),
            ["Thermal"] => self.thermal(&base),
            ["Power"] => self.power_supplies(&base),
            ["Sensors"] => {
                let link = |(id, ..): &Sensor| Link(format!("{base}/Sensors/{id}"));
                collection(
                    &format!("{base}/Sensors"),
                    "SensorCollection",
                    self.sensors().iter().map(link).collect(),
                )
            }
            ["Sensors", wanted] => {
                let all = self.sensors();
                let (id, name, kind, unit, reading) =
                    all.into_iter().find(|(id, ..)| id == wanted)?;
                json!({
                    "@odata.id": format!("{base}/Sensors/{id}"),
                    "@odata.type": "#Sensor.v1_9_0.Sensor",
                    "Id": id,
                    "Name": name,
                    "ReadingType": kind,
                    "ReadingUnits": unit,
                    "Reading": reading,
                    "Status": {"State": "Enabled", "Health": "OK"},
                })
            }
            _ => return None,
        })
    }

    fn enclosure(&self, base: &str) -> Value {
        let row = self.ways().row;
        let health = self.health();
        json!({
            "@odata.id": base,
            "@odata.type": "#Chassis.v1_25_1.Chassis",
            "Id": row.chassis,
            "Name": "Computer System Chassis",
            "ChassisType": "RackMount",
            "Manufacturer": row.maker,
            "Model": row.product,
            "SerialNumber": self.machine.shape.name,
            "PowerState": if self.machine.powered() { "On" } else { "Off" },
            "Status": {"State": "Enabled", "Health": health, "HealthRollup": health},
            "Thermal": Link(format!("{base}/Thermal")),
            "Power": Link(format!("{base}/Power")),
            "Sensors": Link(format!("{base}/Sensors")),
            "Links": {
                "ComputerSystems": [Link(self.system_path())],
                "ManagedBy": [Link(format!("/redfish/v1/Managers/{}", row.manager))],
            },
        })
    }

    /// "Critical" when a power supply has lost its input.
    pub(super) fn health(&self) -> &'static str {
        if self.faults().bmc.sensor_alarm {
            "Critical"
        } else {
            "OK"
        }
    }

    fn sensors(&self) -> Vec<Sensor> {
        let on = self.machine.powered();
        let mut all = vec![
            (
                "CPUTemp",
                "CPU Temp",
                "Temperature",
                "Cel",
                if on { 42.0 } else { 21.0 },
            ),
            (
                "TotalPower",
                "Power",
                "Power",
                "W",
                if on { 180.0 } else { 8.0 },
            ),
        ];
        // Without power a fan has nothing to show.
        if on {
            all.push(("Fan1", "Fan 1", "Rotational", "{rev}/min", 5600.0));
        }
        all
    }

    fn thermal(&self, base: &str) -> Value {
        let on = self.machine.powered();
        let state = if on { "Enabled" } else { "StandbyOffline" };
        json!({
            "@odata.id": format!("{base}/Thermal"),
            "@odata.type": "#Thermal.v1_7_3.Thermal",
            "Id": "Thermal",
            "Name": "Thermal",
            "Temperatures": [{
                "@odata.id": format!("{base}/Thermal#/Temperatures/0"),
                "MemberId": "0",
                "Name": "CPU Temp",
                "PhysicalContext": "CPU",
                "ReadingCelsius": if on { 42 } else { 21 },
                "UpperThresholdNonCritical": 85,
                "UpperThresholdCritical": 95,
                "Status": {"State": "Enabled", "Health": "OK"},
            }],
            "Fans": [{
                "@odata.id": format!("{base}/Thermal#/Fans/0"),
                "MemberId": "0",
                "Name": "Fan 1",
                "Reading": on.then_some(5600),
                "ReadingUnits": "RPM",
                "LowerThresholdCritical": 500,
                "Status": {"State": state, "Health": "OK"},
            }],
        })
    }

    fn power_supplies(&self, base: &str) -> Value {
        let on = self.machine.powered();
        let lost = self.faults().bmc.sensor_alarm;
        let supply = |at: u8, lost: bool| {
            json!({
                "@odata.id": format!("{base}/Power#/PowerSupplies/{at}"),
                "MemberId": at.to_string(),
                "Name": format!("PSU {}", at + 1),
                "LineInputVoltage": if lost { 0 } else { 230 },
                "PowerCapacityWatts": 750,
                "Status": {
                    "State": if lost { "UnavailableOffline" } else { "Enabled" },
                    "Health": if lost { "Critical" } else { "OK" },
                },
            })
        };
        json!({
            "@odata.id": format!("{base}/Power"),
            "@odata.type": "#Power.v1_7_3.Power",
            "Id": "Power",
            "Name": "Power",
            "PowerControl": [{
                "@odata.id": format!("{base}/Power#/PowerControl/0"),
                "MemberId": "0",
                "Name": "System Power Control",
                "PowerConsumedWatts": if on { 180 } else { 8 },
                "Status": {"State": "Enabled", "Health": "OK"},
            }],
            "Voltages": [{
                "@odata.id": format!("{base}/Power#/Voltages/0"),
                "MemberId": "0",
                "Name": "12V",
                "ReadingVolts": on.then_some(12.06),
                "LowerThresholdCritical": 10.8,
                "UpperThresholdCritical": 13.2,
                "Status": {"State": "Enabled", "Health": "OK"},
            }],
            "PowerSupplies": [supply(0, false), supply(1, lost)],
        })
    }
}
