//! The compiled samples: what drivers and the API see.

use crate::site::{compiled, sample};

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
