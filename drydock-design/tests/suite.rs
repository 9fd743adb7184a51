//! Behaviour of the crate through its public door, one file for each subject.
#![allow(clippy::unwrap_used)]

#[path = "suite/site.rs"]
mod site;

#[path = "suite/samples.rs"]
mod samples;

#[path = "suite/rules.rs"]
mod rules;

#[path = "suite/inherit.rs"]
mod inherit;

#[path = "suite/never_panics.rs"]
mod never_panics;

#[path = "suite/select.rs"]
mod select;

#[path = "suite/snapshots.rs"]
mod snapshots;

#[path = "suite/template.rs"]
mod template;

#[path = "suite/case.rs"]
mod case;

#[path = "suite/cases_host.rs"]
mod cases_host;

#[path = "suite/cases_network.rs"]
mod cases_network;

#[path = "suite/cases_later.rs"]
mod cases_later;

#[path = "suite/cases_value.rs"]
mod cases_value;

#[path = "suite/follow_ups.rs"]
mod follow_ups;

#[path = "suite/options.rs"]
mod options;

#[path = "suite/pages.rs"]
mod pages;

#[path = "suite/provenance.rs"]
mod provenance;

#[path = "suite/identical.rs"]
mod identical;

#[path = "suite/diff.rs"]
mod diff;

#[path = "suite/diff_law.rs"]
mod diff_law;

#[path = "suite/graph.rs"]
mod graph;

#[path = "suite/boot_templates.rs"]
mod boot_templates;

#[path = "suite/noconfig.rs"]
mod noconfig;
