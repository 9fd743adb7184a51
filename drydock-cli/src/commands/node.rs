//! `drydock node`

use anyhow::Result;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::args::NodeCommand;
use crate::client::Client;
use crate::commands::journal;
use crate::exit::Exit;
use crate::print;

/// Runs it.
pub async fn run(client: &Client, command: NodeCommand) -> Result<Exit> {
    match command {
        NodeCommand::List { output } => {
            let nodes = client.get("/nodes").await?;
            print::value(output, &nodes, people)?;
        }
        NodeCommand::Builddata {
            name,
            generator,
            history,
            output,
        } => {
            let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
            let mut path = format!("/nodes/{name}/builddata?latest={}", !history);
            if let Some(generator) = generator {
                let generator = utf8_percent_encode(&generator, NON_ALPHANUMERIC);
                path.push_str(&format!("&generator={generator}"));
            }
            print::value(output, &client.get(&path).await?, build_data)?;
        }
        NodeCommand::History {
            name,
            limit,
            output,
        } => {
            let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
            let entries = client
                .get(&format!("/nodes/{name}/history?limit={limit}"))
                .await?;
            print::value(output, &entries, |entries| journal::people(entries, false))?;
        }
    }
    Ok(Exit::Done)
}

/// Each piece under a line that says what it is; JSON is laid out.
fn build_data(list: &Value) -> String {
    let pieces = list.as_array().into_iter().flatten().map(|one| {
        let text = print::text(&one["data_element"]);
        let laid_out = serde_json::from_str::<Value>(&text)
            .ok()
            .filter(|_| one["data_format"] == "application/json")
            .and_then(|value| serde_json::to_string_pretty(&value).ok());
        format!(
            "{} of {}, collected {} by task {}\n{}",
            print::text(&one["generator"]),
            print::text(&one["node_name"]),
            print::text(&one["collected_date"]),
            print::text(&one["task_id"]),
            laid_out.unwrap_or(text)
        )
    });
    let pieces: Vec<String> = pieces.collect();
    if pieces.is_empty() {
        return "nothing is known".to_owned();
    }
    pieces.join("\n\n")
}

fn people(nodes: &Value) -> String {
    let mut table = print::table(&[
        "node",
        "status",
        "power",
        "cpus",
        "memory MiB",
        "boot MAC",
        "boot address",
        "BMC address",
    ]);
    for node in nodes.as_array().into_iter().flatten() {
        let keys = [
            "hostname",
            "status_name",
            "power_state",
            "cpu_count",
            "memory",
            "boot_mac",
            "boot_ip",
            "power_address",
        ];
        table.add_row(keys.map(|key| print::text(&node[key])));
    }
    table.to_string()
}
