//! A site design of any size, for measurements.
//!
//! Each node has a name, five addresses, a MAC address and owner data of its own, and inherits over three profiles a bond, a volume group
//! and kernel parameters that refer to its hardware profile. Four boot actions choose nodes by filters of every sort.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Nodes in one rack.
const RACK: u32 = 40;

/// What all nodes share.
const SHARED: &str = include_str!("shared.yaml");

/// Nodes in one text: more would be above what a reader takes of one text.
const TEXT: u32 = 25_000;

/// The site in the yaml form: one text, or several when it is large.
pub(super) fn texts(nodes: u32) -> Vec<String> {
    let mut texts: Vec<String> = (0..nodes)
        .step_by(TEXT as usize)
        .map(|first| (first..nodes.min(first + TEXT)).map(node).collect())
        .collect();
    if let Some(first) = texts.first_mut() {
        first.insert_str(0, &shared(nodes));
    }
    texts
}

/// A site that has nothing but machines with a BMC each, at these addresses of 127.0.0.0/8.
pub(super) fn bare(machines: impl Iterator<Item = (String, Ipv4Addr)>) -> String {
    let mut text = String::from(
        "---
apiVersion: drydock/v1
kind: Region
metadata: {name: bench}
spec: {authorized_keys: []}
---
apiVersion: drydock/v1
kind: NetworkLink
metadata: {name: oob}
spec: {bonding: {mode: disabled}, mtu: 1500, trunking: {mode: disabled, default_network: oob}, allowed_networks: [oob]}
---
apiVersion: drydock/v1
kind: Network
metadata: {name: oob}
spec: {cidr: 127.0.0.0/8}
---
apiVersion: drydock/v1
kind: HostProfile
metadata: {name: host}
spec:
  oob: {type: ipmi, network: oob, account: bench, credential: bench}
  storage: {physical_devices: {sda: {partitions: [{name: root, size: 40g, filesystem: {mountpoint: /}}]}}}
",
    );
    for (name, address) in machines {
        let _ = write!(
            text,
            "---
apiVersion: drydock/v1
kind: BaremetalNode
metadata: {{name: {name}}}
spec: {{host_profile: host, addressing: [{{network: oob, address: {address}}}]}}
"
        );
    }
    text
}

/// What nodes share, and their racks.
fn shared(nodes: u32) -> String {
    let mut text = SHARED.to_owned();
    // Writing to a String cannot fail.
    for rack in 0..nodes.div_ceil(RACK) {
        let _ = write!(
            text,
            "---
apiVersion: drydock/v1
kind: Rack
metadata: {{name: rack-{rack:04}}}
spec:
  location: {{hall: '{}'}}
  labels: {{row: '{}'}}
",
            rack / 100,
            rack % 10
        );
    }
    text
}

fn node(number: u32) -> String {
    // Ranges of 2^20 addresses, the first sixteen of each kept free.
    let v4 = |network: u32| Ipv4Addr::from((10 << 24) + (network << 20) + 16 + number);
    let v6 = Ipv6Addr::from((0xfd00_u128 << 112) + 16 + u128::from(number));
    let [_, high, middle, low] = number.to_be_bytes();
    let rack = number / RACK;
    let (role, profile) = if number.is_multiple_of(10) {
        ("control", "controller")
    } else {
        ("compute", "worker")
    };
    format!(
        "---
apiVersion: drydock/v1
kind: BaremetalNode
metadata:
  name: node-{number:06}
spec:
  host_profile: {profile}
  addressing:
    - network: oob
      address: {}
    - network: pxe
      address: {}
    - network: mgmt
      address: {}
    - network: storage
      address: {}
    - network: tenant
      address: '{v6}'
  platform:
    kernel_params:
      isolcpus: 'hardwareprofile:cpuset.{role}'
  metadata:
    boot_mac: '52:54:00:{high:02x}:{middle:02x}:{low:02x}'
    rack: rack-{rack:04}
    tags:
      - {role}
      - slot-{:02}
    owner_data:
      openstack-{role}: enabled
      serial: SN{number:08}
      asset: bench-inventory-{number:08}
      maintenance: window-{}
",
        v4(0),
        v4(1),
        v4(2),
        v4(3),
        number % RACK,
        number % 7
    )
}
