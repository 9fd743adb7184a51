//! The binary `drydock`: server, simulators and client in one.

mod args;
mod client;
mod commands;
mod compose;
mod demo;
mod exit;
mod print;
mod rehearsal;
mod sandbox;
mod serve;
mod settings;
mod sim;
mod source;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command, ConfigCommand};
use crate::exit::Exit;

/// See docs/adr/0007-allocator.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // clap ends the process with 2 on a wrong command line, 0 on --help.
    let cli = Cli::parse();
    if let Command::TemplateWorker(args) = &cli.command {
        // Before there is a runtime: its threads would count as memory, and there is nothing to wait for.
        return match sandbox::worker::run(args.memory_mib, args.cpu_seconds) {
            Ok(()) => Exit::Done.into(),
            Err(error) => {
                eprintln!("drydock: {error:#}");
                Exit::Failed.into()
            }
        };
    }
    // Ignores that one may be there already: then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let result = runtime.block_on(run(cli));
            // Whatever is still in a blocking call must not hold up the end.
            runtime.shutdown_timeout(std::time::Duration::from_secs(2));
            result
        });
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("drydock: {error:#}");
            exit::of(&error).into()
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Serve(args) => serve::run(&args).await,
        Command::Demo(args) => demo::run(&args).await,
        Command::Sim(args) => sim::run(&args).await,
        Command::Task(command) => {
            commands::task::run(&client::Client::new(&cli.url)?, command).await
        }
        Command::Plan(args) => commands::plan::plan(&client::Client::new(&cli.url)?, args).await,
        Command::Apply(args) => commands::plan::apply(&client::Client::new(&cli.url)?, args).await,
        Command::Design(command) => {
            commands::design::run(&client::Client::new(&cli.url)?, command).await
        }
        Command::Node(command) => {
            commands::node::run(&client::Client::new(&cli.url)?, command).await
        }
        Command::Oob(args) => commands::oob::run(&cli.url, args).await,
        Command::TemplateWorker(_) => Ok(Exit::Done),
        Command::Db(command) => commands::db::run(command).await,
        Command::Config(ConfigCommand::Sample) => {
            print::out(&settings::sample()?)?;
            Ok(Exit::Done)
        }
    }
}
