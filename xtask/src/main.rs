//! The chores of this repository: `cargo xtask test`, `tidy`, `layers`, `genconfig`, `rules`, `fuzz`, `bench`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bench;
mod command;
mod fuzz;
mod genconfig;
mod interrupt;
mod keystone;
mod layers;
mod packages;
mod parts;
mod postgres;
mod python;
mod repository;
mod rules;
mod stages;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::repository::Repository;

/// As the product has it: the benchmarks measure that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The chores of this repository")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything that must hold before a change is taken, on SQLite and on a private PostgreSQL
    Test(test::Arguments),
    /// The conventions of the repository
    Tidy,
    /// Which crate may use which
    Layers,
    /// Writes the sample configuration from the settings' types
    Genconfig(genconfig::Arguments),
    /// Writes the pages of the rules from their registry
    Rules(rules::Arguments),
    /// Feeds the readers whatever breaks them, if anything does; `fuzz list` shows the targets
    Fuzz(fuzz::Arguments),
    /// Measures the release build; `bench list` shows what there is
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = Repository::find().and_then(|repository| match arguments.chore {
        Chore::Test(arguments) => test::run(&repository, &arguments),
        Chore::Tidy => tidy::run(&repository),
        Chore::Layers => layers::run(&repository),
        Chore::Genconfig(arguments) => genconfig::run(&repository, &arguments),
        Chore::Rules(arguments) => rules::run(&repository, &arguments),
        Chore::Fuzz(arguments) => fuzz::run(&repository, &arguments),
        Chore::Bench(arguments) => bench::run(&repository, &arguments),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
