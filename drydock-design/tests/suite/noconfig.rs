//! The label `noconfig` on a network.

use drydock_model::finding::Level;

use crate::site::{base_with, findings};

/// Whether a port that is shared with the bond is told, in the sound design altered.
fn is_told(edits: &[(&str, &str)]) -> bool {
    let unlabelled = ("      labels: {noconfig: true}\n", "");
    let edits: Vec<(&str, &str)> = [unlabelled].into_iter().chain(edits.to_vec()).collect();
    findings(&base_with(&edits).0)
        .iter()
        .any(|finding| finding.rule == "host/slaves" && finding.level == Level::Error)
}

#[test]
fn an_interface_with_noconfig_networks_only_may_share_its_port() {
    let pxe = (
        "metadata: {name: pxe}\nspec:\n",
        "metadata: {name: pxe}\nspec:\n  labels: {noconfig: 'false'}\n",
    );
    let mgmt = (
        "metadata: {name: mgmt}\nspec:\n",
        "metadata: {name: mgmt}\nspec:\n  labels: {noconfig: enabled}\n",
    );
    let storage = (
        "metadata: {name: storage}\nspec:\n",
        "metadata: {name: storage}\nspec:\n  labels: {noconfig: enabled}\n",
    );
    assert!(is_told(&[]));
    assert!(!is_told(&[pxe]));
    assert!(is_told(&[mgmt]), "the bond still carries another network");
    assert!(!is_told(&[mgmt, storage]));
}
