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

use std::sync::Arc;

use drydock_model::design::Document;
use drydock_model::effective::Node;
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
    look: Look,
}

type OfSite = fn(&Rule, &Site<'_>, &mut Report);
type OfNode = fn(&Rule, &Site<'_>, &Node, &mut Report);

/// What a rule looks at. Nodes that can be judged each by itself are taken a few at a time through all the rules that do so: of ten
/// thousand nodes none is still in a cache when a rule comes to it again.
#[derive(Clone, Copy)]
enum Look {
    /// The site as a whole.
    Site(OfSite),
    /// Each node by itself.
    Node(OfNode),
    /// First the site, then each node.
    Both(OfSite, OfNode),
}

impl Look {
    fn of_site(self) -> Option<OfSite> {
        match self {
            Look::Site(look) | Look::Both(look, _) => Some(look),
            Look::Node(_) => None,
        }
    }

    fn of_node(self) -> Option<OfNode> {
        match self {
            Look::Node(look) | Look::Both(_, look) => Some(look),
            Look::Site(_) => None,
        }
    }
}

impl Rule {
    /// What the rule finds, at the levels that the options give it; a message that says so when it finds nothing, or is switched off.
    #[must_use]
    pub fn run(&self, site: &Site<'_>) -> Vec<Finding> {
        if self.is_off(site.options) {
            return self.findings(Report::default(), site.options);
        }
        let mut report = self.of_site(site);
        if let Some(look) = self.look.of_node() {
            for node in site.nodes() {
                look(self, site, node, &mut report);
            }
        }
        self.findings(report, site.options)
    }

    fn of_site(&self, site: &Site<'_>) -> Report {
        let mut report = Report::default();
        if let Some(look) = self.look.of_site() {
            look(self, site, &mut report);
        }
        report
    }

    fn is_off(&self, options: &Options) -> bool {
        options.levels.get(self.id) == Some(&LevelOverride::Off)
    }

    /// What was found, at the levels that the options give it.
    fn findings(&self, mut report: Report, options: &Options) -> Vec<Finding> {
        if report.is_empty() {
            let remark = if self.is_off(options) {
                SWITCHED_OFF
            } else {
                SUCCESSFUL
            };
            self.remark(&mut report, remark);
            return report.into_findings();
        }
        let mut findings = report.into_findings();
        let wanted = options.levels.get(self.id).copied();
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
    &oob::REDFISH,
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
    let on = |rule: &&&'static Rule| !rule.is_off(options);
    let of_site = ALL.iter().filter(on).map(|rule| Portion::Site(rule));
    let of_nodes = compiled.design.nodes.chunks(TILE).map(Portion::Nodes);
    let portions: Vec<Portion<'_>> = of_site.chain(of_nodes).collect();
    let mut reports: Vec<Report> = Vec::new();
    reports.resize_with(ALL.len(), Report::default);
    let found = parallel::map(&portions, |portion| portion.judge(&site));
    for (number, report) in found.into_iter().flatten() {
        reports[number].absorb(report);
    }
    let reports = ALL.iter().zip(reports);
    reports
        .flat_map(|(rule, report)| rule.findings(report, options))
        .collect()
}

/// Nodes that are taken through all rules together.
const TILE: usize = 64;

/// What one thread does before it looks for more.
enum Portion<'a> {
    /// What one rule says of the site as a whole.
    Site(&'static Rule),
    /// What all rules say of some nodes.
    Nodes(&'a [Arc<Node>]),
}

impl Portion<'_> {
    /// What was found, with the number of the rule in [`ALL`].
    fn judge(&self, site: &Site<'_>) -> Vec<(usize, Report)> {
        let rules = ALL.iter().enumerate();
        let found = rules.filter_map(|(number, rule)| {
            let report = match self {
                Portion::Site(only) if std::ptr::eq(*only, *rule) => rule.of_site(site),
                Portion::Site(_) => return None,
                Portion::Nodes(_) if rule.is_off(site.options) => return None,
                Portion::Nodes(nodes) => {
                    let look = rule.look.of_node()?;
                    let mut report = Report::default();
                    for node in *nodes {
                        look(rule, site, node, &mut report);
                    }
                    report
                }
            };
            (!report.is_empty()).then_some((number, report))
        });
        found.collect()
    }
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
