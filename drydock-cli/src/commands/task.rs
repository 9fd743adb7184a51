//! `drydock task`

pub(super) mod watch;

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::args::{Output, TaskCommand, TaskCreateArgs, WaitArgs, WorkArgs};
use crate::client::Client;
use crate::commands::{design, journal};
use crate::exit::{Exit, Failure, is_passing};
use crate::print;
use crate::source::{self, Named};

/// How often a waiting client asks.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// How long a waiting client puts up with a server that does not answer.
const SILENCE: Duration = Duration::from_secs(120);

/// Runs it.
pub async fn run(client: &Client, command: TaskCommand) -> Result<Exit> {
    match command {
        TaskCommand::Create(args) => create(client, args).await,
        TaskCommand::List { all, output } => {
            let mut tasks = client.get("/tasks").await?;
            if !all && let Some(list) = tasks.as_array_mut() {
                list.retain(|task| task["parent_task_id"].is_null());
            }
            print::value(output, &tasks, list_for_people)?;
            Ok(Exit::Done)
        }
        TaskCommand::Show { id, wait } => finish(client, &id.to_string(), &wait).await,
        TaskCommand::Watch { id, timeout, json } => {
            watch::run(client, &id.to_string(), timeout, json).await
        }
        TaskCommand::Journal { id, output } => {
            let entries = client.get(&format!("/tasks/{id}/journal")).await?;
            print::value(output, &entries, |entries| journal::people(entries, true))?;
            Ok(Exit::Done)
        }
        TaskCommand::Confirm(args) => {
            let id = args.id.to_string();
            let answer = json!({
                "node": args.node,
                "done": !args.failed,
                "message": args.message,
            });
            client
                .post_once(&format!("/tasks/{id}/confirm"), &answer)
                .await?;
            finish(client, &id, &args.wait).await
        }
        TaskCommand::Terminate { id, wait } => {
            let id = id.to_string();
            client
                .post(&format!("/tasks/{id}/terminate"), &json!({}))
                .await?;
            finish(client, &id, &wait).await
        }
    }
}

async fn create(client: &Client, args: TaskCreateArgs) -> Result<Exit> {
    let design_ref = design_ref(client, &args.work.design).await?;
    let mut body = work(&args.work, &design_ref)?;
    body["dry_run"] = json!(args.dry_run);
    if args.work.action == "destroy_nodes" && !args.yes && !args.dry_run {
        // What was agreed to is what is sent, whatever the design comes to select by then.
        body["node_filter"] = confirm(client, &design_ref, &body["node_filter"]).await?;
    }
    let task = client.post_once("/tasks", &body).await?;
    finish(client, &print::text(&task["task_id"]), &args.wait).await
}

/// The reference to send; what is local is uploaded first.
pub(super) async fn design_ref(client: &Client, design: &str) -> Result<String> {
    if !is_local(design) {
        return Ok(design.to_owned());
    }
    Ok(match source::open(design).await? {
        Named::Local(sources) => format!("design:{}", design::upload(client, &sources).await?),
        Named::Uploaded(id) => format!("design:{id}"),
    })
}

/// The request for this work.
pub(super) fn work(args: &WorkArgs, design_ref: &str) -> Result<Value> {
    let mut body = json!({
        "action": args.action,
        "design_ref": design_ref,
        "node_filter": filter(args),
        "priority": args.priority,
        "strategy": strategy(args)?,
    });
    if let Some(verb) = &args.verb {
        body["parameters"] = json!({ "verb": verb, "device": args.device });
    }
    Ok(body)
}

/// A path of this machine rather than a reference for the server.
fn is_local(design: &str) -> bool {
    !design.starts_with("design:") && !design.contains("://")
}

/// How to go through the nodes; null when nothing is said about it.
fn strategy(args: &WorkArgs) -> Result<Value> {
    let group_by = match args.group_by.as_deref() {
        None => Value::Null,
        Some("rack") => json!("rack"),
        Some(text) => match text.strip_prefix("label:").filter(|key| !key.is_empty()) {
            Some(key) => json!({ "label": key }),
            None => {
                return Err(Failure::error(
                    Exit::Usage,
                    format!("--group-by {text}: rack or label:KEY is expected"),
                ));
            }
        },
    };
    let fields = [
        ("max_in_flight", json!(args.max_in_flight)),
        ("canary", json!(args.canary)),
        ("stop_at_failures_percent", json!(args.stop_at)),
        ("group_by", group_by),
    ];
    let set: serde_json::Map<String, Value> = fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Ok(if set.is_empty() {
        Value::Null
    } else {
        Value::Object(set)
    })
}

fn filter(args: &WorkArgs) -> Option<Value> {
    if args.node_names.is_empty() && args.node_tags.is_empty() && args.rack_names.is_empty() {
        return None;
    }
    Some(json!({
        "filter_set_type": "intersection",
        "filter_set": [{
            "filter_type": "intersection",
            "node_names": args.node_names,
            "node_tags": args.node_tags,
            "rack_names": args.rack_names,
        }],
    }))
}

/// Asks before machines are wiped. Says how many and which; the filter of exactly those.
async fn confirm(client: &Client, design_ref: &str, filter: &Value) -> Result<Value> {
    let nodes = client
        .post(
            "/nodefilter",
            &json!({ "design_ref": design_ref, "node_filter": filter }),
        )
        .await?;
    let names: Vec<_> = nodes
        .as_array()
        .into_iter()
        .flatten()
        .map(print::text)
        .collect();
    if names.is_empty() {
        return Err(Failure::error(
            Exit::NotFound,
            "no node is selected; nothing was done",
        ));
    }
    let question = format!(
        "destroy_nodes erases {} node(s): {}",
        names.len(),
        names.join(", ")
    );
    ask(&question, names.len()).await?;
    Ok(
        json!({ "filter_set_type": "union", "filter_set": [{ "filter_type": "union", "node_names": names }] }),
    )
}

/// Asks whoever sits at the terminal; exit code 2 where nobody does, 4 when the answer is not this number.
pub(super) async fn ask(question: &str, number: usize) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::error(
            Exit::Usage,
            format!("{question}; give --yes to do it without being asked"),
        ));
    }
    eprint!("{question}\nType the number of nodes to go on: ");
    std::io::stderr().flush()?;
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    })
    .await??;
    if answer.trim() == number.to_string() {
        Ok(())
    } else {
        Err(Failure::error(Exit::Denied, "nothing was done"))
    }
}

/// Waits if asked to, prints, and says by the exit code how it went.
pub(super) async fn finish(client: &Client, id: &str, wait: &WaitArgs) -> Result<Exit> {
    let task = if wait.wait {
        ended(client, id, wait.timeout).await?
    } else {
        client.get(&format!("/tasks/{id}")).await?
    };
    let shown = match wait.output {
        Output::Table => client.get(&format!("/tasks/{id}?layers=-1")).await?,
        _ => task.clone(),
    };
    print::value(wait.output, &shown, |tree| tree_for_people(tree, id))?;
    let good = !has_ended(&task) || task["result"]["status"] == "success";
    Ok(if good { Exit::Done } else { Exit::Failed })
}

fn has_ended(task: &Value) -> bool {
    matches!(task["status"].as_str(), Some("complete" | "terminated"))
}

/// Waits for the end of a task; exit code 5 after so many seconds.
pub(super) async fn ended(client: &Client, id: &str, timeout: Option<f64>) -> Result<Value> {
    let started = Instant::now();
    let mut answered = Instant::now();
    loop {
        let task = match client.get(&format!("/tasks/{id}")).await {
            Ok(task) => task,
            // A server that is restarted does not end the task, so it does not end the waiting either.
            Err(error) if is_passing(&error) && answered.elapsed() < SILENCE => {
                tokio::time::sleep(ASK_EVERY).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        answered = Instant::now();
        if has_ended(&task) {
            return Ok(task);
        }
        if timeout.is_some_and(|seconds| started.elapsed().as_secs_f64() >= seconds) {
            return Err(Failure::error(
                Exit::TimedOut,
                format!(
                    "task {id} is still {} after {:.0} s; it goes on (drydock task show {id} --wait)",
                    print::text(&task["status"]),
                    started.elapsed().as_secs_f64()
                ),
            ));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn list_for_people(tasks: &Value) -> String {
    let mut table = print::table(&[
        "task", "action", "status", "result", "done", "created", "design",
    ]);
    for task in tasks.as_array().into_iter().flatten() {
        table.add_row([
            print::text(&task["task_id"]),
            print::text(&task["action"]),
            print::text(&task["status"]),
            print::text(&task["result"]["status"]),
            format!("{}/{}", task["progress"]["done"], task["progress"]["total"]),
            print::text(&task["created"]).chars().take(19).collect(),
            print::text(&task["design_ref"]),
        ]);
    }
    table.to_string()
}

/// The tree with its messages: indented actions, then everything that was said, errors marked.
fn tree_for_people(tree: &Value, id: &str) -> String {
    let mut lines = Vec::new();
    branch(tree, id, 0, &mut lines);
    let root = &tree[id];
    let messages = root["result"]["details"]["messageList"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if !messages.is_empty() {
        lines.push(String::new());
    }
    for message in &messages {
        let mark = if message["error"] == true {
            "error"
        } else {
            "     "
        };
        lines.push(format!("{mark} {}", print::text(&message["message"])));
    }
    lines.join("\n")
}

fn branch(tree: &Value, id: &str, depth: usize, lines: &mut Vec<String>) {
    let task = &tree[id];
    let indent = "  ".repeat(depth);
    let node = &task["node_filter"]["filter_set"][0]["node_names"];
    let of = if depth == 1 && node.as_array().is_some_and(|names| names.len() == 1) {
        format!(" {}", print::text(&node[0]))
    } else {
        String::new()
    };
    let waiting = task["waiting_for"]
        .as_str()
        .map_or_else(String::new, |reason| format!(" - waits for: {reason}"));
    let shown = if depth == 0 {
        format!(" {id}")
    } else {
        String::new()
    };
    lines.push(format!(
        "{indent}{}{of}{shown}: {}, {}{waiting}",
        print::text(&task["action"]),
        print::text(&task["status"]),
        print::text(&task["result"]["status"])
    ));
    for child in task["subtask_id_list"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        branch(tree, child, depth + 1, lines);
    }
}
