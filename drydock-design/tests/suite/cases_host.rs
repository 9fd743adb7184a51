//! Samples that the rules on documents, hosts, storage and boot actions speak of.

use crate::case::{Case, error, warning};

const SECOND_REGION: &str = "---\napiVersion: drydock/v1\nkind: Region\nmetadata: {name: south}\nspec: {}\n---\napiVersion: drydock/v1\nkind: Rack";

pub const CASES: &[Case] = &[
    error(
        "value/valid",
        &[("size: 20g", "size: 20x")],
        "size: 20x",
        "unknown unit",
    ),
    error(
        "value/valid",
        &[("address: 10.0.1.11", "address: 10.0.1.1111")],
        "address: 10.0.1.1111",
        "not an IP",
    ),
    error(
        "value/valid",
        &[("cidr: 10.0.1.0/24", "cidr: 10.0.1.0/33")],
        "cidr: 10.0.1.0/33",
        "not a network",
    ),
    error(
        "value/valid",
        &[("mode: 802.3ad", "mode: lacp")],
        "lacp",
        "not a bonding mode",
    ),
    error(
        "value/valid",
        &[("mtu: 9000\n  trunking", "mtu: -1\n  trunking")],
        "mtu: -1",
        "out of range",
    ),
    error(
        "value/valid",
        &[("permissions: '755'", "permissions: '789'")],
        "permissions: '789'",
        "not a mode",
    ),
    error(
        "value/valid",
        &[("boot_mac: '52:54", "boot_mac: '5:54")],
        "boot_mac: '5:54",
        "not a MAC",
    ),
    error(
        "value/valid",
        &[("end: 10.0.0.200", "end: 10.0.0.99")],
        "end: 10.0.0.99",
        "backwards",
    ),
    error(
        "value/valid",
        &[("bus_type: pci}\n    nic2", "}\n    nic2")],
        "@{address: '0000:00:03.0'",
        "is missing",
    ),
    error(
        "document/unique",
        &[("metadata: {name: n2}", "metadata: {name: n1}")],
        "@n1}\nspec",
        "a second time",
    ),
    error(
        "document/one-region",
        &[("---\napiVersion: drydock/v1\nkind: Rack", SECOND_REGION)],
        "@south",
        "beside Region north",
    ),
    warning(
        "document/unread-key",
        &[("slaves: [nic1]\n", "slaves: [nic1]\n      netwrks: []\n")],
        "@netwrks",
        "netwrks",
    ),
    error(
        "reference/host-profile",
        &[(
            "host_profile: base\n  addressing:\n    - {network: oob, address: 127.20.0.11",
            "host_profile: bass\n  addressing:\n    - {network: oob, address: 127.20.0.11",
        )],
        "host_profile: bass",
        "bass",
    ),
    error(
        "reference/host-profile",
        &[(
            "metadata: {name: base}\nspec:",
            "metadata: {name: base}\nspec:\n  host_profile: base",
        )],
        "host_profile: base",
        "base -> base",
    ),
    error(
        "reference/hardware-profile",
        &[("hardware_profile: model-a", "hardware_profile: model-b")],
        "hardware_profile: model-b",
        "model-b",
    ),
    error(
        "reference/link",
        &[("device_link: pxe-link", "device_link: pxe-lnk")],
        "device_link: pxe-lnk",
        "pxe-lnk",
    ),
    error(
        "reference/network",
        &[(
            "allowed_networks: [mgmt, storage]",
            "allowed_networks: [mgmt, storage, ghost]",
        )],
        "@ghost",
        "ghost",
    ),
    error(
        "reference/network",
        &[("primary_network: mgmt", "primary_network: mgnt")],
        "primary_network: mgnt",
        "mgnt",
    ),
    warning(
        "reference/rack",
        &[("{rack: r1, boot_mac: '52:", "{rack: r7, boot_mac: '52:")],
        "@r7",
        "r7",
    ),
    warning(
        "reference/local-network",
        &[("local_networks: [pxe]", "local_networks: [pxe, ghost]")],
        "@ghost",
        "ghost",
    ),
    error(
        "storage/boot",
        &[("size: 20g", "size: 19g")],
        "size: 19g",
        "less than 20 GB",
    ),
    error(
        "storage/boot",
        &[("size: 1g", "size: 900m")],
        "size: 900m",
        "less than 1 GB",
    ),
    error(
        "storage/boot",
        &[
            ("mountpoint: /}", "mountpoint: /srv}"),
            ("name: root", "name: other"),
        ],
        "@physical_devices:",
        "no root",
    ),
    error(
        "storage/partitioning",
        &[("labels: {bootdrive: true}", "volume_group: vg0")],
        "@volume_group: vg0",
        "has partitions",
    ),
    error(
        "storage/partitioning",
        &[("volume_group: vg0\n", "labels: {a: b}\n")],
        "@labels: {a: b}",
        "neither",
    ),
    error(
        "storage/partitioning",
        &[("volume_group: vg0\n", "volume_group: vg1\n")],
        "@logical_volumes",
        "no disk",
    ),
    error(
        "storage/sizing",
        &[("size: 1g", "size: 50%")],
        "@50%\n            filesystem: {mountpoint: /var}",
        "100%",
    ),
    error(
        "storage/sizing",
        &[("size: 20g", "size: '>20g'"), ("size: 1g", "size: '>1g'")],
        "size: '>1g'",
        "root and boot would both take the rest of disk1",
    ),
    error(
        "storage/sizing",
        &[(
            "          - name: log\n",
            "          - {name: srv, size: '>5%'}\n          - name: log\n",
        )],
        "size: '>10g'",
        "srv and log would both take the rest of vg0",
    ),
    warning(
        "storage/partitioning",
        &[("volume_group: vg0\n", "volume_group: vg1\n")],
        "volume_group: vg1",
        "volume group vg1 has disks, but is not defined",
    ),
    error(
        "storage/mountpoint",
        &[("mountpoint: /var/log", "mountpoint: /var")],
        "mountpoint: /var}",
        "both mounted at /var",
    ),
    error(
        "host/name",
        &[("metadata: {name: n2}", "metadata: {name: n__2}")],
        "@n__2",
        "double underscore",
    ),
    error(
        "host/name",
        &[("metadata: {name: n2}", "metadata: {name: '-n2'}")],
        "@'-n2'",
        "not a DNS name",
    ),
    error(
        "host/primary-network",
        &[("    - {network: mgmt, address: 10.0.1.11}\n", "")],
        "@- {network: oob, address: 127.20.0.11}",
        "no address on its primary",
    ),
    warning(
        "host/uncarried-address",
        &[(
            "slaves: [nic1]\n      networks: [pxe]\n",
            "slaves: [nic1]\n      networks: []\n",
        )],
        "@{network: pxe, address: dhcp}",
        "no interface of it carries",
    ),
    error(
        "host/slaves",
        &[("      labels: {noconfig: true}\n", "")],
        "@nic1, nic2]",
        "in interface pxe0 and in interface bond0",
    ),
    error(
        "host/boot-mac",
        &[("'52-54-00-00-00-12'", "'5254.0000.0011'")],
        "boot_mac: '5254",
        "also that of n1",
    ),
    error(
        "platform/hugepages",
        &[("      hugepages: hardwareprofile:hugepages.big.count\n", "")],
        "hugepagesz: hardwareprofile",
        "without hugepages",
    ),
    error(
        "platform/reference",
        &[("cpuset.fast", "cpuset.slow")],
        "isolcpus: hardwareprofile",
        "cpuset.slow is not in",
    ),
    error(
        "oob/ipmi",
        &[("account: admin, ", "")],
        "@{type: ipmi",
        "needs oob.account",
    ),
    error(
        "oob/ipmi",
        &[("credential: 'env:OOB_PASSWORD'", "credential: ''")],
        "@{type: ipmi",
        "needs oob.credential",
    ),
    error(
        "oob/ipmi",
        &[("    - {network: oob, address: 127.20.0.11}\n", "")],
        "@- {network: pxe, address: dhcp}",
        "no static address",
    ),
    error(
        "oob/redfish",
        &[("type: ipmi", "type: redfish"), ("account: admin, ", "")],
        "@{type: redfish",
        "Redfish needs oob.account",
    ),
    error(
        "oob/redfish",
        &[
            ("type: ipmi", "type: redfish"),
            ("    - {network: oob, address: 127.20.0.11}\n", ""),
        ],
        "@- {network: pxe, address: dhcp}",
        "no static address",
    ),
    error(
        "oob/address",
        &[
            ("type: ipmi", "type: manual"),
            ("    - {network: oob, address: 127.20.0.11}\n", ""),
        ],
        "@- {network: pxe, address: dhcp}",
        "no static address",
    ),
    error(
        "boot/filter",
        &[("node_names: [n2]", "node_names: []")],
        "@node_names: []",
        "no criterion",
    ),
    warning(
        "boot/filter",
        &[("node_names: [n2]", "node_names: [n3]")],
        "@filter_set:",
        "selects no node",
    ),
    error(
        "boot/template",
        &[("node.hostname | upper", "node.hostname | ")],
        "data: '{{",
        "data of /opt/hello.sh",
    ),
    error(
        "boot/template",
        &[("node.hostname | upper", "nod.hostname")],
        "data: '{{",
        "unknown variable nod",
    ),
    error(
        "boot/template",
        &[("node.hostname | upper", "node.network.calico.ip")],
        "data: '{{",
        "calico is not there on n2",
    ),
    error(
        "boot/template",
        &[(
            "[utf8_decode, template]",
            "[base64_decode, utf8_decode, template]",
        )],
        "data: '{{",
        "not base64",
    ),
];
