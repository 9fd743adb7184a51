//! Which driver does a step.

use std::sync::Arc;

use drydock_model::driver::{Driver, DriverError, DriverKind, NodeProvisioner};
use drydock_model::effective::Node;
use drydock_model::step::StepAction;

/// The enabled drivers.
#[derive(Clone, Default)]
pub struct DriverSet {
    /// Out-of-band drivers, in order; a node's `oob.type` is matched against their names.
    pub oob: Vec<Arc<dyn Driver>>,
    /// The node provisioner.
    pub node: Option<Arc<dyn NodeProvisioner>>,
    /// The network driver.
    pub network: Option<Arc<dyn Driver>>,
}

impl DriverSet {
    /// The driver for an action; `None`: the engine does it itself.
    ///
    /// # Errors
    /// When no enabled driver fits; says which setting to change.
    pub fn select(
        &self,
        action: StepAction,
        node: Option<&Node>,
    ) -> Result<Option<Arc<dyn Driver>>, DriverError> {
        let Some(kind) = action.driver_kind() else {
            return Ok(None);
        };
        let target = node.map_or_else(
            || "the site".to_owned(),
            |node| format!("node {}", node.name),
        );
        match kind {
            DriverKind::Oob => {
                let wanted = node.map_or("", |node| node.oob.kind.as_str());
                self.oob
                    .iter()
                    .find(|driver| driver.name() == wanted)
                    .cloned()
                    .map(Some)
                    .ok_or_else(|| {
                        let enabled: Vec<_> = self.oob.iter().map(|driver| driver.name()).collect();
                        DriverError::permanent(
                            action.as_str(),
                            target,
                            format!("no out-of-band driver for oob.type {wanted:?}"),
                            format!(
                                "enabled by drivers.oob are: {}",
                                if enabled.is_empty() {
                                    "none".to_owned()
                                } else {
                                    enabled.join(", ")
                                }
                            ),
                        )
                    })
            }
            DriverKind::Node => match &self.node {
                Some(driver) => Ok(Some(Arc::clone(driver) as Arc<dyn Driver>)),
                None => Err(DriverError::permanent(
                    action.as_str(),
                    target,
                    "no node provisioner is configured",
                    "set drivers.node and drivers.maas",
                )),
            },
            DriverKind::Network => self.network.clone().map(Some).ok_or_else(|| {
                DriverError::permanent(
                    action.as_str(),
                    target,
                    "no network driver is enabled",
                    "set drivers.network",
                )
            }),
        }
    }
}
