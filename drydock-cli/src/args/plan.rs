//! The command line of work on nodes: what `drydock task create` and `drydock plan` have in common, and `drydock apply`.

use std::path::PathBuf;

use clap::Args;

use super::{Output, WaitArgs};

/// What is to be done, by which design, on which nodes, in which order.
#[derive(Debug, Args)]
pub struct WorkArgs {
    /// validate_design, verify_site, prepare_site, verify_nodes, prepare_nodes, deploy_nodes, destroy_nodes, oob_nodes, noop.
    #[arg(short, long)]
    pub action: String,
    /// design:<uuid>, a reference that the server follows, or local files and folders with commas between, which are uploaded first.
    #[arg(short, long)]
    pub design: String,
    /// Only nodes of these names; comma-separated, may be repeated.
    #[arg(short, long, value_delimiter = ',')]
    pub node_names: Vec<String>,
    /// Only nodes with one of these tags.
    #[arg(short = 't', long, value_delimiter = ',')]
    pub node_tags: Vec<String>,
    /// Only nodes in one of these racks.
    #[arg(short, long, value_delimiter = ',')]
    pub rack_names: Vec<String>,
    /// What oob_nodes does: status, on, off, cycle, boot (see also drydock oob).
    #[arg(long)]
    pub verb: Option<String>,
    /// From what to boot, where the verb is boot: network, disk, cd, setup.
    #[arg(long, requires = "verb")]
    pub device: Option<String>,
    /// -100..=100, higher first.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub priority: i32,
    /// At most so many nodes at once.
    #[arg(long, value_name = "NODES")]
    pub max_in_flight: Option<u32>,
    /// So many nodes first, and the others only when all of these came through.
    #[arg(long, value_name = "NODES")]
    pub canary: Option<u32>,
    /// Begin no further node once so many percent of the nodes have failed; 0: once one has.
    #[arg(long = "stop-at", value_name = "PERCENT")]
    pub stop_at: Option<u32>,
    /// One group of nodes after another: rack, or label:KEY for the values of that key of the nodes' owner data.
    #[arg(long, value_name = "rack|label:KEY")]
    pub group_by: Option<String>,
}

/// `drydock plan`
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What is to be planned.
    #[command(flatten)]
    pub work: WorkArgs,
    /// Write the plan into this file, for `drydock apply`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Give up waiting after so many seconds (exit code 5).
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<f64>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
}

/// `drydock apply`
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The file that `drydock plan --out` wrote.
    pub plan: PathBuf,
    /// -100..=100, higher first.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub priority: i32,
    /// Do not ask before machines are wiped.
    #[arg(long)]
    pub yes: bool,
    /// How to wait and print.
    #[command(flatten)]
    pub wait: WaitArgs,
}
