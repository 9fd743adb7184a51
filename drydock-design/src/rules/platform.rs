//! Operating system of nodes.

use drydock_model::finding::Level;

use super::{Rule, Site, from_compilation};
use crate::report::Report;

/// Huge pages have a size and a count.
pub(crate) static HUGEPAGES: Rule = Rule {
    id: "platform/hugepages",
    code: "DD1008",
    name: "Hugepages",
    level: Level::Error,
    run: hugepages,
};

/// What kernel parameters take from the hardware profile is there.
pub(crate) static REFERENCE: Rule = Rule {
    id: "platform/reference",
    code: "DD5111",
    name: "Kernel Parameter Reference",
    level: Level::Error,
    run: from_compilation,
};

fn hugepages(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    for node in site.nodes() {
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
}
