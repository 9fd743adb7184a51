//! `drydock oob`: the controllers of nodes, through a server as a task, or by an engine in this process.

mod doctor;
mod inventory;
mod rows;
mod site;

use anyhow::Result;
use drydock_model::oob::OobCommand;
use serde_json::json;

use crate::args::{OobArgs, OobInventory, OobScope};
use crate::commands::task;
use crate::exit::Exit;
use crate::print;
use rows::Row;
use site::{Ended, Site};

/// So many names are told in a question.
const TOLD: usize = 20;

/// Runs it. `url`: of the server, where there is to be one.
pub async fn run(url: &str, args: OobArgs) -> Result<Exit> {
    match args {
        OobArgs::Status(args) => work(url, &args.scope, OobCommand::Status, false, false).await,
        OobArgs::Power(args) => {
            let command = args.verb.command();
            let asks = command.interrupts() && !args.yes && !args.dry_run;
            work(url, &args.scope, command, args.dry_run, asks).await
        }
        OobArgs::Boot(args) => {
            let command = OobCommand::Boot(args.device.into());
            work(url, &args.scope, command, args.dry_run, false).await
        }
        OobArgs::Inventory(args) => inventory(url, &args).await,
        OobArgs::Doctor(args) => doctor(url, &args.scope).await,
    }
}

/// A command to controllers, and what came of it as a table.
async fn work(
    url: &str,
    scope: &OobScope,
    command: OobCommand,
    dry_run: bool,
    asks: bool,
) -> Result<Exit> {
    let mut site = Site::open(url, scope).await?;
    let result = async {
        let names = site.names(scope).await?;
        if asks && names.len() > 1 {
            let question = format!(
                "{command} takes the power from {} machines of {}: {}",
                names.len(),
                site.design_ref(),
                told(&names)
            );
            site.unless_interrupted(task::ask(&question, names.len()))
                .await?;
        }
        let ended = site.run(&names, command, dry_run, scope.timeout).await?;
        let done = (!dry_run).then_some(command);
        let rows = rows::of(&names, &ended, done, &site.controllers().await);
        let answer = json!({
            "task_id": ended.id,
            "design_ref": site.design_ref(),
            "command": command,
            "dry_run": dry_run,
            "result": ended.result(),
            "nodes": rows,
        });
        print::value(scope.output, &answer, |_| rows::table(&rows))?;
        told_apart(&ended, &rows);
        Ok(exit(&ended, &rows))
    }
    .await;
    site.close(result).await
}

async fn inventory(url: &str, args: &OobInventory) -> Result<Exit> {
    let scope = &args.scope;
    let mut site = Site::open(url, scope).await?;
    let result = async {
        let names = site.names(scope).await?;
        let kept = if args.fresh || site.is_here() {
            let ended = site
                .run(&names, OobCommand::Status, false, scope.timeout)
                .await?;
            let rows = rows::of(&names, &ended, None, &site.controllers().await);
            for row in rows.iter().filter(|row| row.failed()) {
                eprintln!("{}: {}", row.node, row.message);
            }
            told_apart(&ended, &rows);
            ended.build_data
        } else {
            site.kept(&names).await?
        };
        inventory::show(scope.output, &names, &kept)
    }
    .await;
    site.close(result).await
}

async fn doctor(url: &str, scope: &OobScope) -> Result<Exit> {
    let mut site = Site::open(url, scope).await?;
    let result = async {
        let names = site.names(scope).await?;
        let ended = site
            .run(&names, OobCommand::Status, false, scope.timeout)
            .await?;
        let controllers = site.controllers().await;
        let rows = rows::of(&names, &ended, None, &controllers);
        told_apart(&ended, &rows);
        doctor::show(scope.output, &rows, &ended, &controllers)
    }
    .await;
    site.close(result).await
}

/// What the task has to say where it did not come to its nodes.
fn told_apart(ended: &Ended, rows: &[Row]) {
    if rows.iter().all(|row| row.result.is_none()) {
        for message in ended.messages() {
            eprintln!("{message}");
        }
    }
}

fn exit(ended: &Ended, rows: &[Row]) -> Exit {
    if ended.result() == "success" && rows.iter().all(|row| row.result.is_some()) {
        Exit::Done
    } else {
        Exit::Failed
    }
}

fn told(names: &[String]) -> String {
    let (first, others) = names.split_at(names.len().min(TOLD));
    let more = match others.len() {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    format!("{}{more}", first.join(", "))
}
