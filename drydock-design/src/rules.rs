//! The rules, and the one registry of them.
//!
//! Every rule always runs. What compilation has found already is told by the rule it belongs to.

pub(crate) mod boot;
pub(crate) mod document;
mod filesystem;
pub(crate) mod hardware;
pub(crate) mod host;
pub(crate) mod link;
pub(crate) mod network;
pub(crate) mod oob;
mod options;
mod page;
pub(crate) mod platform;
pub(crate) mod range;
mod reading;
pub(crate) mod reference;
mod region;
mod site;
pub(crate) mod storage;
mod stored_name;
mod twice;
mod unused;
pub(crate) mod value;

use drydock_model::design::Document;
use drydock_model::finding::{Finding, Level};

use crate::compile::Compiled;
use crate::parallel;
use crate::report::{Place, Report};

pub use options::{LevelOverride, Offer, Options};
pub use page::{index, page, page_name};
pub use reading::READING;
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
    /// What it checks, in a sentence.
    pub what: &'static str,
    /// What goes wrong otherwise.
    pub why: &'static str,
    /// How to mend what it finds.
    pub fix: &'static str,
    run: fn(&Rule, &Site<'_>, &mut Report),
}

impl Rule {
    /// What the rule finds, at the levels that the options give it; a message that says so when it finds nothing, or is switched off.
    #[must_use]
    pub fn run(&self, site: &Site<'_>) -> Vec<Finding> {
        let wanted = site.options.levels.get(self.id).copied();
        let mut report = Report::default();
        if wanted == Some(LevelOverride::Off) {
            self.remark(&mut report, SWITCHED_OFF);
            return report.into_findings();
        }
        (self.run)(self, site, &mut report);
        if report.is_empty() {
            self.remark(&mut report, SUCCESSFUL);
            return report.into_findings();
        }
        let mut findings = report.into_findings();
        if let Some(level) = wanted.and_then(LevelOverride::level) {
            for finding in &mut findings {
                finding.level = level;
            }
        }
        findings
    }

    fn remark(&self, report: &mut Report, remark: &str) {
        let message = format!("{}: {remark}", self.name);
        report.add_level(self, Level::Info, message, "", Place::default());
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
    &twice::TWICE,
    &unused::UNUSED,
    &reference::HOST_PROFILE,
    &reference::HARDWARE_PROFILE,
    &reference::LINK,
    &reference::NETWORK,
    &reference::RACK,
    &reference::LOCAL_NETWORK,
    &reference::ROUTE_DOMAIN,
    &region::KEYS,
    &hardware::ALIAS,
    &storage::BOOT,
    &storage::PARTITIONING,
    &storage::SIZING,
    &storage::MOUNTPOINT,
    &filesystem::FILESYSTEM,
    &filesystem::IDENTITY,
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
    &host::SLAVE_ALIAS,
    &link::BOND_SLAVES,
    &host::BOOT_MAC,
    &stored_name::STORED,
    &platform::SELECTION,
    &platform::HUGEPAGES,
    &platform::REFERENCE,
    &oob::IPMI,
    &oob::LIBVIRT,
    &oob::TYPE,
    &oob::ADDRESS,
    &oob::CLEAR_SECRET,
    &boot::DEFINED,
    &boot::PACKAGES,
    &boot::FILTER,
    &boot::TEMPLATE,
    &boot::PATH,
];

/// The rule of this id; `None` when no rule that can be configured goes by it.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

const SUCCESSFUL: &str = "Validation successful.";
const SWITCHED_OFF: &str = "Switched off by configuration.";

/// Whether this only says that its rule found nothing, or was switched off.
#[must_use]
pub fn is_remark(finding: &Finding) -> bool {
    finding.level == Level::Info
        && finding.location.is_none()
        && finding.documents.is_empty()
        && [SUCCESSFUL, SWITCHED_OFF]
            .iter()
            .any(|remark| finding.message.ends_with(remark))
}

/// With fewer nodes the rules are done before another thread has begun.
const MANY_NODES: usize = 200;

/// Everything there is to say about a design: the findings of every rule, those of compilation included.
#[must_use]
pub fn validate(documents: &[Document], compiled: &Compiled) -> Vec<Finding> {
    validate_with(documents, compiled, &Options::DEFAULT)
}

/// As [`validate`], with what an operator configured and a driver knows. A level for an id that [`find`] does not know has no effect.
#[must_use]
pub fn validate_with(
    documents: &[Document],
    compiled: &Compiled,
    options: &Options,
) -> Vec<Finding> {
    let site = Site::with_options(documents, compiled, options);
    if compiled.design.nodes.len() < MANY_NODES {
        return ALL.iter().flat_map(|rule| rule.run(&site)).collect();
    }
    let findings = parallel::map(ALL, |rule| rule.run(&site));
    findings.into_iter().flatten().collect()
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
