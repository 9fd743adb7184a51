//! Inheritance between host documents as written.
//!
//! Scalars: the child's, when it has one. Maps: merged, the child wins. Lists: the child's items, then the parent's that are not among
//! them. Named things: the parent's in their order, each merged with the child's of that name, then the child's new ones - so that a child that
//! alters one partition leaves their order on the disk alone. `!name` and null remove what is the parent's; removals are used up.

use drydock_model::design::{
    DevicePart, FilesystemPart, HostMetadata, HostPart, InterfacePart, LogicalVolumePart, OobPart,
    Ordered, PartitionPart, PlatformPart, SriovPart, StoragePart, VolumeGroupPart,
};

/// Something a child and a parent can both say.
pub(crate) trait Inherit: Clone {
    /// What holds for the child. Without a parent, its own marks of removal go.
    fn over(&self, parent: Option<&Self>) -> Self;
}

/// The child's part over the parent's.
pub(crate) fn merge(child: &HostPart, parent: Option<&HostPart>) -> HostPart {
    child.over(parent)
}

fn scalar<T: Clone>(child: &Option<T>, parent: Option<&Option<T>>) -> Option<T> {
    child.clone().or_else(|| parent.cloned().flatten())
}

/// A part that may be missing on either side.
fn part<T: Inherit>(child: &Option<T>, parent: Option<&Option<T>>) -> Option<T> {
    let parent = parent.and_then(Option::as_ref);
    match child {
        Some(child) => Some(child.over(parent)),
        None => parent.cloned(),
    }
}

fn list(child: &Option<Vec<String>>, parent: Option<&Option<Vec<String>>>) -> Option<Vec<String>> {
    let parent = parent.and_then(Option::as_ref);
    let Some(child) = child else {
        return parent.cloned();
    };
    let mut merged: Vec<String> = Vec::with_capacity(child.len());
    for item in child {
        if !item.starts_with('!') && !merged.contains(item) {
            merged.push(item.clone());
        }
    }
    for item in parent.into_iter().flatten() {
        let removed = child.iter().any(|own| own.strip_prefix('!') == Some(item));
        if !removed && !merged.contains(item) {
            merged.push(item.clone());
        }
    }
    Some(merged)
}

/// A scalar in a map: the child's replaces the parent's whole.
macro_rules! replaced_whole {
    ($($type:ty),+) => {
        $(impl Inherit for $type {
            fn over(&self, _parent: Option<&Self>) -> Self {
                self.clone()
            }
        })+
    };
}

replaced_whole!(drydock_model::design::Scalar);

impl<T: Inherit> Inherit for Ordered<T> {
    fn over(&self, parent: Option<&Self>) -> Self {
        let mut merged = Vec::with_capacity(self.0.len());
        for (key, inherited) in parent.into_iter().flat_map(|parent| &parent.0) {
            let removed = self.0.iter().any(|(own, value)| {
                own.strip_prefix('!') == Some(key) || (own == key && value.is_none())
            });
            if removed {
                continue;
            }
            let value = match (self.get(key), inherited) {
                (Some(own), inherited) => Some(own.over(inherited.as_ref())),
                (None, inherited) => inherited.clone(),
            };
            merged.push((key.clone(), value));
        }
        for (key, value) in &self.0 {
            let known = parent.is_some_and(|parent| parent.0.iter().any(|(name, _)| name == key));
            if let Some(value) = value
                && !known
                && !key.starts_with('!')
            {
                merged.push((key.clone(), Some(value.over(None))));
            }
        }
        Ordered(merged)
    }
}

/// An item of a list that goes by a name.
trait Named {
    fn name(&self) -> Option<&str>;
}

impl Named for PartitionPart {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl Named for LogicalVolumePart {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

fn named_list<T: Inherit + Named>(
    child: &Option<Vec<T>>,
    parent: Option<&Option<Vec<T>>>,
) -> Option<Vec<T>> {
    let inherited = parent.and_then(Option::as_ref);
    let Some(child) = child else {
        return inherited.cloned();
    };
    let inherited: &[T] = inherited.map_or(&[], Vec::as_slice);
    let mut merged = Vec::with_capacity(child.len() + inherited.len());
    for item in inherited {
        let Some(name) = item.name() else {
            merged.push(item.clone());
            continue;
        };
        if child
            .iter()
            .any(|own| own.name().and_then(|own| own.strip_prefix('!')) == Some(name))
        {
            continue;
        }
        let own = child.iter().find(|own| own.name() == Some(name));
        merged.push(own.map_or_else(|| item.clone(), |own| own.over(Some(item))));
    }
    for own in child {
        let known = own
            .name()
            .is_some_and(|name| inherited.iter().any(|item| item.name() == Some(name)));
        let removal = own.name().is_some_and(|name| name.starts_with('!'));
        if !known && !removal {
            merged.push(own.over(None));
        }
    }
    Some(merged)
}

/// Implements [`Inherit`] field by field: how each field goes is told by the function named beside it.
macro_rules! inherit_fields {
    ($type:ident { $($field:ident: $how:ident),+ $(,)? }) => {
        impl Inherit for $type {
            fn over(&self, parent: Option<&Self>) -> Self {
                $type { $($field: $how(&self.$field, parent.map(|parent| &parent.$field)),)+ }
            }
        }
    };
}

inherit_fields!(HostPart {
    oob: part,
    storage: part,
    platform: part,
    metadata: part,
    host_profile: scalar,
    hardware_profile: scalar,
    primary_network: scalar,
    interfaces: part,
    addressing: scalar,
});
inherit_fields!(HostMetadata {
    tags: list,
    owner_data: part,
    rack: scalar,
    boot_mac: scalar
});
inherit_fields!(PlatformPart {
    image: scalar,
    kernel: scalar,
    kernel_params: part
});
inherit_fields!(InterfacePart {
    device_link: scalar,
    labels: part,
    slaves: list,
    networks: list,
    sriov: part
});
inherit_fields!(SriovPart {
    vf_count: scalar,
    trustedmode: scalar
});
inherit_fields!(StoragePart {
    physical_devices: part,
    volume_groups: part
});
inherit_fields!(DevicePart {
    labels: part,
    volume_group: scalar,
    partitions: named_list
});
inherit_fields!(PartitionPart {
    name: scalar,
    size: scalar,
    bootable: scalar,
    part_uuid: scalar,
    volume_group: scalar,
    labels: part,
    filesystem: part,
});
inherit_fields!(VolumeGroupPart {
    vg_uuid: scalar,
    logical_volumes: named_list
});
inherit_fields!(LogicalVolumePart {
    name: scalar,
    lv_uuid: scalar,
    size: scalar,
    filesystem: part
});
inherit_fields!(FilesystemPart {
    mountpoint: scalar,
    fstype: scalar,
    mount_options: scalar,
    fs_uuid: scalar,
    fs_label: scalar,
});

impl Inherit for OobPart {
    fn over(&self, parent: Option<&Self>) -> Self {
        OobPart(self.0.over(parent.map(|parent| &parent.0)))
    }
}
