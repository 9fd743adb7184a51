//! Samples of the rules that look beyond errors: what is left over, misspelt or readable by others, and what drivers must be able to do.

use crate::case::{Case, error, info, warning};

pub const CASES: &[Case] = &[
    info(
        "document/unused",
        &[(
            "metadata: {name: model-a}\n",
            "metadata: {name: model-z}\nspec: {}\n---\napiVersion: drydock/v1\nkind: HardwareProfile\nmetadata: {name: model-a}\n",
        )],
        "@model-z",
        "HardwareProfile model-z is used by no node",
    ),
    info(
        "document/unused",
        &[(
            "metadata: {name: base}\n",
            "metadata: {name: old}\nspec: {}\n---\napiVersion: drydock/v1\nkind: HostProfile\nmetadata: {name: base}\n",
        )],
        "@old}",
        "HostProfile old is used by no node",
    ),
    info(
        "document/unused",
        &[
            (
                "networks: [mgmt, storage]\n  metadata",
                "networks: [mgmt]\n  metadata",
            ),
            ("    - {network: storage, address: 'fd00:1::11'}\n", ""),
            ("    - {network: storage, address: 'fd00:1::12'}\n", ""),
        ],
        "@storage}\nspec",
        "Network storage is used by no node",
    ),
    info(
        "document/unused",
        &[(
            "  assets:\n    - type: pkg_list\n      data: {chrony: 4.2-2ubuntu2, jq: }\n",
            "  assets: []\n",
        )],
        "@packages}",
        "has no assets",
    ),
    warning(
        "host/slave-alias",
        &[("slaves: [nic1, nic2]", "slaves: [nic1, nicc2]")],
        "@nicc2",
        "nicc2 of interface bond0 is no alias of HardwareProfile model-a",
    ),
    warning(
        "host/bond-slaves",
        &[("slaves: [nic1, nic2]", "slaves: [nic2]")],
        "@[nic2]",
        "with one slave",
    ),
    warning(
        "host/bond-slaves",
        &[("slaves: [nic1, nic2]", "slaves: []")],
        "@[]\n      networks: [mgmt",
        "with no slave",
    ),
    warning(
        "host/stored-names",
        &[("tags: [plain]", "tags: ['role=plain']")],
        "@'role=plain'",
        "becomes \"role_plain\"",
    ),
    warning(
        "host/stored-names",
        &[(
            "owner_data: {role: worker}",
            "owner_data: {example.com/role: worker}",
        )],
        "example.com/role: worker",
        "becomes \"example.com_role\"",
    ),
    error(
        "host/stored-names",
        &[("tags: [plain]", "tags: ['a=b', 'a_b']")],
        "@'a_b'",
        "are both stored as \"a_b\"",
    ),
    error(
        "host/stored-names",
        &[("owner_data: {role: worker}", "owner_data: {a/b: x, a_b: y}")],
        "a_b: y",
        "are both stored as \"a_b\"",
    ),
    error(
        "platform/selection",
        &[("image: noble", "image: nobel")],
        "image: nobel",
        "does not offer the image nobel",
    ),
    error(
        "platform/selection",
        &[("kernel: ga-24.04", "kernel: ga-18.04")],
        "kernel: ga-18.04",
        "does not offer the kernel ga-18.04 with noble",
    ),
    error(
        "oob/libvirt",
        &[("type: ipmi", "type: libvirt")],
        "@{type: libvirt",
        "needs oob.libvirt_uri",
    ),
    error(
        "oob/libvirt",
        &[(
            "type: ipmi",
            "type: libvirt, libvirt_uri: 'qemu+tcp://h/system'",
        )],
        "libvirt_uri: 'qemu",
        "does not begin with qemu+ssh",
    ),
    error(
        "oob/libvirt",
        &[
            (
                "type: ipmi",
                "type: libvirt, libvirt_uri: 'qemu+ssh://h/system'",
            ),
            (", boot_mac: '52:54:00:00:00:11'", ""),
        ],
        "@{rack: r1}",
        "needs metadata.boot_mac",
    ),
    warning(
        "oob/type",
        &[("type: ipmi", "type: ilo")],
        "type: ilo",
        "serves the out-of-band type \"ilo\"",
    ),
    warning(
        "oob/type",
        &[("type: ipmi, ", "")],
        "@{network: oob, account",
        "has no out-of-band type",
    ),
    info(
        "oob/clear-secret",
        &[("'env:OOB_PASSWORD'", "'not-to-be-seen'")],
        "credential: 'not-to",
        "oob.credential stands in clear text",
    ),
    info(
        "oob/clear-secret",
        &[("type: ipmi", "type: ipmi, api_token: abc")],
        "api_token: abc",
        "oob.api_token stands in clear text",
    ),
    warning(
        "boot/definition",
        &[
            (
                "    - type: pkg_list\n",
                "    - type: pkg_list\n      location: file:///x\n",
            ),
            (
                "metadata: {name: packages}\nspec:\n",
                "metadata: {name: packages}\nspec:\n  node_filter: {filter_set: [{node_names: [n2]}]}\n",
            ),
        ],
        "@n1}",
        "BaremetalNode n1 is a target of no boot action",
    ),
    error(
        "boot/packages",
        &[("4.2-2ubuntu2", "'>=4.2'")],
        "chrony: '>=4.2'",
        "\">=4.2\" is not a version of package chrony",
    ),
    error(
        "boot/packages",
        &[("{chrony: 4.2-2ubuntu2", "{Chrony Daemon: 4.2-2ubuntu2")],
        "Chrony Daemon: 4.2",
        "\"Chrony Daemon\" is not the name of a package",
    ),
    error(
        "boot/packages",
        &[("      data: {chrony: 4.2-2ubuntu2, jq: }\n", "")],
        "@type: pkg_list",
        "lists no package",
    ),
];
