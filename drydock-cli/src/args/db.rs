//! The command line of `drydock db`.

use std::path::PathBuf;

use clap::{Args, Subcommand, value_parser};

use super::Output;

/// Which database: the setting `database.url`, as a server finds it.
#[derive(Debug, Args)]
pub struct DatabaseArgs {
    /// Settings file; else etc/drydock/drydock.yaml when it is there.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A setting, above file and environment, such as database.url=sqlite://drydock.db; may be repeated.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub set: Vec<String>,
}

/// `drydock db`
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// What state the database is in. Changes nothing.
    Status {
        /// Which database.
        #[command(flatten)]
        database: DatabaseArgs,
        /// Read everything and show a digest of each table, which is the same on every back end.
        #[arg(long)]
        digest: bool,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Bring the schema up to date, as a server does when it starts.
    Migrate {
        /// Which database.
        #[command(flatten)]
        database: DatabaseArgs,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Delete the tasks that ended more than so many days ago, as DELETE /tasks does; the journal stays.
    Purge {
        /// Which database.
        #[command(flatten)]
        database: DatabaseArgs,
        /// Keep what ended in so many days, 1 or more.
        #[arg(long, default_value_t = 90, value_parser = value_parser!(u32).range(1..))]
        days: u32,
    },
    /// Copy everything into an empty database, of the same kind or the other, and verify it. Stop all servers first. A copy that was interrupted goes on when it is run again.
    Copy {
        /// Where from: sqlite://FILE, postgres://..., or where such a URL stands (env:NAME, file:PATH).
        #[arg(long, value_name = "URL")]
        from: String,
        /// Where to, likewise. A SQLite file is made; a PostgreSQL database must be there.
        #[arg(long, value_name = "URL")]
        to: String,
        /// Copy although a server is at work on the source: what it does from now on is not copied.
        #[arg(long)]
        force: bool,
        /// How to print.
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
}
