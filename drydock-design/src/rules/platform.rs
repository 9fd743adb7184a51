//! Operating system of nodes.

use drydock_model::effective::Node;
use drydock_model::finding::Level;

use super::{Look, Rule, Site, from_compilation};
use crate::report::{Place, Report};

/// Huge pages have a size and a count.
pub(crate) static HUGEPAGES: Rule = Rule {
    id: "platform/hugepages",
    code: "DD1008",
    name: "Hugepages",
    level: Level::Error,
    what: "The kernel parameters hugepages and hugepagesz stand together.",
    why: "One without the other reserves memory of a size that nobody chose.",
    fix: "Set both of them, or neither.",
    look: Look::Node(hugepages),
};

/// What kernel parameters take from the hardware profile is there.
pub(crate) static REFERENCE: Rule = Rule {
    id: "platform/reference",
    code: "DD5111",
    name: "Kernel Parameter Reference",
    level: Level::Error,
    what: "What kernel parameters take from the hardware profile (hardwareprofile:cpuset.NAME, hardwareprofile:hugepages.NAME.size) is there.",
    why: "The parameter would be left out.",
    fix: "Define it under cpu_sets or hugepages of the hardware profile, or correct the reference.",
    look: Look::Site(from_compilation),
};

fn hugepages(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    // One of the two may have been left out, which is told already.
    let left_out = &site.compiled.gaps.parameters;
    if !site.is_whole(node) || left_out.contains(&node.name) {
        return;
    }
    let params = &node.platform.kernel_params;
    let (count, size) = (
        params.contains_key("hugepages"),
        params.contains_key("hugepagesz"),
    );
    if count != size {
        let (there, missing) = if count {
            ("hugepages", "hugepagesz")
        } else {
            ("hugepagesz", "hugepages")
        };
        let message = format!("kernel parameter {there} stands without {missing}");
        let advice = format!("set {missing} as well");
        report.add(
            rule,
            message,
            advice,
            site.of_node(node, &["platform", "kernel_params", there]),
        );
    }
}

/// The provisioner has the image and the kernel of each node.
pub(crate) static SELECTION: Rule = Rule {
    id: "platform/selection",
    code: "DD3001",
    name: "Platform Selection",
    level: Level::Error,
    what: "The node provisioner offers the image of each node, and the kernel with that image. Where the provisioner was not asked, as in a check without a server, the rule says so and checks nothing; that is an Info only, for it says something of the check and not of the design.",
    why: "A deployment with an image that is not there fails at its last step, after the disks were wiped.",
    fix: "Choose one of the images and kernels that the message names, or have the provisioner import the one that is wanted.",
    look: Look::Both(selection, selection_of),
};

/// A node can be checked only where it is known what is offered; that it is not is told once.
fn selection(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    let mut platforms = site.nodes().map(|node| &node.platform);
    if site.options.offered_images.is_none()
        && platforms.any(|platform| platform.image.is_some() || platform.kernel.is_some())
    {
        let message = "images and kernels are not checked: no node provisioner was asked";
        let advice = "validate on a server whose node driver is enabled";
        report.add_level(rule, Level::Info, message, advice, Place::default());
    }
}

/// As [`selection`], of one node.
fn selection_of(rule: &Rule, site: &Site<'_>, node: &Node, report: &mut Report) {
    // Without an image the provisioner takes its own default, and so with kernels.
    let (Some(offered), Some(image)) = (&site.options.offered_images, &node.platform.image) else {
        return;
    };
    let Some(kernels) = offered.get(image) else {
        let message = format!("the node provisioner does not offer the image {image}");
        let advice = one_of(offered.keys());
        let place = site.of_node(node, &["platform", "image"]);
        report.add(rule, message, advice, place);
        return;
    };
    if let Some(kernel) = node
        .platform
        .kernel
        .as_ref()
        .filter(|kernel| !kernels.contains(*kernel))
    {
        let message =
            format!("the node provisioner does not offer the kernel {kernel} with {image}");
        let advice = one_of(kernels.iter());
        let place = site.of_node(node, &["platform", "kernel"]);
        report.add(rule, message, advice, place);
    }
}

fn one_of<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() {
        "the provisioner has none; have it import some".into()
    } else {
        format!("choose one of {}", names.join(", "))
    }
}
