//! `drydock plan` and `drydock apply`

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Result;
use drydock_model::change::Risk;
use drydock_orchestrator::plan_document::{NodePlan, PlanDocument, StepPlan, Summary, VERSION};
use serde_json::{Value, json};

use crate::args::{ApplyArgs, PlanArgs};
use crate::client::Client;
use crate::commands::task;
use crate::exit::{Exit, Failure};
use crate::print;

/// Plans: a dry run on the server, and what came of it.
pub async fn plan(client: &Client, args: PlanArgs) -> Result<Exit> {
    let design_ref = task::design_ref(client, &args.work.design).await?;
    let mut body = task::work(&args.work, &design_ref)?;
    body["dry_run"] = json!(true);
    let dry_run = client.post_once("/tasks", &body).await?;
    let id = print::text(&dry_run["task_id"]);
    let ended = task::ended(client, &id, args.timeout).await?;
    let plan = client.get(&format!("/tasks/{id}/plan")).await?;
    let document: PlanDocument = read(&plan)?;
    if let Some(file) = &args.out {
        let text = serde_json::to_string_pretty(&plan)?;
        std::fs::write(file, text + "\n").map_err(|error| {
            Failure::error(
                Exit::Usage,
                format!("{} cannot be written: {error}", file.display()),
            )
        })?;
    }
    print::value(args.output, &plan, |_| for_people(&document))?;
    if ended["result"]["status"] == "success" {
        return Ok(Exit::Done);
    }
    let errors = ended["result"]["details"]["messageList"].as_array();
    for message in errors.into_iter().flatten() {
        if message["error"] == true {
            eprintln!("drydock: {}", print::text(&message["message"]));
        }
    }
    Ok(Exit::Failed)
}

/// Carries out a plan.
pub async fn apply(client: &Client, args: ApplyArgs) -> Result<Exit> {
    let document = read(&open(&args.plan)?)?;
    if document.computed() != document.fingerprint {
        return Err(Failure::error(
            Exit::Usage,
            format!(
                "{}: this plan is not as it was made: its fingerprint is another; make a new plan",
                args.plan.display()
            ),
        ));
    }
    if !args.yes {
        let names: Vec<&str> = document.nodes.iter().filter_map(may_be_wiped).collect();
        if !names.is_empty() {
            let question = format!(
                "{} erases {} node(s): {}",
                document.action,
                names.len(),
                names.join(", ")
            );
            task::ask(&question, names.len()).await?;
        }
    }
    // The server has the plan; that of many nodes is longer than a request may be.
    let body = json!({
        "plan_task_id": document.task_id,
        "plan_fingerprint": document.fingerprint,
        "priority": args.priority,
    });
    let begun = client.post_once("/tasks", &body).await?;
    task::finish(client, &print::text(&begun["task_id"]), &args.wait).await
}

fn open(file: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let exit = match error.kind() {
            ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Usage,
        };
        Failure::error(exit, format!("{}: {error}", file.display()))
    })?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::error(
            Exit::Usage,
            format!("{}: this is no plan: {error}", file.display()),
        )
    })
}

fn read(plan: &Value) -> Result<PlanDocument> {
    let refuse = |text: String| Failure::error(Exit::Usage, text);
    match plan["version"].as_u64() {
        Some(VERSION) => serde_json::from_value(plan.clone())
            .map_err(|error| refuse(format!("this is no plan: {error}"))),
        Some(other) => Err(refuse(format!(
            "this plan is of version {other}, and this program knows version {VERSION} only; make a new plan with it"
        ))),
        None => Err(refuse("this is no plan: it has no version".to_owned())),
    }
}

/// The name of a node on which a change that is planned, or one that may follow, wipes.
fn may_be_wiped(node: &NodePlan) -> Option<&str> {
    let wipes = node
        .steps
        .iter()
        .filter_map(|step| step.forecast.as_ref())
        .any(|forecast| forecast.worst() == Some(Risk::Wipes));
    node.node.as_deref().filter(|_| wipes)
}

fn for_people(plan: &PlanDocument) -> String {
    let mut table = print::table(&["node", "step", "risk", "change", "target", "why"]);
    for node in &plan.nodes {
        let name = node.node.as_deref().unwrap_or("the site");
        let rows: Vec<[String; 6]> = node
            .steps
            .iter()
            .flat_map(|step| rows(name, step))
            .collect();
        if rows.is_empty() {
            table.add_row([name, "-", "-", "nothing to change", "", ""]);
        }
        for row in rows {
            table.add_row(row);
        }
    }
    format!("{table}\n\n{}", told(&plan.summary))
}

fn rows(node: &str, step: &StepPlan) -> Vec<[String; 6]> {
    let row = |risk: &str, change: &str, target: &str, why: &str| {
        [node, step.action.as_str(), risk, change, target, why].map(str::to_owned)
    };
    let Some(forecast) = &step.forecast else {
        let why = step.note.as_deref().unwrap_or_default();
        return vec![row("-", "not planned", "", why)];
    };
    let mut rows: Vec<_> = forecast
        .changes
        .iter()
        .map(|change| {
            row(
                change.risk.as_str(),
                &change.verb,
                &change.target,
                &change.why,
            )
        })
        .collect();
    if let Some(further) = &forecast.further {
        rows.push(row(
            &format!("at most {}", further.at_most),
            "perhaps more",
            "",
            &further.because,
        ));
    }
    rows
}

/// `3 nodes: 41 changes, 3 of them wipe, 6 reboot`
fn told(summary: &Summary) -> String {
    let plural = |count: usize, one: &str| {
        if count == 1 {
            format!("1 {one}")
        } else {
            format!("{count} {one}s")
        }
    };
    let place = match summary.nodes {
        0 => "the site".to_owned(),
        nodes => plural(nodes, "node"),
    };
    let mut text = format!("{place}: {}", plural(summary.changes, "change"));
    let risky: Vec<String> = [(summary.wipes, "wipe"), (summary.reboots, "reboot")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .enumerate()
        .map(|(at, (count, verb))| {
            let verb = if count == 1 {
                format!("{verb}s")
            } else {
                verb.to_owned()
            };
            let of_them = if at == 0 { " of them" } else { "" };
            format!("{count}{of_them} {verb}")
        })
        .collect();
    for part in risky {
        text.push_str(", ");
        text.push_str(&part);
    }
    if summary.open_steps > 0 {
        text.push_str(&format!(
            "; after {} there may be more, within the risk told",
            plural(summary.open_steps, "step")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_what_is_risky() {
        let summary = |nodes, changes, wipes, reboots, open_steps| Summary {
            nodes,
            changes,
            wipes,
            reboots,
            open_steps,
        };
        for (summary, text) in [
            (
                summary(3, 41, 3, 6, 0),
                "3 nodes: 41 changes, 3 of them wipe, 6 reboot",
            ),
            (
                summary(1, 1, 0, 1, 1),
                "1 node: 1 change, 1 of them reboots; after 1 step there may be more, within the risk told",
            ),
            (summary(0, 2, 0, 0, 0), "the site: 2 changes"),
        ] {
            assert_eq!(told(&summary), text);
        }
    }

    #[test]
    fn a_plan_of_another_version_is_refused() {
        for (plan, needle) in [
            (json!({"version": 2}), "version 2"),
            (json!({"version": 1}), "this is no plan: missing field"),
            (json!([]), "has no version"),
        ] {
            let error = read(&plan).expect_err("no plan");
            assert!(error.to_string().contains(needle), "{error}");
            assert_eq!(crate::exit::of(&error), Exit::Usage);
        }
    }
}
