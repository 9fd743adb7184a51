//! MaaS's resources, as far as the driver reads them. Unknown fields are passed over; nearly all are optional, since
//! releases differ.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::status::Status;

/// `machines/{sid}/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct MachineResource {
    pub system_id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub hostname: String,
    pub status: Status,
    #[serde(default, deserialize_with = "lenient")]
    pub status_name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub status_message: String,
    #[serde(default)]
    pub domain: Option<DomainResource>,
    #[serde(default, deserialize_with = "lenient")]
    pub power_type: String,
    #[serde(default)]
    pub power_state: Option<String>,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub locked: bool,
    #[serde(default, deserialize_with = "lenient")]
    pub osystem: String,
    #[serde(default, deserialize_with = "lenient")]
    pub distro_series: String,
    #[serde(default)]
    pub hwe_kernel: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub tag_names: Vec<String>,
    #[serde(default)]
    pub owner_data: BTreeMap<String, String>,
    #[serde(default)]
    pub workload_annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub memory: Option<i64>,
    #[serde(default)]
    pub cpu_count: Option<i64>,
    #[serde(default)]
    pub boot_interface: Option<InterfaceResource>,
    #[serde(default, deserialize_with = "lenient")]
    pub interface_set: Vec<InterfaceResource>,
    #[serde(default, deserialize_with = "lenient")]
    pub blockdevice_set: Vec<BlockDeviceResource>,
    #[serde(default)]
    pub boot_disk: Option<IdResource>,
    /// `{"ipv4": {"gateway_ip", "link_id"}, "ipv6": {..}}`.
    #[serde(default)]
    pub default_gateways: Value,
}

impl MachineResource {
    /// Owner data under either of the names that releases use.
    pub(crate) fn annotations(&self) -> BTreeMap<String, String> {
        let mut all = self.owner_data.clone();
        all.extend(self.workload_annotations.clone());
        all
    }

    /// Whether one of its interfaces has this MAC address.
    pub(crate) fn has_mac(&self, mac: &str) -> bool {
        self.interface_set
            .iter()
            .chain(&self.boot_interface)
            .any(|interface| interface.has_mac(mac))
    }
}

/// A disk or logical volume; in a volume group also a partition.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BlockDeviceResource {
    pub id: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub kind: String,
    #[serde(default, deserialize_with = "lenient")]
    pub size: u64,
    #[serde(default)]
    pub filesystem: Option<FilesystemResource>,
    #[serde(default, deserialize_with = "lenient")]
    pub partitions: Vec<PartitionResource>,
}

/// A partition.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PartitionResource {
    pub id: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub size: u64,
    #[serde(default)]
    pub filesystem: Option<FilesystemResource>,
}

/// A file system.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FilesystemResource {
    #[serde(default, deserialize_with = "lenient")]
    pub fstype: String,
    #[serde(default)]
    pub mount_point: Option<String>,
}

/// `nodes/{sid}/volume-groups/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct VolumeGroupResource {
    pub id: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    /// A number; a string in old releases.
    #[serde(default)]
    pub size: Value,
    #[serde(default, deserialize_with = "lenient")]
    pub devices: Vec<BlockDeviceResource>,
}

/// `rackcontrollers/` and `regioncontrollers/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ControllerResource {
    pub system_id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub hostname: String,
    #[serde(default, deserialize_with = "lenient")]
    pub service_set: Vec<ServiceResource>,
    #[serde(default, deserialize_with = "lenient")]
    pub interface_set: Vec<InterfaceResource>,
}

/// One service of a controller.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ServiceResource {
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub status: String,
    #[serde(default, deserialize_with = "lenient")]
    pub status_info: String,
}

/// An interface of a machine or controller.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct InterfaceResource {
    #[serde(default, deserialize_with = "lenient")]
    pub id: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub kind: String,
    #[serde(default, deserialize_with = "lenient")]
    pub effective_mtu: u32,
    #[serde(default, deserialize_with = "lenient")]
    pub parents: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub children: Vec<String>,
    /// An object, or an empty string.
    #[serde(default)]
    pub params: Value,
    #[serde(default)]
    pub mac_address: Option<String>,
    #[serde(default)]
    pub vlan: Option<VlanResource>,
    #[serde(default, deserialize_with = "lenient")]
    pub links: Vec<LinkResource>,
}

impl InterfaceResource {
    fn has_mac(&self, mac: &str) -> bool {
        self.mac_address
            .as_deref()
            .is_some_and(|own| own.eq_ignore_ascii_case(mac))
    }
}

/// An address of an interface.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LinkResource {
    #[serde(default, deserialize_with = "lenient")]
    pub id: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub mode: String,
    #[serde(default)]
    pub ip_address: Option<String>,
    #[serde(default)]
    pub subnet: Option<IdResource>,
}

/// Something of which only the id is read.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct IdResource {
    pub id: i64,
}

/// `fabrics/`, with its VLANs embedded.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FabricResource {
    pub id: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub vlans: Vec<VlanResource>,
}

/// A VLAN.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct VlanResource {
    pub id: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub vid: u16,
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub mtu: u32,
    #[serde(default, deserialize_with = "lenient")]
    pub dhcp_on: bool,
    #[serde(default)]
    pub relay_vlan: Option<RelayResource>,
}

/// The VLAN that another relays DHCP to: an object, or its id in some releases.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum RelayResource {
    /// By id.
    Id(i64),
    /// Embedded.
    Vlan {
        /// Its id.
        id: i64,
    },
}

impl RelayResource {
    pub(crate) fn id(&self) -> i64 {
        match self {
            RelayResource::Id(id) | RelayResource::Vlan { id } => *id,
        }
    }
}

/// `subnets/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SubnetResource {
    pub id: i64,
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub cidr: String,
    pub vlan: VlanResource,
    #[serde(default)]
    pub gateway_ip: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub dns_servers: Vec<String>,
}

/// `ipranges/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RangeResource {
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub kind: String,
    pub start_ip: String,
    pub end_ip: String,
}

/// `domains/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DomainResource {
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
}

/// `tags/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TagResource {
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub kernel_opts: String,
}

/// `boot-resources/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ImageResource {
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub architecture: String,
}

/// `account/prefs/sshkeys/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SshKeyResource {
    #[serde(default, deserialize_with = "lenient")]
    pub key: String,
}

/// `package-repositories/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RepositoryResource {
    pub id: i64,
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub url: String,
    #[serde(default, deserialize_with = "lenient")]
    pub distributions: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub components: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub arches: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub key: String,
    #[serde(default, deserialize_with = "lenient")]
    pub disabled_components: Vec<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub disabled_pockets: Vec<String>,
}

/// `version/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct VersionResource {
    #[serde(default, deserialize_with = "lenient")]
    pub version: String,
}

/// `users/?op=whoami`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct UserResource {
    pub username: String,
    #[serde(default, deserialize_with = "lenient")]
    pub is_superuser: bool,
}

/// Power parameters of one machine. The password has no readable form.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PowerResource {
    #[serde(default, deserialize_with = "lenient")]
    pub power_address: String,
    #[serde(default, deserialize_with = "lenient")]
    pub power_user: String,
    #[serde(default)]
    pub power_id: Option<String>,
    #[serde(default)]
    power_pass: Option<SecretString>,
}

impl PowerResource {
    /// Whether MaaS has this password.
    pub(crate) fn has_pass(&self, wanted: &SecretString) -> bool {
        self.power_pass
            .as_ref()
            .is_some_and(|own| own.expose_secret() == wanted.expose_secret())
    }
}

/// A field that some releases leave out or give as `null`.
fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_unknown_does_no_harm() {
        let machine: MachineResource = serde_json::from_str(
            r#"{"system_id": "abc123", "status": 4, "owner": null, "osystem": null, "new_field": [1],
                "interface_set": [{"mac_address": "52:54:00:00:14:01", "params": "", "vlan": null, "links": null}]}"#,
        )
        .unwrap();
        assert_eq!(machine.status, Status::Ready);
        assert!(machine.has_mac("52:54:00:00:14:01") && !machine.has_mac("52:54:00:00:14:02"));
    }

    #[test]
    fn a_password_is_not_shown() {
        let power: PowerResource =
            serde_json::from_str(r#"{"power_address": "127.0.0.9", "power_pass": "hunter2"}"#)
                .unwrap();
        assert!(power.has_pass(&"hunter2".to_owned().into()));
        assert!(!format!("{power:?}").contains("hunter2"));
    }
}
