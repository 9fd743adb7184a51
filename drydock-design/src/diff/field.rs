//! What the comparison knows of single fields: their names in the documents, where order says nothing, and whom they concern.
//!
//! Fields are named as in the serialised design, list items left out: `nodes.storage.devices.partitions.size`. A field that is not here
//! is compared all the same: under its own name, with its order.

use std::fmt;

use serde::Serialize;

/// What of a deployment a change touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Concern {
    /// Interfaces, addresses, links, networks, DNS. On a machine only after a new deployment (`apply_node_networking`).
    Networking,
    /// Disks and volumes. On a machine only after a new deployment (`apply_node_storage`), which erases them.
    Storage,
    /// Image, kernel and its parameters, SSH keys, package repositories. On a machine only after a new deployment.
    Platform,
    /// Boot actions and which of them a node runs. They run once, at the end of a deployment.
    BootActions,
    /// Out-of-band management, hardware profile, boot interface. Holds from the next task on; a running machine notices nothing.
    Boot,
    /// Profiles, rack, tags, owner data: how a node is described and selected. A running machine notices nothing.
    Identity,
    /// A field whose concern is not known here.
    Other,
}

impl Concern {
    /// Whether a deployed machine comes to what the design says only by being deployed anew. Of [`Concern::Other`] that is assumed.
    #[must_use]
    pub fn needs_deployment(self) -> bool {
        match self {
            Concern::Networking
            | Concern::Storage
            | Concern::Platform
            | Concern::BootActions
            | Concern::Other => true,
            Concern::Boot | Concern::Identity => false,
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Concern::Networking => "networking",
            Concern::Storage => "storage",
            Concern::Platform => "platform",
            Concern::BootActions => "boot actions",
            Concern::Boot => "boot and out-of-band",
            Concern::Identity => "identity",
            Concern::Other => "other",
        })
    }
}

/// The concern of a field of a node.
pub(super) fn concern_of_node(field: &str) -> Concern {
    match field {
        // The domain is that of the primary network.
        "interfaces" | "addressing" | "primary_network" | "domain" => Concern::Networking,
        "storage" => Concern::Storage,
        "platform" => Concern::Platform,
        "boot_actions" => Concern::BootActions,
        // What a device alias stands for shows again at each interface and disk that uses it, so it is told there.
        "oob" | "hardware" | "boot_mac" => Concern::Boot,
        "name" | "profiles" | "rack" | "tags" | "owner_data" => Concern::Identity,
        _ => Concern::Other,
    }
}

/// The concern of a field of the design outside its nodes.
pub(super) fn concern_of_site(field: &str) -> Concern {
    match field {
        "networks" | "links" => Concern::Networking,
        "racks" => Concern::Identity,
        "site" => Concern::Platform,
        "boot_actions" => Concern::BootActions,
        _ => Concern::Other,
    }
}

/// How the documents call a field; it takes the place of the last name. Nothing: the value stands for the thing that holds it, as the
/// address of an addressing entry does.
pub(super) fn word_of(field: &str) -> Option<&'static str> {
    Some(match field {
        "site" => "region",
        "site.remove_unlisted_repositories" => "repositories.remove_unlisted",
        "links.default_network" => "trunking.default_network",
        "links.trunked" => "trunking",
        "networks.dns_domain" => "dns.domain",
        "networks.dns_servers" => "dns.servers",
        "networks.ranges.kind" | "boot_actions.assets.kind" | "nodes.oob.kind" => "type",
        "nodes.profiles" => "host_profile",
        "nodes.rack" => "metadata.rack",
        "nodes.tags" => "metadata.tags",
        "nodes.owner_data" => "metadata.owner_data",
        "nodes.boot_mac" => "metadata.boot_mac",
        "nodes.hardware" => "hardware_profile",
        "nodes.hardware.aliases" => "device_aliases",
        "nodes.interfaces.link" => "device_link",
        "nodes.storage.devices" => "physical_devices",
        "nodes.storage.devices.device" | "nodes.addressing.address" => "",
        _ => return None,
    })
}

/// Whether the order of a list says nothing. Elsewhere it counts: partitions and volumes are made in their order, boot actions run in
/// theirs, a nearer profile wins.
pub(super) fn is_unordered(field: &str) -> bool {
    matches!(
        field,
        "racks"
            | "racks.local_networks"
            | "links"
            | "links.allowed_networks"
            | "networks"
            | "networks.ranges"
            | "networks.routes"
            | "boot_actions"
            | "boot_actions.node_filter.filter_set"
            | "boot_actions.node_filter.filter_set.node_names"
            | "boot_actions.node_filter.filter_set.node_tags"
            | "boot_actions.node_filter.filter_set.rack_names"
            | "site.authorized_keys"
            | "site.repositories"
            | "site.repositories.distributions"
            | "site.repositories.subrepos"
            | "site.repositories.components"
            | "site.repositories.arches"
            | "nodes.tags"
            | "nodes.interfaces"
            | "nodes.interfaces.networks"
            | "nodes.addressing"
            | "nodes.storage.volume_groups"
    )
}

/// Whether a map is one value: a size is `{"bytes": n}` or `{"percent": n}`, and one becoming the other is one change.
pub(super) fn is_one_value(field: &str) -> bool {
    matches!(
        field,
        "nodes.addressing.address"
            | "nodes.storage.devices.partitions.size"
            | "nodes.storage.volume_groups.logical_volumes.size"
    )
}
