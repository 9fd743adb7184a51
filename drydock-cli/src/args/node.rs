//! The arguments of `drydock node`.

use clap::Subcommand;

use super::Output;

/// `drydock node`
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Every change that was made on a node, or meant to be made, by whichever task.
    History {
        /// Name of the node.
        name: String,
        /// At most so many, the latest.
        #[arg(long, default_value_t = 500)]
        limit: u32,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// What was found out about a machine: inventory, sensors in alarm, network settings of its controller.
    Builddata {
        /// Name of the node.
        name: String,
        /// Only what this generator made, such as ipmi_inventory.
        #[arg(long)]
        generator: Option<String>,
        /// All that is kept, oldest first, instead of the newest of each generator.
        #[arg(long)]
        history: bool,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// The machines that the node provisioner knows.
    List {
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
}
