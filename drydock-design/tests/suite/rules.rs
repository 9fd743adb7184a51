//! Each rule with a failing sample, and a design that passes all of them.

use std::collections::BTreeSet;

use drydock_design::rules;
use drydock_model::finding::{Finding, Level};

use crate::site::{base_with, findings, lines, places};

/// A sample that a rule speaks of: the rule, the level, what to alter in the sound design, and the place and a word of the message.
struct Case {
    rule: &'static str,
    level: Level,
    edits: &'static [(&'static str, &'static str)],
    place: &'static str,
    says: &'static str,
}

const fn error(
    rule: &'static str,
    edits: &'static [(&'static str, &'static str)],
    place: &'static str,
    says: &'static str,
) -> Case {
    Case {
        rule,
        level: Level::Error,
        edits,
        place,
        says,
    }
}

const fn warning(
    rule: &'static str,
    edits: &'static [(&'static str, &'static str)],
    place: &'static str,
    says: &'static str,
) -> Case {
    Case {
        rule,
        level: Level::Warning,
        edits,
        place,
        says,
    }
}

const SECOND_REGION: &str = "---\napiVersion: drydock/v1\nkind: Region\nmetadata: {name: south}\nspec: {}\n---\napiVersion: drydock/v1\nkind: Rack";

const CASES: &[Case] = &[
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
        "storage/mountpoint",
        &[("mountpoint: /var/log", "mountpoint: /var")],
        "mountpoint: /var}",
        "both mounted at /var",
    ),
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
        "@- {type: reserved",
        "not in 10.0.0.0/24",
    ),
    error(
        "range/shape",
        &[("end: 10.0.0.50", "end: 10.0.0.150")],
        "@- {type: reserved",
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
        "@- {type: reserved",
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
        &[("credential: 'not-to-be-seen'", "credential: ''")],
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
        "oob/address",
        &[
            ("type: ipmi", "type: redfish"),
            ("    - {network: oob, address: 127.20.0.11}\n", ""),
        ],
        "@- {network: pxe, address: dhcp}",
        "no static address",
    ),
    error(
        "boot/filter",
        &[("node_names: [n2]", "node_names: []")],
        "@filter_set:",
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
        &[(
            "[utf8_decode, template]",
            "[base64_decode, utf8_decode, template]",
        )],
        "data: '{{",
        "not base64",
    ),
];

#[test]
fn a_sound_design_passes_every_rule() {
    let found = findings(&base_with(&[]).0);
    assert_eq!(lines(&found, Level::Warning), [""; 0]);
    let passed: Vec<&str> = found.iter().map(|finding| finding.rule.as_str()).collect();
    let all: Vec<&str> = rules::ALL.iter().map(|rule| rule.id).collect();
    assert_eq!(passed, all);
    assert!(
        found
            .iter()
            .all(|finding| finding.message.ends_with(": Validation successful."))
    );
}

#[test]
fn every_rule_finds_its_fault() {
    let failures: Vec<String> = CASES.iter().filter_map(|case| check(case).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn check(case: &Case) -> Result<(), String> {
    let (documents, text) = base_with(case.edits);
    let found = findings(&documents);
    let shown = format!(
        "{:?}\n{}",
        case.edits,
        lines(&found, Level::Warning).join("\n")
    );
    let told = |finding: &&Finding| finding.rule == case.rule && finding.level == case.level;
    let Some(finding) = found
        .iter()
        .filter(told)
        .find(|finding| finding.message.contains(case.says))
    else {
        return Err(format!(
            "{} does not say {:?}: {shown}",
            case.rule, case.says
        ));
    };
    if finding.diagnostic.is_empty() || finding.documents.is_empty() {
        return Err(format!("no advice or no document: {finding:?}"));
    }
    let location = finding
        .location
        .as_ref()
        .ok_or_else(|| format!("no place: {finding:?}"))?;
    let expected = places(&text, case.place);
    if expected.contains(&(location.line, location.column)) {
        Ok(())
    } else {
        Err(format!(
            "{} stands at {location}, not at {expected:?}: {shown}",
            case.rule
        ))
    }
}

#[test]
fn every_rule_has_a_case() {
    let cases: BTreeSet<&str> = CASES.iter().map(|case| case.rule).collect();
    let all: BTreeSet<&str> = rules::ALL.iter().map(|rule| rule.id).collect();
    assert_eq!(cases, all);
    assert_eq!(all.len(), rules::ALL.len(), "ids are unique");
}

#[test]
fn one_fault_does_not_hide_another() {
    let (documents, _) = base_with(&[
        ("size: 20g", "size: 1g"),
        ("cidr: 10.0.1.0/24", "cidr: nonsense"),
        (
            "host_profile: base\n  addressing:\n    - {network: oob, address: 127.20.0.11",
            "host_profile: bass\n  addressing:\n    - {network: oob, address: 127.20.0.11",
        ),
    ]);
    let found = findings(&documents);
    for rule in ["storage/boot", "value/valid", "reference/host-profile"] {
        assert!(
            found
                .iter()
                .any(|finding| finding.rule == rule && finding.level == Level::Error),
            "{rule}"
        );
    }
}

#[test]
fn a_fault_of_a_profile_is_told_once_with_every_node_it_concerns() {
    let found = findings(&base_with(&[("size: 20g", "size: 1g")]).0);
    let told: Vec<&Finding> = found
        .iter()
        .filter(|finding| finding.rule == "storage/boot")
        .collect();
    assert_eq!(told.len(), 1);
    let documents: Vec<String> = told[0].documents.iter().map(ToString::to_string).collect();
    assert_eq!(
        documents,
        ["HostProfile base", "BaremetalNode n1", "BaremetalNode n2"]
    );
}

#[test]
fn validating_twice_says_the_same() {
    let (documents, _) = base_with(&[("size: 20g", "size: 1g")]);
    assert_eq!(findings(&documents), findings(&documents));
}
