//! Inheritance, hardware references, domains, route domains.

use drydock_model::effective::Node;
use drydock_model::finding::Level;

use crate::site::{base_with, compiled, documents, findings, lines, sample};

const HEAD: &str = "---\napiVersion: drydock/v1\nkind: ";

/// A node `n` over the profiles `child` and `parent`, each given as the lines of its spec.
fn node(parent: &str, child: &str, own: &str) -> Node {
    let text = format!(
        "{HEAD}HostProfile\nmetadata: {{name: parent}}\nspec:\n{parent}\n{HEAD}HostProfile\nmetadata: {{name: child}}\nspec:\n  \
         host_profile: parent\n{child}\n{HEAD}BaremetalNode\nmetadata: {{name: n}}\nspec:\n  host_profile: child\n{own}\n"
    );
    (*compiled(&documents("inherit.yaml", text)).design.nodes[0]).clone()
}

#[test]
fn scalars_are_the_nearest() {
    let parent =
        "  primary_network: a\n  platform: {image: old, kernel: k}\n  metadata: {rack: r1}";
    let found = node(parent, "  primary_network: b", "  platform: {image: new}");
    assert_eq!(found.primary_network.as_deref(), Some("b"));
    assert_eq!(found.platform.image.as_deref(), Some("new"));
    assert_eq!(found.platform.kernel.as_deref(), Some("k"));
    assert_eq!(found.rack.as_deref(), Some("r1"));
    assert_eq!(found.profiles, ["child", "parent"]);
}

#[test]
fn maps_merge_and_a_marked_key_removes() {
    let parent = "  metadata:\n    owner_data: {a: '1', b: '2', c: '3'}\n  oob: {type: ipmi, account: x, extra: y}";
    let child = "  metadata:\n    owner_data: {'!a': '', b: '20'}\n  oob: {'!extra': ''}";
    let found = node(
        parent,
        child,
        "  metadata:\n    owner_data: {c: null, d: '4'}",
    );
    let pairs: Vec<(&str, &str)> = found
        .owner_data
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(pairs, [("b", "20"), ("d", "4")]);
    assert_eq!(
        (found.oob.kind.as_str(), found.oob.account.as_deref()),
        ("ipmi", Some("x"))
    );
    assert!(found.oob.params.is_empty());
}

#[test]
fn lists_are_the_childs_then_the_parents() {
    let found = node(
        "  metadata: {tags: [a, b, c]}",
        "  metadata: {tags: [d, '!b', c]}",
        "  metadata: {tags: ['!nobody', e]}",
    );
    assert_eq!(found.tags, ["e", "d", "c", "a"]);
}

#[test]
fn a_removed_item_can_come_back_nearer() {
    let found = node(
        "  metadata: {tags: [a]}",
        "  metadata: {tags: ['!a']}",
        "  metadata: {tags: [a]}",
    );
    assert_eq!(found.tags, ["a"]);
}

#[test]
fn interfaces_merge_by_name_and_null_or_a_mark_removes() {
    let parent = "  interfaces:
    one: {device_link: l1, slaves: [s1], networks: [n1, n2], labels: {x: '1'}, sriov: {vf_count: 4, trustedmode: true}}
    two: {device_link: l2}
    three: {device_link: l3}";
    let child =
        "  interfaces:\n    two: null\n    one: {networks: [n3, '!n1'], sriov: {vf_count: 8}}";
    let own = "  interfaces:\n    '!three': true\n    four: {device_link: l4}";
    let found = node(parent, child, own);
    let names: Vec<&str> = found
        .interfaces
        .iter()
        .map(|interface| interface.name.as_str())
        .collect();
    assert_eq!(names, ["one", "four"]);
    let one = &found.interfaces[0];
    assert_eq!(
        (one.link.as_str(), one.networks.as_slice()),
        ("l1", ["n3".to_owned(), "n2".to_owned()].as_slice())
    );
    assert_eq!(one.slaves[0].name, "s1");
    assert_eq!(one.labels["x"], "1");
    let sriov = one.sriov.as_ref().unwrap();
    assert_eq!((sriov.vf_count, sriov.trustedmode), (8, true));
}

#[test]
fn removed_and_written_anew_is_the_childs_alone() {
    let parent = "  interfaces: {e: {device_link: l1, networks: [old]}}";
    let found = node(
        parent,
        "  interfaces: {'!e': null, e: {device_link: l2}}",
        "  metadata: {tags: []}",
    );
    assert_eq!(found.interfaces.len(), 1);
    assert_eq!(
        (
            found.interfaces[0].link.as_str(),
            found.interfaces[0].networks.len()
        ),
        ("l2", 0)
    );
}

#[test]
fn storage_merges_by_name_at_every_depth() {
    let parent = "  storage:
    physical_devices:
      a:
        labels: {bootdrive: 'true'}
        partitions:
          - {name: root, size: 20g, filesystem: {mountpoint: /, fstype: xfs}}
          - {name: boot, size: 1g}
          - {name: var, size: '>1g', volume_group: vg}
      b: {volume_group: vg}
    volume_groups:
      vg:
        logical_volumes:
          - {name: l1, size: 1g}
          - {name: l2, size: 2g}
      gone: {logical_volumes: []}";
    let child = "  storage:
    physical_devices:
      a:
        partitions:
          - {name: extra, size: 5g}
          - {name: root, size: 30g, filesystem: {mount_options: noatime}}
          - {name: '!boot'}
    volume_groups:
      gone: null
      vg:
        logical_volumes:
          - {name: '!l1'}
          - {name: l2, size: 4g}";
    let found = node(
        parent,
        child,
        "  storage:\n    physical_devices:\n      '!b': {}",
    );
    insta::assert_json_snapshot!(found.storage);
}

#[test]
fn cycles_name_their_chain_and_the_rest_compiles() {
    let text = format!(
        "{HEAD}HostProfile\nmetadata: {{name: a}}\nspec: {{host_profile: b, primary_network: x}}\n{HEAD}HostProfile\nmetadata: {{name: b}}\nspec: {{host_profile: c}}\n\
         {HEAD}HostProfile\nmetadata: {{name: c}}\nspec: {{host_profile: a}}\n{HEAD}BaremetalNode\nmetadata: {{name: n}}\nspec: {{host_profile: c}}\n"
    );
    let documents = documents("cycle.yaml", text);
    let found = findings(&documents);
    let cycles: Vec<&str> = found
        .iter()
        .filter(|finding| finding.rule == "reference/host-profile")
        .map(|finding| finding.message.as_str())
        .collect();
    assert_eq!(
        cycles,
        ["host profiles inherit from each other in a circle: a -> b -> c -> a"]
    );
    assert_eq!(compiled(&documents).design.nodes.len(), 1);
}

#[test]
fn a_chain_of_ten_thousand_profiles_compiles() {
    let mut text = String::new();
    for number in 0..10_000 {
        text.push_str(&format!(
            "{HEAD}HostProfile\nmetadata: {{name: p{number}}}\nspec: {{host_profile: p{}}}\n",
            number + 1
        ));
    }
    text.push_str(&format!(
        "{HEAD}HostProfile\nmetadata: {{name: p10000}}\nspec: {{primary_network: far}}\n"
    ));
    text.push_str(&format!(
        "{HEAD}BaremetalNode\nmetadata: {{name: n}}\nspec: {{host_profile: p9000}}\n"
    ));
    let compiled = compiled(&documents("chain.yaml", text));
    assert_eq!(
        compiled.design.nodes[0].primary_network.as_deref(),
        Some("far")
    );
}

#[test]
fn kernel_parameters_take_from_the_hardware_and_flags_are_bare() {
    let (documents, _) = base_with(&[]);
    let compiled = compiled(&documents);
    let node = compiled.design.node("n1").unwrap();
    assert_eq!(
        node.platform.kernel_command_line(),
        "hugepagesz=1G hugepages=300 isolcpus=2,4 quiet"
    );
    assert!(!node.platform.kernel_params.contains_key("splash"));
    assert_eq!(node.fqdn(), "n1.north.example.com");
    assert_eq!(
        compiled.design.node("n2").unwrap().boot_mac.as_deref(),
        Some("52:54:00:00:00:12")
    );
    assert_eq!(node.oob.address.unwrap().to_string(), "127.20.0.11");
    assert_eq!(
        node.interfaces[1].slaves[1].alias.as_ref().unwrap().address,
        "0000:00:04.0"
    );
    let of_n2 = &compiled.design.node("n2").unwrap().boot_actions;
    assert_eq!(*of_n2, ["hello", "packages"]);
    assert_eq!(node.boot_actions, ["packages"]);
}

#[test]
fn without_a_domain_it_is_local() {
    assert_eq!(
        node(
            "  metadata: {tags: []}",
            "  metadata: {tags: []}",
            "  metadata: {tags: []}"
        )
        .fqdn(),
        "n.local"
    );
}

#[test]
fn a_route_domain_leads_to_every_other_network_of_it() {
    let compiled = compiled(&sample("routedomain.yaml"));
    let routes: Vec<(String, Vec<String>)> = compiled
        .design
        .networks
        .iter()
        .map(|network| {
            let routes = network.routes.iter();
            let shown = routes.map(|route| {
                format!(
                    "{} via {} metric {}",
                    route.destination,
                    route.gateway.unwrap(),
                    route.metric
                )
            });
            (network.name.clone(), shown.collect())
        })
        .collect();
    insta::assert_json_snapshot!(routes);
}

#[test]
fn credentials_never_show() {
    let (documents, _) = base_with(&[("env:OOB_PASSWORD", "not-to-be-seen")]);
    let compiled = compiled(&documents);
    for shown in [
        format!("{documents:?}"),
        format!("{compiled:?}"),
        serde_json::to_string(&compiled.design).unwrap(),
        documents
            .iter()
            .map(|document| document.to_json(false).to_string())
            .collect(),
        lines(&findings(&documents), Level::Info).join("\n"),
    ] {
        assert!(!shown.contains("not-to-be-seen"));
        assert!(!shown.is_empty());
    }
    assert!(documents.iter().any(|document| {
        document
            .to_json(true)
            .to_string()
            .contains("not-to-be-seen")
    }));
}

#[test]
fn a_compiled_design_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let (documents, _) = base_with(&[]);
    shared(&documents);
    shared(&compiled(&documents));
}
