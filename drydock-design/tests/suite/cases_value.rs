//! Samples of what stands twice, belongs to nothing, or cannot be used as it is written.

use crate::case::{Case, error, info, warning};

pub const CASES: &[Case] = &[
    warning(
        "document/twice",
        &[("slaves: [nic1, nic2]", "slaves: [nic1, nic2, nic1]")],
        "@nic1]\n      networks: [mgmt",
        "\"nic1\" stands twice in slaves",
    ),
    error(
        "document/twice",
        &[(
            "- name: boot\n            size: 1g",
            "- name: root\n            size: 1g",
        )],
        "@name: root\n            size: 1g",
        "\"root\" stands twice in partitions",
    ),
    warning(
        "document/twice",
        &[("tags: [plain]", "tags: ['']")],
        "@'']",
        "an empty item",
    ),
    warning(
        "document/unread-key",
        &[(
            "metadata: {name: north}",
            "metadata: {name: north, labels: 5}",
        )],
        "@5}\nspec",
        "nothing reads metadata.labels",
    ),
    info(
        "document/unused",
        &[(
            "  authorized_keys:\n",
            "  tag_definitions: [{tag: gpu, definition_type: lshw_xpath, definition: x}]\n  authorized_keys:\n",
        )],
        "tag_definitions: [{",
        "nothing applies tag_definitions",
    ),
    warning(
        "reference/route-domain",
        &[(
            "{subnet: 0.0.0.0/0, gateway: 10.0.1.1, metric: 10}",
            "{routedomain: far, gateway: 10.0.1.1}",
        )],
        "routedomain: far",
        "which no network belongs to",
    ),
    warning(
        "region/authorized-key",
        &[(
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA operator",
            "operator key",
        )],
        "@operator key",
        "holds no public SSH key",
    ),
    warning(
        "hardware/alias",
        &[(
            "nic2: {address: '0000:00:04.0'",
            "nic2: {address: '0000:00:03.0'",
        )],
        "@'0000:00:03.0', bus_type: pci}\n    disk1",
        "the aliases nic1 and nic2 are one device",
    ),
    error(
        "hardware/alias",
        &[("'regexp:^2:'", "'regexp:^(2:'")],
        "@'regexp:^(2:'",
        "alias disk1: the regular expression cannot be read",
    ),
    warning(
        "storage/filesystem",
        &[(
            "filesystem: {mountpoint: /var}",
            "filesystem: {mountpoint: /var, fstype: ext5}",
        )],
        "fstype: ext5",
        "the unknown type",
    ),
    warning(
        "storage/filesystem",
        &[(
            "filesystem: {mountpoint: /var}",
            "filesystem: {mountpoint: /var, mount_options: noatime ro}",
        )],
        "mount_options: noatime",
        "have a blank",
    ),
    warning(
        "storage/identity",
        &[
            (
                "filesystem: {mountpoint: /boot}",
                "filesystem: {mountpoint: /boot, fs_label: x}",
            ),
            (
                "filesystem: {mountpoint: /var}",
                "filesystem: {mountpoint: /var, fs_label: x}",
            ),
        ],
        "@x}\n      sdb",
        "the label x stands at",
    ),
    error(
        "storage/mountpoint",
        &[("mountpoint: /var}", "mountpoint: var}")],
        "mountpoint: var}",
        "not an absolute path",
    ),
    error(
        "storage/sizing",
        &[("size: 50%", "size: 0%")],
        "size: 0%",
        "has no size",
    ),
    warning(
        "boot/path",
        &[(
            "data_pipeline: [utf8_decode, template]\n",
            "data_pipeline: [utf8_decode, template]\n    - {path: /opt/hello.sh, type: file, data: x}\n",
        )],
        "path: /opt/hello.sh, type",
        "writes /opt/hello.sh",
    ),
    warning(
        "boot/filter",
        &[("node_names: [n2]", "node_names: [n2, n9]")],
        "@n9]",
        "names the node n9",
    ),
    warning(
        "value/valid",
        &[(
            "  mtu: 9000\n  trunking",
            "  mtu: 9000\n  linkspeed: fast\n  trunking",
        )],
        "linkspeed: fast",
        "is not a speed",
    ),
    warning(
        "value/valid",
        &[("cpu_sets: {fast: '2,4'}", "cpu_sets: {fast: '4-2'}")],
        "@'4-2'",
        "is not a list of CPUs",
    ),
    error(
        "value/valid",
        &[("mon_rate: 100,", "hash: layer9, mon_rate: 100,")],
        "hash: layer9",
        "is not known",
    ),
    error(
        "value/valid",
        &[(
            "servers: '10.0.1.2,10.0.1.3'",
            "servers: [10.0.1.2, 10.0.1]",
        )],
        "@10.0.1]",
        "is not an IP address",
    ),
    error(
        "value/valid",
        &[(
            "  authorized_keys:\n",
            "  repositories:\n    main: {url: archive}\n  authorized_keys:\n",
        )],
        "url: archive",
        "is not the URL of a repository",
    ),
    error(
        "value/valid",
        &[(
            "data: '{{ node.hostname | upper }}'",
            "location: gopher://x",
        )],
        "location: gopher",
        "is not a location",
    ),
    error(
        "value/valid",
        &[(
            "boot_mac: '52:54:00:00:00:11'",
            "boot_mac: 'ff:ff:ff:ff:ff:ff'",
        )],
        "boot_mac: 'ff",
        "of no single machine",
    ),
    error(
        "network/locality",
        &[(
            "{network: mgmt, address: 10.0.1.11}",
            "{network: mgmt, address: 10.0.1.255}",
        )],
        "address: 10.0.1.255",
        "that of no machine in",
    ),
    error(
        "network/duplicate-address",
        &[(
            "{network: mgmt, address: 10.0.1.11}",
            "{network: mgmt, address: 10.0.1.1}",
        )],
        "address: 10.0.1.1}",
        "that of a gateway",
    ),
    warning(
        "network/trunking",
        &[(
            "trunking: {mode: disabled, default_network: pxe}",
            "trunking: {mode: disabled, default_network: oob}",
        )],
        "default_network: oob}\n  allowed_networks: [pxe]",
        "not among its allowed networks",
    ),
    warning(
        "host/primary-network",
        &[("  primary_network: mgmt\n", "")],
        "@n1}",
        "has no primary network",
    ),
    warning(
        "oob/libvirt",
        &[("type: ipmi,", "type: ipmi, libvirt_uri: 'http://h',")],
        "libvirt_uri: 'http",
        "does not begin with qemu+ssh",
    ),
];
