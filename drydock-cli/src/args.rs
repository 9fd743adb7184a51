//! The command line.

mod confirm;
mod db;
mod node;
mod oob;
mod plan;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use drydock_model::design::Kind;
use drydock_model::finding::Level;

pub use confirm::TaskConfirmArgs;
pub use db::{DatabaseArgs, DbCommand};
pub use node::NodeCommand;
pub use oob::{OobArgs, OobInventory, OobScope};
pub use plan::{ApplyArgs, PlanArgs, WorkArgs};

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
    /// Tell what an action would change, node by node, from what is there now. Changes nothing.
    Plan(PlanArgs),
    /// Carry out a plan, exactly as it was made; a node where the world has changed since is left as it is.
    Apply(ApplyArgs),
    /// Designs.
    #[command(subcommand)]
    Design(DesignCommand),
    /// Nodes.
    #[command(subcommand)]
    Node(NodeCommand),
    /// Out-of-band controllers: power, boot device, inventory. Through a server, or without one (--direct).
    #[command(subcommand)]
    Oob(OobArgs),
    /// The database: its state, its schema, moving it to another back end. Needs no server.
    #[command(subcommand)]
    Db(DbCommand),
    /// Settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Render templates of boot actions for the server that started this.
    #[command(hide = true)]
    TemplateWorker(TemplateWorkerArgs),
}

/// `drydock template-worker`, which only a server calls.
#[derive(Debug, Args)]
pub struct TemplateWorkerArgs {
    /// Memory above what the process starts with, in MiB.
    #[arg(long)]
    pub memory_mib: u64,
    /// Processor time of one template.
    #[arg(long)]
    pub cpu_seconds: u64,
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
    /// A design: files or folders of YAML files, such as the folders of a tree of layers. Without one: the bundled example.
    pub design: Vec<PathBuf>,
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
    /// A design: files or folders of YAML files, such as the folders of a tree of layers.
    #[arg(required = true)]
    pub design: Vec<PathBuf>,
    /// Simulated delays are multiplied by this: 1 is real time, 0 is none.
    #[arg(long, default_value_t = 0.05)]
    pub time_scale: f64,
    /// Where the machines find the server that they call back.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9000")]
    pub callback: String,
    /// Faults, as JSON, such as {"machines":{"n1":{"fails_deployment":true}}}; they can be changed later with PUT /_sim/faults.
    ///
    /// Of a machine: bmc_silent, bmc_wrong_password, ignores_power, refuses_power, refuses_same_power, forgets_boot_device,
    /// fails_commissioning, fails_deployment, never_calls_back, boot_action_fails (each true or false), and bmc, an object of
    /// loss_per_mille, duplicate_per_mille, reorder_per_mille, reorder_ms, delay_ms (the network), busy_every (every so many
    /// commands), slots_taken, crashes_above (requests a second), crash_ms, sensor_alarm, and vendor: plain, minimal, openbmc,
    /// supermicro, pyghmi or ipmi_sim.
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

/// Formats of documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Stream {
    /// YAML. Of several documents one stream; a comment before each names its file.
    #[default]
    Yaml,
    /// JSON. Of several documents a list.
    Json,
}

/// Formats of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Picture {
    /// An image that needs nothing else.
    #[default]
    Svg,
    /// The language of Graphviz.
    Dot,
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
    /// Follow a task until it ends: what happens, as it happens.
    Watch {
        /// Task id.
        id: uuid::Uuid,
        /// Give up after so many seconds (exit code 5).
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<f64>,
        /// One JSON object a line, as the API sends it, instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Every change that a task made or meant to make.
    Journal {
        /// Task id.
        id: uuid::Uuid,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Answer what a task asks an operator to do by hand (nodes of out-of-band type manual).
    Confirm(TaskConfirmArgs),
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
    /// What is to be done.
    #[command(flatten)]
    pub work: WorkArgs,
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

/// What scripts may rely on.
const VALIDATE_EXITS: &str = "Exit codes:
  0  no finding of level error
  1  at least one finding of level error
  2  the design cannot be read (not YAML, not UTF-8, too long, not reachable), or the command line makes no sense
  3  there is no such file, URL or design";

/// `drydock design validate`
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Files, folders, a URL, design:<uuid>, or - for standard input.
    #[arg(required = true)]
    pub source: Vec<String>,
    /// Show findings of this level and above.
    #[arg(long, value_enum, default_value_t)]
    level: LeastLevel,
    /// The same as --level info.
    #[arg(long, conflicts_with = "level")]
    all: bool,
    /// What this rule finds is no finding. A rule's id, or a group such as network/*, or all; may be repeated. The narrower one has the say.
    #[arg(long, value_name = "RULE")]
    pub allow: Vec<String>,
    /// What this rule finds is an error. Named as in --allow.
    #[arg(long, value_name = "RULE")]
    pub deny: Vec<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: ReportFormat,
}

impl ValidateArgs {
    /// The least level that is shown.
    pub fn least(&self) -> Level {
        match self.level {
            _ if self.all => Level::Info,
            LeastLevel::Error => Level::Error,
            LeastLevel::Warning => Level::Warning,
            LeastLevel::Info => Level::Info,
        }
    }
}

/// Levels of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LeastLevel {
    /// What keeps the deployment from coming out as designed.
    Error,
    /// And what a careful colleague would ask about.
    #[default]
    Warning,
    /// And what is unused, redundant, or was found to be right.
    Info,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people: each finding with its line.
    #[default]
    Table,
    /// Counts and findings as JSON.
    Json,
    /// The same as YAML.
    Yaml,
    /// SARIF 2.1.0, for code hosts and editors.
    Sarif,
    /// Workflow commands, by which GitHub annotates a change.
    Github,
}

/// `drydock design`
#[derive(Debug, Subcommand)]
pub enum DesignCommand {
    /// Upload a design; prints its id.
    Upload {
        /// Files, folders, a URL or design:<uuid> (a copy). The folders of a tree of layers are rendered first.
        #[arg(required = true)]
        source: Vec<String>,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// List the designs of the server, or the parts of one.
    List {
        /// Files, folders, a URL, - or design:<uuid>; without one, the server's designs.
        source: Vec<String>,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Show a design.
    Show {
        /// Files, folders, a URL or design:<uuid>.
        #[arg(required = true)]
        source: Vec<String>,
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
    #[command(after_help = VALIDATE_EXITS)]
    Validate(ValidateArgs),
    /// Print what a tree of layers comes to: the documents of Drydock after layering and substitution, secrets and all, in Deckhand form.
    Render {
        /// The folders of the layers, the one with the layering policy among them; or files, a URL, - for standard input.
        #[arg(required = true)]
        source: Vec<String>,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Stream,
    },
    /// Print the JSON Schema of design documents, for editors and other tools.
    Schema {
        /// Only of documents of this kind, such as Network; without it, of any document.
        kind: Option<Kind>,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t = Stream::Json)]
        output: Stream,
    },
    /// Compare what two designs mean. Exit code: 0 the same, 1 different, 2 unreadable.
    Diff {
        /// File, folder, URL or design:<uuid>.
        #[arg(value_name = "A")]
        before: String,
        /// The same.
        #[arg(value_name = "B")]
        after: String,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Draw a design: racks, nodes, links, networks.
    Graph {
        /// File, folder, URL or design:<uuid>.
        source: String,
        /// What to write to standard output.
        #[arg(long, value_enum, default_value_t)]
        format: Picture,
        /// Only this node.
        #[arg(long)]
        node: Option<String>,
    },
}

/// `drydock config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print a sample settings file: every setting with its default and meaning.
    Sample,
}
