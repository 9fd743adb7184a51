//! Documents to the effective design.

mod boot;
mod gaps;
mod hardware;
pub(crate) mod network;
mod node;
mod profile;
mod read;
pub(crate) mod site;
mod storage;
mod target;

use std::collections::BTreeMap;
use std::fmt::Display;

use drydock_model::design::{Document, Kind, Ordered, Scalar};
use drydock_model::effective::EffectiveDesign;
use drydock_model::finding::Finding;
use drydock_model::id::Digest;
use drydock_model::ingest::{Ingested, Unread};

use crate::index::Index;
use crate::report::{Place, Report, whole};
use crate::rules::{Options, document, reference, validate_with};

pub use gaps::Gaps;

/// A compiled design and what was found on the way.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What could be compiled. A design with errors is not whole: what could not be understood is left out of it.
    pub design: EffectiveDesign,
    /// Names that lead nowhere, cycles, values that cannot be understood. [`crate::validate()`] tells these too.
    pub findings: Vec<Finding>,
    /// What is known to be missing.
    pub gaps: Gaps,
}

/// Compiles a design. Never fails: what cannot be compiled is told in the findings and left out.
#[must_use]
pub fn compile(documents: &[Document], digest: Digest) -> Compiled {
    compile_with(documents, &[], digest)
}

/// Compiles and checks what could be read: all findings, those of the reader first. Without a document there is nothing to check.
#[must_use]
pub fn judge(ingested: &Ingested, digest: Digest, options: &Options) -> (Compiled, Vec<Finding>) {
    let compiled = compile_with(&ingested.documents, &ingested.unread, digest);
    let mut findings = ingested.findings.clone();
    if findings.is_empty() || !ingested.documents.is_empty() {
        findings.extend(validate_with(&ingested.documents, &compiled, options));
    }
    (compiled, findings)
}

/// Compiles a design of which some documents could not be read. What names one of those names something that is there.
#[must_use]
pub fn compile_with(documents: &[Document], unread: &[Unread], digest: Digest) -> Compiled {
    let index = Index::new(documents, unread);
    let mut report = Report::default();
    report.gaps.unread = unread.to_vec();
    doubles(&index, &mut report);
    let mut design = EffectiveDesign {
        digest,
        site: site::compile(&index, &mut report),
        racks: site::racks(&index, &mut report),
        links: network::links(&index, &mut report),
        networks: network::networks(&index, &mut report),
        nodes: Vec::new(),
        boot_actions: boot::compile(&index, &mut report),
    };
    design.nodes = node::compile(&index, &design, &mut report);
    Compiled {
        design,
        gaps: std::mem::take(&mut report.gaps),
        findings: report.into_findings(),
    }
}

/// Of two documents of one kind and name only the first counts, so the second is told. So is a second Region: which keys and
/// repositories hold must not depend on an order.
fn doubles(index: &Index<'_>, report: &mut Report) {
    for document in index.all() {
        let Some(first) = index.get(document.kind, &document.name) else {
            continue;
        };
        if !std::ptr::eq(first, document) {
            report.add(
                &document::UNIQUE,
                format!(
                    "{} {} is defined a second time; the first is at {}",
                    document.kind,
                    document.name,
                    first.name_location()
                ),
                "remove or rename one of them",
                whole(document),
            );
        }
    }
    let mut regions = index.of(Kind::Region);
    if let Some(first) = regions.next() {
        for other in regions {
            report.add(
                &document::ONE_REGION,
                format!(
                    "Region {} stands beside Region {}; a site has one",
                    other.name, first.name
                ),
                "put the keys and repositories of both into one Region",
                whole(other).and([first.reference()]),
            );
        }
    }
}

/// A name that must be that of a document. Its place is looked up only when it is not.
fn refer(
    index: &Index<'_>,
    report: &mut Report,
    kind: Kind,
    name: &str,
    used: impl Display,
    at: impl FnOnce() -> Place,
) {
    if !index.may_have(kind, name) {
        let rule = match kind {
            Kind::NetworkLink => &reference::LINK,
            Kind::HardwareProfile => &reference::HARDWARE_PROFILE,
            Kind::HostProfile => &reference::HOST_PROFILE,
            Kind::Rack => &reference::RACK,
            _ => &reference::NETWORK,
        };
        report.add(
            rule,
            format!("{used} names {kind} {name}, which does not exist"),
            index.advice(kind, name),
            at(),
        );
    }
}

/// A map of scalars as texts.
fn texts(map: Option<&Ordered<Scalar>>) -> BTreeMap<String, String> {
    map.into_iter()
        .flat_map(Ordered::iter)
        .map(|(key, value)| (key.to_owned(), value.as_text().to_owned()))
        .collect()
}
