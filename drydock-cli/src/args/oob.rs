//! The command line of `drydock oob`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use drydock_model::oob::{BootDevice, OobCommand};

use super::Output;

/// `drydock oob`
#[derive(Debug, Subcommand)]
pub enum OobArgs {
    /// Ask the controllers: reachable, credentials, power, what the machines boot from next.
    Status(OobWork),
    /// Switch machines on or off, or off and on again, or ask whether they are on.
    Power(OobPower),
    /// Set what machines boot from the next time they start.
    Boot(OobBoot),
    /// Show what the controllers tell of their machines: maker, model, serial number, firmware, sensors, event log.
    Inventory(OobInventory),
    /// Grade what the controllers can do against what the design needs. Reads only. Exit code 1 when something is bad.
    Doctor(OobWork),
}

/// On which nodes, by which design, through whom.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("scope").required(true).multiple(true).args(["nodes", "all", "node_tags", "rack_names"])))]
pub struct OobScope {
    /// Names of nodes.
    #[arg(value_name = "NODE")]
    pub nodes: Vec<String>,
    /// All nodes of the design.
    #[arg(long, conflicts_with_all = ["nodes", "node_tags", "rack_names"])]
    pub all: bool,
    /// Nodes with one of these tags.
    #[arg(short = 't', long, value_delimiter = ',', value_name = "TAG")]
    pub node_tags: Vec<String>,
    /// Nodes in one of these racks.
    #[arg(short, long, value_delimiter = ',', value_name = "RACK")]
    pub rack_names: Vec<String>,
    /// design:<uuid>, a reference that the server follows, or local files and folders with commas between, which are uploaded first.
    /// Without it: the design of the server's newest task.
    #[arg(short, long)]
    pub design: Option<String>,
    /// Without a server: this process asks the controllers of this design itself, with the settings that a server would have.
    #[arg(long, value_name = "DESIGN", conflicts_with = "design")]
    pub direct: Option<String>,
    /// Settings file, with --direct; else etc/drydock/drydock.yaml when it is there.
    #[arg(long, value_name = "FILE", requires = "direct")]
    pub config: Option<PathBuf>,
    /// A setting, with --direct; may be repeated.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE", requires = "direct")]
    pub set: Vec<String>,
    /// Give up waiting after so many seconds (exit code 5). With --direct what has not begun is given up, too.
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<f64>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
}

/// `drydock oob status`, `drydock oob doctor`
#[derive(Debug, Args)]
pub struct OobWork {
    /// On which nodes.
    #[command(flatten)]
    pub scope: OobScope,
}

/// `drydock oob power`
#[derive(Debug, Args)]
pub struct OobPower {
    /// What to do.
    #[arg(value_enum)]
    pub verb: PowerVerb,
    /// On which nodes.
    #[command(flatten)]
    pub scope: OobScope,
    /// Tell what would be done, change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask before several machines lose their power.
    #[arg(long)]
    pub yes: bool,
}

/// What `drydock oob power` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PowerVerb {
    /// Switch on.
    On,
    /// Switch off, without asking the operating system.
    Off,
    /// Switch off, wait until it is off, switch on.
    Cycle,
    /// Ask whether it is on.
    Status,
}

impl PowerVerb {
    /// As a task has it.
    pub fn command(self) -> OobCommand {
        match self {
            PowerVerb::On => OobCommand::On,
            PowerVerb::Off => OobCommand::Off,
            PowerVerb::Cycle => OobCommand::Cycle,
            PowerVerb::Status => OobCommand::Status,
        }
    }
}

/// `drydock oob boot`
#[derive(Debug, Args)]
pub struct OobBoot {
    /// On which nodes.
    #[command(flatten)]
    pub scope: OobScope,
    /// From what to boot, once.
    #[arg(long, value_enum, default_value_t)]
    pub device: Device,
    /// Tell what would be done, change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// What a machine can boot from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Device {
    /// The network.
    #[default]
    #[value(alias = "pxe")]
    Network,
    /// The first disk.
    #[value(alias = "hdd")]
    Disk,
    /// A CD, perhaps a virtual one.
    #[value(alias = "cdrom")]
    Cd,
    /// The set-up of the firmware.
    #[value(alias = "bios")]
    Setup,
}

impl From<Device> for BootDevice {
    fn from(device: Device) -> Self {
        match device {
            Device::Network => BootDevice::Network,
            Device::Disk => BootDevice::Disk,
            Device::Cd => BootDevice::Cd,
            Device::Setup => BootDevice::Setup,
        }
    }
}

/// `drydock oob inventory`
#[derive(Debug, Args)]
pub struct OobInventory {
    /// On which nodes.
    #[command(flatten)]
    pub scope: OobScope,
    /// Ask the controllers anew instead of showing what is kept from the last time.
    #[arg(long)]
    pub fresh: bool,
}
