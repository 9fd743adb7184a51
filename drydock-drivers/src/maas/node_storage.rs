//! `apply_node_storage`: not done by this version, and said so.

use drydock_model::driver::StepPlan;
use drydock_model::effective::Node;

use super::lookup::{Place, left_alone, not_there};

pub(crate) fn plan(node: &Node, place: &Place) -> StepPlan {
    match place {
        Place::Controller { hostname } => left_alone(node, hostname),
        Place::Unknown => not_there(node, "applying the storage"),
        Place::Machine(machine) => StepPlan::done(format!(
            "the design's storage was not applied to {}: this version leaves the disks of machine {} as MaaS commissioned them",
            node.name, machine.system_id
        )),
    }
}
