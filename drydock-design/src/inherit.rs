//! Inheritance between host documents as written.
//!
//! Scalars: the child's, when it has one. Maps: merged, the child wins. Lists: the child's items, then the parent's that are not among
//! them. Named things: the parent's in their order, each merged with the child's of that name, then the child's new ones - so that a child that
//! alters one partition leaves their order on the disk alone. `!name` and null remove what is the parent's; removals are used up.

use std::borrow::Cow;

use drydock_model::design::{
    AddressPart, DevicePart, FilesystemPart, HostMetadata, HostPart, InterfacePart,
    LogicalVolumePart, OobPart, Ordered, PartitionPart, PlatformPart, Scalar, SriovPart,
    StoragePart, VolumeGroupPart,
};
use hashbrown::{HashMap, HashSet};

/// Something a child and a parent can both say.
pub(crate) trait Inherit: Clone {
    /// What holds for the child. Without a parent, its own marks of removal go.
    fn over(&self, parent: Option<&Self>) -> Self;
}

/// The child's part over the parent's.
pub(crate) fn merge(child: &HostPart, parent: Option<&HostPart>) -> HostPart {
    child.over(parent)
}

/// A host document over its profile, copying only what both of them say: most of a node is its profile's alone.
pub(crate) struct Inherited<'a> {
    pub(crate) oob: Option<Cow<'a, OobPart>>,
    pub(crate) storage: Option<Cow<'a, StoragePart>>,
    pub(crate) platform: Option<Cow<'a, PlatformPart>>,
    pub(crate) metadata: Option<Cow<'a, HostMetadata>>,
    pub(crate) hardware_profile: Option<&'a str>,
    pub(crate) primary_network: Option<&'a str>,
    pub(crate) interfaces: Option<Cow<'a, Ordered<InterfacePart>>>,
    pub(crate) addressing: &'a [AddressPart],
}

impl<'a> Inherited<'a> {
    pub(crate) fn new(child: &'a HostPart, parent: Option<&'a HostPart>) -> Self {
        // Every field is named, so that none can be forgotten.
        let HostPart {
            oob,
            storage,
            platform,
            metadata,
            host_profile: _,
            hardware_profile,
            primary_network,
            interfaces,
            addressing,
        } = child;
        let of_parent = |field: fn(&HostPart) -> &Option<String>| {
            parent.and_then(|parent| field(parent).as_deref())
        };
        Inherited {
            oob: both(oob, parent.and_then(|parent| parent.oob.as_ref())),
            storage: both(storage, parent.and_then(|parent| parent.storage.as_ref())),
            platform: both(platform, parent.and_then(|parent| parent.platform.as_ref())),
            metadata: both(metadata, parent.and_then(|parent| parent.metadata.as_ref())),
            hardware_profile: hardware_profile
                .as_deref()
                .or_else(|| of_parent(|part| &part.hardware_profile)),
            primary_network: primary_network
                .as_deref()
                .or_else(|| of_parent(|part| &part.primary_network)),
            interfaces: both(
                interfaces,
                parent.and_then(|parent| parent.interfaces.as_ref()),
            ),
            addressing: addressing
                .as_deref()
                .or_else(|| parent.and_then(|parent| parent.addressing.as_deref()))
                .unwrap_or_default(),
        }
    }
}

fn both<'a, T: Inherit>(child: &'a Option<T>, parent: Option<&'a T>) -> Option<Cow<'a, T>> {
    match child {
        Some(child) => Some(Cow::Owned(child.over(parent))),
        None => parent.map(Cow::Borrowed),
    }
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
    let removed: HashSet<&str> = child
        .iter()
        .filter_map(|item| item.strip_prefix('!'))
        .collect();
    let own = child.iter().filter(|item| !item.starts_with('!'));
    let inherited = parent
        .into_iter()
        .flatten()
        .filter(|item| !removed.contains(item.as_str()));
    let mut seen: HashSet<&str> = HashSet::new();
    Some(
        own.chain(inherited)
            .filter(|item| seen.insert(item))
            .cloned()
            .collect(),
    )
}

/// A scalar in a map: the child's replaces the parent's whole.
impl Inherit for Scalar {
    fn over(&self, _parent: Option<&Self>) -> Self {
        self.clone()
    }
}

impl<T: Inherit> Inherit for Ordered<T> {
    fn over(&self, parent: Option<&Self>) -> Self {
        let own: HashMap<&str, Option<&T>> = self
            .0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_ref()))
            .collect();
        let removed: HashSet<&str> = own.keys().filter_map(|key| key.strip_prefix('!')).collect();
        let mut inherited: HashSet<&str> = HashSet::new();
        let mut merged = Vec::with_capacity(self.0.len());
        let kept = parent
            .into_iter()
            .flat_map(|parent| &parent.0)
            .filter(|(key, _)| !removed.contains(key.as_str()));
        for (key, value) in kept {
            inherited.insert(key);
            match own.get(key.as_str()) {
                Some(None) => {}
                Some(Some(own)) => merged.push((key.clone(), Some(own.over(value.as_ref())))),
                None => merged.push((key.clone(), value.clone())),
            }
        }
        for (key, value) in &self.0 {
            if let Some(value) = value
                && !inherited.contains(key.as_str())
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
    let own: HashMap<&str, &T> = child
        .iter()
        .filter_map(|own| Some((own.name()?, own)))
        .collect();
    let removed: HashSet<&str> = own
        .keys()
        .filter_map(|name| name.strip_prefix('!'))
        .collect();
    let mut known: HashSet<&str> = HashSet::new();
    let mut merged = Vec::with_capacity(child.len() + inherited.len());
    for item in inherited
        .iter()
        .filter(|item| item.name().is_none_or(|name| !removed.contains(name)))
    {
        known.extend(item.name());
        let own = item.name().and_then(|name| own.get(name));
        merged.push(own.map_or_else(|| item.clone(), |own| own.over(Some(item))));
    }
    let fresh = |own: &&T| {
        own.name()
            .is_none_or(|name| !name.starts_with('!') && !known.contains(name))
    };
    merged.extend(child.iter().filter(fresh).map(|own| own.over(None)));
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
