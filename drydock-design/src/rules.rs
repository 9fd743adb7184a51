//! The rules, and the one registry of them.
//!
//! Every rule always runs. What compilation has found already is told by the rule it belongs to.

pub(crate) mod boot;
pub(crate) mod document;
pub(crate) mod host;
pub(crate) mod link;
pub(crate) mod network;
pub(crate) mod oob;
pub(crate) mod platform;
pub(crate) mod range;
pub(crate) mod reference;
mod site;
pub(crate) mod storage;
pub(crate) mod value;

use drydock_model::design::Document;
use drydock_model::finding::{Finding, Level};

use crate::compile::Compiled;
use crate::report::Report;

pub use site::Site;

/// A rule. Codes are those that clients of the Python server know; `DD50xx` and `DD51xx` are rules it does not have.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Unique id.
    pub id: &'static str,
    /// Code; several rules may share one.
    pub code: &'static str,
    /// Name, as messages show it.
    pub name: &'static str,
    /// How grave its findings are, unless it says otherwise for one of them.
    pub level: Level,
    run: fn(&Rule, &Site<'_>, &mut Report),
}

impl Rule {
    /// What the rule finds; a message that says so when it finds nothing.
    #[must_use]
    pub fn run(&self, site: &Site<'_>) -> Vec<Finding> {
        let mut report = Report::default();
        (self.run)(self, site, &mut report);
        if report.is_empty() {
            report.add_level(
                self,
                Level::Info,
                format!("{}: Validation successful.", self.name),
                "",
                (Vec::new(), None),
            );
        }
        report.into_findings()
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule")
            .field("id", &self.id)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// All rules, in the order of their messages.
pub static ALL: &[&Rule] = &[
    &value::VALID,
    &document::UNIQUE,
    &document::ONE_REGION,
    &document::UNREAD,
    &reference::HOST_PROFILE,
    &reference::HARDWARE_PROFILE,
    &reference::LINK,
    &reference::NETWORK,
    &reference::RACK,
    &reference::LOCAL_NETWORK,
    &storage::BOOT,
    &storage::PARTITIONING,
    &storage::SIZING,
    &storage::MOUNTPOINT,
    &link::BOND,
    &network::ALLOWED,
    &network::LOCALITY,
    &link::MTU,
    &link::TRUNKING,
    &network::DUPLICATE_ADDRESS,
    &network::CIDR,
    &network::VLAN,
    &network::UNLINKED,
    &range::SHAPE,
    &range::USE,
    &range::STATIC,
    &range::DHCP,
    &host::NAME,
    &host::PRIMARY_NETWORK,
    &host::UNCARRIED,
    &host::SLAVES,
    &host::BOOT_MAC,
    &platform::HUGEPAGES,
    &platform::REFERENCE,
    &oob::IPMI,
    &oob::ADDRESS,
    &boot::FILTER,
    &boot::TEMPLATE,
];

/// Everything there is to say about a design: the findings of every rule, those of compilation included.
#[must_use]
pub fn validate(documents: &[Document], compiled: &Compiled) -> Vec<Finding> {
    let site = Site::new(documents, compiled);
    ALL.iter().flat_map(|rule| rule.run(&site)).collect()
}

/// A rule whose faults compilation finds.
fn from_compilation(rule: &Rule, site: &Site<'_>, report: &mut Report) {
    report.extend(
        site.compiled
            .findings
            .iter()
            .filter(|finding| finding.rule == rule.id)
            .cloned(),
    );
}
