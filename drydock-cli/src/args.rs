//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Design-driven provisioning: a site design goes in, running machines come out.
#[derive(Debug, Parser)]
#[command(name = "drydock", version, propagate_version = true)]
pub struct Cli {
    /// Base URL of the server to talk to.
    #[arg(
        long,
        env = "DRYDOCK_URL",
        default_value = "http://127.0.0.1:9000",
        global = true
    )]
    pub url: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a server: the API and the engine.
    Serve(ServeArgs),
    /// Simulate a whole site, deploy it through a server, and show how.
    Demo(DemoArgs),
    /// Simulate the outside world of a design and print the settings that point a server at it.
    Sim(SimArgs),
    /// Tasks.
    #[command(subcommand)]
    Task(TaskCommand),
    /// Designs.
    #[command(subcommand)]
    Design(DesignCommand),
    /// Nodes.
    #[command(subcommand)]
    Node(NodeCommand),
    /// Settings.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// `drydock serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Settings file; else etc/drydock/drydock.yaml when it is there.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A setting, above file and environment; may be repeated.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub set: Vec<String>,
}

/// `drydock demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// A design: a file or a folder of YAML files. Without one: the bundled example.
    pub design: Option<PathBuf>,
    /// Simulated delays (power, boot, install), settle times, gaps and polls are multiplied by this: 1 is real time, 0 is none.
    #[arg(long, default_value_t = 0.05)]
    pub time_scale: f64,
    /// No live view; end with one line of JSON.
    #[arg(long)]
    pub json: bool,
    /// Keep the server's log in this file. Without it the log goes to a file in the demo's own temporary folder, shown when something failed.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Database to use instead of a temporary SQLite file.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Faults of the simulated world, as JSON (see `drydock sim --help`).
    #[arg(long, value_name = "JSON")]
    pub faults: Option<String>,
    /// A setting of the demo's server; may be repeated.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub set: Vec<String>,
}

/// `drydock sim`
#[derive(Debug, Args)]
pub struct SimArgs {
    /// A design: a file or a folder of YAML files.
    pub design: PathBuf,
    /// Simulated delays are multiplied by this: 1 is real time, 0 is none.
    #[arg(long, default_value_t = 0.05)]
    pub time_scale: f64,
    /// Where the machines find the server that they call back.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9000")]
    pub callback: String,
    /// Faults, as JSON, such as {"machines":{"n1":{"fails_deployment":true}}}; they can be changed later with PUT /_sim/faults.
    #[arg(long, value_name = "JSON")]
    pub faults: Option<String>,
    /// Write the settings into this file, too, once the simulators answer.
    #[arg(long, value_name = "FILE")]
    pub write_config: Option<PathBuf>,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// JSON, as the API answers.
    Json,
    /// The same as YAML.
    Yaml,
}

/// `drydock task`
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// Start a task.
    Create(TaskCreateArgs),
    /// List tasks.
    List {
        /// Subtasks, too.
        #[arg(long)]
        all: bool,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Show a task with its subtasks.
    Show {
        /// Task id.
        id: uuid::Uuid,
        /// How to wait and print.
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Stop a task: what has not begun will not begin.
    Terminate {
        /// Task id.
        id: uuid::Uuid,
        /// How to wait and print.
        #[command(flatten)]
        wait: WaitArgs,
    },
}

/// Waiting and printing.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// Wait for the end; the exit code tells how it went.
    #[arg(long)]
    pub wait: bool,
    /// Give up waiting after so many seconds (exit code 5).
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<f64>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
}

/// `drydock task create`
#[derive(Debug, Args)]
pub struct TaskCreateArgs {
    /// validate_design, verify_site, prepare_site, verify_nodes, prepare_nodes, deploy_nodes, destroy_nodes, noop.
    #[arg(short, long)]
    pub action: String,
    /// design:<uuid>, a reference that the server follows, or a local file or folder, which is uploaded first.
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
    /// -100..=100, higher first.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub priority: i32,
    /// Plan and report, change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask before destroy_nodes.
    #[arg(long)]
    pub yes: bool,
    /// How to wait and print.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `drydock design`
#[derive(Debug, Subcommand)]
pub enum DesignCommand {
    /// Upload a design; prints its id.
    Upload {
        /// File, folder, URL or design:<uuid> (a copy).
        source: String,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// List the designs of the server, or the parts of one.
    List {
        /// File, folder, URL or design:<uuid>; without one, the server's designs.
        source: Option<String>,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Show a design.
    Show {
        /// File, folder, URL or design:<uuid>.
        source: String,
        /// After inheritance, aliases and route domains.
        #[arg(long)]
        compiled: bool,
        /// Only this node.
        #[arg(long)]
        node: Option<String>,
        /// How to print; a table of nodes by default.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Check a design against every rule, without a server unless it is there.
    Validate {
        /// File, folder, URL or design:<uuid>.
        source: String,
        /// Print infos, too.
        #[arg(long)]
        all: bool,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
}

/// `drydock node`
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// The machines that the node provisioner knows.
    List {
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
}

/// `drydock config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print a sample settings file: every setting with its default and meaning.
    Sample,
}
