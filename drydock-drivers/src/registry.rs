//! The drivers that this process has, and which of them serves what.

use std::sync::Arc;

use drydock_model::driver::{Driver, DriverError, NodeProvisioner};

/// The enabled drivers.
#[derive(Clone, Default)]
pub struct Drivers {
    /// Out-of-band drivers, in the order of the setting `drivers.oob`. A driver's name is the `oob.type` it serves.
    pub oob: Vec<Arc<dyn Driver>>,
    /// The node provisioner (setting `drivers.node`).
    pub node: Option<Arc<dyn NodeProvisioner>>,
}

impl Drivers {
    /// The out-of-band driver for a node's `oob.type`.
    ///
    /// # Errors
    /// When none of the enabled ones serves it; the error names them.
    pub fn oob_for(&self, kind: &str) -> Result<&Arc<dyn Driver>, DriverError> {
        self.oob
            .iter()
            .find(|driver| driver.name() == kind)
            .ok_or_else(|| {
                let enabled: Vec<&str> = self.oob.iter().map(|driver| driver.name()).collect();
                let enabled = if enabled.is_empty() {
                    "none".to_owned()
                } else {
                    enabled.join(", ")
                };
                DriverError::permanent(
                    "choosing an out-of-band driver",
                    format!("oob.type {kind:?}"),
                    format!("no enabled driver serves it (enabled: {enabled})"),
                    "enable one in drivers.oob or change the node's oob.type",
                )
            })
    }

    /// The node provisioner.
    ///
    /// # Errors
    /// When there is none.
    pub fn provisioner(&self) -> Result<&Arc<dyn NodeProvisioner>, DriverError> {
        self.node.as_ref().ok_or_else(|| {
            DriverError::permanent(
                "choosing a node provisioner",
                "setting drivers.node",
                "none is configured",
                "set drivers.node and drivers.maas.{url, api_key}",
            )
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::manual::ManualDriver;

    #[test]
    fn a_driver_is_found_by_the_type_it_serves() {
        let drivers = Drivers {
            oob: vec![Arc::new(ManualDriver::new())],
            node: None,
        };
        assert_eq!(drivers.oob_for("manual").unwrap().name(), "manual");
        let error = drivers.oob_for("redfish").map(|_| ()).unwrap_err();
        assert!(
            error.to_string().contains("redfish") && error.to_string().contains("manual"),
            "{error}"
        );
        assert!(drivers.provisioner().is_err());
        assert!(
            Drivers::default()
                .oob_for("ipmi")
                .map(|_| ())
                .unwrap_err()
                .got
                .contains("none")
        );
    }
}
