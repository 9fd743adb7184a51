//! The compiled samples: what drivers and the API see.

use drydock_model::finding::{Finding, Level};
use serde_json::{Value, json};

use crate::site::{compiled, findings, sample};

#[test]
fn first_node_of_seaworthy() {
    let compiled = compiled(&sample("seaworthy.yaml"));
    insta::assert_json_snapshot!(compiled.design.nodes[0]);
}

#[test]
fn links_and_networks_of_seaworthy() {
    let compiled = compiled(&sample("seaworthy.yaml"));
    insta::assert_json_snapshot!((&compiled.design.links, &compiled.design.networks));
}

#[test]
fn nodes_of_fullsite() {
    let compiled = compiled(&sample("fullsite-deckhand.yaml"));
    insta::assert_json_snapshot!((
        &compiled.design.site,
        &compiled.design.racks,
        &compiled.design.nodes
    ));
}

#[test]
fn the_older_form_of_fullsite() {
    insta::assert_json_snapshot!(compiled(&sample("fullsite-yaml.yaml")).design);
}

#[test]
fn the_one_node_of_airsloop() {
    let compiled = compiled(&sample("airsloop.yaml"));
    insta::assert_json_snapshot!((
        &compiled.design.site,
        &compiled.design.links,
        &compiled.design.networks,
        &compiled.design.nodes,
        outline(&compiled.design.boot_actions),
    ));
}

#[test]
fn the_networks_of_routedomain() {
    insta::assert_json_snapshot!(compiled(&sample("routedomain.yaml")).design);
}

/// The other nodes of seaworthy differ from the first in what is their own.
#[test]
fn what_the_nodes_of_seaworthy_have_of_their_own() {
    let compiled = compiled(&sample("seaworthy.yaml"));
    let own: Vec<Value> = compiled
        .design
        .nodes
        .iter()
        .map(|node| {
            json!({
                "name": node.name,
                "domain": node.domain,
                "profiles": node.profiles,
                "rack": node.rack,
                "tags": node.tags,
                "oob": node.oob.address,
                "addressing": node.addressing,
                "owner_data": node.owner_data.len(),
                "disks": node.storage.devices.iter().map(|disk| &disk.device.name).collect::<Vec<_>>(),
                "kernel": node.platform.kernel_command_line(),
                "boot_actions": node.boot_actions,
            })
        })
        .collect();
    insta::assert_json_snapshot!((
        &compiled.design.site,
        own,
        outline(&compiled.design.boot_actions)
    ));
}

/// Everything that is said of each sample above "nothing was found".
#[test]
fn findings_of_all_samples() {
    for name in [
        "airsloop.yaml",
        "fullsite-deckhand.yaml",
        "fullsite-yaml-faulty.yaml",
        "fullsite-yaml.yaml",
        "routedomain.yaml",
        "seaworthy.yaml",
    ] {
        let found = findings(&sample(name));
        let mut told: Vec<String> = found
            .iter()
            .filter(|one| says_something(one))
            .map(line)
            .collect();
        told.sort();
        insta::assert_snapshot!(format!("findings_of_{name}"), told.join("\n"));
    }
}

fn says_something(finding: &Finding) -> bool {
    finding.level > Level::Info || !finding.message.ends_with("Validation successful.")
}

fn line(finding: &Finding) -> String {
    match finding.chain_text() {
        Some(chain) => format!("{finding} by {chain}"),
        None => finding.to_string(),
    }
}

/// Boot actions without the texts of their assets, which are long and stand in the sample as they are.
fn outline(actions: &impl serde::Serialize) -> Value {
    let mut value = serde_json::to_value(actions).unwrap();
    for asset in value
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(|action| action["assets"].as_array_mut())
        .flatten()
    {
        if let Some(text) = asset["data"].as_str().map(str::len) {
            asset["data"] = json!(format!("{text} bytes"));
        }
    }
    value
}
