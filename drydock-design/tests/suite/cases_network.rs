//! Samples that the rules on networks, links and ranges speak of.

use crate::case::{Case, error, warning};

pub const CASES: &[Case] = &[
    error(
        "network/bond",
        &[(
            "bonding: {mode: disabled}",
            "bonding: {mode: disabled, hash: layer2}",
        )],
        "hash: layer2",
        "no effect",
    ),
    error(
        "network/bond",
        &[("mode: 802.3ad,", "mode: active-backup, peer_rate: fast,")],
        "peer_rate: fast",
        "802.3ad only",
    ),
    error(
        "network/bond",
        &[("up_delay: 200", "up_delay: 50")],
        "up_delay: 50",
        "less than mon_rate",
    ),
    error(
        "network/bond",
        &[(
            "mode: 802.3ad, mon_rate: 100, up_delay: 200",
            "mode: disabled",
        )],
        "@[nic1, nic2]",
        "2 slaves",
    ),
    error(
        "network/allowed",
        &[(
            "allowed_networks: [mgmt, storage]",
            "allowed_networks: [mgmt]",
        )],
        "@storage]",
        "does not allow",
    ),
    error(
        "network/allowed",
        &[("allowed_networks: [pxe]", "allowed_networks: [pxe, mgmt]")],
        "@mgmt, storage]",
        "and on NetworkLink",
    ),
    error(
        "network/locality",
        &[("address: 10.0.1.11", "address: 10.0.2.11")],
        "address: 10.0.2.11",
        "not in network mgmt",
    ),
    error(
        "network/locality",
        &[("gateway: 10.0.1.1,", "gateway: 10.0.2.1,")],
        "gateway: 10.0.2.1,",
        "not in 10.0.1.0/24",
    ),
    error(
        "network/locality",
        &[(
            "subnet: 0.0.0.0/0, gateway: 10.0.1.1,",
            "subnet: '::/0', gateway: 10.0.1.1,",
        )],
        "gateway: 10.0.1.1,",
        "of another family than ::/0",
    ),
    error(
        "network/locality",
        &[("gateway: 10.0.1.1, ", "")],
        "@{subnet: 0.0.0.0/0, metric: 10}",
        "no gateway",
    ),
    error(
        "network/mtu",
        &[("mtu: 1500", "mtu: 1000")],
        "mtu: 1000",
        "out of range",
    ),
    error(
        "network/mtu",
        &[("mtu: 9000\n  cidr", "mtu: 9001\n  cidr")],
        "mtu: 9001",
        "above that of NetworkLink data-link",
    ),
    error(
        "network/trunking",
        &[(
            "trunking: {mode: 802.1q}",
            "trunking: {mode: disabled, default_network: mgmt}",
        )],
        "@[mgmt, storage]",
        "allows 2 networks",
    ),
    error(
        "network/trunking",
        &[("{mode: disabled, default_network: pxe}", "{mode: disabled}")],
        "@{mode: disabled}\n  allowed_networks: [pxe]",
        "no default",
    ),
    error(
        "network/trunking",
        &[("cidr: 10.0.0.0/24", "cidr: 10.0.0.0/24\n  vlan: 5")],
        "@pxe}\n  allowed",
        "VLAN 5",
    ),
    error(
        "network/duplicate-address",
        &[("address: 10.0.1.12", "address: 10.0.1.11")],
        "address: 10.0.1.11}\n    - {network: storage, address: 'fd00:1::12'",
        "also that of n1",
    ),
    error(
        "network/cidr",
        &[("cidr: 10.0.1.0/24", "cidr: 10.0.1.5/24")],
        "cidr: 10.0.1.5/24",
        "host bits",
    ),
    error(
        "network/vlan",
        &[("vlan: '100'", "vlan: 4095")],
        "vlan: 4095",
        "not a VLAN id",
    ),
    error(
        "network/vlan",
        &[("vlan: 101", "vlan: 100")],
        "vlan: 100",
        "both have VLAN 100",
    ),
    error(
        "network/vlan",
        &[("vlan: '100'\n", "vlan: 0\n"), ("  vlan: 101\n", "")],
        "@storage}\nspec",
        "both have no VLAN",
    ),
    warning(
        "network/unlinked",
        &[(
            "default_network: oob}\n  allowed_networks: [oob]",
            "default_network: oob}\n  allowed_networks: []",
        )],
        "@oob}\nspec:\n  cidr",
        "on no link",
    ),
    error(
        "range/shape",
        &[("end: 10.0.0.200", "end: 10.0.1.200")],
        "end: 10.0.1.200",
        "not in 10.0.0.0/24",
    ),
    error(
        "range/shape",
        &[("end: 10.0.0.50", "end: 10.0.0.150")],
        "start: 10.0.0.100",
        "overlaps",
    ),
    error(
        "range/use",
        &[("address: 10.0.0.12", "address: 10.0.0.120")],
        "address: 10.0.0.120",
        "dhcp range",
    ),
    error(
        "range/use",
        &[("address: 10.0.0.12", "address: 10.0.0.2")],
        "address: 10.0.0.2",
        "reserved range",
    ),
    error(
        "range/use",
        &[("gateway: 10.0.0.1,", "gateway: 10.0.0.101,")],
        "start: 10.0.0.100",
        "gateway 10.0.0.101",
    ),
    warning(
        "range/static",
        &[("address: 10.0.1.12", "address: 10.0.1.99")],
        "address: 10.0.1.99",
        "outside the static range",
    ),
    error(
        "range/dhcp",
        &[("address: 10.0.1.12", "address: dhcp")],
        "address: dhcp}\n    - {network: storage",
        "no dhcp range",
    ),
];
